"""What groups and proposals came to, as choosing and learning need it: each a question to the whole run.

Single tasks, proposals and attempts are the business of `memory.episodes`.
"""

from memory.codec import from_json, unpack_ids, unpack_logprobs
from memory.reading import ReadOnly
from protocols.records import Prompt, Record


class Compared(Record, frozen=True):
    """A collected group, and whether its task stands and its rewards differ: only then is there something
    to compare."""

    id: str
    differs: bool


class Rewarded(Record, frozen=True):
    """A proposal whose reward is known, with what learning needs of it."""

    id: str
    prompt: Prompt
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    prefilled: int
    finish: str
    reward: float


class OutcomeReader(ReadOnly):
    """See the module."""

    def solve_rates(self, before: int) -> dict[str, float]:
        """Mean reward of the judged attempts at standing tasks collected before a round, by topic."""
        found = self.rows(
            """SELECT topic.value AS topic, sum(g.mean_reward * (g.attempts - g.infra_errors)) AS solved,
              sum(g.attempts - g.infra_errors) AS judged
            FROM groups g JOIN tasks t ON t.id = g.task_id, json_each(t.topics_json) topic
            WHERE g.purpose = 'collect' AND g.round < ? AND g.mean_reward IS NOT NULL AND t.status = 'active'
            GROUP BY topic.value""",
            [before],
        )
        return {row["topic"]: row["solved"] / row["judged"] for row in found}

    def compared(self, round: int) -> list[Compared]:
        """The groups collected in a round, in the order of its plan."""
        found = self.rows(
            """SELECT g.id, t.status = 'active' AND ifnull(min(a.reward) < max(a.reward), 0) AS differs
            FROM groups g JOIN tasks t ON t.id = g.task_id JOIN attempts a ON a.group_id = g.id
            WHERE g.purpose = 'collect' AND g.round = ? GROUP BY g.id ORDER BY g.position""",
            [round],
        )
        return [Compared(id=row["id"], differs=bool(row["differs"])) for row in found]

    def rewarded_proposals(self, since: int, until: int) -> list[Rewarded]:
        """Proposals whose reward became known in these rounds, the last included, in order of admission: by
        being refused as they were, or by the attempts at their task."""
        found = self.rows(
            """SELECT p.*, prompt.body AS prompt_json FROM proposals p
            JOIN texts prompt ON prompt.id = p.prompt_text
            WHERE p.reward IS NOT NULL AND p.token_ids IS NOT NULL AND CASE WHEN p.task_id IS NULL
              THEN p.round BETWEEN :since AND :until
              ELSE EXISTS (SELECT 1 FROM decisions d
                WHERE d.subject_id = p.task_id AND d.kind = 'task' AND d.round BETWEEN :since AND :until) END
            ORDER BY p.seq""",
            {"since": since, "until": until},
        )
        return [
            Rewarded(
                id=row["id"],
                prompt=from_json(row["prompt_json"], Prompt),
                token_ids=unpack_ids(row["token_ids"]),
                logprobs=unpack_logprobs(row["logprobs"]),
                prefilled=row["prefilled"],
                finish=row["finish"],
                reward=row["reward"],
            )
            for row in found
        ]
