"""Which stored episodes are meant, by id, task or round; and what is nearest where there is none like it."""

import difflib
from pathlib import Path
from typing import Any

from memory.reader import RunReader
from protocols.errors import SettingError

#: Ids that are compared with a wrong one.
CANDIDATES = 500


def choose(
    run_dir: Path, episode: str | None, task: str | None, round: int | None, limit: int | None
) -> list[dict[str, Any]]:
    """Rows of the view `episodes` by id (or its beginning), task or round; by default the newest verified.

    Raises:
        SettingError: there is none like that; names the nearest ones.
        StoreError: the database cannot be read.
    """
    where, values = _where(episode, task, round)
    order = "seq"
    if not where and limit is not None:  # nothing asked for in particular: something worth seeing
        order = "(reward >= 1 AND purpose = 'collect') DESC, seq DESC"
    with RunReader(run_dir / "run.db") as reader:
        rows = reader.rows(f"SELECT * FROM episodes {where} ORDER BY {order} LIMIT ?", [*values, limit or -1])
        if not rows:
            raise SettingError(f"replay {run_dir}: {_nothing(reader, episode, task, round)}")
    return rows


def count(run_dir: Path, episode: str | None, task: str | None, round: int | None) -> int:
    """How many episodes `choose` has without a limit."""
    where, values = _where(episode, task, round)
    with RunReader(run_dir / "run.db") as reader:
        return int(reader.value(f"SELECT count(*) FROM episodes {where}", values))


def _where(episode: str | None, task: str | None, round: int | None) -> tuple[str, list[Any]]:
    tests: list[str] = []
    values: list[Any] = []
    for column, prefix in (("id", episode), ("task_id", task)):
        if prefix:
            tests.append(f"substr({column}, 1, ?) = ?")
            values += [len(prefix), prefix]
    if round is not None:
        tests.append("round = ?")
        values.append(round)
    return (f"WHERE {' AND '.join(tests)}" if tests else ""), values


def _nothing(reader: RunReader, episode: str | None, task: str | None, round: int | None) -> str:
    """Why nothing was found, and what is nearest: the first filter that fits nothing by itself."""
    if reader.value("SELECT 1 FROM attempts LIMIT 1") is None:
        return "no episode yet"
    for name, table, asked in (("episode", "attempts", episode), ("task", "tasks", task)):
        if asked and not _ids(reader, table, asked):
            near = nearest(reader, table, asked)
            return f"nothing matches --{name} {asked}; did you mean {near!r}?"
    if round is not None and reader.value("SELECT 1 FROM groups WHERE round = ? LIMIT 1", [round]) is None:
        rounds = [row["round"] for row in reader.rows("SELECT DISTINCT round FROM groups ORDER BY round")]
        near = min(rounds, key=lambda one: (abs(one - round), one))
        return f"nothing matches --round {round}; there are {rounds[0]} to {rounds[-1]}, nearest is {near}"
    if task and not episode and round is None:
        return f"nothing matches --task {task}: it was never played, choose another one"
    filters = (("episode", episode), ("task", task), ("round", round))
    given = [f"--{name} {value}" for name, value in filters if value is not None]
    return f"nothing matches {' '.join(given)} together; leave one of them out"


def _ids(reader: RunReader, table: str, prefix: str) -> list[str]:
    found = reader.rows(
        f"SELECT id FROM {table} WHERE substr(id, 1, ?) = ? LIMIT ?", [len(prefix), prefix, CANDIDATES]
    )
    return [row["id"] for row in found]


def nearest(reader: RunReader, table: str, asked: str) -> str:
    """The id in `table` that is most like `asked`, among those that begin most like it."""
    for length in range(len(asked) - 1, -1, -1):
        found = _ids(reader, table, asked[:length])
        if found:
            short = {one[: max(8, len(asked))]: one for one in found}
            return (difflib.get_close_matches(asked, short, 1, 0.0) or list(short))[0]
    return ""
