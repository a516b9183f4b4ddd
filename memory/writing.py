"""A run database open for writing: its lock, its transactions, and how rows and texts get into it.

What is written is `memory.store`'s business; a connection for reading is `memory.reading`'s.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlite_utils import Database

from memory import opening, rows
from memory.codec import text_hash, to_json, to_text
from memory.privacy import private

_TEXT_BY_HASH = "(SELECT id FROM texts WHERE hash = ?)"
_SEQ_BY_ID = "(SELECT seq FROM attempts WHERE id = ?)"


class Writing:
    """The one writer of a run database. Not for several threads at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: opening.FolderLock) -> None:
        self.path = path
        self.db = Database(connection, recursive_triggers=False, execute_plugins=False)
        self._lock = lock
        self._texts: dict[bytes, str] = {}  # noted by `_keep`, written before the rows that name them

    @classmethod
    def create(cls, path: Path | str, config: dict[str, Any], facts: dict[str, Any]) -> Self:
        """A new run database.

        Args:
            path: of the file, usually `RUN/run.db`; the folder is made when missing.
            config: resolved settings.
            facts: what this run was made with: versions, isolation layers, machine.

        Raises:
            StoreError: there is a run already, another process uses the folder, or the disk is full.
        """
        path = Path(path)
        lock = opening.FolderLock(path.parent)
        try:
            told = {"config": config, "facts": facts}
            connection = opening.new(path, {key: to_json(private(value)) for key, value in told.items()})
        except BaseException:
            lock.release()
            raise
        return cls(path, connection, lock)

    @staticmethod
    def begun(path: Path | str) -> bool:
        """Whether there is a run to go on with. A start that was cut short leaves a file without one, which
        `create` takes."""
        return Path(path).is_file() and not opening.cut_short(Path(path))

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Go on with a run. An older schema is migrated.

        Raises:
            StoreError: no such file, not a run database, damaged, from a newer version, or in use.
        """
        path = Path(path)
        opening.require_file(path)
        lock = opening.FolderLock(path.parent)
        try:
            connection = opening.existing(path)
        except BaseException:
            lock.release()
            raise
        return cls(path, connection, lock)

    def close(self) -> None:
        """Fold the log into the file and let the folder go. Safe to call twice."""
        self.db.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make everything inside one transaction: all of it is kept, or nothing.

        Raises:
            StoreError: the disk is full or failing, or a row refers to something that is not there.
        """
        if self.db.conn.in_transaction:  # inside another batch: that one commits
            yield
            return
        self._texts = {}
        with opening.errors_of(self.path), self.db.atomic():
            # First of all a write: it takes the write lock at once, so that the transaction cannot
            # find out at its end that somebody else has written meanwhile.
            self.db.execute("UPDATE counter SET version = version + 1")
            yield

    def _set(self, key: str, value: Any) -> None:
        """Replace a row of `run`. Plain SQL: with every batch, `upsert` would look the schema up again."""
        with self.batch():
            self.db.execute(
                "INSERT INTO run (key, value_json) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value_json = excluded.value_json",
                [key, to_json(value)],
            )

    def _keep(self, text: str) -> bytes:
        """Note a text for the next insert; its hash is what a `_text` column is given."""
        body = to_text(text)
        key = text_hash(body)
        self._texts[key] = body
        return key

    def _insert(self, table: str, new: Sequence[rows.Row], unless: str | None = None) -> int:
        """Insert rows that all have the same columns; returns how many were added.

        `unless` names the column by which a row may be known already; it is then skipped. Any other
        conflict is an error, which INSERT OR IGNORE would hide.

        Plain `executemany` on the connection of sqlite-utils: its `insert_all` prepares wide statements of
        many rows, cannot look up the keys of texts on the way, and is slower (`taskspace bench store`).
        """
        if self._texts:
            self.db.conn.executemany(
                "INSERT INTO texts (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
                self._texts.items(),
            )
            self._texts = {}
        if not new:
            return 0
        columns = list(new[0])
        values = ", ".join(
            _TEXT_BY_HASH if name.endswith("_text") else _SEQ_BY_ID if name == "attempt_seq" else "?"
            for name in columns
        )
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"
        if unless:
            sql += f" ON CONFLICT ({unless}) DO NOTHING"
        return self.db.conn.executemany(sql, [tuple(row.values()) for row in new]).rowcount

    def _known(self, table: str, ids: Sequence[str]) -> set[str]:
        """Which of these ids the table holds."""
        sql = f"SELECT id FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self.db.execute(sql, [to_json(list(ids))])}
