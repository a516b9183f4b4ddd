"""What held-out tasks showed closed book: how well each version knew a topic, and each task.

Pure reads of what a run measured; comparisons between runs go task by task. Attempts that the sandbox failed
on have no reward and do not count.
"""

from memory.reading import ReadOnly
from protocols.records import Record

_ABOUT = "(:topic IS NULL OR EXISTS (SELECT 1 FROM json_each(t.topics_json) WHERE value = :topic))"

_MEASURED = f"""SELECT g.policy_version AS version, g.round, count(a.reward) AS attempts,
  avg(a.reward) AS accuracy, count(DISTINCT g.task_id) AS tasks
FROM groups g JOIN attempts a ON a.group_id = g.id JOIN tasks t ON t.id = g.task_id
WHERE g.purpose = 'evaluate' AND g.book = 'closed' AND a.reward IS NOT NULL AND {_ABOUT}
GROUP BY g.round, g.policy_version ORDER BY g.round, g.policy_version"""

_BY_TASK = f"""SELECT g.task_id AS task, avg(a.reward) AS mean
FROM groups g JOIN attempts a ON a.group_id = g.id JOIN tasks t ON t.id = g.task_id
WHERE g.purpose = 'evaluate' AND g.book = 'closed' AND a.reward IS NOT NULL AND {_ABOUT}
  AND g.round = (SELECT max(round) FROM groups WHERE purpose = 'evaluate' AND book = 'closed')
GROUP BY g.task_id ORDER BY g.task_id"""


class Measured(Record):
    """Closed-book accuracy of a version, measured after a round (0: before the first)."""

    version: int
    round: int
    tasks: int
    attempts: int  # judged
    accuracy: float  # mean reward of these


def measured(reader: ReadOnly, topic: str | None = None) -> list[Measured]:
    """Every measurement in order, of tasks about the topic; None: of all."""
    return [Measured(**row) for row in reader.rows(_MEASURED, {"topic": topic})]


def by_task(reader: ReadOnly, topic: str | None = None) -> dict[str, float]:
    """Mean reward of each held-out task after the last round that was measured."""
    return {row["task"]: row["mean"] for row in reader.rows(_BY_TASK, {"topic": topic})}
