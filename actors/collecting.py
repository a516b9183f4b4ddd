"""From plays to admitted groups: a pipeline with bounded queues, which knows who waits for whom.

    offer ─▶ solver ─▶ verifier ─▶ admission

Batches move on independently of each other, each when it is done; with `in_order` they are admitted in the
order in which they were offered, so that equal runs stay equal. Nothing new is played while the verifiers'
queues are full. A role that does not answer in time is ended and constructed again, and what it was asked is
asked again; what a role was asked that is lost for good, others of its kind are asked. Not here: what is
played (the curator), and when a round may begin (`ahead`).
"""

import itertools
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from actors.engines.base import Weights
from actors.runtime import Pending, Role, Runtime
from actors.verifier import Judged
from protocols.clock import Began
from protocols.errors import DeadlineError, RoleLostError
from protocols.iteration import Play
from protocols.records import Group
from protocols.settings import RunSettings

Wait = tuple[str, str, str]
"""(who waits, for whom, why)."""

Waits = defaultdict[Wait, float]
"""Seconds."""

Admit = Callable[["Batch", list[Judged], float], None]
"""Told of a judged batch, and how many seconds the verifier worked on it."""


@dataclass(eq=False)
class Batch:
    """Plays that are played, judged and admitted together."""

    number: int
    plays: Sequence[Play]
    weights: Weights
    pending: Pending
    role: Role
    asked: float = field(default_factory=time.monotonic)  # of the role that works on it
    late: int = 0  # how often that role did not answer in time
    began: Began = field(default_factory=Began)
    groups: list[Group] = field(default_factory=list)
    played: Began = field(default_factory=Began)  # when its groups came

    @property
    def round(self) -> int:
        return self.plays[0].round


class Pipeline:
    """See above. One thread uses it; several pipelines may share the same roles.

    Args:
        solvers, verifiers: those that are lost are taken out.
        played, admit: told of a batch whose groups, whose verdicts have come.
    """

    def __init__(
        self,
        runtime: Runtime,
        settings: RunSettings,
        solvers: list[Role],
        verifiers: list[Role],
        played: Callable[[Batch], None],
        admit: Admit,
        in_order: bool,
    ) -> None:
        self._runtime, self._settings = runtime, settings
        self._solvers, self._verifiers = solvers, verifiers
        self._tell_played, self._tell_admitted = played, admit
        self._in_order = in_order
        self._numbers = itertools.count()
        self._next = 0  # to be admitted
        self._playing: list[Batch] = []
        self._played: deque[Batch] = deque()  # waiting for a verifier
        self._judging: list[Batch] = []
        self._ready: dict[int, tuple[Batch, list[Judged], float]] = {}
        self.waits: Waits = defaultdict(float)
        self.also_ended: list[Pending] = []

    @property
    def room(self) -> bool:
        """Whether another batch may be played now."""
        held = len(self._played) + len(self._judging) + len(self._ready)
        most = self._settings.verifier.queue * len(self._verifiers)
        return len(self._playing) < self._settings.solver.in_flight and held <= most

    @property
    def busy(self) -> bool:
        return bool(self._playing or self._played or self._judging or self._ready)

    @property
    def queues(self) -> dict[str, int]:
        """Batches at each place now: with solvers, waiting for a verifier, with verifiers, waiting for those
        before them to be admitted first."""
        return {
            "playing": len(self._playing),
            "to_judge": len(self._played),
            "judging": len(self._judging),
            "to_admit": len(self._ready),
        }

    def offer(self, plays: Sequence[Play], weights: Weights) -> None:
        """Begin to play a batch under these weights."""
        role = _least_busy(self._solvers, self._playing)
        batch = Batch(next(self._numbers), plays, weights, role.submit("play", plays, weights), role)
        self._playing.append(batch)

    def drain(self) -> None:
        """Until everything that was offered is admitted."""
        while self.busy:
            self.step()

    def step(self, also: Pending | None = None, why: str = "", most_s: float = 5.0) -> None:
        """Wait until something ends, at most so long, and move on what has ended.

        Args:
            also: a call of the caller's to wait for; `also_ended` holds it once it has ended.
            why: whom the caller waits for, where it offers nothing more for reasons of its own.
        """
        by_pending = {id(batch.pending): batch for batch in [*self._playing, *self._judging]}
        under_way = [batch.pending for batch in by_pending.values()] + ([also] if also else [])
        began = time.monotonic()
        ended = self._runtime.wait(under_way, most_s) if under_way else []
        self._count_waits(time.monotonic() - began, why)
        self.also_ended = [pending for pending in ended if pending is also]
        for batch in [by_pending[id(pending)] for pending in ended if pending is not also]:
            try:
                if batch in self._playing:
                    self._take_groups(batch)
                else:
                    self._take_verdicts(batch)
            except RoleLostError as error:
                self._pass_on(batch, error)
            except DeadlineError as error:
                self._try_again(batch, error)
        self._judge()
        self._admit()
        for batch in [*self._playing, *self._judging]:
            self._check_deadline(batch)

    # ---- from one stage to the next ----

    def _take_groups(self, batch: Batch) -> None:
        batch.groups = batch.pending.result(1.0, "groups that have come")
        batch.played = Began()
        self._playing.remove(batch)
        self._played.append(batch)
        self._tell_played(batch)

    def _judge(self) -> None:
        while self._played:
            role = _least_busy(self._verifiers, self._judging)
            if sum(batch.role is role for batch in self._judging) >= self._settings.verifier.queue:
                return
            batch = self._played.popleft()
            self._judging.append(batch)
            self._ask(batch, role)

    def _take_verdicts(self, batch: Batch) -> None:
        judged, seconds = batch.pending.result(1.0, "verdicts that have come")
        self._judging.remove(batch)
        self._ready[batch.number] = (batch, judged, seconds)

    def _admit(self) -> None:
        while self._ready and (not self._in_order or self._next in self._ready):
            number = self._next if self._in_order else min(self._ready)
            self._tell_admitted(*self._ready.pop(number))
            self._next += 1

    def _ask(self, batch: Batch, role: Role) -> None:
        """Have this role do the batch's next step."""
        batch.role, batch.asked, batch.late = role, time.monotonic(), 0
        if batch in self._playing:
            batch.pending = role.submit("play", batch.plays, batch.weights)
        else:
            tasks = {play.task.id: play.task for play in batch.plays}
            batch.pending = role.submit("judge", batch.groups, tasks)

    def _pass_on(self, batch: Batch, error: RoleLostError) -> None:
        """Have another role of its kind do what a lost one was asked, unless there is none."""
        roles, batches = (
            (self._solvers, self._playing) if batch in self._playing else (self._verifiers, self._judging)
        )
        others = [role for role in roles if role is not batch.role]
        if error.role != batch.role.name or not others:
            raise error
        roles[:] = others
        self._ask(batch, _least_busy(roles, batches))

    def _try_again(self, batch: Batch, error: DeadlineError) -> None:
        """End a role that is out of reach, and have the one that replaces it do what it was asked."""
        if error.role != batch.role.name or batch.late >= self._settings.runtime.restarts:
            raise error
        batch.role.replace(batch.asked)
        late = batch.late + 1
        self._ask(batch, batch.role)
        batch.late = late

    # ---- waiting ----

    def _check_deadline(self, batch: Batch) -> None:
        """End a role that hangs. Ray asks it again what it was asked, as after a death."""
        settings = self._settings
        if batch in self._playing:
            # The solver itself works round engines that hang, as often as they may be started again.
            most = (settings.engine.deadline_s + 60) * (1 + settings.runtime.restarts)
        else:
            most = settings.verifier.deadline_s
        waited = time.monotonic() - batch.asked
        if waited < most:
            return
        if batch.late >= settings.runtime.restarts:
            what = "groups" if batch in self._playing else "verdicts on groups"
            raise DeadlineError(
                f"{batch.role.name}: no answer after {waited:.0f} s, {batch.late + 1} times, while waiting "
                f"for {len(batch.plays)} {what} of round {batch.round}; raise the role's deadline_s or look "
                "at its log",
                batch.role.name,
            )
        batch.role.replace(batch.asked)
        batch.late, batch.asked = batch.late + 1, time.monotonic()

    def _count_waits(self, seconds: float, why: str) -> None:
        if not self._playing and why:
            self.waits["solver", why, "it is as far ahead as it may be"] += seconds
        elif len(self._playing) < self._settings.solver.in_flight and not self.room:
            self.waits["solver", "verifier", "its queues are full"] += seconds
        if not self._judging:
            self.waits["verifier", "solver", "nothing is to be judged"] += seconds


def _least_busy(roles: Sequence[Role], batches: Sequence[Batch]) -> Role:
    """The role with the fewest of the batches; among equals the first."""
    loads = Counter(id(batch.role) for batch in batches)
    return min(roles, key=lambda role: loads[id(role)])
