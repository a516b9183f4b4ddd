"""Run databases from files: Parquet tables as `memory.parquet` writes them, or episodes as lines.

    tables      DIR/attempts.parquet and its neighbours: everything comes back as it was
    episodes    DIR or FILE: .jsonl, .parquet or .arrow with prompt and completion (`memory.lines`)

What is made can be looked at, counted and learned from. It cannot be gone on with, and says so: there are
neither checkpoints nor, with lines, plans, decisions and updates.
"""

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from memory import parquet
from memory.codec import from_json, to_json
from memory.frozen import frozen
from memory.lines import Line, played_of
from memory.store import Store
from protocols.errors import StoreError

ENDINGS = (".jsonl", ".parquet", ".arrow")
_AT_ONCE = 64  # groups admitted together


def load(
    source: Path, folder: Path, config: dict[str, Any], left_out: Callable[[str], object]
) -> dict[str, int]:
    """Make `folder/run.db` of what is in `source`; returns how many rows of what there are.

    Args:
        folder: is there, and empty.
        config: settings that episodes of other origin are taken to have been played with.
        left_out: is told of each line that cannot be stored, and why; the rest is kept.

    Raises:
        StoreError: there is nothing to import, it is damaged, or a line cannot be used.
    """
    path = folder / "run.db"
    if (source / "attempts.parquet").is_file():
        counts = parquet.read(source, path)
        with Store.open(path) as store:
            facts = json.loads(_value(store, "facts") or "{}")
            store.save_facts(frozen(facts, f"imported from {source.name}"))
        return counts
    files = _files(source)
    facts = frozen({}, f"imported from {source.name}")
    with Store.create(path, config, facts) as store, store.batch():
        found = (
            one
            for file in files
            for one in played_of(
                _lines(file, left_out), str(file.relative_to(source) if source.is_dir() else file.name)
            )
        )
        for round, groups in groupby(found, key=lambda one: one.group.round):
            _add(store, round, groups)
        _settle(store, config)
        if not store.db.execute("SELECT count(*) FROM groups").fetchone()[0]:
            raise StoreError(f"import {source}: no episode in it that can be stored")
        return {
            table: store.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("tasks", "groups", "attempts")
        }


def _files(source: Path) -> list[Path]:
    if source.is_file():
        found = [source] if source.suffix in ENDINGS else []
    else:
        found = sorted(path for path in source.rglob("*") if path.suffix in ENDINGS)
        whole = [path for path in found if path.stem == parquet.EPISODES]
        found = whole or found
    if not found:
        there = "a folder without" if source.is_dir() else "not one of" if source.exists() else "no"
        raise StoreError(f"import {source}: {there} {', '.join(ENDINGS)}; name what `taskspace export` wrote")
    return found


def _lines(file: Path, left_out: Callable[[str], object]) -> Iterator[tuple[int, Line]]:
    """With their numbers, from 1."""
    for number, line in _read(file):
        try:
            # What a model said may hold anything, and is stored so; all else is a name or is shown to one.
            said = {**line, "completion": None} if isinstance(line, dict) else line
            json.dumps(said, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            sign = str(error.object)[error.start].encode("ascii", "backslashreplace").decode()
            left_out(f"{file.name} line {number}: left out, {sign} is half of a character")
        else:
            yield number, line


def _read(file: Path) -> Iterator[tuple[int, Line]]:
    if file.suffix != ".jsonl":
        yield from enumerate(parquet.episodes(file), 1)
        return
    with file.open("rb") as stored:
        for number, line in enumerate(stored, 1):
            try:
                if line.strip():
                    yield number, from_json(line.decode())
            except (ValueError, RecursionError) as error:
                raise StoreError(f"{file.name} line {number}: broken JSON ({error}); correct it") from None


def _add(store: Store, round: int, groups: Iterator[Any]) -> None:
    """Admit groups that follow each other in a round, a few at a time."""
    for first in groups:
        part = [first, *(one for one, _ in zip(groups, range(_AT_ONCE - 1)))]
        for one in part:
            store.add_tasks([one.task], one.status, one.task_round)
        store.admit_groups([(one.group, one.verdicts) for one in part])


def _settle(store: Store, config: dict[str, Any]) -> None:
    """What lines do not say: rounds as they were played, and nothing that names what did not come along."""
    store.db.execute(
        "UPDATE groups SET parent_attempt_id = NULL WHERE parent_attempt_id NOT IN (SELECT id FROM attempts)"
    )
    store.db.execute("UPDATE tasks SET parent_id = NULL WHERE parent_id NOT IN (SELECT id FROM tasks)")
    rounds = store.db.execute(
        "SELECT round, min(policy_version), json_group_array(id) FROM (SELECT * FROM groups"
        " WHERE purpose = 'collect' ORDER BY round, position) GROUP BY round"
    ).fetchall()
    for round, version, ids in rounds:
        store.begin_round(round, [{"group_id": id} for id in json.loads(ids)], version)
        store.finish_round(round)
    told = {**config, "rounds": max(1, len(rounds))}
    store.db.execute("UPDATE run SET value_json = ? WHERE key = 'config'", [to_json(told)])


def _value(store: Store, key: str) -> str | None:
    found = store.db.execute("SELECT value_json FROM run WHERE key = ?", [key]).fetchone()
    return None if found is None else str(found[0])
