"""Anybody's SELECT on a run: its rows for the page, and the same rows as files to take away."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from memory.reader import RunReader
from memory.space_graphml import graphml
from ui import runs

Row = dict[str, Any]
SHOWN = 1_000  # rows on the page
SAVED = 200_000  # rows in a file
#: What a formula begins with, for Excel, LibreOffice and Google's sheets.
_FORMULA = ("=", "+", "-", "@")
SHOWN_S, SAVED_S = 5.0, 60.0  # seconds a statement may take

#: Questions to begin with, each one statement that runs on any run.
EXAMPLES = {
    "Newest episodes": """SELECT id, round, purpose, step, book, policy_version, reward, category, statement
FROM episodes
ORDER BY seq DESC
LIMIT 100""",
    "Accuracy by version": """SELECT policy_version, book, split, kind, accuracy, tasks, attempts
FROM evaluations
ORDER BY seq""",
    "What the newest update learned from": """SELECT s.position, s.weight, e.id, e.round, e.step, e.book,
  e.reward, e.topics_json, e.response
FROM samples s
JOIN episodes e ON e.id = s.attempt_id
WHERE s.version = (SELECT max(version) FROM updates)
ORDER BY s.position""",
    "Why proposals were rejected": """SELECT reason, count(*) AS proposals, avg(reward) AS mean_reward
FROM proposals
WHERE reason IS NOT NULL
GROUP BY reason
ORDER BY proposals DESC""",
    "Answers that a revision put right": """SELECT e.id, e.step, e.round, before.category AS before,
  e.category AS after, e.statement
FROM episodes e
JOIN attempts before ON before.id = e.parent_attempt_id
WHERE e.reward >= 1 AND before.reward < 1
ORDER BY e.seq""",
    "Tasks by solve rate": """SELECT t.id, t.origin, t.status, t.topics_json, sum(g.attempts) AS attempts,
  sum(g.verified) * 1.0 / nullif(sum(g.attempts - g.infra_errors), 0) AS solve_rate
FROM tasks t
JOIN groups g ON g.task_id = t.id AND g.purpose = 'collect'
GROUP BY t.id
ORDER BY solve_rate""",
    "Where the time went": """SELECT role, stage, count(*) AS times, round(sum(seconds), 1) AS seconds
FROM stages
GROUP BY role, stage
ORDER BY seconds DESC""",
    "Decisions by reason": """SELECT kind, action, reason, count(*) AS decisions
FROM decisions
GROUP BY kind, action, reason
ORDER BY decisions DESC""",
}


def tables(reader: RunReader) -> str:
    """Every table and view with its columns, a line each."""
    names = reader.rows(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    )
    lines = []
    for row in names:
        columns = reader.rows("SELECT name FROM pragma_table_info(?)", [row["name"]])
        lines.append(f"{row['name']}: {', '.join(column['name'] for column in columns)}")
    return "\n".join(lines)


def asked(reader: RunReader, sql: str) -> tuple[list[Row], bool]:
    """The first `SHOWN` rows, and whether there are more.

    Raises:
        StoreError: see `RunReader.query`.
    """
    rows = reader.query(sql, limit=SHOWN + 1, seconds=SHOWN_S)
    return rows[:SHOWN], len(rows) > SHOWN


def as_csv(run: Path, sql: str) -> bytes:
    """Up to `SAVED` rows as CSV; bytes are written in hexadecimal, and texts that a spreadsheet would compute
    as formulas begin with an apostrophe.

    Raises:
        StoreError: see `RunReader.query`.
    """
    rows = _all(run, sql)
    out = io.StringIO()
    writer = csv.writer(out)  # with line ends of RFC 4180, without which a lone return is not quoted
    writer.writerow([_cell(name) for name in (rows[0] if rows else ())])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and (value[:1] in ("\t", "\r") or value.lstrip()[:1] in _FORMULA):
        return f"'{value}"
    return value


def as_parquet(run: Path, sql: str) -> bytes:
    """Up to `SAVED` rows as Parquet. A column whose values are of several types holds them as JSON text.

    Raises:
        StoreError: see `RunReader.query`.
    """
    rows = _all(run, sql)
    out = io.BytesIO()
    columns = {name: _column([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    pq.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()


def as_graphml(run: Path) -> bytes:
    """The run's task space.

    Raises:
        StoreError: the run cannot be read.
    """
    with runs.opened(run) as reader:
        return graphml(reader.space())


def _all(run: Path, sql: str) -> list[Row]:
    with runs.opened(run) as reader:
        return reader.query(sql, limit=SAVED, seconds=SAVED_S)


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else _text(value) for value in values])


def _text(value: Any) -> str:
    return json.dumps(value.hex() if isinstance(value, bytes) else value)
