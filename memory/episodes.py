"""Questions about tasks, proposals, groups and attempts, each answered by one join.

Lists give light rows as dicts (long texts clipped, no token ids), `limit=None` all of them; what is asked
for by its id comes whole, as records. An attempt counts as verified when its reward, as reported, is 1.
"""

from typing import Any

from memory import questions, selects
from memory.codec import from_json
from memory.outcomes import OutcomeReader
from memory.reading import where
from memory.selects import parsed
from protocols.errors import StoreError
from protocols.iteration import kept
from protocols.records import Attempt, Group, Prompt, Record, Start, Task, Verdict


def _all(limit: int | None) -> int:
    return -1 if limit is None else limit  # SQLite: a negative LIMIT is none


_TASK_FILTERS = {
    "status": "t.status = ?",
    "origin": "t.origin = ?",
    "split": "t.split = ?",
    "kind": "t.kind = ?",
    "round": "t.round = ?",
    "topic": "EXISTS (SELECT 1 FROM json_each(t.topics_json) WHERE value = ?)",
    "search": "statement.body LIKE ? ESCAPE '\\'",
}
_PROPOSAL_FILTERS = {
    "round": "p.round = ?",
    "topic": "p.topic = ?",
    "reason": "p.reason = ?",
    "rejected": "p.reason IS NOT NULL",
    "search": "response.body LIKE ? ESCAPE '\\'",
}
_GROUP_FILTERS = {
    "round": "g.round = ?",
    "purpose": "g.purpose = ?",
    "book": "g.book = ?",
    "step": "g.step = ?",
    "policy_version": "g.policy_version = ?",
    "task_id": "g.task_id = ?",
    "start_id": "g.start_id = ?",
    "parent_attempt_id": "g.parent_attempt_id = ?",
}
_EPISODE_FILTERS = {
    **_GROUP_FILTERS,
    **{name: _TASK_FILTERS[name] for name in ("origin", "split", "kind", "topic")},
    "category": "a.category = ?",
    "group_id": "a.group_id = ?",
    "verified": "ifnull(a.reward, 0) >= 1",
    "infra_error": "a.infra_error IS NOT NULL",
    "flipped": "a.flipped",
    "trained": "EXISTS (SELECT 1 FROM samples s WHERE s.attempt_id = a.id)",
    "search": "(response.body || char(10) || statement.body) LIKE ? ESCAPE '\\'",
}

_GROUP_COLUMNS = """g.seq, g.id, g.round, g.position, g.purpose, g.task_id, g.start_id, g.step, g.book,
  g.parent_attempt_id, g.prompt_tokens, g.policy_version, g.engine, g.attempts, g.verified, g.infra_errors,
  g.tokens, g.mean_reward, g.learnability, g.seconds, g.created"""

_TASK_FROM = f"SELECT {selects.TASK} FROM tasks t {selects.TASK_TEXTS}"
_GROUP_FROM = f"SELECT {selects.GROUP} FROM groups g {selects.GROUP_TEXTS}"
_ATTEMPT_FROM = f"SELECT {selects.ATTEMPT} FROM attempts a {selects.ATTEMPT_TEXTS}"

_SUMMARY = """SELECT a.seq, a.id, a.group_id, a.idx, g.round, g.purpose, g.step, g.book, g.policy_version,
  g.task_id, g.start_id, g.parent_attempt_id, a.reward, a.category, a.infra_error, a.flipped, a.sampled,
  a.finish, t.kind, t.origin, t.topics_json, substr(statement.body, 1, 300) AS statement,
  substr(response.body, 1, 300) AS response, g.created
FROM attempts a
JOIN groups g ON g.id = a.group_id
JOIN tasks t ON t.id = g.task_id
JOIN texts statement ON statement.id = t.statement_text
JOIN texts response ON response.id = a.response_text"""


class Verified(Record, frozen=True):
    """A verified attempt with what learning needs of it."""

    attempt: Attempt
    task: Task
    prompt: Prompt  # as rolled out
    start: Start
    round: int
    policy_version: int
    reward: float
    evidence: dict[str, Any]  # of the verdict


class Episode(Record, frozen=True):
    """Everything about one attempt."""

    attempt: Attempt
    verdict: Verdict
    group: dict[str, Any]  # columns of `groups`
    start: Start
    prompt: Prompt
    task: Task
    task_status: str
    proposal: dict[str, Any] | None  # that the task came from
    decisions: list[
        dict[str, Any]
    ]  # of the curator: on the proposal, the task, the start, the group, the sample
    weights: dict[str, Any] | None  # the update that made the policy version, see `weights_of`
    updates: list[dict[str, Any]]  # that trained on this attempt, with weight and prompt as learned
    parent: dict[str, Any] | None  # light rows, as in `episodes`
    siblings: list[dict[str, Any]]
    children: list[dict[str, Any]]


class EpisodeReader(OutcomeReader):
    """See the module."""

    def tasks(self, limit: int | None = 100, offset: int = 0, **filters: Any) -> list[dict[str, Any]]:
        """Tasks in order of admission with what collection made of them.

        Args:
            filters: status, origin, split, kind, round, topic, search (in the statement).
        """
        clause, parameters = where(_TASK_FILTERS, filters)
        found = self.rows(
            f"""SELECT t.seq, t.id, t.domain, t.split, t.kind, t.origin, t.topics_json, t.parent_id, t.status,
              t.truth_agrees, t.round, statement.body AS statement,
              (SELECT count(*) FROM groups g WHERE g.task_id = t.id) AS groups,
              (SELECT ifnull(sum(g.attempts), 0) FROM groups g
                 WHERE g.task_id = t.id AND g.purpose = 'collect') AS attempts,
              (SELECT ifnull(sum(g.verified), 0) FROM groups g
                 WHERE g.task_id = t.id AND g.purpose = 'collect') AS verified
            FROM tasks t JOIN texts statement ON statement.id = t.statement_text
            {clause} ORDER BY t.seq LIMIT ? OFFSET ?""",
            [*parameters, _all(limit), offset],
        )
        return [parsed(row) for row in found]

    def task(self, task_id: str) -> Task:
        """The task with its hidden checks.

        Raises:
            StoreError: there is none with this id.
        """
        return selects.task(self._one("task", f"{_TASK_FROM} WHERE t.id = ?", task_id))

    def task_records(self, **filters: Any) -> list[tuple[Task, str]]:
        """Tasks with their status, in order of admission; filters as in `tasks`."""
        clause, parameters = where(_TASK_FILTERS, filters)
        found = self.rows(f"{_TASK_FROM} {clause} ORDER BY t.seq", parameters)
        return [(selects.task(row), row["t_status"]) for row in found]

    def proposals(self, limit: int | None = 100, offset: int = 0, **filters: Any) -> list[dict[str, Any]]:
        """Proposals, newest first, with the response as it came.

        Args:
            filters: round, topic, reason, rejected (True or False), search (in the response).
        """
        clause, parameters = where(_PROPOSAL_FILTERS, filters)
        return self.rows(
            f"""SELECT p.seq, p.id, p.round, p.position, p.topic, p.policy_version, p.task_id, p.reason,
              p.detail, p.reward, p.created, response.body AS response, t.status AS task_status,
              t.truth_agrees
            FROM proposals p JOIN texts response ON response.id = p.response_text
            LEFT JOIN tasks t ON t.id = p.task_id
            {clause} ORDER BY p.seq DESC LIMIT ? OFFSET ?""",
            [*parameters, _all(limit), offset],
        )

    def rejections(self) -> dict[str, int]:
        """How many proposals were rejected, by reason, most frequent first."""
        found = self.rows(
            "SELECT reason, count(*) AS n FROM proposals WHERE reason IS NOT NULL GROUP BY reason"
            " ORDER BY n DESC, reason"
        )
        return {row["reason"]: row["n"] for row in found}

    def groups(self, limit: int | None = 100, offset: int = 0, **filters: Any) -> list[dict[str, Any]]:
        """Groups, newest first.

        Args:
            filters: round, purpose, book, step, policy_version, task_id, start_id, parent_attempt_id.
        """
        clause, parameters = where(_GROUP_FILTERS, filters)
        return self.rows(
            f"SELECT {_GROUP_COLUMNS} FROM groups g {clause} ORDER BY g.seq DESC LIMIT ? OFFSET ?",
            [*parameters, _all(limit), offset],
        )

    def group(self, group_id: str) -> tuple[Group, list[Verdict]]:
        """A group as it was played, with its verdicts.

        Raises:
            StoreError: there is none with this id.
        """
        row = self._one("group", f"{_GROUP_FROM} WHERE g.id = ?", group_id)
        judged = self.attempts(group_id)
        return selects.group(row, tuple(a for a, _ in judged)), [verdict for _, verdict in judged]

    def attempts(self, group_id: str) -> list[tuple[Attempt, Verdict]]:
        """The attempts of a group with their verdicts, in their order."""
        found = self.rows(f"{_ATTEMPT_FROM} WHERE a.group_id = ? ORDER BY a.idx", [group_id])
        return [(selects.attempt(row), selects.verdict(row)) for row in found]

    def answers(self, attempt_id: str) -> tuple[str, ...]:
        """All answers of an attempt's play, those of its start's history that stand included.

        Raises:
            StoreError: there is none with this id.
        """
        row = self._one("attempt", f"{selects.EPISODE} WHERE a.id = ?", attempt_id)
        return kept(selects.start(row)) + selects.attempt(row).answers

    def episodes(self, limit: int | None = 100, offset: int = 0, **filters: Any) -> list[dict[str, Any]]:
        """Attempts, newest first, with the first 300 characters of statement and response.

        Args:
            filters: round, purpose, book, step, policy_version, task_id, start_id, parent_attempt_id, origin,
                split, kind, topic, category, group_id, search (in response and statement); and, True or
                False: verified, infra_error, flipped, trained.
        """
        clause, parameters = where(_EPISODE_FILTERS, filters)
        found = self.rows(
            f"{_SUMMARY} {clause} ORDER BY a.seq DESC LIMIT ? OFFSET ?", [*parameters, _all(limit), offset]
        )
        return [parsed(row) for row in found]

    def attempt(self, attempt_id: str) -> Episode:
        """Everything about one attempt.

        Raises:
            StoreError: there is none with this id.
        """
        row = self._one("attempt", f"{selects.EPISODE} WHERE a.id = ?", attempt_id)
        parent = self._light("a.id = ?", row["g_parent_attempt_id"])
        return Episode(
            attempt=selects.attempt(row),
            verdict=selects.verdict(row),
            group={
                name.removeprefix("g_"): value
                for name, value in row.items()
                if name.startswith("g_") and not name.endswith("_json")
            },
            start=selects.start(row),
            prompt=selects.prompt(row),
            task=selects.task(row),
            task_status=row["t_status"],
            proposal=self.row(
                "SELECT p.*, response.body AS response FROM proposals p JOIN texts response"
                " ON response.id = p.response_text WHERE p.task_id = ? ORDER BY p.seq LIMIT 1",
                [row["t_id"]],
            ),
            decisions=self.decisions_behind(attempt_id),
            weights=self.weights_of(attempt_id),
            updates=self.updates_trained_on(attempt_id),
            parent=parent[0] if parent else None,
            siblings=self._light("a.group_id = ?", row["a_group_id"]),
            children=self._light("g.parent_attempt_id = ?", attempt_id),
        )

    # --- the questions of `memory.questions` ---

    def trained_update(self, version: int) -> list[dict[str, Any]]:
        """Which episodes trained an update, in the order of its samples."""
        return self._asked(questions.TRAINED, version=version)

    def decisions_behind(self, attempt_id: str) -> list[dict[str, Any]]:
        """Which decisions of the curator led to an attempt, and what was decided about it afterwards."""
        return self._asked(questions.DECISIONS, attempt=attempt_id)

    def verdict_of(self, attempt_id: str) -> dict[str, Any] | None:
        """What the verifier saw of an attempt, and what it said."""
        return next(iter(self._asked(questions.VERDICT, attempt=attempt_id)), None)

    def weights_of(self, attempt_id: str) -> dict[str, Any] | None:
        """Which update made the weights that generated an attempt. None: the model as it came.

        Of an attempt that was taken from another run: `version`, and `source`, that run; the rest is None.
        """
        for made in self._asked(questions.WEIGHTS, attempt=attempt_id):
            if made["path"] is not None or (made["source"] is not None and made["version"]):
                return made
        return None

    def lineage(self, attempt_id: str) -> list[dict[str, Any]]:
        """An attempt's history, oldest first, with itself at the end."""
        return self._asked(questions.LINEAGE, attempt=attempt_id)

    def updates_trained_on(self, attempt_id: str) -> list[dict[str, Any]]:
        """Which updates learned from an attempt: version, recipe, weight, and the prompt as learned."""
        found = self.rows(
            """SELECT u.version, u.round, u.recipe, u.checksum, u.path, s.position, s.weight,
              prompt.body AS prompt_json
            FROM samples s
            JOIN updates u ON u.version = s.version
            JOIN texts prompt ON prompt.id = s.prompt_text
            WHERE s.attempt_id = ? ORDER BY s.version, s.position""",
            [attempt_id],
        )
        return [{**parsed(row), "prompt": from_json(row["prompt_json"], Prompt)} for row in found]

    def _asked(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        return [parsed(row) for row in self.rows(sql, parameters)]

    # --- learning ---

    def verified_attempts(
        self, where_sql: str | None = None, parameters: tuple[Any, ...] = (), min_reward: float = 1.0
    ) -> list[Verified]:
        """Collected attempts to learn from, in order of admission.

        Args:
            where_sql: a further condition over `a` (attempts), `g` (groups) and `t` (tasks), with its
                parameters: `"g.round = ?", (3,)`. Our own SQL only.
            min_reward: smallest reward that counts.
        """
        found = self.rows(
            f"{selects.EPISODE} WHERE a.reward >= ? AND g.purpose = 'collect'"
            f" {f'AND ({where_sql})' if where_sql else ''} ORDER BY a.seq",
            [min_reward, *parameters],
        )
        tasks: dict[str, Task] = {}  # read once each: their hidden checks are long
        return [
            Verified(
                attempt=selects.attempt(row),
                task=tasks.get(row["t_id"]) or tasks.setdefault(row["t_id"], selects.task(row)),
                prompt=selects.prompt(row),
                start=selects.start(row),
                round=row["g_round"],
                policy_version=row["g_policy_version"],
                reward=row["a_reward"],
                evidence=from_json(row["a_evidence_json"]),
            )
            for row in found
        ]

    def _light(self, condition: str, value: str | None) -> list[dict[str, Any]]:
        if value is None:
            return []
        return [parsed(row) for row in self.rows(f"{_SUMMARY} WHERE {condition} ORDER BY a.seq", [value])]

    def _one(self, what: str, sql: str, wanted: str) -> dict[str, Any]:
        found = self.row(sql, [wanted])
        if found is None:
            raise StoreError(
                f"{self.path}: no {what} has the id {wanted!r}; list them with `taskspace replay`"
            )
        return found
