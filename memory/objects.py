"""Whether a database consists of what taskspace makes, and of nothing else.

A run may come from anybody. A trigger in it would change what is written to it, a view could run without end
or show other rows than were stored, an index or a generated column can hold an expression that is computed
with every change.
"""

import re
import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from protocols.errors import StoreError

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
_OWN = re.compile(r"sqlite_(?:sequence|stat\d|autoindex_\w+)")  # SQLite's
_NAMED = 3

Objects = dict[tuple[str, str], frozenset[tuple[str, int]] | str]
"""By kind and name: columns of a table, and whether they are hidden; the text of all else."""


class StrangeObjectsError(StoreError):
    """A run database holds what taskspace does not make; its rows can be saved (`memory.repair`)."""


def require_own(connection: sqlite3.Connection, path: Path, migrations: tuple[str, ...]) -> None:
    """Compare an open database with what the migrations make. What is missing is no matter of this.

    Raises:
        StrangeObjectsError: it holds other objects, or changed ones.
    """
    wanted, strange = _made(migrations), []
    for (kind, name), what in _of(connection).items():
        own = wanted.get((kind, name))
        if isinstance(what, frozenset) and isinstance(own, frozenset):
            strange += [f"column {name}.{column}" for column, _ in sorted(what - own)]
        elif what != own:
            strange.append(f"{kind} {name}")
    if strange:
        named = ", ".join(one[:80] for one in sorted(strange)[:_NAMED])
        more = f" and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
        raise StrangeObjectsError(
            f"{path}: it holds what taskspace does not make ({named}{more}), and may come from somebody who "
            "put it there; `taskspace check --repair` saves its rows without that"
        )


@lru_cache(16)
def _made(migrations: tuple[str, ...]) -> Objects:
    with closing(sqlite3.connect(":memory:")) as made:
        for migration in migrations:
            made.executescript(migration)
        own = _of(made)
    from memory.datasette import VIEWS  # an exported folder's database has these as well

    return own | {("view", name): _plain(f"CREATE VIEW {name} AS {sql}") for name, (_, sql) in VIEWS.items()}


def _of(connection: sqlite3.Connection) -> Objects:
    found: Objects = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        if _OWN.fullmatch(name):
            continue
        if kind == "table" and not (sql or "").lstrip().upper().startswith("CREATE VIRTUAL"):
            columns = connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", [name])
            found[kind, name] = frozenset(columns)
        else:
            found[kind, name] = _plain(sql or "")
    return found


def _plain(sql: str) -> str:
    return " ".join(_COMMENT.sub(" ", sql).split())
