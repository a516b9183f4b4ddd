"""From what the weights can do back to what made them so: updates, their episodes, tasks, decisions.

    measurement ◀── update ◀── episodes ◀── task ◀── proposal ◀── decisions

Pure reads. That an update lies between two measurements, and learned episodes about a topic, does not prove
that these changed its accuracy; leaving them out and learning again does (`taskspace why --ablate`).
Questions about single episodes are in `memory.questions`, measurements in `memory.held_out`.
"""

from itertools import pairwise
from typing import Any

from memory.codec import from_json
from memory.held_out import Measured, measured
from memory.reading import ReadOnly
from protocols.records import Record


class Decided(Record):
    """Decisions of the curator that agree, on what led to a task's episodes."""

    kind: str
    action: str
    reason: str
    count: int
    round: int  # of the first
    numbers: dict[str, Any]  # of the first


class Asked(Record):
    """The proposal that a task came from."""

    id: str
    round: int
    topic: str
    policy_version: int  # of the proposer
    reward: float | None


class Learned(Record):
    """The episodes of one task that an update learned."""

    task: str
    statement: str
    origin: str
    topics: tuple[str, ...]
    parent: str | None  # the task that it was proposed from
    samples: int
    new: int  # of them, those that no earlier update had learned
    verified: int
    weight: float  # summed
    groups: int
    rounds: tuple[int, int]  # first and last in which they were played
    policy_versions: tuple[int, int]  # lowest and highest that played them
    proposal: Asked | None
    decisions: tuple[Decided, ...]


class Caused(Record):
    """An update, and what it learned about something."""

    version: int
    round: int
    recipe: str
    samples: int  # of the whole update, proposals included
    tokens: int
    about: int  # answers about it
    new: int  # of them, those that no earlier update had learned
    proposals: int  # proposals about it
    learned: tuple[Learned, ...]  # most of what was new first


class Change(Record):
    """Two measurements that follow each other, and the updates that lie between."""

    before: Measured
    after: Measured
    difference: float  # in accuracy
    updates: tuple[Caused, ...]


class Shift(Record):
    """How accuracy on a topic moved around an update, or several; None where it was not measured."""

    topic: str
    samples: int  # about it
    before: Measured | None
    after: Measured | None


class OfVersion(Record):
    """What a version learned from."""

    update: Caused
    before: Measured | None
    after: Measured | None
    topics: tuple[Shift, ...]  # most samples first


class Played(Record):
    """A group at a task."""

    id: str
    round: int
    step: str
    book: str
    policy_version: int
    attempts: int
    verified: int
    mean_reward: float | None
    learned: tuple[int, ...]  # versions that learned from it


class OfTask(Record):
    """What became of a task, and where it came from."""

    task: str
    statement: str
    origin: str
    status: str
    round: int  # in which it was added
    topics: tuple[Shift, ...]  # around the updates that learned from it
    parent: str | None
    children: tuple[str, ...]  # tasks proposed from it
    proposal: Asked | None
    decisions: tuple[Decided, ...]
    groups: tuple[Played, ...]
    updates: tuple[Caused, ...]


def topics(reader: ReadOnly) -> list[str]:
    """What any task of the run is about: in zwc, its functions."""
    return [row["topic"] for row in reader.rows(_TOPICS)]


def versions(reader: ReadOnly) -> list[int]:
    """The policy versions that an update made."""
    return [row["version"] for row in reader.rows("SELECT version FROM updates ORDER BY version")]


def tasks(reader: ReadOnly) -> list[str]:
    """Ids of all training tasks, those that were rejected included."""
    return [row["id"] for row in reader.rows("SELECT id FROM tasks WHERE split = 'train' ORDER BY seq")]


def changes(reader: ReadOnly, topic: str | None = None) -> list[Change]:
    """The course of closed-book accuracy on a topic (None: all) and what was learned about it in between."""
    found = measured(reader, topic)
    known = versions(reader)
    return [
        Change(
            before=one,
            after=other,
            difference=other.accuracy - one.accuracy,
            updates=tuple(caused(reader, v, topic) for v in known if one.version < v <= other.version),
        )
        for one, other in pairwise(found)
    ]


def caused(reader: ReadOnly, version: int, topic: str | None = None, task: str | None = None) -> Caused:
    """An update with what it learned about a topic, or from a task; None: everything."""
    asked = {"version": version, "topic": topic, "task": task}
    update = reader.rows("SELECT * FROM updates WHERE version = ?", [version])[0]
    learned = tuple(_learned(reader, row) for row in reader.rows(_LEARNED, asked))
    return Caused(
        **{name: update[name] for name in ("version", "round", "recipe", "samples", "tokens")},
        about=sum(one.samples for one in learned),
        new=sum(one.new for one in learned),
        proposals=reader.value(_PROPOSED, asked),
        learned=learned,
    )


def of_version(reader: ReadOnly, version: int) -> OfVersion:
    """What a version learned from, and how accuracy moved on what that was about."""
    update = caused(reader, version)
    counts: dict[str, int] = {}
    for one in update.learned:
        for topic in one.topics:
            counts[topic] = counts.get(topic, 0) + one.samples
    whole = _shift(reader, "", update.samples, version, version, None)
    found = [
        _shift(reader, topic, counts[topic], version, version, topic)
        for topic in sorted(counts, key=lambda name: (-counts[name], name))
    ]
    return OfVersion(update=update, before=whole.before, after=whole.after, topics=tuple(found))


def of_task(reader: ReadOnly, task: str) -> OfTask:
    """What became of a task of this id."""
    row = reader.rows(
        "SELECT t.*, s.body AS statement FROM tasks t JOIN texts s ON s.id = t.statement_text WHERE t.id = ?",
        [task],
    )[0]
    learning = "SELECT DISTINCT version FROM samples s JOIN attempts a ON a.id = s.attempt_id"
    learning += " JOIN groups g ON g.id = a.group_id WHERE g.task_id = ? ORDER BY version"
    updates = tuple(caused(reader, v["version"], task=task) for v in reader.rows(learning, [task]))
    samples = sum(update.about for update in updates)
    first, last = (updates[0].version, updates[-1].version) if updates else (None, None)
    children = reader.rows("SELECT id FROM tasks WHERE parent_id = ? ORDER BY seq", [task])
    return OfTask(
        **{name: row[name] for name in ("statement", "origin", "status", "round")},
        task=task,
        topics=tuple(
            _shift(reader, topic, samples, first, last, topic) for topic in from_json(row["topics_json"])
        ),
        parent=row["parent_id"],
        children=tuple(child["id"] for child in children),
        proposal=_asked(reader, task),
        decisions=_decided(reader, task),
        groups=tuple(
            Played(learned=tuple(from_json(one.pop("versions"))), **one)
            for one in reader.rows(_PLAYED, [task])
        ),
        updates=updates,
    )


def _learned(reader: ReadOnly, row: dict[str, Any]) -> Learned:
    first, last, lowest, highest = (row.pop(name) for name in ("first", "last", "lowest", "highest"))
    return Learned(
        topics=tuple(from_json(row.pop("topics_json"))),
        rounds=(first, last),
        policy_versions=(lowest, highest),
        proposal=_asked(reader, row["task"]),
        decisions=_decided(reader, row["task"]),
        **row,
    )


def _asked(reader: ReadOnly, task: str) -> Asked | None:
    row = reader.row(
        "SELECT id, round, topic, policy_version, reward FROM proposals WHERE task_id = ? ORDER BY seq",
        [task],
    )
    return None if row is None else Asked(**row)


def _decided(reader: ReadOnly, task: str) -> tuple[Decided, ...]:
    found = reader.rows(_DECIDED, {"task": task})
    return tuple(Decided(numbers=from_json(row.pop("numbers_json")), **row) for row in found)


def _shift(
    reader: ReadOnly, name: str, samples: int, first: int | None, last: int | None, topic: str | None
) -> Shift:
    """The last measurement of what was before the first update, and the first of what came with the last."""
    found = measured(reader, topic)
    before = [one for one in found if first is not None and one.version < first]
    after = [one for one in found if last is not None and one.version >= last]
    return Shift(
        topic=name,
        samples=samples,
        before=before[-1] if before else None,
        after=after[0] if after else None,
    )


_TOPICS = """SELECT DISTINCT topic.value AS topic FROM tasks t, json_each(t.topics_json) topic
ORDER BY topic.value"""

_LEARNED = """SELECT t.id AS task, statement.body AS statement, t.origin, t.topics_json,
  t.parent_id AS parent, count(*) AS samples,
  sum(NOT EXISTS (SELECT 1 FROM samples earlier
    WHERE earlier.attempt_id = s.attempt_id AND earlier.version < s.version)) AS new,
  ifnull(sum(a.reward >= 1), 0) AS verified, sum(s.weight) AS weight, count(DISTINCT g.id) AS groups,
  min(g.round) AS first, max(g.round) AS last,
  min(g.policy_version) AS lowest, max(g.policy_version) AS highest
FROM samples s JOIN attempts a ON a.id = s.attempt_id JOIN groups g ON g.id = a.group_id
JOIN tasks t ON t.id = g.task_id JOIN texts statement ON statement.id = t.statement_text
WHERE s.version = :version AND (:task IS NULL OR t.id = :task)
  AND (:topic IS NULL OR EXISTS (SELECT 1 FROM json_each(t.topics_json) WHERE value = :topic))
GROUP BY t.id ORDER BY new DESC, samples DESC, t.seq"""

_PROPOSED = """SELECT count(*) FROM proposal_samples s JOIN proposals p ON p.id = s.proposal_id
WHERE s.version = :version AND (:topic IS NULL OR p.topic = :topic)
  AND (:task IS NULL OR p.task_id = :task)"""

# Of rows that agree, SQLite gives the columns of the one with the least `seq`.
_DECIDED = """WITH subject(id) AS (
  SELECT :task UNION SELECT id FROM proposals WHERE task_id = :task
  UNION SELECT id FROM groups WHERE task_id = :task AND purpose = 'collect'
  UNION SELECT a.id FROM attempts a JOIN groups g ON g.id = a.group_id
    WHERE g.task_id = :task AND g.purpose = 'collect'
), agreeing AS (
  SELECT d.kind, d.action, d.reason, count(*) AS count, d.round, d.numbers_json, min(d.seq) AS first
  FROM subject JOIN decisions d ON d.subject_id = subject.id GROUP BY d.kind, d.action, d.reason
)
SELECT kind, action, reason, count, round, numbers_json FROM agreeing ORDER BY first"""

_PLAYED = """SELECT g.id, g.round, g.step, g.book, g.policy_version, g.attempts, g.verified, g.mean_reward,
  (SELECT json_group_array(version) FROM (SELECT DISTINCT s.version FROM samples s
     JOIN attempts a ON a.id = s.attempt_id WHERE a.group_id = g.id ORDER BY s.version)) AS versions
FROM groups g WHERE g.task_id = ? AND g.purpose = 'collect' ORDER BY g.seq"""
