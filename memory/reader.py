"""What a run has become so far: counters, rounds, curves, events. For the screen, replay, reports, resume.

    with RunReader(run_folder) as reader:
        reader.overview()

Reads a run in progress or finished, never writes, and sees whole batches only. Questions about single
episodes are in `memory.episodes`, whose methods this class has too.
"""

from typing import TYPE_CHECKING, Any

from memory.buffer import BufferEntry
from memory.codec import from_json
from memory.episodes import EpisodeReader
from memory.selects import parsed
from protocols.records import Origin, Split, Start, Task

if TYPE_CHECKING:
    from memory.space import TaskSpace


class RunReader(EpisodeReader):
    """Opens `RUN` or `RUN/run.db`."""

    def __enter__(self) -> "RunReader":
        return self

    def version(self) -> int:
        """A number that grows with every committed batch; cheap enough to ask several times a second."""
        return int(self.value("SELECT version FROM counter"))

    def config(self) -> dict[str, Any]:
        """The resolved settings of the run."""
        return self._run("config")

    def facts(self) -> dict[str, Any]:
        """What the run was made with: versions, isolation layers, machine."""
        return self._run("facts")

    def state(self) -> dict[str, Any]:
        """What `Store.save_state` kept last; empty before."""
        return self._run("state")

    def created(self) -> float:
        """When the run was created, in UNIX seconds."""
        return float(self._run("created"))

    def _run(self, key: str) -> Any:
        text = self.value("SELECT value_json FROM run WHERE key = ?", [key])
        return {} if text is None else from_json(text)

    def overview(self) -> dict[str, Any]:
        """The run in numbers.

        `tasks` counts training tasks that were not rejected; `attempts`, `verified` and `infra_errors` count
        collection, with evaluation apart; `tokens_generated` does not count proposals.
        """
        played = {
            row.pop("purpose"): row
            for row in self.rows(
                """SELECT purpose, count(*) AS groups, sum(attempts) AS attempts, sum(verified) AS verified,
                  sum(infra_errors) AS infra_errors, sum(tokens) AS tokens FROM groups GROUP BY purpose"""
            )
        }
        collected, evaluated = played.get("collect", {}), played.get("evaluate", {})
        tasks = {row["origin"]: row["n"] for row in self.rows(_COUNT_TASKS)}
        numbers = self.row(_COUNT_REST) or {}
        return {
            **numbers,
            "tasks": sum(tasks.values()),
            "tasks_by_origin": tasks,
            "proposed_tasks": tasks.get("proposed", 0),
            **{name: collected.get(name, 0) for name in ("groups", "attempts", "verified", "infra_errors")},
            "evaluation_attempts": evaluated.get("attempts", 0),
            "evaluation_infra_errors": evaluated.get("infra_errors", 0),
            "tokens_generated": collected.get("tokens", 0) + evaluated.get("tokens", 0),
        }

    def rounds(self) -> list[dict[str, Any]]:
        """Rounds in order, with what collection, proposing and learning made of them."""
        found = self.rows(
            """SELECT r.round, r.policy_version, r.started, r.finished, r.plan_json, r.planned,
              ifnull(g.groups, 0) AS groups, ifnull(g.attempts, 0) AS attempts,
              ifnull(g.verified, 0) AS verified, ifnull(g.infra_errors, 0) AS infra_errors,
              ifnull(g.tokens, 0) AS tokens, g.mean_reward, g.learnability,
              ifnull(p.proposals, 0) AS proposals, ifnull(p.rejected, 0) AS proposals_rejected,
              (SELECT count(*) FROM tasks t WHERE t.round = r.round) AS tasks
            FROM rounds r
            LEFT JOIN (SELECT round, count(*) AS groups, sum(attempts) AS attempts, sum(verified) AS verified,
                sum(infra_errors) AS infra_errors, sum(tokens) AS tokens,
                sum(mean_reward * (attempts - infra_errors)) / sum(attempts - infra_errors) AS mean_reward,
                avg(learnability) AS learnability
              FROM groups WHERE purpose = 'collect' GROUP BY round) g ON g.round = r.round
            LEFT JOIN (SELECT round, count(*) AS proposals, count(reason) AS rejected
              FROM proposals GROUP BY round) p ON p.round = r.round
            ORDER BY r.round"""
        )
        return [parsed(row) for row in found]

    def updates(self) -> list[dict[str, Any]]:
        """Changes of the weights in order, with their curves."""
        return [parsed(row) for row in self.rows("SELECT * FROM updates ORDER BY version")]

    def evaluations(self) -> list[dict[str, Any]]:
        """Evaluations in the order they were made."""
        return [parsed(row) for row in self.rows("SELECT * FROM evaluations ORDER BY seq")]

    def begun_with(self, split: Split) -> list[Task]:
        """The tasks of a split that the run was begun with, in their order; none was proposed."""
        found = self.task_records(split=split, round=0)
        return [task for task, _ in found if task.origin is not Origin.PROPOSED]

    def stages(self, after_id: int = 0) -> list[dict[str, Any]]:
        """Who spent how long on what, since the stage with this id."""
        return [parsed(row) for row in self.rows("SELECT * FROM stages WHERE id > ? ORDER BY id", [after_id])]

    def events(self, after_id: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """The latest `limit` events after the one with this id, oldest first."""
        found = self.rows("SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?", [after_id, limit])
        return found[::-1]

    def decisions(self, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The curator's decisions, newest first."""
        found = self.rows("SELECT * FROM decisions ORDER BY seq DESC LIMIT ? OFFSET ?", [limit, offset])
        return [parsed(row) for row in found]

    def buffer(self) -> list[BufferEntry]:
        """The stored buffer, for `StartBuffer.load_state_dict`, in order of entry."""
        return [
            BufferEntry(
                start=from_json(row["start_json"], Start),
                score=row["score"],
                visits=row["visits"],
                round=row["round"],
                entered=row["entered"],
                slot=row["slot"],
                last=row["last"],
            )
            for row in self.rows("SELECT * FROM buffer ORDER BY entered")
        ]

    def space(self) -> "TaskSpace":
        """The task space as collected so far."""
        from memory.space import TaskSpace  # networkx is not needed to read rows

        return TaskSpace.from_reader(self)


_COUNT_TASKS = (
    "SELECT origin, count(*) AS n FROM tasks WHERE split = 'train' AND status <> 'rejected' GROUP BY origin"
)

_COUNT_REST = """SELECT
  (SELECT count(*) FROM rounds) AS rounds,
  (SELECT count(*) FROM rounds WHERE finished IS NOT NULL) AS rounds_finished,
  (SELECT ifnull(max(round), 0) FROM rounds) AS round,
  (SELECT ifnull(sum(json_array_length(plan_json) - planned), 0) FROM rounds) AS groups_resampled,
  (SELECT count(*) FROM proposals) AS proposals,
  (SELECT count(*) FROM proposals WHERE reason IS NOT NULL) AS proposals_rejected,
  (SELECT count(*) FROM tasks WHERE split = 'test') AS test_tasks,
  (SELECT count(*) FROM tasks WHERE status = 'rejected') AS tasks_rejected,
  (SELECT count(*) FROM tasks WHERE truth_agrees = 0) AS references_wrong,
  (SELECT count(*) FROM tasks WHERE truth_agrees = 1) AS references_right,
  (SELECT count(*) FROM buffer) AS buffer,
  (SELECT count(*) FROM evaluations) AS evaluations,
  (SELECT count(*) FROM updates) AS updates,
  (SELECT ifnull(max(version), 0) FROM updates) AS policy_version,
  (SELECT ifnull(sum(tokens), 0) FROM updates) AS tokens_trained,
  (SELECT count(DISTINCT attempt_id) FROM samples) AS attempts_trained"""
