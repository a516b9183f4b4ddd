"""A run database as it was at the end of a round, made from one that has gone on since.

    copy (SQLite's backup, consistent beside a writer) ─▶ later rows out ─▶ changed rows back ─▶ compact

Rows only ever get added, with two exceptions: tasks that got a reference or were rejected, which the caller
gives as they were, and the buffer with its counters, which the caller has made again. Checkpoints share their
files with the source's (hard links) where the file system can; no run ever changes such a file.

Does not cover: whether the run can be branched, and under which settings (`experiments.branch`).
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from memory import checkpoints, opening, rows
from memory.buffer import StartBuffer
from memory.codec import to_json
from protocols.errors import StoreError
from protocols.records import Record, Task

#: Tables whose rows say in which round they came, leaves before what they refer to.
_BY_ROUND = (
    "decisions",
    "evaluations",
    "stages",
    "events",
    "proposals",
    "groups",
    "tasks",
    "updates",
    "rounds",
)

_LATER = (  # rows without a round of their own
    "DELETE FROM samples WHERE version NOT IN (SELECT version FROM updates WHERE round <= :round)",
    "DELETE FROM proposal_samples WHERE version NOT IN (SELECT version FROM updates WHERE round <= :round)",
    "DELETE FROM tokens WHERE attempt_seq IN (SELECT a.seq FROM attempts a JOIN groups g ON g.id = a.group_id"
    " WHERE g.round > :round)",
    "DELETE FROM attempts WHERE group_id IN (SELECT id FROM groups WHERE round > :round)",
)


class Then(Record):
    """What a run was at the end of a round, beyond the rows that are there still."""

    round: int
    candidates: tuple[Task, ...]  # tasks that only got their reference, or were rejected, later
    config: dict[str, Any]  # of the run that goes on from there
    facts: dict[str, Any]


def copy(source: Path, target: Path) -> None:
    """The whole database as of one moment, also while somebody writes to it.

    Raises:
        StoreError: the source cannot be read, or the disk is full.
    """
    with (
        opening.errors_of(target),
        closing(opening.read_only(source)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def go_back(path: Path, then: Then, buffer: StartBuffer, note: str) -> None:
    """Make a copy what it was at the end of a round.

    Args:
        buffer: as it was.
        note: an event of that round, for people watching.

    Raises:
        StoreError: the disk is full, or what is left refers to what is gone.
    """
    with opening.errors_of(path), closing(sqlite3.connect(path)) as db:
        # References are checked once, at the end: row by row, each text that goes would be looked for in
        # every table.
        db.execute("PRAGMA foreign_keys = OFF")
        with db:
            _cut(db, then.round)
            _restore(db, then.candidates)
            _replace(db, then, buffer)
            db.execute(
                "INSERT INTO events (at, round, role, level, message) VALUES (strftime('%s', 'now'), ?,"
                " 'curator', 'info', ?)",
                [then.round, note],
            )
        torn = db.execute("PRAGMA foreign_key_check").fetchone()
        if torn is not None:
            raise StoreError(
                f"{path}: a row of {torn[0]} up to round {then.round} refers to one of {torn[2]} that came "
                "later; the run database was changed by hand"
            )
        db.execute("VACUUM")


def _cut(db: sqlite3.Connection, round: int) -> None:
    for sql in _LATER:
        db.execute(sql, {"round": round})
    for table in _BY_ROUND:
        db.execute(f"DELETE FROM {table} WHERE round > ?", [round])
    used = " UNION ".join(f"SELECT {column} FROM {table}" for table, column in _text_columns(db))
    db.execute(f"DELETE FROM texts WHERE id NOT IN ({used})")


def _text_columns(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Columns that name a text, by the schema's convention."""
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, row[1])
        for table in tables
        for row in db.execute(f"PRAGMA table_info({table})")
        if row[1].endswith("_text")
    ]


def _restore(db: sqlite3.Connection, candidates: Sequence[Task]) -> None:
    """Tasks that wait for a reference again, and their proposals that wait for a reward."""
    for task in candidates:
        db.execute(
            "UPDATE tasks SET status = 'candidate', payload_json = ?, reference_json = NULL,"
            " truth_agrees = NULL WHERE id = ?",
            [to_json(task.payload), task.id],
        )
        db.execute(
            "UPDATE proposals SET reason = NULL, detail = '', reward = NULL WHERE task_id = ?", [task.id]
        )


def _replace(db: sqlite3.Connection, then: Then, buffer: StartBuffer) -> None:
    """Settings, facts, and the buffer with its counters."""
    state = {"buffer": buffer.state_dict()}
    for key, value in (("config", then.config), ("facts", then.facts), ("state", state)):
        db.execute(
            "INSERT INTO run (key, value_json) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value_json = excluded.value_json",
            [key, to_json(value)],
        )
    db.execute("DELETE FROM buffer")
    for row in map(rows.buffer_row, buffer.entries()):
        marks = ", ".join(f":{name}" for name in row)
        db.execute(f"INSERT INTO buffer ({', '.join(row)}) VALUES ({marks})", row)


def share_checkpoints(source: Path, target: Path, version: int) -> None:
    """The source's checkpoints and references up to a version, in the target as well.

    Raises:
        FileNotFoundError: a folder was pruned meanwhile.
        OSError: the disk is full.
    """
    for one in checkpoints.versions(source):
        if one <= version:
            _share(checkpoints.path_of(source, one), checkpoints.path_of(target, one))
    for folder in sorted((source / "reference").glob("[0-9]*")):
        if int(folder.name) <= version:
            _share(folder, target / "reference" / folder.name)


def reseed(run_dir: Path, version: int, seed: int) -> None:
    """Let the learner go on from a version under another seed. The file is written anew: the one that is
    there is the source's as well."""
    path = checkpoints.path_of(run_dir, version) / checkpoints.STATE / checkpoints.PLAIN
    plain = json.loads(path.read_bytes()) | {"seed": seed}
    path.unlink()
    path.write_text(json.dumps(plain))


def _share(folder: Path, to: Path) -> None:
    to.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        (_share if path.is_dir() else _link_or_copy)(path, to / path.name)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or a file system without links
        shutil.copy2(source, target)
