"""Run folders for the screen's benchmark: a store of any size, with rounds, versions and measurements.

Filled by the real writer with the groups of `bench space`, 100 attempts to a task, in 50 rounds.
"""

import random
from pathlib import Path

from experiments.benchmarks.space import BATCH, GROUP, Judged, Player
from memory.store import Store
from protocols.records import Book, Evaluation, Split, Update
from protocols.seeds import digest, rng_of

PER_TASK, ROUNDS = 100, 50
_STEPS = 16  # of an update


class Filled:
    """A run folder that was filled, and goes on growing when told to. Close it."""

    def __init__(self, folder: Path, attempts: int, seed: int = 0) -> None:
        """Fills it: about 80 s for a million attempts."""
        groups = max(attempts // GROUP, ROUNDS)
        self.folder = folder
        self.attempts = groups * GROUP
        self._per_round = groups // ROUNDS
        self._random = rng_of("ui benchmark", seed)
        self._player = Player(seed, tasks=max(attempts // PER_TASK, 10), per_round=self._per_round)
        self.store = Store.create(folder / "run.db", {"preset": "benchmark", "rounds": ROUNDS}, {})
        self.store.add_tasks(self._player.tasks)
        self._played = 0
        for number in range(1, ROUNDS + 1):
            self._round(number, groups - (ROUNDS - 1) * self._per_round if number == ROUNDS else None)

    def close(self) -> None:
        self.store.close()

    def grow(self, groups: int) -> None:
        """A batch more."""
        self.store.admit_groups(list(self._player.groups(groups)))

    def _round(self, number: int, groups: int | None) -> None:
        self.store.begin_round(number, [], number - 1)
        waiting: list[Judged] = []
        for judged in self._player.groups(groups or self._per_round):
            waiting.append(judged)
            if len(waiting) == BATCH:
                self.store.admit_groups(waiting)
                waiting = []
        self.store.admit_groups(waiting)
        self.store.record_update(_update(number, self._random), [])
        self.store.record_evaluation(_evaluation(number, self._random))
        for role in ("solver", "verifier", "learner"):
            self.store.add_stage(number, role, role, float(number), 0.5, {})
        self.store.finish_round(number)


def _update(number: int, rng: random.Random) -> Update:
    return Update(
        version=number,
        round=number,
        recipe="closed-sft",
        samples=0,
        tokens=0,
        steps=_STEPS,
        losses=tuple(rng.random() for _ in range(_STEPS)),
        grad_norms=tuple(rng.random() for _ in range(_STEPS)),
        learning_rates=(1e-4,) * _STEPS,
        seconds=1.0,
        path=f"checkpoints/v{number}",
        checksum=digest("weights", number),
    )


def _evaluation(number: int, rng: random.Random) -> Evaluation:
    return Evaluation(
        id=digest("evaluation", number),
        round=number,
        policy_version=number,
        book=Book.CLOSED,
        split=Split.TEST,
        kind="single",
        tasks=64,
        attempts=64,
        accuracy=rng.random(),
        by_topic={f"topic{i}": rng.random() for i in range(64)},
        categories={"correct": 32, "wrong_answer": 32},
    )
