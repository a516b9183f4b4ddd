"""Several runs in one store, for looking, statistics and learning from; never for going on.

- Tasks that are the same in several runs stand once, under their id. Where two runs mean different tasks by
  one id, or came to different ends with it, the later one's stands behind its run's name.
- Everything else keeps its id behind its run's name: `quickstart-2:3fa9...`. Ids are derived from seeds, so
  that those of two runs may be equal and mean different things.
- Rounds and policy versions go on counting from run to run. Each run is shifted by one more than the
  largest number before it, so that its round 0 and its version 0, the model as it came, have a number too.
- Not taken along: buffer and state, which are for going on; checkpoints, which stay where they are
  (`updates.path` tells where: RUN/checkpoints/...).

The settings are the first run's; what became of which run stands in the facts, under `merged`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from memory import opening
from memory.building import TABLES
from memory.codec import from_json, text_hash, to_json
from memory.frozen import frozen
from memory.reader import RunReader
from protocols.domains.zwc.grading import equal
from protocols.errors import StoreError
from protocols.records import Record

_TABLES = tuple(table for table in TABLES if table not in ("run", "buffer"))

#: What runs have to agree on: elsewhere the same tokens and tasks mean something else.
_SHARED = ("model", "domain")
_SHARED_ZWC = ("module", "package", "seed")

#: What makes two tasks the same; and what may differ in how another processor rounded it.
_SAME = ("domain", "split", "kind", "origin", "topics_json", "parent_id", "truth_agrees", "status")
_ROUNDED = ("payload_json", "reference_json")
_NEAR = 1e-3  # relative and absolute: scores of fitted reference models are rounded to four digits
_RENAMED = ("group_id", "attempt_id", "proposal_id", "parent_attempt_id", "start_id")
_WITH_IDS = ("plan_json", "numbers_json")


class Part(Record, frozen=True):
    """What became of one run."""

    name: str
    first_round: int  # the number of its round 0
    first_version: int  # the number of its version 0
    rounds: int
    attempts: int
    tasks: int  # of its own
    shared_tasks: int  # that were there already


def merge(runs: Sequence[Path], folder: Path) -> list[Part]:
    """Make `folder/run.db` out of them, in their order.

    Raises:
        StoreError: fewer than two, one of them twice, runs of different models or worlds, or one that took
            its experience from another.
    """
    if len({run.resolve() for run in runs}) < max(2, len(runs)):
        raise StoreError("merge: give two or more runs, each of them once")
    names = _names(runs)
    configs, facts = _agreeing(runs)
    path = folder / "run.db"
    opening.new(path, {"config": to_json(configs[0]), "facts": "{}"}).close()
    parts = []
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as connection:
        # Checked at the end: with each text that goes, all rows would be searched for its name.
        connection.execute("PRAGMA foreign_keys = OFF")
        for run, name in zip(runs, names):
            with opening.errors_of(run / "run.db"), _attached(connection, run, name):
                parts.append(_add(connection, name))
        told = {**facts[0], "merged": [_plain(part) for part in parts]}
        told = frozen(told, f"merged from {', '.join(names)}")
        configs[0]["rounds"] = sum(part.rounds for part in parts)
        for key, value in (("facts", told), ("config", configs[0])):
            connection.execute("UPDATE run SET value_json = ? WHERE key = ?", [to_json(value), key])
        connection.commit()
        lost = connection.execute("PRAGMA foreign_key_check").fetchone()
        if lost:
            raise StoreError(
                f"merge: rows of {lost[0]} name rows of {lost[2]} that are not there; see `taskspace check`"
            )
    return parts


def _names(runs: Sequence[Path]) -> list[str]:
    """Names of the run folders; those that repeat are numbered."""
    names: list[str] = []
    for run in runs:
        name, number = run.resolve().name, 1
        while (name if number == 1 else f"{name}-{number}") in names:
            number += 1
        names.append(name if number == 1 else f"{name}-{number}")
    return names


def _agreeing(runs: Sequence[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Settings and facts of all of them."""
    configs, facts = [], []
    for run in runs:
        with RunReader(run) as reader:
            if reader.rows("PRAGMA foreign_key_check"):
                raise StoreError(f"merge: {run} is damaged; mend it first: taskspace check {run} --repair")
            config = reader.config()
            if source := config.get("curator", {}).get("source"):
                raise StoreError(
                    f"merge: the attempts of {run} are those of {source}, so that they would count twice; "
                    f"merge {source} itself, and compare the two with `taskspace report`"
                )
            configs.append(config)
            facts.append(reader.facts())
    for run, theirs in zip(runs, configs):
        wrong = [key for key in _SHARED if theirs.get(key) != configs[0].get(key)]
        zwc, first = theirs.get("zwc", {}), configs[0].get("zwc", {})
        wrong += [f"zwc.{key}" for key in _SHARED_ZWC if zwc.get(key) != first.get(key)]
        if wrong:
            raise StoreError(
                f"merge: {wrong[0]} of {run} differs from that of {runs[0]}, so that its tasks or tokens mean"
                " something else; merge runs of one model and one world"
            )
    return configs, facts


@contextmanager
def _attached(connection: sqlite3.Connection, run: Path, name: str) -> Iterator[None]:
    """The run as schema `source`, and functions that give its ids their new names."""
    source = (run / "run.db").resolve().as_uri()
    with closing(opening.read_only(run / "run.db")) as looking:
        found = lru_cache(2**16)(lambda id: looking.execute(_KNOWN, {"id": id}).fetchone() is not None)

        def renamed(id: Any) -> Any:
            """Of anything that is an id of this run; everything else as it is."""
            if not isinstance(id, str) or not 0 < len(id) <= 64:
                return id
            task = connection_tasks.get(id)
            return task if task is not None else f"{name}:{id}" if found(id) else id

        connection_tasks: dict[str, str] = {}
        functions: dict[str, Callable[..., Any]] = {
            "renamed": renamed,
            "renamed_in": lambda text: to_json(_walked(from_json(text), renamed)),
            "text_hash": text_hash,
        }
        for function, code in functions.items():
            connection.create_function(function, 1, code, deterministic=True)
        connection.create_function("alike", 2, _alike, deterministic=True)
        connection.execute("ATTACH ? AS source", [f"{source}?mode=ro"])
        try:
            connection.execute("BEGIN")
            connection.execute("CREATE TEMP TABLE names (id TEXT PRIMARY KEY, name TEXT, new INTEGER)")
            connection.execute(_NAME_TASKS, {"label": f"{name}:"})
            connection_tasks.update(connection.execute("SELECT id, name FROM names"))
            yield
            connection.execute("DROP TABLE names")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute("DETACH source")


def _alike(one: str | None, other: str | None) -> bool:
    """Whether two values as JSON are the same to a grader."""
    return one == other or (
        None not in (one, other) and equal(from_json(one or ""), from_json(other or ""), _NEAR, _NEAR)
    )


def _walked(value: Any, renamed: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _walked(inner, renamed) for key, inner in value.items()}
    return [_walked(inner, renamed) for inner in value] if isinstance(value, list) else renamed(value)


def _add(connection: sqlite3.Connection, name: str) -> Part:
    """Copy every row of `source`, renamed and renumbered."""

    def number(sql: str) -> int:
        return int(connection.execute(sql).fetchone()[0])

    first_round, first_version = number(_NEXT_ROUND), number(_NEXT_VERSION)
    shifts = {"round": first_round, "version": first_version, "label": f"{name}:"}
    connection.execute(
        "INSERT INTO texts (hash, body) SELECT hash, body FROM source.texts WHERE true"
        " ON CONFLICT (hash) DO NOTHING"
    )
    connection.execute(_HISTORIES)
    rows = {}
    seqs = {
        table: number(f"SELECT ifnull(max(seq), 0) FROM {table}")
        for table in _TABLES
        if "seq" in _columns(connection, table)
    }
    for table in _TABLES:
        columns = _columns(connection, table)
        values = ", ".join(_value(table, column, kind, seqs) for column, kind in columns.items())
        sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM source.{table} t"
        if table == "tasks":
            sql += " WHERE t.id IN (SELECT id FROM names WHERE new)"
        rows[table] = connection.execute(f"{sql} ORDER BY 1", shifts).rowcount
    connection.execute("DELETE FROM texts WHERE id NOT IN (" + _named_texts(connection) + ")")
    return Part(
        name=name,
        first_round=first_round,
        first_version=first_version,
        rounds=rows["rounds"],
        attempts=rows["attempts"],
        tasks=rows["tasks"],
        shared_tasks=number("SELECT count(*) FROM names WHERE NOT new"),
    )


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return dict(connection.execute("SELECT name, type FROM pragma_table_info(?)", [table]))


def _value(table: str, column: str, kind: str, seqs: dict[str, int]) -> str:
    """What a column of the merged store takes from the source, by what the column's name says it is."""
    if column == "seq":
        return f"t.seq + {seqs[table]}"
    if column == "attempt_seq":
        return f"t.attempt_seq + {seqs['attempts']}"
    if column in ("task_id", "parent_id") or (table, column) == ("tasks", "id"):
        return f"(SELECT name FROM names WHERE id = t.{column})"
    if column == "id":
        return ":label || t.id" if kind == "TEXT" else "NULL"
    if column in _RENAMED:
        return f":label || t.{column}"
    if column == "subject_id":
        return "renamed(t.subject_id)"
    if column == "round":
        return "t.round + :round"
    if column in ("version", "policy_version"):
        return f"t.{column} + :version"
    if column in _WITH_IDS:
        return f"renamed_in(t.{column})"
    if column == "path":
        return "replace(:label, ':', '/') || t.path"
    if column.endswith("_text"):
        hash = "text_hash(renamed_in(s.body))" if column == "history_text" else "s.hash"
        return f"(SELECT x.id FROM source.texts s JOIN texts x ON x.hash = {hash} WHERE s.id = t.{column})"
    return f"t.{column}"


def _named_texts(connection: sqlite3.Connection) -> str:
    return " UNION ALL ".join(
        f"SELECT {column} FROM {table}"
        for table in _TABLES
        for column in _columns(connection, table)
        if column.endswith("_text")
    )


def _plain(part: Part) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__struct_fields__}


_KNOWN = " UNION ALL ".join(
    f"SELECT 1 FROM {table} WHERE {column} = :id"
    for table, column in (
        ("attempts", "id"),
        ("groups", "id"),
        ("groups", "start_id"),
        ("proposals", "id"),
    )
)
_EQUAL = " AND ".join(
    [*(f"m.{column} IS t.{column}" for column in _SAME), *(f"alike(m.{c}, t.{c})" for c in _ROUNDED)]
)
_NAME_TASKS = f"""INSERT INTO names SELECT t.id, CASE WHEN m.id IS NULL OR ({_EQUAL} AND x.hash = s.hash)
  THEN t.id ELSE :label || t.id END, m.id IS NULL OR NOT ({_EQUAL} AND x.hash = s.hash)
FROM source.tasks t JOIN source.texts s ON s.id = t.statement_text
LEFT JOIN main.tasks m ON m.id = t.id LEFT JOIN main.texts x ON x.id = m.statement_text"""
_HISTORIES = """INSERT INTO texts (hash, body)
SELECT text_hash(renamed_in(body)), renamed_in(body) FROM source.texts
WHERE id IN (SELECT history_text FROM source.groups WHERE parent_attempt_id IS NOT NULL)
ON CONFLICT (hash) DO NOTHING"""
_NEXT_ROUND = """SELECT ifnull(max(round) + 1, 0) FROM (SELECT round FROM rounds UNION ALL
SELECT round FROM groups UNION ALL SELECT round FROM tasks UNION ALL SELECT round FROM evaluations)"""
_NEXT_VERSION = """SELECT ifnull(max(version) + 1, 0) FROM
(SELECT version FROM updates UNION ALL SELECT policy_version FROM groups)"""
