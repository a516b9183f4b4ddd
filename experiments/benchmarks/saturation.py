"""Where a run saturates: answers per second of each part, by what one answer costs it, and the slowest one.

    throughput = min over parts of (servers / seconds of one server for one answer)

This is the bottleneck bound of operational analysis (Denning and Buzen 1978): no queue helps beyond it, and a
system with enough work under way comes close to it. What is counted here is what `actors.arena` does for
each batch. Not here: how the costs are measured (`scaling_costs`, `scaling_whole`), and start and end of a
round, where some parts have nothing to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CALLS = 3  # that the driver makes to the curator for a batch: a stage, the admission, another stage


@dataclass(frozen=True)
class Costs:
    """Seconds of one server of each part. A core-second is one of a core that does nothing else."""

    play_group_s: float  # core-seconds of a solver for a group: prompts, calls of the engine, records
    engine_group_s: float  # core-seconds of an engine's actor for a group, what it computes itself left out
    program_s: float  # of a sandbox slot, for one answer
    program_cpu_s: float  # core-seconds of the same, verifier and sandbox together
    admit_s: float  # of the curator for a transaction ...
    admit_group_s: float  # ... and for each of its groups ...
    admit_attempt_s: float  # ... and for each of its attempts ...
    admit_token_s: float  # ... and for each token of theirs, its text included
    stage_s: float  # of the curator, to note how long a role worked
    driver_batch_s: float  # of the driver's thread for a batch, without its waits for the curator ...
    driver_group_s: float  # ... and for each of its groups
    round_trip_s: float  # of a call to an actor that had nothing to do


@dataclass(frozen=True)
class System:
    """How many there are of each part, and what a batch is."""

    engines: int
    engine_answers_per_s: float  # of one of them
    solvers: int = 1
    slots: int = 1  # of all sandbox pools, each on a core of its own
    batch_groups: int = 16
    group_size: int = 4
    tokens: int = 100  # of an answer
    stores: int = 1  # shards, each with a curator of its own
    calls: int = CALLS
    driver_waits: bool = True  # for the curator's answers, as the arena does

    @property
    def answers(self) -> int:
        """Of a batch."""
        return self.batch_groups * self.group_size


def transaction_s(costs: Costs, groups: int, group_size: int, tokens: int) -> float:
    """Seconds of the curator for `admit` of that many groups."""
    attempt_s = costs.admit_attempt_s + tokens * costs.admit_token_s
    return costs.admit_s + groups * (costs.admit_group_s + group_size * attempt_s)


def curator_s(costs: Costs, system: System) -> float:
    """Seconds of the curator for everything about a batch."""
    admit_s = transaction_s(costs, system.batch_groups, system.group_size, system.tokens)
    return admit_s + (system.calls - 1) * costs.stage_s


def throughputs(costs: Costs, system: System) -> dict[str, float]:
    """Answers per second that each part could sustain if all others were infinitely fast."""
    batch_s = curator_s(costs, system)
    driver_s = costs.driver_batch_s + system.batch_groups * costs.driver_group_s
    if system.driver_waits:
        driver_s += system.calls * costs.round_trip_s + batch_s
    return {
        "engines": system.engines * system.engine_answers_per_s,
        "solvers": system.solvers * system.group_size / costs.play_group_s,
        "verifiers": system.slots / costs.program_s,
        "curator": system.stores * system.answers / batch_s,
        "driver": system.answers / driver_s,
    }


def machine(costs: Costs, system: System, cores: int) -> float:
    """Answers per second where all parts share these cores, and the engines' own computing is elsewhere."""
    batch_s = costs.driver_batch_s + system.batch_groups * costs.driver_group_s + curator_s(costs, system)
    group_s = costs.play_group_s + costs.engine_group_s
    return cores / (costs.program_cpu_s + group_s / system.group_size + batch_s / system.answers)


def bottleneck(rates: Mapping[str, float]) -> tuple[str, float]:
    """The part that breaks first, and its answers per second."""
    name = min(rates, key=lambda part: rates[part])
    return name, rates[name]


def enough_engines(costs: Costs, system: System) -> float:
    """How many engines of that speed keep the slowest other part busy: more of them change nothing."""
    rates = throughputs(costs, system)
    del rates["engines"]
    return bottleneck(rates)[1] / system.engine_answers_per_s


def routed(servers: int, calls: int) -> float:
    """Share of `servers` that work when `calls` calls are under way and each picks its server at random.

    calls / (calls + servers - 1): the balanced closed network with service times that vary as the exponential
    distribution does (Lazowska et al. 1984, chapter 6). Constant times do somewhat better.
    """
    return calls / (calls + servers - 1)
