"""Collection that runs ahead of the learner, in a thread of its own.

    rounds      1 ─ 2 ─ 3 ─ 4 ...       begun while `capacity` allows; their groups share one pipeline
    learner          1 ─ 2 ─ 3 ...      waits for the oldest round to be complete

A round's groups are played under the newest weights that there are when each of its batches begins, so a
batch is at most `max_staleness` versions behind those that it is learned into. A round's last, long answers
do not hold up the next round's first ones. What a round plays still is the curator's decision, and everything
admitted is in the store: killed at any moment, both sides go on from there.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Protocol

from actors.collecting import Pipeline, Waits
from actors.engines.base import Weights
from actors.runtime import Pending
from protocols.iteration import Play
from protocols.settings import RunSettings


def capacity(max_staleness: int, learned: int, begun: int) -> int:
    """How many more rounds may begin.

    Update r + 1 is made of round r + 1 while version r is the newest: a round that begins after r - s updates
    is s versions behind by then.

    Args:
        max_staleness: versions that experience may be behind the weights it is learned into.
        learned: rounds that have been learned.
        begun: rounds that have begun, learned ones included.
    """
    return max(0, learned + 1 + max_staleness - begun)


class Rounds(Protocol):
    """What running ahead needs of the arena."""

    def begin_proposals(self, round: int) -> Pending | None: ...

    def proposals_overdue(self) -> bool: ...

    def take_proposals(self, round: int, pending: Pending) -> None: ...

    def plan(self, round: int) -> Sequence[Play]: ...

    def further_plan(self, round: int) -> Sequence[Play]: ...

    def policy(self) -> Weights: ...

    def stopping(self) -> bool: ...


class Ahead:
    """The rounds from `first` on, collected ahead of whoever calls `wait_for`.

    Args:
        make_pipeline: given what to call with the round of every batch that was admitted.
    """

    def __init__(
        self,
        arena: Rounds,
        make_pipeline: Callable[[Callable[[int], None]], Pipeline],
        first: int,
        settings: RunSettings,
    ) -> None:
        self._arena, self._last, self._staleness = arena, settings.rounds, settings.max_staleness
        self._size = settings.solver.batch_groups
        self._pipeline = make_pipeline(self._done)
        self._begun = self._learned = self._collected = first - 1
        self._open: Counter[int] = Counter()  # by round what is still to come: its plan, its batches
        self._batches: deque[Sequence[Play]] = deque()
        self._proposing: tuple[int, Pending] | None = None
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._ended = False
        self._waits: Waits = defaultdict(float)
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)
        self._thread.start()

    def wait_for(self, round: int) -> Waits:
        """Until the round is collected, or collection was stopped; who waited for whom since the last call.

        Raises:
            TaskspaceError: collection failed.
        """
        began = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._collected >= round or self._ended)
            if self._failure is not None:
                raise self._failure
            waits, self._waits = self._waits, defaultdict(float)
        waits["learner", "solver", f"round {round} is not complete"] += time.monotonic() - began
        return waits

    def collected(self, round: int) -> bool:
        return self._collected >= round

    def learned(self, round: int) -> None:
        """Let further rounds begin."""
        with self._changed:
            self._learned = round
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until everything that was offered is admitted, and no more is offered."""
        with self._changed:
            self._last = self._begun
            self._changed.notify_all()
        self._thread.join()

    # ---- in the thread ----

    def _run(self) -> None:
        try:
            while self._collected < self._last and not self._arena.stopping():
                self._turn()
                self._pass_on_waits()
            self._pipeline.drain()
        except BaseException as error:  # whoever waits is told
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _turn(self) -> None:
        if self._proposing is None and not self._batches and self._begun < self._last and self._capacity:
            self._begin(self._begun + 1)
        elif self._batches and self._pipeline.room:
            self._pipeline.offer(self._batches.popleft(), self._arena.policy())
        elif self._pipeline.busy or self._proposing is not None:
            self._pipeline.step(self._proposing and self._proposing[1], why=self._why)
            self._take_proposals()
        else:
            self._wait_for_learner()

    def _pass_on_waits(self) -> None:
        with self._changed:
            for wait, seconds in self._pipeline.waits.items():
                self._waits[wait] += seconds
        self._pipeline.waits.clear()

    @property
    def _capacity(self) -> int:
        return capacity(self._staleness, self._learned, self._begun)

    @property
    def _why(self) -> str:
        ahead = not self._batches and self._proposing is None and self._begun < self._last
        return "learner" if ahead and not self._capacity else ""

    def _begin(self, round: int) -> None:
        pending = self._arena.begin_proposals(round)
        self._begun, self._open[round] = round, 1
        if pending is None:
            self._plan(round)
        else:
            self._proposing = (round, pending)

    def _take_proposals(self) -> None:
        if self._proposing is None:
            return
        if self._proposing[1] not in self._pipeline.also_ended and not self._arena.proposals_overdue():
            return
        round, pending = self._proposing
        self._proposing = None
        self._arena.take_proposals(round, pending)
        self._plan(round)

    def _plan(self, round: int) -> None:
        self._feed(round, self._arena.plan(round))
        self._done(round)

    def _feed(self, round: int, plays: Sequence[Play]) -> None:
        parts = [plays[start : start + self._size] for start in range(0, len(plays), self._size)]
        self._batches += parts
        self._open[round] += len(parts)

    def _done(self, round: int) -> None:
        """One thing less of a round is to come; after the last one, more of it if the curator wants that."""
        self._open[round] -= 1
        if not self._open[round]:
            self._feed(round, self._arena.further_plan(round))
        if self._open[round]:
            return
        del self._open[round]
        with self._changed:
            self._collected = min(self._open, default=self._begun + 1) - 1
            self._changed.notify_all()

    def _wait_for_learner(self) -> None:
        began = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._capacity or self._begun >= self._last, timeout=1.0)
            self._waits["solver", "learner", "it is as far ahead as it may be"] += time.monotonic() - began
