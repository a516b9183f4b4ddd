"""Throughput of each part against its number of actors, and where the system saturates by what they cost.

What is measured: verification, rollouts and admission, each alone and from 1 to 16 actors; the costs of
`saturation`, the model that predicts them; and the collection of whole runs. Engine latency is simulated,
everything else is real. The predictions come from costs that were measured with one actor, or apart.
Not here: what engines compute, several machines. docs/scaling.md reads the figures.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from experiments.benchmarks import saturation, scaling_costs, scaling_parts, scaling_whole
from experiments.benchmarks.saturation import Costs, System
from experiments.benchmarks.scaling_work import GROUP_SIZE
from protocols.cores import usable_cores

ACTORS = (1, 2, 4, 8, 16)
BATCHES = (1, 4, 16)
LATENCY_S = 0.2
#: Whole runs: batches in flight, groups in a batch, batches.
RUNS = ((1, 1, 25), (2, 1, 50), (4, 1, 80), (8, 1, 150), (16, 1, 200), (16, 4, 80), (16, 16, 30))
#: What the model is asked: more of everything that can be had more of.
PAPER = System(engines=1000, engine_answers_per_s=4.0, solvers=64, slots=4096)

Table = dict[Any, Any]


def run(
    actors: Sequence[int] = ACTORS,
    batches: Sequence[int] = BATCHES,
    runs: Sequence[tuple[int, int, int]] = RUNS,
    seconds: float = 3.0,
    groups: int = 400,
    repeats: int = 20,
) -> dict[str, Any]:
    """Measure and predict.

    Args:
        seconds: of each measurement of verification and of rollouts.
        groups: that each measurement of admission offers one by one.
        repeats: transactions of each shape that the curator's costs are fitted to.

    Returns:
        tables by number of actors, measured and predicted; the costs; answers per second by part on paper.
    """
    verified = scaling_parts.verification(actors, seconds)
    played = scaling_parts.rollouts(actors, seconds, LATENCY_S)
    admitted = scaling_parts.admission(actors, batches, groups)
    other = scaling_costs.curator(repeats) | scaling_costs.round_trip(20 * repeats)
    other |= scaling_costs.store_bytes(100 * repeats) | scaling_costs.wire_bytes()
    whole = {(n, size): scaling_whole.collection(n, size, count, LATENCY_S) for n, size, count in runs}
    driver = _driver_costs(whole)
    costs = Costs(
        play_group_s=played["solver_cpu_s"],
        engine_group_s=played["engine_cpu_s"],
        program_s=1 / verified["rates"][min(actors)],
        program_cpu_s=verified["cpu_s"][min(actors)],
        **{name: other[name] for name in Costs.__annotations__ if name in other},
        **driver,
    )
    cores = usable_cores()
    result: dict[str, Any] = {
        "machine_cores": cores,
        "verification_programs_per_s": verified["rates"],
        "verification_predicted": {n: c / costs.program_s for n, c in verified["cores"].items()},
        "verification_cores": verified["cores"],
        "rollout_groups_per_s": played["rates"],
        "rollout_predicted": {n: rollout_rate(costs, n, cores) for n in actors},
    }
    for size in batches:
        result[f"admission_{size}_groups_per_s"] = admitted[size]
        result[f"admission_{size}_predicted"] = {
            n: admission_rate(costs, other["put_group_s"], n, size, cores) for n in actors
        }
    result |= {
        f"run_{n}_in_flight_{size}_groups_a_batch": found | run_rates(costs, n, size, found["tokens"], cores)
        for (n, size), found in whole.items()
    }
    result["costs"] = asdict(costs)
    result |= {name: value for name, value in other.items() if name not in result["costs"]}
    result["on_paper"] = on_paper(costs)
    return _rounded(result)


def _driver_costs(whole: dict[tuple[int, int], dict[str, float]]) -> dict[str, float]:
    """Seconds of the driver's thread for a batch and for each of its groups: all that it computes."""
    sizes = [size for _, size in whole]
    (batch, group), _ = scaling_costs.fit(
        [(1, b) for b in sizes], [w["driver_cpu_s"] for w in whole.values()]
    )
    return {"driver_batch_s": batch, "driver_group_s": group}


def rollout_rate(costs: Costs, engines: int, cores: int) -> float:
    """Groups per second, a call each, with twice as many calls as engines; each picks one at random."""
    working = engines * saturation.routed(engines, scaling_parts.CALLS_EACH * engines)
    busy = costs.play_group_s + costs.engine_group_s
    return min(working / (LATENCY_S + costs.engine_group_s), 1 / costs.play_group_s, cores / busy)


def admission_rate(costs: Costs, put_group_s: float, producers: int, groups: int, cores: int) -> float:
    """Groups per second for producers who put a batch into the object store and wait until it is admitted."""
    admit_s = saturation.transaction_s(costs, groups, GROUP_SIZE, 100)
    put_s = groups * put_group_s
    alone = producers / (put_s + costs.round_trip_s + admit_s)
    return groups * min(alone, 1 / admit_s, cores / (put_s + admit_s))


def run_rates(costs: Costs, in_flight: int, size: int, tokens: float, cores: int) -> dict[str, Any]:
    """What the model says of a whole run here: each part, and the slowest one."""
    handling_s = size * (costs.play_group_s + costs.engine_group_s) + 2 * costs.round_trip_s
    system = System(
        engines=in_flight,
        engine_answers_per_s=size * GROUP_SIZE / (LATENCY_S + handling_s),
        slots=cores,
        batch_groups=size,
        group_size=GROUP_SIZE,
        tokens=round(tokens),
    )
    rates = saturation.throughputs(costs, system)
    rates["cores"] = saturation.machine(costs, system, cores)
    name, rate = saturation.bottleneck(rates)
    return {"predicted": rate, "slowest": name, "predicted_by_part": rates}


def on_paper(costs: Costs, system: System = PAPER) -> dict[str, Table]:
    """Answers per second of each part, and how many engines are enough, for one change after the other."""
    light = replace(costs, admit_token_s=0.0)
    many = replace(system, batch_groups=64)
    free = replace(many, driver_waits=False)
    cases = {
        "as it is": (costs, system),
        "answers of 1000 tokens": (costs, replace(system, tokens=1000)),
        "one call for a batch in place of three": (costs, replace(system, calls=1)),
        "64 groups a batch": (costs, many),
        "64 groups, the driver does not wait": (costs, free),
        "the same, bodies outside the store": (light, free),
        "the same, 4 stores": (light, replace(free, stores=4)),
    }
    return {
        name: saturation.throughputs(*case) | {"engines_enough": saturation.enough_engines(*case)}
        for name, case in cases.items()
    }


def _rounded(value: Any) -> Any:
    """Four digits are more than two runs agree on."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
