"""Runs in which something breaks, in this process and on a real Ray, with what broke them at a set moment."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from loop_driver import small_run
from test_resume import assert_same, content

from actors.arena import Arena
from experiments.soak import invariants, processes
from memory.artefacts import fetch_model
from protocols.settings import RunSettings

Fault = Callable[[], None]


def faulty_run(**changes) -> RunSettings:
    """Seconds of batches one after the other, so that there is something to break, and short deadlines."""
    base = {
        "engine": {"kind": "scripted", "scripted": {"latency_s": 0.2}},
        "solver": {"group_size": 2, "groups_per_round": 9, "batch_groups": 1},
        "proposer": {"per_round": 3},
        "evaluation": {"tasks": 2},
        "runtime": {"kind": "ray", "restarts": 6},
    }
    return small_run(**(base | changes))


def undisturbed(run_dir: Path, settings: RunSettings) -> dict[str, list[tuple]]:
    """What the same run stores when nothing happens to it."""
    calm = settings.model_copy(update={"runtime": small_run().runtime})
    assert Arena(calm, run_dir, fetch_model("tiny-random"), lambda kind, facts: None).run()
    return content(run_dir)


class Breaking:
    """`fault` happens once, some time after the `after`-th batch was admitted; told what the arena tells."""

    def __init__(self, fault: Fault, after: int = 4, seed: int = 0, most_s: float = 0.5) -> None:
        self._fault, self._after = fault, after
        self._delay = random.Random(seed).uniform(0, most_s)
        self._batches, self._broke_at = 0, 0.0
        self.seconds: float | None = None  # from the fault to the next admitted batch
        self.error: BaseException | None = None

    def __call__(self, kind: str, facts: dict) -> None:
        if kind != "batch":
            return
        self._batches += 1
        if self._broke_at and self.seconds is None:
            self.seconds = time.monotonic() - self._broke_at
        if self._batches == self._after:
            threading.Timer(self._delay, self._break).start()

    def _break(self) -> None:
        try:
            self._fault()
        except BaseException as error:  # or it would end in this thread, unseen
            self.error = error
        self._broke_at = time.monotonic()

    def survived(self, what: str) -> None:
        """The fault happened, and the work went on; says after how long."""
        assert self.error is None, self.error
        assert self.seconds is not None, "nothing was admitted after the fault"
        print(f"\nfault: {what}: next batch admitted after {self.seconds:.1f} s")


def play(run_dir: Path, settings: RunSettings, breaking: Breaking, what: str) -> None:
    """To the end, although something breaks."""
    assert Arena(settings, run_dir, fetch_model("tiny-random"), breaking).run()
    breaking.survived(what)


def one_after_the_other(
    run_dir: Path, settings: RunSettings, faults: dict[str, Fault], after: int, every: int
) -> dict[str, Breaking]:
    """One run to the end in which each of these faults happens, `every` batches after the one before; what
    came of each."""
    told = {
        name: Breaking(fault, after + every * place, seed=place)
        for place, (name, fault) in enumerate(faults.items())
    }

    def tell(kind: str, facts: dict) -> None:
        for breaking in told.values():
            breaking(kind, facts)

    assert Arena(settings, run_dir, fetch_model("tiny-random"), tell).run()
    return told


def check(run_dir: Path, settings: RunSettings, wanted: dict[str, list[tuple]] | None = None) -> None:
    """Nothing lost, doubled or invented; with `wanted`, the same as in a run that nothing happened to."""
    wrong = invariants.violations(run_dir, settings, complete=True)
    assert not wrong, wrong
    if wanted is not None:
        assert_same(content(run_dir), wanted)


def send(kind: str, what: signal.Signals = signal.SIGKILL) -> Fault:
    """A fault: all processes of this kind get a signal."""

    def fault() -> None:
        victims = processes.of_role(os.getpid(), kind)
        assert victims, f"there is no {kind} to break"
        for victim in victims:
            victim.send_signal(what)

    return fault
