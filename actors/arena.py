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
so a step repeated after a crash does only what is missing.
Not here: what any role decides (its own file), and how roles run (`actors.runtime`).
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.curator import Curator
from actors.engines.base import Weights
from actors.engines.serving import ServedEngine
from actors.learner import Learner
from actors.proposer import Proposer
from actors.runtime import Pending, Runtime, start_runtime
from actors.solver import Solver
from actors.verifier import Judged, Verifier
from memory.checkpoints import weights_checksum
from protocols.iteration import Play
from protocols.records import Book, Evaluation, Group
from protocols.settings import RunSettings

Notify = Callable[[str, dict[str, Any]], None]
#: Batches that may be with the verifiers while the solver plays the next one.
JUDGING_AHEAD = 2
#: Longest wait for a bookkeeping call of the curator.
CURATOR_DEADLINE_S = 300.0


class Stopped(Exception):
    """A stop was asked for, and everything finished so far has been admitted."""


class Arena:
    """Plays `settings` in `run_dir`. A run that is already there is continued.

    `notify(kind, facts)` is told what happens: started, proposals, batch, update, evaluation, round.
    """

    def __init__(self, settings: RunSettings, run_dir: Path, model_path: Path, notify: Notify) -> None:
        self._settings = settings
        self._run_dir = run_dir
        self._model_path = model_path
        self._notify = notify
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
            self._cast(runtime)
            try:
                self._weights = self._restore()
                if self._settings.evaluation.before and self._can_measure():
                    self._measure(0)
                for round in range(self._ask("first_open_round"), self._settings.rounds + 1):
                    self._round(round)
            except Stopped:
                return False
            return True

    def _cast(self, runtime: Runtime) -> None:
        """One role after the other. The curator comes first: it refuses a run that another process holds."""
        settings, model, run_dir = self._settings, str(self._model_path), str(self._run_dir)
        self._curator = runtime.spawn("curator", Curator, settings, run_dir)
        self._ask("open")
        engine = runtime.spawn("engine", ServedEngine, settings, model)
        self._engine = engine
        self._learner = runtime.spawn("learner", Learner, settings, model, run_dir)
        self._proposer = runtime.spawn("proposer", Proposer, settings, engine)
        self._solver = runtime.spawn("solver", Solver, settings, engine)
        self._verifiers = [
            runtime.spawn(f"verifier-{i}", Verifier, settings) for i in range(settings.verifier.replicas)
        ]
        layers = self._verifiers[0].call(
            "layers", deadline_s=settings.verifier.deadline_s, reason="the sandbox to start"
        )
        described = engine.call("describe", deadline_s=settings.engine.deadline_s, reason="it to start")
        facts = {"runtime": runtime.kind, "engine": described["name"], "engine_why": described["why"]}
        self._ask("note_facts", {"sandbox": layers, **facts})
        self._notify("started", {**facts, "run_dir": run_dir})

    def _round(self, round: int) -> None:
        self._propose(round)
        policy = self._policy(self._settings.solver.policy)
        self._collect(self._ask("plan", round, policy.version), policy)
        while further := self._ask("further_plan", round):  # in place of groups that tell nothing
            self._collect(further, policy)
        self._learn(round)
        every = self._settings.evaluation.every
        if self._can_measure() and (round == self._settings.rounds or (every and round % every == 0)):
            self._measure(round)
        self._ask("finish_round", round)
        self._notify("round", {"round": round, "rounds": self._settings.rounds})

    def _propose(self, round: int) -> None:
        asks = self._ask("open_asks", round)
        if not asks:
            return
        self._check_stop()
        started = time.time()
        proposals = self._proposer.call(
            "propose",
            asks,
            self._policy(self._settings.proposer.policy),
            deadline_s=self._settings.proposer.deadline_s,
            reason=f"the proposals of round {round}",
        )
        facts = self._ask("admit_proposals", round, proposals)
        self._stage(round, "proposer", "propose", started, facts)
        self._notify("proposals", {"round": round, **facts})

    def _collect(self, plays: Sequence[Play], weights: Weights) -> None:
        """Play, judge and admit, batch by batch; verdicts of one batch come while the next is played."""
        size = self._settings.solver.batch_groups
        batches = [plays[i : i + size] for i in range(0, len(plays), size)]
        judging: deque[tuple[Sequence[Play], float, Pending]] = deque()
        for number, batch in enumerate(batches):
            if self._stop.is_set():
                break
            started = time.time()
            groups = self._play(batch, weights)
            self._stage(batch[0].round, "solver", "play", started, _count(groups))
            verifier = self._verifiers[number % len(self._verifiers)]
            tasks = {p.task.id: p.task for p in batch}
            judging.append((batch, time.time(), verifier.submit("judge", groups, tasks)))
            if len(judging) > JUDGING_AHEAD:
                self._admit(*judging.popleft(), total=len(plays))
        while judging:
            self._admit(*judging.popleft(), total=len(plays))
        self._check_stop()

    def _play(self, batch: Sequence[Play], weights: Weights) -> list[Group]:
        return self._solver.call(
            "play",
            batch,
            weights,
            deadline_s=self._settings.engine.deadline_s + 60,
            reason=f"{len(batch)} groups of round {batch[0].round}",
        )

    def _admit(self, batch: Sequence[Play], started: float, pending: Pending, total: int) -> None:
        reason = f"the verdicts on {len(batch)} groups of round {batch[0].round}"
        judged: list[Judged]
        judged, seconds = pending.result(self._settings.verifier.deadline_s, reason)
        facts = self._ask("admit", judged)
        waited = {"waited": time.time() - started - seconds}  # for the solver, which plays the next batch
        self._ask("add_stage", batch[0].round, "verifier", "judge", started, seconds, facts | waited)
        self._notify("batch", {"round": batch[0].round, "purpose": batch[0].purpose, "total": total, **facts})

    def _learn(self, round: int) -> None:
        version = self._weights.version + 1
        if self._ask("learned", round):
            return
        samples = self._ask("experience", round)
        if not samples:
            self._notify("update", {"round": round, "samples": 0})
            return
        self._check_stop()
        started = time.time()
        update, weights = self._learner.call(
            "learn",
            samples,
            version,
            round,
            deadline_s=self._settings.learner.deadline_s,
            reason=f"update {version} on {len(samples)} samples",
        )
        self._ask("admit_update", update, samples)
        self._stage(round, "learner", "learn", started, {"samples": len(samples), "tokens": update.tokens})
        self._publish(weights)
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
        weights = self._learner.call(
            "restore", version, deadline_s=self._settings.learner.deadline_s, reason=f"version {version}"
        )
        self._publish(weights)
        return weights

    def _publish(self, weights: Weights) -> None:
        """New weights into the engine, verified there before anything is generated with them.

        An engine whose weights are fixed keeps its own; `preflight` lets through only what is content with
        them. Should anything be asked of the new ones nevertheless, the engine refuses.
        """
        if not self._settings.engine.fixed_weights:
            self._engine.call(
                "serve",
                weights,
                deadline_s=self._settings.engine.deadline_s,
                reason=f"version {weights.version} to be loaded",
            )
        self._weights = weights

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
            started = time.time()
            self._collect(self._ask("evaluation_plan", round, book), self._weights)
            evaluation: Evaluation = self._ask("evaluate", round, book, self._weights.version)
            self._stage(round, "arena", f"measure {book}", started, {"accuracy": evaluation.accuracy})
            self._notify(
                "evaluation",
                {"round": round, "book": book, "version": evaluation.policy_version}
                | {"accuracy": evaluation.accuracy, "attempts": evaluation.attempts},
            )

    def _ask(self, method: str, *args: Any) -> Any:
        return self._curator.call(method, *args, deadline_s=CURATOR_DEADLINE_S, reason=f"curator.{method}")

    def _stage(self, round: int, role: str, stage: str, started: float, facts: dict[str, Any]) -> None:
        self._ask("add_stage", round, role, stage, started, time.time() - started, facts)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _count(groups: Sequence[Group]) -> dict[str, int]:
    attempts = [a for g in groups for a in g.attempts]
    tokens = sum(len(a.token_ids) - a.prefilled for a in attempts)
    return {"groups": len(groups), "attempts": len(attempts), "tokens": tokens}
