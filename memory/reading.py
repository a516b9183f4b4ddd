"""A read-only connection to a run database, for any number of readers beside the writer."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from memory import opening

Parameters = Sequence[Any] | Mapping[str, Any]


class ReadOnly:
    """Rows of a run in progress or finished. Threads may share it; they take turns.

    Raises:
        StoreError: no run database there, damaged, or of another version.
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        self.path = path / "run.db" if path.is_dir() else path
        self._connection = opening.read_only(self.path)
        self._turn = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "ReadOnly":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All rows of our own SQL as dicts by column name."""
        with self._turn, opening.errors_of(self.path):
            return _dicts(self._connection.execute(sql, parameters))

    def tuples(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of our own SQL as they come: for many of them, of few columns."""
        with self._turn, opening.errors_of(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def parts(
        self, sql: str, parameters: Parameters = (), size: int = 1000
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same in parts of at most `size` rows: for more than fits into memory. One thread only."""
        with opening.errors_of(self.path):
            cursor = self._connection.execute(sql, parameters)
            while rows := cursor.fetchmany(size):
                yield rows

    def columns(self, table: str) -> dict[str, str]:
        """Names of a table's columns with their types, in order."""
        return dict(self.tuples("SELECT name, type FROM pragma_table_info(?)", [table]))

    def row(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """The first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        with self._turn, opening.errors_of(self.path):
            found = self._connection.execute(sql, parameters).fetchone()
        return found[0] if found else None

    def query(
        self, sql: str, parameters: Parameters = (), limit: int | None = None, seconds: float = 5.0
    ) -> list[dict[str, Any]]:
        """Rows of anybody's SELECT, at most `limit` of them if given, stopped after `seconds`.

        Raises:
            StoreError: it is not a SELECT over this database, is wrong, or takes too long or too much room.
        """
        from memory import querying

        return querying.query(self.path, sql, parameters, limit, seconds)


def _dicts(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def where(conditions: Mapping[str, str], filters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """A WHERE clause ("" without filters) and its parameters, from a table of conditions by filter name.

    Filters that are None do not count. A condition has one `?`, or none when it is either true or false.

    Raises:
        ValueError: there is no such filter; the message lists those there are.
    """
    parts, parameters = [], []
    for name, wanted in filters.items():
        if name not in conditions:
            raise ValueError(f"filter {name!r} is unknown; choose from {', '.join(conditions)}")
        if wanted is None:
            continue
        condition = conditions[name]
        if "?" not in condition:
            parts.append(condition if wanted else f"NOT ({condition})")
        else:
            parts.append(condition)
            parameters.append(_like(wanted) if "LIKE" in condition else wanted)
    return (f"WHERE {' AND '.join(parts)}" if parts else ""), parameters


def _like(text: str) -> str:
    """A LIKE pattern (with ESCAPE '\\') that finds the text anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
