"""Saving what is left of a damaged store, after a torn write or a failing disk.

Every table is read from both ends and, where a part cannot be read, in halves, so that one bad page costs
its own rows only. What is saved goes into a new file, in which everything fits again: a text that is lost
stands as `bodies.LOST`, rows that name a lost row go with it, counters of groups are counted anew. The new
file takes the place of the damaged one, which stays beside it under another name.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from memory import frozen, integrity, mending, opening, schema
from memory.building import TABLES
from memory.codec import from_json, to_json
from protocols.errors import StoreError
from protocols.records import Record

Row = tuple[Any, ...]

_PART = 256  # rowids that are read at once
#: Keys of the tables that have no rowid.
_KEYS = {"run": "key", "samples": "version position", "proposal_samples": "version position",
         "buffer": "start_id"}  # fmt: skip


class Repaired(Record, frozen=True):
    """What came of it. Without `kept` there was nothing to do."""

    kept: str | None = None  # name of the damaged file
    rows: int = 0  # saved
    lost: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()  # what was put right without a loss
    note: str = ""


def repair(run_dir: Path) -> Repaired:
    """Mend the store of a run folder. A whole one of an older version is migrated.

    Raises:
        StoreError: the run is in use, newer than this taskspace, or its list of tables cannot be read.
    """
    path = run_dir / "run.db"
    opening.require_file(path)
    lock = opening.FolderLock(run_dir)
    try:
        if note := _migrated(path):
            return Repaired(note=note)
        if not _wrong(run_dir):
            return Repaired(note="the store is whole")
        with tempfile.TemporaryDirectory(prefix=".unfinished-repair-", dir=run_dir) as scratch:
            return _saved(path, Path(scratch))
    except OSError as error:
        raise StoreError(f"{run_dir}: cannot be repaired ({error.strerror}); free some space") from None
    finally:
        lock.release()


def _wrong(run_dir: Path) -> list[integrity.Check]:
    """Checks that found something wrong with the store itself."""
    beside = ("checkpoints", "places")
    return [check for check in integrity.checks(run_dir) if check.problems and check.name not in beside]


def _migrated(path: Path) -> str:
    """A line about it if that was all that was needed."""
    try:
        opening.read_only(path).close()
    except opening.OlderSchemaError:
        with suppress(StoreError):  # else it is damaged, too, and is saved first
            opening.existing(path).close()
            return f"migrated to schema version {len(schema.MIGRATIONS)}"
    except StoreError as error:
        if not integrity.is_damage(error):
            raise
    return ""


def _saved(path: Path, scratch: Path) -> Repaired:
    """Read a copy: looking at a log may change it, and the damaged file is kept as it was found."""
    damaged, made = scratch / "damaged.db", scratch / "run.db"
    shutil.copyfile(path, damaged)
    for suffix in ("-wal", "-journal"):
        log = path.with_name(path.name + suffix)
        if log.exists():
            shutil.copyfile(log, scratch / f"damaged.db{suffix}")
    _lengthen(damaged)
    lost: list[str] = []
    with closing(sqlite3.connect(damaged)) as source:
        source.execute("PRAGMA trusted_schema = OFF")
        version, there = _described(source, path)
        _empty(made, version)
        with closing(sqlite3.connect(made)) as target:
            _copy(source, target, "counter")  # a number that only has to grow
            for table in ("texts", *TABLES):
                if table in there:
                    lost += _copy(source, target, table)
            gone, mended = mending.settle(target, path.parent)
            lost += gone
            if lost:
                _say_so(target)
            target.commit()
            rows = sum(target.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)
    opening.existing(made).close()  # what an older version lacks
    lost += [f"still wrong: {line}" for one in _wrong(scratch) for line in one.problems]
    kept = _free_name(path)
    for suffix in ("", "-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(path.with_name(kept + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    made.rename(path)
    return Repaired(kept=kept, rows=rows, lost=tuple(lost), mended=tuple(mended))


def _lengthen(path: Path) -> None:
    """Where the end of the file is missing, zeros stand for it: SQLite opens no file that is too short."""
    with path.open("r+b") as file:
        head = file.read(32)
        size = int.from_bytes(head[16:18], "big")
        pages = int.from_bytes(head[28:32], "big")
        wanted = pages * (65536 if size == 1 else size)
        if file.seek(0, 2) < wanted < 2**40:
            file.truncate(wanted)


def _described(source: sqlite3.Connection, path: Path) -> tuple[int, set[str]]:
    """Schema version and tables of a damaged database."""
    try:
        version = int(source.execute("PRAGMA user_version").fetchone()[0])
        there = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path}: its list of tables cannot be read ({error}), nor anything else; restore a copy"
        ) from None
    if not 0 < version <= len(schema.MIGRATIONS):
        version = len(schema.MIGRATIONS)
    return version, there


def _empty(path: Path, version: int) -> None:
    """A store of that version, without rows and without views on them."""
    with closing(sqlite3.connect(path)) as connection:
        for migration in schema.MIGRATIONS[:version]:
            connection.executescript(migration)
        connection.execute("DELETE FROM counter")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> list[str]:
    """Whatever rows of a table can be read and fit; a line for each kind of those that do not."""
    known = [name for (name,) in target.execute("SELECT name FROM pragma_table_info(?)", [table])]
    with suppress(sqlite3.DatabaseError):
        theirs = {name for (name,) in source.execute("SELECT name FROM pragma_table_info(?)", [table])}
        known = [name for name in known if name in theirs]
    columns = ", ".join(known)
    insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({', '.join('?' * len(known))})"
    gaps: list[str] = []
    saved = read = 0
    for rows in _rows(source, table, columns, gaps):
        read += len(rows)
        saved += target.executemany(insert, rows).rowcount
    lines = [f"{table}: {' and '.join(gaps)} cannot be read"] if gaps else []
    return lines + ([f"{table}: {read - saved} rows that hold impossible values"] if saved < read else [])


def _rows(source: sqlite3.Connection, table: str, columns: str, gaps: list[str]) -> Iterator[list[Row]]:
    """All rows that can be read, part by part; what cannot is named in `gaps`."""
    select = f"SELECT {columns} FROM {table}"
    if table in _KEYS:
        yield from _both_ends(source, select, _KEYS[table], gaps)
    else:
        yield from _halves(source, select, 1, _last(source, table, gaps), gaps)


def _both_ends(source: sqlite3.Connection, select: str, keys: str, gaps: list[str]) -> Iterator[list[Row]]:
    """Of a table without rowids: from the start and from the end, as far as each of them goes."""
    seen: set[Row] = set()
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{key} {direction}" for key in keys.split())
        try:
            for row in source.execute(f"{select} ORDER BY {order}"):
                if row not in seen:
                    seen.add(row)
                    yield [row]
            return
        except sqlite3.DatabaseError:
            continue
    gaps.append("a part")


def _last(source: sqlite3.Connection, table: str, gaps: list[str]) -> int:
    """The largest rowid: by the table itself; else by what an index still knows, or as far as rows go."""
    with suppress(sqlite3.DatabaseError):
        return int(source.execute(f"SELECT ifnull(max(rowid), 0) FROM {table}").fetchone()[0])
    last = 0
    for way in (f"INDEXED BY sqlite_autoindex_{table}_1", "ORDER BY rowid"):
        with suppress(sqlite3.DatabaseError):
            for (rowid,) in source.execute(f"SELECT rowid FROM {table} {way}"):
                last = max(last, int(rowid))
            return last
    gaps.append(f"what stands behind row {last}")
    return last


def _halves(
    source: sqlite3.Connection, select: str, low: int, high: int, gaps: list[str]
) -> Iterator[list[Row]]:
    """Rows with rowids in [low, high]: a part at once where it can be read, else by halves, down to rows."""
    stack, unread = [(low, high)], 0
    while stack:
        low, high = stack.pop()
        found = None
        if high - low < _PART:
            with suppress(sqlite3.DatabaseError):
                found = source.execute(f"{select} WHERE rowid BETWEEN ? AND ?", [low, high]).fetchall()
        if found:
            yield found
        elif found is None and low < high:
            middle = (low + high) // 2
            stack += [(middle + 1, high), (low, middle)]
        elif found is None:
            unread += 1
    if unread:
        gaps.append(f"{unread} rows")


def _say_so(target: sqlite3.Connection) -> None:
    (text,) = target.execute("SELECT value_json FROM run WHERE key = 'facts'").fetchone()
    facts = frozen.frozen(from_json(text), "repaired after a loss")
    target.execute("UPDATE run SET value_json = ? WHERE key = 'facts'", [to_json(facts)])


def _free_name(path: Path) -> str:
    number = 1
    while path.with_name(f"run.damaged-{number}.db").exists():
        number += 1
    return f"run.damaged-{number}.db"
