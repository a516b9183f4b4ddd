"""A whole run's collection with simulated engine latency: answers per second, and the driver's time.

Arena, pipeline, solver, verifier, curator and Ray are the real ones; the learner learns nothing. The engine
is one scripted actor that holds any number of calls, so the batches in flight stand for engines: none waits
for another's. The first round warms everything up, the second one counts.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.arena import Arena
from actors.engines.base import Weights
from actors.runtime import P, Role, Runtime
from experiments.benchmarks.scaling_work import GROUP_SIZE, settings_of
from experiments.benchmarks.simulated import SimulatedLearner
from protocols.iteration import Play
from protocols.records import Purpose
from protocols.settings import RunSettings


@dataclass
class Spent:
    """Seconds of the driver's thread while it collects."""

    wall: float = 0.0
    idle: float = 0.0  # it waits for solvers and verifiers
    asking: float = 0.0  # it waits for the curator
    cpu: float = 0.0  # it computes


class WatchedRuntime:
    """A runtime that notes how long it is waited for."""

    def __init__(self, runtime: Runtime, spent: Spent) -> None:
        self.kind = runtime.kind
        self._runtime, self._spent = runtime, spent

    def reserve(self, settings: RunSettings) -> None:
        self._runtime.reserve(settings)

    def spawn(self, name: str, cls: Callable[..., Any], *args: Any, calls: int = 1) -> Role:
        return self._runtime.spawn(name, cls, *args, calls=calls)

    def wait(self, pendings: Sequence[P], timeout_s: float) -> list[P]:
        began = time.perf_counter()
        ended = self._runtime.wait(pendings, timeout_s)
        self._spent.idle += time.perf_counter() - began
        return ended

    def close(self) -> None:
        self._runtime.close()


class WatchedArena(Arena):
    """Notes what its thread does while it collects; `spent` holds the newest round's."""

    def __init__(self, settings: RunSettings, run_dir: Path, model_path: Path) -> None:
        super().__init__(settings, run_dir, model_path, lambda kind, facts: None, SimulatedLearner)
        self.spent = self._asking = Spent()

    def _cast(self, runtime: Runtime) -> None:
        super()._cast(runtime)
        self._plain = runtime

    def _collect(self, plays: Sequence[Play], weights: Weights) -> None:
        spent = Spent()
        if plays and plays[0].purpose is Purpose.COLLECT:
            self.spent = spent
        self._asking, self._runtime = spent, WatchedRuntime(self._plain, spent)
        began, computed = time.perf_counter(), time.thread_time()
        super()._collect(plays, weights)
        spent.wall, spent.cpu = time.perf_counter() - began, time.thread_time() - computed

    def _ask(self, method: str, *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return super()._ask(method, *args)
        finally:
            self._asking.asking += time.perf_counter() - began


def collection(in_flight: int, batch_groups: int, batches: int, latency_s: float) -> dict[str, float]:
    """One run: what its second round gave.

    Returns:
        answers per second, tokens of an answer, and seconds of the driver's thread a batch: its own (neither
        idle nor waiting for the curator), waiting for the curator, and computing.
    """
    from memory.artefacts import fetch_model
    from memory.reader import RunReader

    settings = settings_of(
        rounds=2,
        engine={"scripted": {"latency_s": latency_s}},
        solver={
            "batch_groups": batch_groups,
            "in_flight": in_flight,
            "groups_per_round": batches * batch_groups,
        },
        sandbox={"workers": 0},
        verifier={"queue": 2 * in_flight},
    )
    with tempfile.TemporaryDirectory(prefix="taskspace-bench-") as folder:
        arena = WatchedArena(settings, Path(folder), fetch_model("tiny-random"))
        arena.run()
        with RunReader(Path(folder) / "run.db") as reader:
            row = reader.rows("SELECT SUM(tokens) AS tokens, SUM(attempts) AS attempts FROM groups")[0]
    spent = arena.spent
    return {
        "answers_per_s": batches * batch_groups * GROUP_SIZE / spent.wall,
        "tokens": row["tokens"] / row["attempts"],
        "driver_own_s": (spent.wall - spent.idle - spent.asking) / batches,
        "driver_asking_s": spent.asking / batches,
        "driver_cpu_s": spent.cpu / batches,
        "driver_idle_share": spent.idle / spent.wall,
    }
