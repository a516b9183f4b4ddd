"""The arena: one run, from its first round to its last. Start reading here.

    part        owner                    what it keeps
    ---------   ----------------------   ----------------------------------------------------------
    weights     learner                  the model, its optimiser, published versions on disk
    text        engine                   a copy of the published weights
    tasks       proposer, curator        proposals; the curator keeps what stands
    answers     solver                   nothing
    verdicts    verifier                 the sandbox
    memory      curator                  the store (its only writer), the task space, the buffer
    the order   arena (this file)        nothing: killed at any moment, a run goes on from the store

A round: propose, plan, collect (play, judge, admit, batch by batch; where it is set, once more in place of
groups that tell nothing), learn, publish, measure. Every step first asks the curator what is already there,
so a step repeated after a crash does only what is missing. With `max_staleness` the next rounds are collected
while one is learned (`ahead`).
Not here: what any role decides (its own file), and how roles run (`actors.runtime`).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.ahead import Ahead
from actors.casting import cast
from actors.collecting import Batch, Pipeline, Wait
from actors.curator import Curator
from actors.delivery import deliver
from actors.engines.base import Weights
from actors.learner import learner_of
from actors.runtime import Pending, Role, Runtime, insist, start_runtime
from actors.verifier import Judged
from memory.checkpoints import weights_checksum
from protocols.clock import Began
from protocols.iteration import Play
from protocols.records import Book, Evaluation, Group
from protocols.settings import RunSettings

Notify = Callable[[str, dict[str, Any]], None]
#: Shorter waits are not noted.
LEAST_WAIT_S = 0.05
#: Longest wait for a bookkeeping call of the curator.
CURATOR_DEADLINE_S = 300.0


class Stopped(Exception):
    """A stop was asked for, and everything finished so far has been admitted."""


class Arena:
    """Plays `settings` in `run_dir`. A run that is already there is continued.

    `notify(kind, facts)` is told what happens, one thing at a time: started, proposals, batch, update,
    evaluation, round. `learner_class` is what learns (benchmarks put a simulated one there).
    """

    def __init__(
        self,
        settings: RunSettings,
        run_dir: Path,
        model_path: Path,
        notify: Notify,
        learner_class: Callable[..., Any] | None = None,
    ) -> None:
        self._settings = settings
        self._run_dir = run_dir
        self._model_path = model_path
        self._tell = notify
        self._telling = threading.Lock()
        self._learner_class = learner_class or learner_of(settings)
        self._stop = threading.Event()
        self._initial: Weights | None = None

    def request_stop(self) -> None:
        """Finish the batch under way, then stop. Safe from a signal handler."""
        self._stop.set()

    def run(self) -> bool:
        """Play all rounds; True when the run is complete, False when it was stopped before.

        Raises:
            TaskspaceError: the run cannot go on; everything admitted so far is in the store.
        """
        with start_runtime(self._settings.runtime) as runtime:
            self._runtime = runtime
            self._cast(runtime)
            try:
                self._weights = self._restore()
                if self._settings.evaluation.before and self._can_measure():
                    self._measure(0)
                first = self._ask("first_open_round")
                if self._settings.max_staleness:
                    self._rounds_ahead(first)
                else:
                    for round in range(first, self._settings.rounds + 1):
                        self._round(round)
            except Stopped:
                return False
            return True

    def _cast(self, runtime: Runtime) -> None:
        """One role after the other. The curator comes first: it refuses a run that another process holds."""
        settings, model, run_dir = self._settings, str(self._model_path), str(self._run_dir)
        runtime.reserve(settings)
        self._curator = runtime.spawn("curator", Curator, settings, run_dir)
        self._ask("open")
        self._roles = roles = cast(runtime, settings, model, run_dir, self._learner_class)
        deadline = settings.verifier.deadline_s
        layers = self._insist(
            roles.verifiers[0], "layers", deadline_s=deadline, reason="the sandbox to start"
        )
        deadline = settings.engine.deadline_s
        described = roles.engine.call("describe", deadline_s=deadline, reason="it to start")
        facts = {"runtime": runtime.kind, "engine": described["name"], "engine_why": described["why"]}
        self._ask("note_facts", {"sandbox": layers, **facts})
        self._notify("started", {**facts, "run_dir": run_dir})

    # ---- rounds, one after the other or collected ahead ----

    def _round(self, round: int) -> None:
        proposing = self.begin_proposals(round)
        if proposing is not None:
            self.take_proposals(round, proposing)
        self._collect(self.plan(round), self.policy())
        while further := self.further_plan(round):  # in place of groups that tell nothing
            self._collect(further, self.policy())
        self._learn(round)
        self._end_round(round)

    def _rounds_ahead(self, first: int) -> None:
        """The learner's side of running ahead; the other side is `actors.ahead`."""
        settings = self._settings

        def pipeline(admitted: Callable[[int], None]) -> Pipeline:
            return self._pipeline(in_order=False, admitted=admitted)

        ahead = Ahead(self, pipeline, first, settings)
        try:
            for round in range(first, settings.rounds + 1):
                started = time.time()
                waits = ahead.wait_for(round)
                if not ahead.collected(round):
                    raise Stopped
                self._note_waits(round, started, waits)
                self._learn(round)
                ahead.learned(round)
                self._end_round(round)
        finally:
            ahead.close()

    def _end_round(self, round: int) -> None:
        every = self._settings.evaluation.every
        if self._can_measure() and (round == self._settings.rounds or (every and round % every == 0)):
            self._measure(round)
        self._ask("finish_round", round)
        self._notify("round", {"round": round, "rounds": self._settings.rounds})

    def begin_proposals(self, round: int) -> Pending | None:
        """None where the round's proposals are all there."""
        asks = self._ask("open_asks", round)
        if not asks:
            return None
        self._check_stop()
        self._proposals_began = Began()
        self._asked_for = asks, self._policy(self._settings.proposer.policy)
        return self._roles.proposer.submit("propose", *self._asked_for)

    def proposals_overdue(self) -> bool:
        return self._proposals_began.seconds > self._proposals_deadline_s

    def take_proposals(self, round: int, pending: Pending) -> None:
        proposals = self._insist(
            self._roles.proposer,
            "propose",
            *self._asked_for,
            deadline_s=self._proposals_deadline_s,
            reason=f"the proposals of round {round}",
            begun=(pending, self._proposals_began.tick),
        )
        facts = self._ask("admit_proposals", round, proposals)
        tokens = sum(len(proposal.logprobs) for proposal in proposals)
        self._stage(round, "proposer", "propose", self._proposals_began, {**facts, "tokens": tokens})
        self._notify("proposals", {"round": round, **facts})

    @property
    def _proposals_deadline_s(self) -> float:
        """The proposer itself works round engines that hang, as often as they may be started again."""
        settings = self._settings
        return (settings.proposer.deadline_s + 60) * (1 + settings.runtime.restarts)

    def plan(self, round: int) -> Sequence[Play]:
        return self._ask("plan", round, self.policy().version)

    def further_plan(self, round: int) -> Sequence[Play]:
        return self._ask("further_plan", round)

    def policy(self) -> Weights:
        """What answers are collected with now."""
        return self._policy(self._settings.solver.policy)

    def stopping(self) -> bool:
        return self._stop.is_set()

    # ---- play, judge, admit ----

    def _collect(self, plays: Sequence[Play], weights: Weights) -> None:
        """Play, judge and admit, batch by batch; verdicts of one batch come while the next is played."""
        size = self._settings.solver.batch_groups
        pipeline = self._pipeline(in_order=True, total=len(plays))
        started = time.time()
        for start in range(0, len(plays), size):
            while not pipeline.room and not self._stop.is_set():
                pipeline.step()
            if self._stop.is_set():
                break
            pipeline.offer(plays[start : start + size], weights)
        pipeline.drain()
        if plays:
            self._note_waits(plays[0].round, started, pipeline.waits)
        self._check_stop()

    def _pipeline(
        self, in_order: bool, total: int | None = None, admitted: Callable[[int], None] = lambda round: None
    ) -> Pipeline:
        def played(batch: Batch) -> None:
            facts = {**_count(batch.groups), "queues": pipeline.queues}
            self._stage(batch.round, "solver", "play", batch.began, facts)

        def admit(batch: Batch, judged: list[Judged], seconds: float) -> None:
            facts = self._ask("admit", judged)
            noted = {**facts, "waited": batch.played.seconds - seconds, "queues": pipeline.queues}
            self._ask("add_stage", batch.round, "verifier", "judge", batch.played.at, seconds, noted)
            planned = total or self._settings.solver.groups_per_round
            self._notify(
                "batch", {"round": batch.round, "purpose": batch.plays[0].purpose, "total": planned, **facts}
            )
            admitted(batch.round)

        pipeline = Pipeline(
            self._runtime, self._settings, self._roles.solvers, self._roles.verifiers, played, admit, in_order
        )
        return pipeline

    def _note_waits(self, round: int, started: float, waits: Mapping[Wait, float]) -> None:
        """Who waited for whom, how long, and why: a stage of whoever waited."""
        for (who, whom, why), seconds in waits.items():
            if seconds >= LEAST_WAIT_S:
                self._ask("add_stage", round, who, f"wait for {whom}", started, seconds, {"why": why})

    # ---- learn, publish, measure ----

    def _learn(self, round: int) -> None:
        version = self._weights.version + 1
        if self._ask("learned", round):
            return
        samples = self._ask("experience", round)
        if not samples:
            self._notify("update", {"round": round, "samples": 0})
            return
        self._check_stop()
        if self._settings.runtime.layout == "colocated":
            self._roles.engine.call(
                "sleep", deadline_s=self._settings.engine.deadline_s, reason="it to sleep"
            )
        started = Began()
        update, weights = self._insist(
            self._roles.learner,
            "learn",
            samples,
            version,
            round,
            deadline_s=self._settings.learner.deadline_s,
            reason=f"update {version} on {len(samples)} samples",
        )
        self._ask("admit_update", update, samples)
        self._stage(round, "learner", "learn", started, {"samples": len(samples), "tokens": update.tokens})
        self._publish(weights, round)
        self._notify(
            "update",
            {
                "round": round,
                "version": version,
                "samples": len(samples),
                "tokens": update.tokens,
                "loss": update.losses[-1] if update.losses else None,
                "seconds": update.seconds,
            },
        )

    def _restore(self) -> Weights:
        """The weights of the newest version in the store, on the learner and on the engine."""
        version = self._ask("policy_version")
        weights = self._insist(
            self._roles.learner,
            "restore",
            version,
            deadline_s=self._settings.learner.deadline_s,
            reason=f"version {version}",
        )
        self._publish(weights)
        return weights

    def _publish(self, weights: Weights, round: int = 0) -> None:
        """New weights into all engines, verified there before anything is generated with them.

        An engine whose weights are fixed keeps its own; `preflight` lets through only what is content with
        them. Should anything be asked of the new ones nevertheless, the engine refuses.
        """
        if self._settings.engine.fixed_weights:
            self._weights = weights
            return
        roles = self._roles
        self._weights = deliver(
            weights, self._settings, roles.learner, roles.engine, lambda line: self._ask("warn", round, line)
        )

    def _can_measure(self) -> bool:
        """Whether the engine can answer with the newest weights."""
        return self._weights.version == 0 or not self._settings.engine.fixed_weights

    def _policy(self, which: str) -> Weights:
        """The newest weights, or those of the model as it came."""
        if which == "current" or self._weights.version == 0:
            return self._weights
        if self._initial is None:
            self._initial = Weights(
                version=0, path=str(self._model_path), checksum=weights_checksum(self._model_path)
            )
        return self._initial

    def _measure(self, round: int) -> None:
        """Held-out accuracy, closed book; before the first round also open book."""
        books = [Book.CLOSED]
        if round == 0 and self._settings.evaluation.open_book_before:
            books.append(Book.OPEN)
        for book in books:
            if self._ask("evaluated", round, book):
                continue
            started = Began()
            self._collect(self._ask("evaluation_plan", round, book), self._weights)
            evaluation: Evaluation = self._ask("evaluate", round, book, self._weights.version)
            numbers = {} if evaluation.accuracy is None else {"accuracy": evaluation.accuracy}
            self._stage(round, "arena", f"measure {book}", started, numbers)
            self._notify(
                "evaluation",
                {"round": round, "book": book, "version": evaluation.policy_version}
                | {"accuracy": evaluation.accuracy, "attempts": evaluation.attempts}
                | {"categories": evaluation.categories, "infra_errors": evaluation.infra_errors},
            )

    def _ask(self, method: str, *args: Any) -> Any:
        reason = f"curator.{method}"
        return self._insist(self._curator, method, *args, deadline_s=CURATOR_DEADLINE_S, reason=reason)

    def _insist(self, role: Role, method: str, *args: Any, **how: Any) -> Any:
        """Call a role; where it hangs, it is replaced and asked again."""
        return insist(role, method, *args, again=self._settings.runtime.restarts, **how)

    def _stage(self, round: int, role: str, stage: str, began: Began, facts: dict[str, Any]) -> None:
        self._ask("add_stage", round, role, stage, began.at, began.seconds, facts)

    def _notify(self, kind: str, facts: dict[str, Any]) -> None:
        with self._telling:
            self._tell(kind, facts)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _count(groups: Sequence[Group]) -> dict[str, int]:
    attempts = [a for g in groups for a in g.attempts]
    tokens = sum(len(a.token_ids) - a.prefilled for a in attempts)
    return {"groups": len(groups), "attempts": len(attempts), "tokens": tokens}
