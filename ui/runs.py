"""Which runs there are, which one is looked at, and how it is opened for a moment to read it.

A run is opened for each redraw and closed again: that costs a millisecond, survives a run folder that is
deleted or replaced, and holds no lock while nobody looks. `snapshot` asks a database again only when its
version counter has moved.
Not here: what is asked (`ui.queries`).
"""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from memory.reader import RunReader
from protocols.errors import StoreError, TaskspaceError

T = TypeVar("T")
DATABASE = "run.db"
RUN_PARAM = "run"
DEPTH = 3  # `exit-laptop/zwc/exit-seed1` lies deepest
FOLDERS = 2_000  # looked into for runs, in case somebody names a folder of everything
CHEAP_S = 0.3  # what takes less is made anew with every version


def runs_dir() -> Path:
    """The folder of runs: the first argument, else TASKSPACE_RUNS, else `runs`."""
    given = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
    return Path(given or os.environ.get("TASKSPACE_RUNS") or "runs")


def find_runs(folder: Path) -> dict[str, Path]:
    """Run folders by name, the one that was written to last first. The folder itself may be a run.

    Those of ladders lie in folders of their own, up to `DEPTH` below; their names are paths from the folder
    (`sebench-laptop/closed-sft-seed1`).
    """
    if (folder / DATABASE).exists():
        return {folder.resolve().name: folder}
    found: dict[str, Path] = {}
    waiting, looked = [(folder, "", 1)], 0
    while waiting and looked < FOLDERS:
        inside, prefix, depth = waiting.pop(0)
        looked += 1
        try:
            below = [entry.name for entry in os.scandir(inside) if entry.is_dir() and entry.name[0] != "."]
        except OSError:
            continue
        for name in below:
            path = inside / name
            if (path / DATABASE).exists():
                found[prefix + name] = path
            elif depth < DEPTH:
                waiting.append((path, f"{prefix}{name}/", depth + 1))
    return dict(sorted(found.items(), key=lambda item: written(item[1]), reverse=True))


def written(run: Path) -> float:
    """Time of the last write: while a run goes on, it goes to the log beside the database."""
    return max((status.st_mtime for status in _files(run)), default=0.0)


def stamp(run: Path) -> tuple[float, ...]:
    """Changes with every write to a run and whenever another one takes its place; costs no opening."""
    return tuple(n for status in _files(run) for n in (status.st_ino, status.st_mtime, status.st_size))


def _files(run: Path) -> list[os.stat_result]:
    """The database and its log. An empty log counts for nothing: merely looking at a run makes one."""
    found = []
    for name in (DATABASE, f"{DATABASE}-wal"):
        try:
            status = (run / name).stat()
        except OSError:
            continue
        if name == DATABASE or status.st_size:
            found.append(status)
    return found


@contextmanager
def opened(run: Path) -> Iterator[RunReader]:
    """The run's database, read-only. SQLite's complaints become a sentence with a remedy.

    Raises:
        StoreError: missing, empty, damaged, locked for too long, or from a newer taskspace.
    """
    path = run / DATABASE
    try:
        reader = RunReader(path)
        try:
            yield reader
        finally:
            reader.close()
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: cannot be read now ({error}); look again in a moment") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path}: damaged ({error}); restore a copy, or save what is left with `taskspace check --repair`"
        ) from error


def snapshot(slot: str, run: Path, make: Callable[[RunReader], T], key: Any = None) -> T:
    """What `make` says of the run; kept for this visitor until the run's version or `key` changes.

    What took long to make is kept for a while longer although the run has gone on, so that watching a large
    run takes at most a tenth of a core from it.

    Raises:
        StoreError: see `opened`.
    """
    name = f"snapshot of {slot}"
    with opened(run) as reader:
        # The inode tells a run from another one that took its place with the same version.
        wanted = (str(run), (run / DATABASE).stat().st_ino, key)
        version = reader.version()
        kept = st.session_state.get(name)
        if kept is not None and kept["of"] == wanted:
            fresh = kept["version"] == version
            if fresh or (kept["cost"] > CHEAP_S and time.monotonic() - kept["at"] < 9 * kept["cost"]):
                return kept["made"]
        begun = time.monotonic()
        made = make(reader)
        now = time.monotonic()
        st.session_state[name] = {
            "of": wanted,
            "version": version,
            "made": made,
            "cost": now - begun,
            "at": now,
        }
        return made


def behind(run: Path, *slots: str) -> bool:
    """Whether the run has gone on since `snapshot` made what is kept in these slots, or cannot be read."""
    try:
        with opened(run) as reader:
            now = ((run / DATABASE).stat().st_ino, reader.version())
    except (TaskspaceError, OSError):
        return True
    kept = [st.session_state.get(f"snapshot of {slot}") for slot in slots]
    return any(one is not None and (one["of"][1], one["version"]) != now for one in kept)


def chosen_run() -> tuple[str, Path]:
    """Name and folder of the run that the sidebar shows.

    Raises:
        TaskspaceError: there is none.
    """
    chosen = st.session_state.get("chosen run")
    if chosen is None:
        raise TaskspaceError("no run is chosen")
    return chosen
