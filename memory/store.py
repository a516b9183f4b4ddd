"""The writer of a run database, and the only one: every admitted batch is one transaction.

    with Store.create(folder / "run.db", config, facts) as store:
        store.admit_groups([(group, verdicts), ...], decisions, state=state)

Every method is one transaction; `with store.batch():` makes several of them one. Whatever has an id is
admitted once: work that was repeated after a crash changes nothing, and the return value says so.

What is kept when something dies: see `docs/store.md`. Reading is `memory.reader`'s business.
Not for several threads at once: one writer, one thread at a time.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from memory import rows
from memory.buffer import BufferChanges
from memory.codec import from_json, to_json, to_text
from memory.privacy import private
from memory.writing import Writing
from protocols.errors import StoreError
from protocols.records import (
    Decision,
    Evaluation,
    Group,
    Proposal,
    Record,
    Role,
    Sample,
    Task,
    Update,
    Verdict,
)

#: What a task can be (`tasks.status`), each with its meaning.
TASK_STATUSES = {
    "active": "starts are drawn from it",
    "candidate": "proposed, and still without the reference answer that attempts have to agree on",
    "rejected": "kept for the record; never drawn again",
}


class TaskChange(Record, frozen=True):
    """A task as it is from now on: new, or changed by what a batch showed."""

    task: Task
    status: str  # see TASK_STATUSES
    reason: str | None = None  # why it was rejected; goes to its proposal
    detail: str = ""
    proposer_reward: float | None = None  # see protocols.credit


class Admission(Record, frozen=True):
    """What a batch added. All zero: everything in it was there already, and nothing was changed."""

    groups: int
    attempts: int
    repeated: int  # groups that were in the store before


class Store(Writing):
    """A run database open for writing. Use `create` or `open`; close it, or use it in a `with`."""

    # --- rounds ---

    def begin_round(
        self,
        round: int,
        plan: list[dict[str, Any]],
        policy_version: int,
        decisions: Iterable[Decision] = (),
    ) -> bool:
        """Keep the plan of a round before it is played, and why its starts were chosen. False: it was begun
        before, and its plan stays."""
        row = {"round": round, "plan_json": to_json(plan), "policy_version": policy_version}
        row["planned"] = len(plan)
        with self.batch():
            self._add_decisions(decisions)
            return self._insert("rounds", [{**row, "started": time.time()}], unless="round") == 1

    def extend_round(
        self, round: int, further: list[dict[str, Any]], decisions: Iterable[Decision] = ()
    ) -> None:
        """Put further starts behind the plan of a round, before they are played."""
        with self.batch():
            found = self.db.execute("SELECT plan_json FROM rounds WHERE round = ?", [round]).fetchone()
            plan = to_json([*from_json(found[0]), *further])
            self.db.execute("UPDATE rounds SET plan_json = ? WHERE round = ?", [plan, round])
            self._add_decisions(decisions)

    def finish_round(self, round: int) -> None:
        """Mark the round as finished; the first time counts."""
        with self.batch():
            self.db.execute(
                "UPDATE rounds SET finished = ? WHERE round = ? AND finished IS NULL", [time.time(), round]
            )

    # --- tasks and proposals ---

    def add_tasks(self, tasks: Iterable[Task], status: str = "active", round: int = 0) -> int:
        """Add tasks; returns how many were new. A known one is left as it is."""
        with self.batch():
            return self._add_tasks([(task, status, round) for task in tasks])

    def set_task(self, task: Task, status: str, reason: str | None = None, detail: str = "") -> None:
        """Change one task: its reference was found, or it was rejected with a reason."""
        with self.batch():
            self._change_tasks([TaskChange(task=task, status=status, reason=reason, detail=detail)], round=0)

    def admit_proposals(
        self, proposals: Sequence[Proposal], decisions: Iterable[Decision] = (), status: str = "candidate"
    ) -> int:
        """Add proposals with their tasks; returns how many proposals were new.

        A standing proposal's task enters with `status`, a rejected one's as rejected; a duplicate names
        the task that was there first.
        """
        known = self._known("proposals", [proposal.id for proposal in proposals])
        new = [proposal for proposal in proposals if proposal.id not in known]
        if proposals and not new:
            return 0
        now = time.time()
        with self.batch():
            self._add_tasks([(p.task, "rejected" if p.reason else status, p.round) for p in new if p.task])
            added = self._insert("proposals", [rows.proposal_row(p, now, self._keep) for p in new])
            self._add_decisions(decisions)
        return added

    def add_decisions(self, decisions: Iterable[Decision]) -> None:
        """Keep decisions that were taken elsewhere; known ones stay as they are."""
        with self.batch():
            self._add_decisions(decisions)

    # --- groups ---

    def admit_groups(
        self,
        judged: Sequence[tuple[Group, Sequence[Verdict]]],
        decisions: Iterable[Decision] = (),
        tasks: Sequence[TaskChange] = (),
        buffer: BufferChanges | None = None,
        state: dict[str, Any] | None = None,
    ) -> Admission:
        """Keep a batch of judged groups with all that followed from it, in one transaction.

        A batch whose groups are all in the store was admitted before a crash: nothing at all is changed.

        Args:
            judged: groups with one verdict for each of their attempts, in their order.
            decisions: why they were admitted or not, with numbers.
            tasks: tasks that are new or changed by this batch.
            buffer: `StartBuffer.take_changes()`.
            state: the loop's counters and random states after this batch.

        Raises:
            ValueError: verdicts and attempts do not belong together.
            StoreError: the disk is full or failing; nothing of the batch was kept.
        """
        for group, verdicts in judged:
            if [attempt.id for attempt in group.attempts] != [verdict.attempt_id for verdict in verdicts]:
                raise ValueError(f"group {group.id}: one verdict for each attempt, in the same order")
        known = self._known("groups", [group.id for group, _ in judged])
        new = [(group, verdicts) for group, verdicts in judged if group.id not in known]
        if judged and not new:
            return Admission(groups=0, attempts=0, repeated=len(judged))
        with self.batch():
            self._change_tasks(tasks, round=judged[0][0].round if judged else 0)
            attempts = self._add_groups(new)
            self._add_decisions(decisions)
            if buffer is not None:
                self.save_buffer(buffer)
            if state is not None:
                self.save_state(state)
        return Admission(groups=len(new), attempts=attempts, repeated=len(judged) - len(new))

    # --- learning, evaluation, state ---

    def record_update(self, update: Update, samples: Sequence[Sample]) -> bool:
        """Keep an update with what it was trained on. False: it was there already.

        Raises:
            StoreError: that version is there with other weights.
        """
        found = self.db.execute("SELECT checksum FROM updates WHERE version = ?", [update.version]).fetchone()
        if found is not None and found[0] != update.checksum:
            raise StoreError(
                f"{self.path}: policy version {update.version} is recorded with checksum {found[0]}, but the"
                f" learner made {update.checksum}; resume from the recorded checkpoint"
            )
        if found is not None:
            return False
        with self.batch():
            self.db.table("updates").insert(rows.update_row(update, time.time()))
            for table, role in (("samples", Role.SOLVER), ("proposal_samples", Role.PROPOSER)):
                numbered = [(i, s) for i, s in enumerate(samples) if s.role is role]
                self._insert(table, [rows.sample_row(s, update.version, i, self._keep) for i, s in numbered])
        return True

    def record_evaluation(self, evaluation: Evaluation) -> bool:
        """Keep an evaluation. False: it was there already."""
        if self._known("evaluations", [evaluation.id]):
            return False
        with self.batch():
            self.db.table("evaluations").insert(rows.evaluation_row(evaluation, time.time()))
        return True

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the loop's state: plain data, from which `--resume` goes on."""
        self._set("state", state)

    def save_facts(self, facts: dict[str, Any]) -> None:
        """Replace what the run is known to be played with: isolation layers, versions, engine."""
        self._set("facts", private(facts, self.path.parent))

    def save_buffer(self, changes: BufferChanges) -> None:
        """Make the stored buffer equal the one that these changes were taken from."""
        with self.batch():
            self.db.conn.executemany("DELETE FROM buffer WHERE start_id = ?", [(s,) for s in changes.drop])
            if changes.put:
                self.db.table("buffer").upsert_all(map(rows.buffer_row, changes.put), pk="start_id")

    def add_stage(
        self,
        round: int,
        role: str,
        stage: str,
        started: float,
        seconds: float,
        numbers: dict[str, Any] | None = None,
    ) -> None:
        """Note how long a role worked or waited. `started` in UNIX seconds."""
        row = {"round": round, "role": role, "stage": stage, "started": started, "seconds": seconds}
        with self.batch():
            self._insert("stages", [{**row, "numbers_json": to_json(numbers or {})}])

    def add_event(self, round: int, role: str, level: str, message: str) -> None:
        """Note one line for people watching. Levels: info, warning, error."""
        line = to_text(private(message, self.path.parent))
        row = {"round": round, "role": role, "level": level, "message": line}
        with self.batch():
            self._insert("events", [{"at": time.time(), **row}])

    # --- rows ---

    def _add_groups(self, judged: Sequence[tuple[Group, Sequence[Verdict]]]) -> int:
        now = time.time()
        pairs = [(a, v, group.id) for group, verdicts in judged for a, v in zip(group.attempts, verdicts)]
        self._insert(
            "groups", [rows.group_row(group, verdicts, now, self._keep) for group, verdicts in judged]
        )
        added = self._insert("attempts", [rows.attempt_row(a, v, name, self._keep) for a, v, name in pairs])
        self._insert("tokens", [rows.token_row(attempt) for attempt, _, _ in pairs])
        return added

    def _add_tasks(self, tasks: Sequence[tuple[Task, str, int]]) -> int:
        for task, status, _ in tasks:
            if status not in TASK_STATUSES:
                raise ValueError(f"task {task.id}: status {status!r} is none of {', '.join(TASK_STATUSES)}")
        return self._insert("tasks", [rows.task_row(*entry, self._keep) for entry in tasks], unless="id")

    def _change_tasks(self, changes: Sequence[TaskChange], round: int) -> None:
        self._add_tasks([(change.task, change.status, round) for change in changes])
        for change in changes:
            row = rows.task_row(change.task, change.status, round, self._keep)
            assignments = ", ".join(f"{name} = :{name}" for name in rows.TASK_CHANGES)
            self.db.execute(f"UPDATE tasks SET {assignments} WHERE id = :id", row)
            # A proposal that was rejected at once, say as a duplicate, keeps its own reason.
            self.db.execute(
                "UPDATE proposals SET reason = ?, detail = coalesce(nullif(?, ''), detail),"
                " reward = coalesce(?, reward) WHERE task_id = ? AND reason IS NULL",
                [change.reason, to_text(change.detail), change.proposer_reward, change.task.id],
            )

    def _add_decisions(self, decisions: Iterable[Decision]) -> None:
        now = time.time()
        self._insert("decisions", [rows.decision_row(decision, now) for decision in decisions], unless="id")
