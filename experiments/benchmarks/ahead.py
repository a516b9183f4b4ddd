"""Rounds per hour of collection that runs ahead of the learner, against one round after the other.

Engine and learner are simulated and take equally long; arena, curator, store, sandbox and Ray are the real
ones. The rate is taken between the first and the last update of a run, start and end left out.
"""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from actors.arena import Arena
from experiments.benchmarks.simulated import SimulatedLearner
from protocols.settings import RunSettings

NEEDED = 1.8  # times the synchronous rounds per hour, at max_staleness 1; 2 is all there can be
BATCHES = 8  # of a round
LATENCY_S = 0.25  # of a batch


def run(rounds: int = 15, staleness: tuple[int, ...] = (1,)) -> dict[str, Any]:
    """Play the same rounds synchronously and ahead.

    Returns:
        collect_seconds: of a round (the learner's time is set to it); rounds per hour with max_staleness 0
        and with each of `staleness`, and their ratios to it.
    """
    collect_s = _seconds_a_round(5, 0, 0.0)
    result: dict[str, Any] = {"rounds": rounds, "collect_seconds": collect_s, "learn_seconds": collect_s}
    rates = {s: 3600 / _seconds_a_round(rounds, s, collect_s) for s in (0, *staleness)}
    for stale, rate in rates.items():
        result[f"rounds_per_hour_{stale}"] = rate
        if stale:
            result[f"ratio_{stale}"] = rate / rates[0]
    return result | {"needed": NEEDED, "passed": result["ratio_1"] >= NEEDED}


def settings_of(rounds: int, max_staleness: int) -> RunSettings:
    """A run whose rounds take `BATCHES * LATENCY_S` seconds to be played, and little else."""
    return RunSettings.model_validate(
        {
            "rounds": rounds,
            "max_staleness": max_staleness,
            "model": {"name": "tiny-random"},
            "engine": {"kind": "scripted", "scripted": {"latency_s": LATENCY_S}},
            "zwc": {"functions": 4, "tasks_per_function": 4, "test_tasks_per_function": 1},
            "proposer": {"per_round": 0},
            "solver": {"group_size": 2, "groups_per_round": BATCHES, "batch_groups": 1},
            "learner": {"recipe": "open-sft"},
            "curator": {"experience": "round"},
            "evaluation": {"before": False, "every": 0, "tasks": 1},
        }
    )


def _seconds_a_round(rounds: int, max_staleness: int, learn_s: float) -> float:
    """Between updates, on average."""
    from memory.artefacts import fetch_model

    times: list[float] = []

    def notify(kind: str, facts: dict[str, Any]) -> None:
        if kind == "update":
            times.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        learner = partial(SimulatedLearner, seconds=learn_s)
        settings = settings_of(rounds, max_staleness)
        Arena(settings, Path(folder), fetch_model("tiny-random"), notify, learner).run()
    return (times[-1] - times[0]) / (len(times) - 1)
