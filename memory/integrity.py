"""Whether a run's store is whole: the file, its tables, what they say of each other, the graph, the weights.

    for check in checks(run_folder):
        print(check.name, check.problems)

Reads one state of the store, also while a run goes on, and changes nothing. Mending: `memory.repair`.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory import checkpoints, frozen, schema
from memory.codec import text_hash
from memory.finite import not_finite
from memory.integrity_rules import EVERYWHERE, PLAYED
from memory.objects import StrangeObjectsError
from memory.reader import RunReader
from protocols.errors import StoreError, TaskspaceError
from protocols.records import Record

if TYPE_CHECKING:
    import networkx as nx

#: What SQLite says of a file that is damaged.
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NAMED = 3  # examples of what is wrong


class Check(Record, frozen=True):
    """One thing that was looked at."""

    name: str
    looks_at: str
    problems: tuple[str, ...] = ()  # what is wrong, a line each
    note: str = ""  # what could not be looked at, and why


def checks(run_dir: Path) -> Iterator[Check]:
    """Every check, in order, as it is made. A file that cannot be read at all ends after the first.

    Raises:
        StoreError: there is no run database, or one of another version.
    """
    path = run_dir / "run.db" if run_dir.is_dir() else run_dir
    try:
        reader = RunReader(path)
    except StoreError as error:
        if not is_damage(error):
            raise
        if isinstance(error, StrangeObjectsError):
            yield Check(name="schema", looks_at=_LOOKS["schema"], problems=(str(error),))
            return
        yield Check(name="file", looks_at=_LOOKS["file"], problems=(_words(error),))
        return
    with reader:
        reader.rows("BEGIN")  # one state for all of them
        for name, look in _CHECKS.items():
            try:
                problems, note = look(reader)
            except (StoreError, sqlite3.DatabaseError, KeyError, ValueError) as error:
                problems, note = [f"cannot be read: {_words(error)}"], ""
            yield Check(name=name, looks_at=_LOOKS[name], problems=tuple(problems), note=note)


def is_damage(error: BaseException) -> bool:
    """Whether it is the file that is damaged or strange, and nothing else that keeps it from being read."""
    if isinstance(error, StrangeObjectsError):
        return True
    cause = error.__cause__ if isinstance(error, StoreError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED


Found = tuple[list[str], str]


def _file(reader: RunReader) -> Found:
    size, pages = (reader.value(f"PRAGMA {name}") for name in ("page_size", "page_count"))
    problems = []
    wal = reader.path.with_name(reader.path.name + "-wal")
    if not (wal.exists() and wal.stat().st_size) and reader.path.stat().st_size < size * pages:
        problems.append("the end of the file is missing")
    lines = [str(line) for (line,) in reader.tuples("PRAGMA integrity_check(10)") if line != "ok"]
    return problems + [" ".join(line.split()) for line in lines], ""


def _schema(reader: RunReader) -> Found:
    """Tables with their columns, indexes and views as the migrations make them."""
    with sqlite3.connect(":memory:") as wanted:
        for migration in schema.MIGRATIONS:
            wanted.executescript(migration)
        objects = wanted.execute("SELECT type, name, sql FROM sqlite_master WHERE sql > ''").fetchall()
        columns = {o[1]: set(wanted.execute(_COLUMNS, [o[1]])) for o in objects if o[0] == "table"}
    wanted.close()
    there = dict(reader.tuples("SELECT name, sql FROM sqlite_master"))
    problems = []
    for kind, name, sql in objects:
        if name not in there:
            problems.append(f"{kind} {name} is missing")
        elif kind == "table":
            missing = columns[name] - set(reader.tuples(_COLUMNS, [name]))
            problems += [f"table {name}: column {c[0]} is missing, or another one" for c in sorted(missing)]
        elif " ".join(sql.split()) != " ".join(there[name].split()):
            problems.append(f"{kind} {name} is not the one of schema version {len(schema.MIGRATIONS)}")
    return problems, ""


_COLUMNS = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)'


def _references(reader: RunReader) -> Found:
    found = Counter((table, parent) for table, _, parent, _ in reader.tuples("PRAGMA foreign_key_check"))
    lost = "{} rows of {} name rows of {} that are not there"
    return [lost.format(count, *tables) for tables, count in found.items()], ""


def _texts(reader: RunReader) -> Found:
    """Read in parts: all the texts of a large run do not fit into memory."""
    wrong: list[int] = []
    last = -1
    while rows := reader.tuples(
        "SELECT id, hash, body FROM texts WHERE id > ? ORDER BY id LIMIT 500", [last]
    ):
        wrong += [id for id, hash, body in rows if text_hash(body) != hash]
        last = rows[-1][0]
    return _named("a text is not the one that was stored", wrong), ""


def _json(reader: RunReader) -> Found:
    problems = []
    for (table,) in reader.tuples("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        for column, *_ in reader.tuples(_COLUMNS, [table]):
            if column.endswith("_json"):
                sql = f"SELECT rowid FROM {table} WHERE {column} IS NOT NULL AND NOT json_valid({column})"
                if table in ("run", "buffer"):  # without rowid
                    sql = sql.replace("rowid", "key" if table == "run" else "start_id", 1)
                problems += _named(f"{table}.{column} is not JSON", [r[0] for r in reader.tuples(sql)])
    return problems, ""


def _ruled(name: str) -> Callable[[RunReader], Found]:
    def look(reader: RunReader) -> Found:
        kept = [why for why in frozen.reasons(reader.facts()) if not why.startswith("pruned")]
        rules = EVERYWHERE[name] | ({} if kept else PLAYED[name])
        problems = []
        for what, sql in rules.items():
            problems += _named(what, [row[0] for row in reader.tuples(sql)])
        return problems, f"gaps are not looked for: {'; '.join(kept)}" if kept and PLAYED[name] else ""

    return look


def _views(reader: RunReader) -> Found:
    rows, attempts = (reader.value(f"SELECT count(*) FROM {name}") for name in ("episodes", "attempts"))
    return ([] if rows == attempts else [f"episodes shows {rows} of {attempts} attempts"]), ""


def _graph(reader: RunReader) -> Found:
    import networkx as nx

    try:
        graph = reader.space().graph
    except KeyError as error:
        return [f"the graph cannot be built: node {error.args[0]!r} is named before it is there"], ""
    problems = [] if nx.is_directed_acyclic_graph(graph) else ["the graph has a cycle"]
    nodes = int(reader.value(_NODES))
    if len(graph) != nodes:
        problems.append(f"the graph has {len(graph)} nodes, the store {nodes}")
    edges = reader.tuples(_EDGES)
    if graph.number_of_edges() != len(edges):
        problems.append(f"the graph has {graph.number_of_edges()} edges, the store {len(edges)}")
    absent = [child for parent, child in edges if not graph.has_edge(parent, child)]
    problems += _named("a node does not hang where the store says", absent)
    return problems + _named("a task's numbers differ from its attempts", _miscounted(reader, graph)), ""


def _miscounted(reader: RunReader, graph: "nx.DiGraph") -> list[str]:
    return [
        id
        for id, *numbers in reader.tuples(_JUDGED)
        if id in graph and [graph.nodes[id][n] for n in ("attempts", "verified", "infra_errors")] != numbers
    ]


def _placed(reader: RunReader) -> Found:
    """`RUN/positions.json`, where somebody had it made: `memory.space_positions`."""
    path = reader.path.with_name("positions.json")
    if not path.is_file():
        return [], "none were made"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return [f"{path.name} is not JSON"], ""
    nodes = {id for (id,) in reader.tuples(_NODE_IDS)}
    return _named("a position belongs to no node", [id for id in known if id not in nodes]), ""


def _weights(reader: RunReader) -> Found:
    folder = reader.path.parent
    problems, gone = [], []
    for version, path, checksum in reader.tuples(
        "SELECT version, path, checksum FROM updates ORDER BY version"
    ):
        if not path or not (folder / path).is_dir():
            gone.append(version)
            continue
        try:
            found = checkpoints.weights_checksum(folder / path)
        except (TaskspaceError, OSError) as error:
            problems.append(f"version {version}: {_words(error)}")
            continue
        if found != checksum:
            problems.append(f"version {version}: the checkpoint is not what was learned")
            continue
        try:
            broken = not_finite(folder / path)
        except TaskspaceError as error:
            problems.append(f"version {version}: {_words(error)}")
            continue
        problems += _named(f"version {version}: weights that are not finite", broken)
    return problems, f"not there: version {', '.join(map(str, gone))}" if gone else ""


def _named(what: str, found: list[Any]) -> list[str]:
    """One line for all rows with this problem."""
    if not found:
        return []
    some = ", ".join(map(str, islice(found, _NAMED)))
    return [f"{what}: {some}" + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")]


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())


_CHECKS: dict[str, Callable[[RunReader], Found]] = {
    "file": _file,
    "schema": _schema,
    "references": _references,
    "texts": _texts,
    "json": _json,
    "counters": _ruled("counters"),
    "attempts": _ruled("attempts"),
    "positions": _ruled("positions"),
    "versions": _ruled("versions"),
    "views": _views,
    "graph": _graph,
    "places": _placed,
    "checkpoints": _weights,
}

_LOOKS = {
    "file": "pages and indexes, SQLite's own integrity check",
    "schema": "tables, columns, indexes and views of this version",
    "references": "foreign keys lead to rows that are there",
    "texts": "every text has the hash that it was stored under",
    "json": "every JSON column holds JSON",
    "counters": "groups, updates and evaluations count what they hold",
    "attempts": "rewards, failures and tokens fit each other",
    "positions": "plans and experience without gaps or repetitions",
    "versions": "policy versions without gaps, made before they are used",
    "views": "the view of episodes shows every attempt",
    "graph": "the task space built from the store agrees with it",
    "places": "positions by meaning belong to nodes",
    "checkpoints": "weights on disk have the recorded checksums, and are finite",
}

_NODE_IDS = """SELECT id FROM tasks WHERE split = 'train' UNION ALL
SELECT a.id FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.purpose = 'collect'"""
_NODES = f"SELECT count(*) FROM ({_NODE_IDS})"
_EDGES = """SELECT t.parent_id, t.id FROM tasks t JOIN tasks p ON p.id = t.parent_id
WHERE t.split = 'train' AND p.split = 'train' UNION ALL
SELECT ifnull(g.parent_attempt_id, g.task_id), a.id FROM attempts a JOIN groups g ON g.id = a.group_id
WHERE g.purpose = 'collect'"""
_JUDGED = """SELECT g.task_id, count(a.reward), sum(ifnull(a.reward, 0) >= 1), count(a.infra_error)
FROM groups g JOIN attempts a ON a.group_id = g.id WHERE g.purpose = 'collect' GROUP BY g.task_id"""
