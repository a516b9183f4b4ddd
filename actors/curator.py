"""The curator: the only writer. It admits, rejects, chooses, and gives a reason each time.

Everything it knows is in the store: what a round plays is drawn once and written down before it is
played, and whatever it is asked twice it answers the same way. That is what makes a killed run go on.
How choices are made is `actors.choosing`; how things are stored, `memory.store`.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from actors import (
    admission,
    asking,
    borrowing,
    choosing,
    deciding,
    experience,
    exploring,
    measuring,
    replacing,
)
from actors.asking import Ask
from actors.learning.baselines import weighed
from actors.recognising import as_stored, asked_alike, gone_on_with
from actors.verifier import Judged
from memory.buffer import StartBuffer
from memory.codec import from_json
from memory.reader import RunReader
from memory.space import TaskSpace
from memory.store import Store
from protocols.chaining import steps_of
from protocols.domain import make_domain
from protocols.iteration import Play, group_id, play_of, start_of
from protocols.recipes import recipe
from protocols.records import (
    Book,
    Decision,
    Evaluation,
    Origin,
    Proposal,
    Purpose,
    Sample,
    Split,
    Start,
    Task,
    Update,
)
from protocols.seeds import rng_of
from protocols.settings import RunSettings
from protocols.verdicts import not_measured


class Curator:
    def __init__(self, settings: RunSettings, run_dir: str) -> None:
        self._settings = settings
        self._path = Path(run_dir) / "run.db"
        self._domain = make_domain(settings)

    @cached_property
    def _store(self) -> Store:
        """Opened on first use: an actor that was started again opens it again, and a refusal is raised
        by a call, where it reaches the user as the one line it is."""
        if Store.begun(self._path):
            store = Store.open(self._path)  # first, since it migrates what the tasks are read from
            tasks = self._base + self._held_out
        else:
            tasks = self._base + self._held_out
            store = Store.create(self._path, self._settings.model_dump(mode="json"), {})
        store.add_tasks(tasks, "active", 0)
        return store

    @property
    def _beside(self) -> Path:
        """The folder of runs that this one lies in."""
        return self._path.absolute().parents[1]

    @cached_property
    def _reader(self) -> RunReader:
        return RunReader(self._path)

    @cached_property
    def _space(self) -> TaskSpace:
        return TaskSpace.from_reader(self._reader)

    @cached_property
    def _buffer(self) -> StartBuffer:
        buffer = exploring.empty(self._settings.curator.buffer)
        state = self._reader.state().get("buffer")
        if state:
            buffer.load_state_dict(state, self._reader.buffer())
        return buffer

    @cached_property
    def _base(self) -> list[Task]:
        return choosing.base_tasks(
            self._domain, self._settings, lambda made: self._recognised(made, Split.TRAIN)
        )

    @cached_property
    def _held_out(self) -> list[Task]:
        measured = self._settings.evaluation
        return self._recognised(self._domain.tasks(Split.TEST, measured.kind, measured.tasks), Split.TEST)

    @cached_property
    def _stored(self) -> list[Task]:
        """Training tasks that the store was begun with: a plan may name one that is drawn no longer."""
        return self._reader.begun_with(Split.TRAIN)

    def _recognised(self, made: list[Task], split: Split) -> list[Task]:
        """The tasks as this run's store has them; at its beginning, as the source of its experience has."""
        if Store.begun(self._path):
            unchanged = asked_alike(self._reader.config(), self._settings.model_dump(mode="json"))
            return gone_on_with(made, self._reader.begun_with(split), unchanged)
        if self._settings.curator.source:
            return as_stored(made, borrowing.begun_with(self._settings, split, self._beside))
        return made

    # --- where the run stands ---

    def open(self) -> None:
        """Take the run folder.

        Raises:
            StoreError: it is in use, damaged, or from a newer version.
            SettingError: the source of its experience cannot be used.
        """
        if self._settings.curator.source:
            source = borrowing.check(self._settings, self._beside)
            _ = self._store
            facts = self._reader.facts()
            borrowing.require_same(self._settings, source, facts.get("source"))
            self._store.save_facts({**facts, "source": source})
        _ = self._store

    def note_facts(self, facts: dict[str, Any]) -> None:
        self._store.save_facts({**self._reader.facts(), **facts})

    def policy_version(self) -> int:
        """The newest published version; 0 = the model as it came."""
        return max((u["version"] for u in self._reader.updates()), default=0)

    def first_open_round(self) -> int:
        return 1 + sum(1 for r in self._reader.rounds() if r["finished"])

    def learned(self, round: int) -> bool:
        return any(u["round"] == round for u in self._reader.updates())

    def evaluated(self, round: int, book: Book) -> bool:
        return any((e["round"], e["book"]) == (round, book) for e in self._reader.evaluations())

    def finish_round(self, round: int) -> None:
        self._store.finish_round(round)
        grown = self._space.growth()
        size = grown[-1] if grown else {"tasks": 0, "attempts": 0}
        self._event(
            round, "info", f"round {round} finished: {size['tasks']} tasks, {size['attempts']} attempts"
        )

    def add_stage(
        self, round: int, role: str, stage: str, started: float, seconds: float, numbers: dict[str, Any]
    ) -> None:
        self._store.add_stage(round, role, stage, started, seconds, numbers)

    def warn(self, round: int, message: str) -> None:
        """Note a line that people should see."""
        self._event(round, "warning", message)

    def _event(self, round: int, level: str, message: str) -> None:
        self._store.add_event(round, "curator", level, message)

    # --- proposals ---

    def open_asks(self, round: int) -> list[Ask]:
        """The round's proposals that are not in the store yet."""
        if not self._plays(round):
            return []
        known = {p["id"] for p in self._reader.rows("SELECT id FROM proposals WHERE round = ?", [round])}
        asks, _ = self._asked(round)
        return [ask for ask in asks if ask.id not in known]

    @lru_cache(maxsize=2)  # noqa: B019  (one curator for a run; what is known changes until they are admitted)
    def _asked(self, round: int) -> tuple[list[Ask], list[Decision]]:
        return asking.asks_of(self._settings, self._reader, self._domain.topics(), round)

    def admit_proposals(self, round: int, proposals: Sequence[Proposal]) -> dict[str, Any]:
        """Keep all proposals; those that repeat a task are rejected as duplicates."""
        judged, decisions = admission.judge(proposals, self._all_tasks(), self._settings)
        _, asked = self._asked(round)
        self._store.admit_proposals(judged, asked + decisions)
        for proposal in judged:
            if proposal.task is not None:
                self._space.add_task(proposal.task, round=round, status="candidate")
        reasons = choosing.tally(p.reason for p in judged if p.reason)
        facts = {"proposals": len(judged), "rejected": sum(reasons.values()), "reasons": reasons}
        self._event(round, "info", f"{len(judged)} proposals, {facts['rejected']} rejected at once")
        return facts

    def _all_tasks(self) -> list[Task]:
        return self._base + self._held_out + self._proposed("active") + self._proposed("candidate")

    def _proposed(self, status: str) -> list[Task]:
        return [t for t, _ in self._reader.task_records(origin=Origin.PROPOSED, status=status)]

    def _waiting(self) -> list[Task]:
        """Proposed tasks that nobody has played yet, nor is about to in a round that is not finished."""
        plans = self._reader.rows("SELECT plan_json FROM rounds WHERE finished IS NULL")
        planned = {start.task_id for row in plans for start in from_json(row["plan_json"], list[Start])}
        return [task for task in self._proposed("candidate") if task.id not in planned]

    # --- starts ---

    def plan(self, round: int, version: int) -> list[Play]:
        """What the round still has to play. Drawn once, then read from the store."""
        row = self._reader.row("SELECT plan_json FROM rounds WHERE round = ?", [round])
        plan = from_json(row["plan_json"]) if row else None
        if plan is None:
            starts, decisions = self._draw(round)
            plan = [msgspec.to_builtins(s) for s in starts]
            drawn = self._buffer.take_changes()
            with self._store.batch():  # drawing counts visits, so all are kept or none
                self._store.begin_round(round, plan, version, decisions)
                self._store.save_buffer(drawn)
                self._store.save_state({"buffer": self._buffer.state_dict()})
            self._space.change_buffer(drawn)
        if self._settings.curator.source:
            self._borrow(round)
        starts = [msgspec.convert(s, Start) for s in plan]
        return self._unplayed(round, Purpose.COLLECT, starts, self._settings.solver.group_size)

    def _plays(self, round: int) -> bool:
        """Whether the round has new experience of its own making."""
        settings = self._settings
        return not settings.curator.source and not 0 < settings.solver.rounds < round

    def _borrow(self, round: int) -> None:
        """Admit the round's part of the source's groups."""
        settings, beside = self._settings, self._beside
        known = {g["id"] for g in self._reader.rows("SELECT id FROM groups")}
        found = [one for one in borrowing.groups(settings, round, beside) if one.group.id not in known]
        tasks = borrowing.tasks(settings, {one.group.start.task_id for one in found}, beside)
        with self._store.batch():
            for proposal, status in borrowing.proposals(settings, round, beside):
                self._store.admit_proposals([proposal], status=status or "candidate")
                if proposal.task is not None and proposal.reason is None:
                    self._space.add_task(proposal.task, round=round, status=status)
            self._store.add_tasks(tasks, "active", round)
            self._store.add_decisions(borrowing.decisions(settings, round, beside))
        for task in tasks:
            self._space.add_task(task, round=round, status="active")
        self.admit(found)
        self._event(round, "info", f"{len(found)} groups from {settings.curator.source}")

    def _draw(self, round: int) -> tuple[list[Start], list[Decision]]:
        settings = self._settings
        if not self._plays(round):
            return [], []
        rng = rng_of(settings.seed, "starts", round)
        plan = recipe(settings.learner.recipe)
        base = [task for task in self._base if plan.counts(task)]
        tasks = choosing.draw_tasks(
            base,
            self._waiting(),
            settings.solver.groups_per_round,
            settings.curator.proposed_share if base else 1.0,
            (round - 1) * settings.solver.groups_per_round,
        )
        starts, decisions = [], []
        for position, task in enumerate(tasks):
            again = None
            if task.origin is not Origin.PROPOSED:
                again = exploring.again(self._buffer, settings.curator.buffer, rng)
            start, why = again or (start_of(task, plan.book_at_rollout), None)
            starts.append(start)
            if why is not None:
                group = group_id(settings.seed, round, position, Purpose.COLLECT, start)
                decisions.append(deciding.decision(round, "start", group, "choose", "replay", why))
        return starts, decisions

    def further_plan(self, round: int) -> list[Play]:
        """Further groups in place of those of the round whose rewards are all equal; [] when it is complete.

        Asked after everything planned was played; what it plans is written down, as by `plan`.
        """
        counting = recipe(self._settings.learner.recipe)
        wanted = counting.algorithm == "grpo" and self._settings.learner.grpo.zero_variance == "resample"
        if not wanted or not self._plays(round):
            return []
        row = self._reader.row("SELECT plan_json, planned FROM rounds WHERE round = ?", [round]) or {}
        plan, groups = from_json(row["plan_json"], list[Start]), self._reader.compared(round)
        size = self._settings.solver.group_size
        waiting = self._unplayed(round, Purpose.COLLECT, plan, size)
        if waiting:  # planned by a call whose answer was lost
            return waiting
        base = [task for task in self._base if counting.counts(task)]
        starts, decisions = replacing.further(
            self._settings, round, plan, row["planned"], groups, base, self._waiting()
        )
        silent = sum(not group.differs for group in groups)
        self._event(
            round, "info", f"{silent} of {len(groups)} groups tell nothing, {len(starts)} more planned"
        )
        if not starts:
            return []
        self._store.extend_round(round, [msgspec.to_builtins(start) for start in starts], decisions)
        return self._unplayed(round, Purpose.COLLECT, [*plan, *starts], size)

    def evaluation_plan(self, round: int, book: Book) -> list[Play]:
        """Held-out groups of this evaluation that are not in the store yet."""
        starts = [start_of(task, book) for task in self._held_out]
        return self._unplayed(round, Purpose.EVALUATE, starts, self._settings.evaluation.samples)

    def _unplayed(self, round: int, purpose: Purpose, starts: Sequence[Start], size: int) -> list[Play]:
        tasks = {t.id: t for t in self._stored + self._all_tasks()}
        plays = [
            play_of(self._settings.seed, round, position, purpose, start, tasks[start.task_id], size)
            for position, start in enumerate(starts)
            if start.task_id in tasks  # a candidate rejected since then has been played
        ]
        known = {g["id"] for g in self._reader.rows("SELECT id FROM groups WHERE round = ?", [round])}
        chain = self._settings.solver.chain
        return [
            msgspec.structs.replace(p, steps=steps_of(chain, p.group_id)) if purpose is Purpose.COLLECT else p
            for p in plays
            if p.group_id not in known
        ]

    # --- verdicts ---

    def admit(self, judged: Sequence[Judged]) -> dict[str, Any]:
        """Store a batch of groups, their verdicts and what follows from them, in one transaction."""
        if self._known(judged):  # by a call whose answer was lost: nothing follows a second time
            return deciding.counts(judged)
        decisions, changes = [], []
        wanted = self._settings.curator.buffer
        for one in judged:
            decisions.append(deciding.group_decision(one))
            task = self._reader.task(one.group.start.task_id)
            change = deciding.task_change(one, task, self._settings.proposer.reward)
            if change:
                changes.append(change)
                action = "reject" if one.rejected else "admit"
                decisions.append(
                    deciding.decision(
                        one.group.round, "task", change.task.id, action, one.rejected or "consensus"
                    )
                )
            if not self._settings.curator.source:  # else nothing is started here
                exploring.offer(self._buffer, wanted, one.group, one.verdicts, one.rejected is not None)
        kept = self._buffer.take_changes()
        self._store.admit_groups(
            [(j.group, j.verdicts) for j in judged],
            decisions,
            tasks=changes,
            buffer=kept,
            state={"buffer": self._buffer.state_dict()},
        )
        for change in changes:
            self._space.add_task(change.task, judged[0].group.round, change.status)
        for one in judged:
            self._space.add_group(one.group, one.verdicts)
        self._space.change_buffer(kept)
        return deciding.counts(judged)

    def _known(self, judged: Sequence[Judged]) -> bool:
        """Whether this batch is in the store; a batch is there whole or not at all."""
        sql = "SELECT 1 FROM groups WHERE id = ?"
        return any(self._reader.row(sql, [one.group.id]) for one in judged[:1])

    # --- experience and measurements ---

    def experience(self, round: int) -> list[Sample]:
        """What is learned after a round, on the recipe's prompt."""
        samples, told = experience.gather(self._reader, self._domain, self._settings, round)
        for line in told:
            self._event(round, "info", line)
        return samples

    def admit_update(self, update: Update, samples: Sequence[Sample]) -> None:
        """Keep an update, and its samples with the weights that they were learned with."""
        if update.baselines:
            grpo = self._settings.learner.grpo
            samples = weighed(samples, update.baselines, grpo.normalise, grpo.negative)
        self._store.record_update(update, samples)
        self._event(update.round, "info", f"version {update.version} learned from {len(samples)} answers")

    def evaluate(self, round: int, book: Book, version: int) -> Evaluation:
        """Accuracy over the stored groups of this evaluation."""
        evaluation = measuring.evaluation(self._reader, self._settings, round, book, version)
        self._store.record_evaluation(evaluation)
        said = (
            not_measured(evaluation.attempts, evaluation.categories, evaluation.infra_errors)
            if evaluation.accuracy is None
            else f"{evaluation.accuracy:.3f}"
        )
        self._event(round, "info", f"{book.value} book, version {version}: {said}")
        return evaluation

    def close(self) -> None:
        if "_reader" in self.__dict__:
            self._reader.close()
        if "_store" in self.__dict__:
            self._store.close()
