"""Anybody's SELECT on a run, in a process of its own with limits of time, memory and of what it gives back.

SQLite looks at its deadline between steps; one call of a function on long texts is one step, so the deadline
is the process's as well. What may be called is a list: functions that compute, and nothing else.
"""

import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from memory import opening
from protocols.errors import StoreError
from protocols.records import Record

Parameters = Sequence[Any] | Mapping[str, Any]

MOST_BYTES = 256 << 20  # of all rows together
_LONGEST = 64 << 20  # of one text or blob
_MEMORY = 2 << 30  # address space of the process: the rows, twice, and Python
_START_S = 30.0  # until Python has started, on a machine however busy

#: What a statement may do; everything else (attaching files, settings, writing) is refused.
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_NAMES = """
abs ceil ceiling char coalesce concat concat_ws exp floor format glob hex if ifnull iif instr length
like likelihood likely ln log log10 log2 lower ltrim max min mod nullif octet_length pi pow power
printf quote random randomblob replace round rtrim sign sqrt substr substring trim trunc typeof
unhex unicode unlikely upper zeroblob acos acosh asin asinh atan atan2 atanh cos cosh degrees
radians sin sinh tan tanh avg count group_concat string_agg sum total median percentile row_number
rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value date time
datetime julianday unixepoch strftime timediff -> ->> json json_array json_array_length
json_error_position json_extract json_group_array json_group_object json_insert json_object
json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid
"""
#: Functions that compute on what they are given: of values, of rows, of windows, of times, of JSON.
FUNCTIONS = frozenset(_NAMES.split())


class _Asked(Record):
    path: str
    sql: str
    parameters: dict[str, Any] | list[Any]
    limit: int | None
    seconds: float


class _Told(Record):
    names: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    error: str = ""


def query(
    path: Path, sql: str, parameters: Parameters, limit: int | None, seconds: float
) -> list[dict[str, Any]]:
    """Rows of a SELECT, at most `limit` of them if given.

    Raises:
        StoreError: it is not a SELECT over this database, is wrong, takes longer than `seconds`, or more room
            than there is for it.
    """
    given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
    asked = _Asked(path=str(path.absolute()), sql=sql, parameters=given, limit=limit, seconds=seconds)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "memory.querying"],
            input=msgspec.msgpack.encode(asked),
            capture_output=True,
            timeout=seconds + _START_S,
            cwd=Path(__file__).resolve().parents[1],
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StoreError(_late(seconds)) from None
    except (TypeError, UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise StoreError(f"query: {error}; docs/store.md lists tables and columns") from None
    if done.returncode:  # a signal: its own deadline, or no memory
        raise StoreError(_late(seconds) if done.returncode in (-9, -14, -24) else _full())
    told = msgspec.msgpack.decode(done.stdout, type=_Told)
    if told.error:
        raise StoreError(told.error)
    return [dict(zip(told.names, row, strict=True)) for row in told.rows]


def _late(seconds: float) -> str:
    return f"query: stopped after {seconds:g} s; narrow it down or allow more seconds"


def _full() -> str:
    return f"query: its rows take more room than {MOST_BYTES >> 20} MB; ask for fewer, or for parts of texts"


def main() -> None:
    """In the new process: one question on standard input, one answer on standard output."""
    import signal

    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Asked)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.setitimer(signal.ITIMER_REAL, asked.seconds + 1.0)  # SIGALRM ends it: no step goes on past this
    try:
        told = _answer(asked)
    except StoreError as error:
        told = _Told(error=str(error))
    except MemoryError:
        told = _Told(error=_full())
    sys.stdout.buffer.write(msgspec.msgpack.encode(told))


def _answer(asked: _Asked) -> _Told:
    deadline = time.monotonic() + asked.seconds
    connection = opening.read_only(Path(asked.path))
    refused: list[str] = []

    def allow(action: int, first: str | None, name: str | None, *_: Any) -> int:
        if action == sqlite3.SQLITE_FUNCTION and (name or "").lower() not in FUNCTIONS:
            refused.append(f"the function {name!r} may not be called here")
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    try:
        # For JSON columns; these tables come to be on first use, which would be refused from here on.
        connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')")
        connection.set_authorizer(allow)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        cursor = connection.execute(asked.sql, asked.parameters)
        names = tuple(column[0] for column in cursor.description or ())
        rows, room = [], MOST_BYTES
        for row in cursor:
            room -= sum(16 + len(value) if isinstance(value, str | bytes) else 16 for value in row)
            if room < 0:
                raise StoreError(_full())
            rows.append(row)
            if len(rows) == asked.limit:
                break
        return _Told(names=names, rows=tuple(rows))
    except (sqlite3.Error, sqlite3.Warning) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise StoreError(_late(asked.seconds)) from None
        if code == sqlite3.SQLITE_NOMEM:
            raise StoreError(_full()) from None
        if refused:
            raise StoreError(f"query: {refused[0]}") from None
        if code == sqlite3.SQLITE_AUTH:
            raise StoreError("query: only SELECT over this database is allowed") from None
        raise StoreError(f"query: {error}; docs/store.md lists tables and columns") from None
    finally:
        connection.close()


if __name__ == "__main__":
    main()
