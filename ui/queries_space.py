"""What the task space asks of a run: single attempts of a part of it, what came from what, what matches.

Each costs what it shows, not what is stored: attempts are found by the index on their task. A search reads
texts, so it has a budget, and tells how far it came.
Not here: tasks and what they add up to (`memory.space_map`).
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from memory.codec import to_json
from memory.reader import RunReader

Row = dict[str, Any]

SEARCH_S = 1.5  # that a search may take before it tells what it has found so far
_CHUNK = 20_000  # attempts that are searched at once
_FOUND = 20_000  # attempts that are remembered one by one

_COLUMNS = """a.id, g.task_id AS task, g.step, g.parent_attempt_id AS parent, g.round, g.policy_version,
  g.learnability, a.idx, a.reward, a.category"""


def attempts(reader: RunReader, tasks: Sequence[str] | None = None) -> list[Row]:
    """Collected attempts on these tasks (all without), in order of admission."""
    some = "" if tasks is None else "AND g.task_id IN (SELECT value FROM json_each(?))"
    return reader.rows(
        f"SELECT {_COLUMNS} FROM groups g JOIN attempts a ON a.group_id = g.id"
        f" WHERE g.purpose = 'collect' {some} ORDER BY g.seq, a.idx",
        [] if tasks is None else [to_json(tasks)],
    )


def attempt(reader: RunReader, attempt_id: str) -> Row | None:
    """A collected attempt; None where there is none with this id."""
    return reader.row(
        f"SELECT {_COLUMNS} FROM attempts a JOIN groups g ON g.id = a.group_id"
        " WHERE a.id = ? AND g.purpose = 'collect'",
        [attempt_id],
    )


def way(reader: RunReader, attempt_id: str) -> list[Row]:
    """The attempts that led to one, oldest first, itself at the end."""
    return reader.rows(
        f"""WITH RECURSIVE back(id, depth) AS (
          SELECT ?, 0 UNION ALL
          SELECT g.parent_attempt_id, depth + 1 FROM back JOIN attempts a ON a.id = back.id
            JOIN groups g ON g.id = a.group_id WHERE g.parent_attempt_id IS NOT NULL)
        SELECT {_COLUMNS} FROM back JOIN attempts a ON a.id = back.id JOIN groups g ON g.id = a.group_id
        WHERE g.purpose = 'collect' ORDER BY depth DESC""",
        [attempt_id],
    )


def came_from(reader: RunReader, attempt_id: str, limit: int) -> list[Row]:
    """The attempts that an attempt led to, nearest first."""
    return reader.rows(
        f"""WITH RECURSIVE below(id, depth) AS (
          SELECT ?, 0 UNION ALL
          SELECT a.id, depth + 1 FROM below JOIN groups g ON g.parent_attempt_id = below.id
            JOIN attempts a ON a.group_id = g.id LIMIT ?)
        SELECT {_COLUMNS} FROM below JOIN attempts a ON a.id = below.id JOIN groups g ON g.id = a.group_id
        WHERE depth > 0 AND g.purpose = 'collect' ORDER BY depth, g.seq, a.idx""",
        [attempt_id, limit + 1],
    )


def on_task(reader: RunReader, task_id: str, limit: int) -> list[Row]:
    """The first attempts on a task, in order of admission."""
    return reader.rows(
        f"SELECT {_COLUMNS} FROM groups g JOIN attempts a ON a.group_id = g.id"
        " WHERE g.task_id = ? AND g.purpose = 'collect' ORDER BY g.seq, a.idx LIMIT ?",
        [task_id, limit],
    )


class Match(NamedTuple):
    """What a search found."""

    tasks: frozenset[str]  # that match, or an attempt on which does
    whole: frozenset[str]  # tasks whose attempts all match, because they do
    attempts: dict[str, str]  # that match, newest first, and their tasks; some of very many
    hits: int  # attempts that match
    searched: int  # attempts that were looked at
    of: int  # attempts that there are


def search(
    reader: RunReader, text: str | None, category: str | None, seconds: float = SEARCH_S
) -> Match | None:
    """Attempts with this verdict and this text in answer, statement or topic. None: nothing was asked for.

    Every task is looked at; attempts newest first, as long as the time lasts.
    """
    if not text and not category:
        return None
    deadline = time.monotonic() + seconds
    pattern = (
        None if not text else "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    )
    said = set() if pattern is None else {row[0] for row in reader.tuples(_STATEMENTS, [pattern, pattern])}
    tasks = set() if category else set(said)
    found: dict[str, str] = {}
    last = first = int(reader.value("SELECT ifnull(max(seq), 0) FROM attempts"))
    count = 0
    while last > 0 and (last == first or time.monotonic() < deadline):
        rows = reader.tuples(
            _ANSWERS.format(
                text="0" if pattern is None else "r.body LIKE :pattern ESCAPE '\\'",
                join="" if pattern is None else "JOIN texts r ON r.id = a.response_text",
                verdict="AND a.category = :category" if category else "",
            ),
            {"after": last - _CHUNK, "upto": last, "pattern": pattern, "category": category},
        )
        for id, task, answered in rows:
            if pattern is None or answered or (category and task in said):
                count += 1
                tasks.add(task)
                if len(found) < _FOUND:
                    found[id] = task
        last -= _CHUNK
    searched = first - max(last, 0)
    whole = frozenset() if category else frozenset(said)
    return Match(frozenset(tasks), whole, found, count, searched, first)


_STATEMENTS = """SELECT t.id FROM tasks t JOIN texts s ON s.id = t.statement_text
WHERE t.split = 'train' AND (s.body LIKE ? ESCAPE '\\' OR t.topics_json LIKE ? ESCAPE '\\')"""

_ANSWERS = """SELECT a.id, g.task_id, {text} FROM attempts a JOIN groups g ON g.id = a.group_id {join}
WHERE a.seq > :after AND a.seq <= :upto {verdict} AND g.purpose = 'collect' ORDER BY a.seq DESC"""
