"""What a task space is rebuilt from: rows of a run's tasks, groups, attempts and buffer, in few columns.

No token ids, and no texts: the turns of a history are counted by SQLite. A million attempts are read in
parts, so that only the graph grows with them. What becomes of the rows is `memory.space`'s business.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from memory.codec import from_json

if TYPE_CHECKING:
    from memory.reading import ReadOnly

Row = tuple[Any, ...]

CHUNK = 8192  # groups that are read at once


def tasks(reader: "ReadOnly", after: int) -> Iterator[Row]:
    """Training tasks admitted after this `seq`: seq, id, origin, domain, topics, status, round, parent."""
    for seq, id, origin, domain, topics, status, round, parent_id in reader.tuples(_TASKS, [after]):
        yield seq, id, origin, domain, tuple(from_json(topics)), status, round, parent_id


def statuses(reader: "ReadOnly", upto: int) -> list[Row]:
    """What became of the tasks up to this `seq`: id, status."""
    return reader.tuples("SELECT id, status FROM tasks WHERE split = 'train' AND seq <= ?", [upto])


def last_group(reader: "ReadOnly") -> int:
    """`seq` of the group that was admitted last; 0 before."""
    return int(reader.value("SELECT ifnull(max(seq), 0) FROM groups"))


def groups(reader: "ReadOnly", after: int, last: int) -> Iterator[Row]:
    """Collected groups after one `seq` and up to another.

    Yields:
        task, step, parent attempt, round, policy version, start, turn that is played, and answers: id,
        index, reward, category, whether the infrastructure failed.
    """
    while after < last:
        rows = reader.tuples(_ATTEMPTS, [after, last, CHUNK])
        if not rows:  # what is left was played in an evaluation
            return
        for _, found in groupby(rows, key=itemgetter(0)):
            answers = list(found)
            yield *answers[0][1:8], [row[8:] for row in answers]
        after = rows[-1][0]


def buffer(reader: "ReadOnly") -> dict[str, Row]:
    """By start what the buffer holds: task or attempt that it goes on from, turn, score, visits."""
    return {start_id: tuple(rest) for start_id, *rest in reader.tuples(_BUFFER)}


def counters(reader: "ReadOnly", after: int, last: int) -> Iterator[list[Row]]:
    """What collected groups carry, after one `seq` and up to another, in parts.

    Columns: seq, task, round, policy version, step, whether it goes on from an attempt, attempts, verified,
    infrastructure errors, learnability.
    """
    while rows := reader.tuples(_COUNTERS, [after, last, CHUNK]):
        yield rows
        after = rows[-1][0]


@contextmanager
def no_collection() -> Iterator[None]:
    """Millions of new objects, none of them garbage: to look for cycles among them all the time is waste."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


_TASKS = """SELECT seq, id, origin, domain, topics_json, status, round, parent_id FROM tasks
WHERE split = 'train' AND seq > ? ORDER BY seq"""

# Only a revised or continued answer has a history whose turns have to be counted.
_ATTEMPTS = """WITH some AS MATERIALIZED (
  SELECT g.seq, g.id, g.task_id, g.step, g.parent_attempt_id, g.round, g.policy_version, g.start_id,
    CASE WHEN g.parent_attempt_id IS NULL THEN 1
      ELSE (SELECT json_array_length(body) FROM texts WHERE texts.id = g.history_text) + (g.step = 'initial')
    END AS turn
  FROM groups g WHERE g.seq > ? AND g.seq <= ? AND g.purpose = 'collect' ORDER BY g.seq LIMIT ?
)
SELECT some.seq, some.task_id, some.step, some.parent_attempt_id, some.round, some.policy_version,
  some.start_id, some.turn, a.id, a.idx, a.reward, a.category, a.infra_error IS NOT NULL
FROM some JOIN attempts a ON a.group_id = some.id ORDER BY some.seq, a.idx"""

_COUNTERS = """SELECT seq, task_id, round, policy_version, step, parent_attempt_id IS NOT NULL, attempts,
  verified, infra_errors, learnability
FROM groups WHERE seq > ? AND seq <= ? AND purpose = 'collect' ORDER BY seq LIMIT ?"""

_BUFFER = """SELECT start_id,
  ifnull(json_extract(start_json, '$.history[#-1].attempt_id'), json_extract(start_json, '$.task_id')),
  max(1, ifnull(json_array_length(start_json, '$.history'), 0)
    + (json_extract(start_json, '$.step') = 'initial')),
  score, visits FROM buffer"""
