"""What is asked of many runs at once: one light row each, and what comparing needs.

Kept for all visitors together until a run is written to, so that a folder of a hundred runs is read once.
A run that cannot be read is a row that says why, and never ends a page.
"""

from pathlib import Path
from typing import Any

import streamlit as st

from memory import profiles
from memory.reader import RunReader
from protocols.errors import TaskspaceError
from ui import runs

Row = dict[str, Any]
_KEPT = 1_000  # runs


def brief(name: str, run: Path) -> Row:
    """A run in one row; `problem` says in a line why it cannot be read, and is "" where it can."""
    row = {"run": name, "written": runs.written(run), "problem": ""}
    try:
        return row | _brief(str(run), runs.stamp(run))
    except TaskspaceError as error:
        return row | {"problem": str(error)}


def profile(run: Path) -> profiles.Profile:
    """What comparing needs of a run.

    Raises:
        StoreError: it cannot be read.
    """
    return _profile(str(run), runs.stamp(run))


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _brief(run: str, stamp: tuple[float, ...]) -> Row:
    with runs.opened(Path(run)) as reader:
        return _row(reader)


@st.cache_data(max_entries=_KEPT, show_spinner=False)
def _profile(run: str, stamp: tuple[float, ...]) -> profiles.Profile:
    with runs.opened(Path(run)) as reader:
        return profiles.profile(reader)


def _row(reader: RunReader) -> Row:
    config = reader.config()
    closed = reader.rows(
        "SELECT accuracy FROM evaluations WHERE book = 'closed' AND split = 'test' ORDER BY seq"
    )
    played = reader.row("SELECT ifnull(max(round), 0) AS round, count(finished) AS finished FROM rounds") or {
        "round": 0,
        "finished": 0,
    }
    rounds = config.get("rounds")
    return {
        "recipe": _inside(config, "learner", "recipe"),
        "model": _inside(config, "model", "name"),
        "domain": config.get("domain"),
        "seed": config.get("seed"),
        "round": f"{played['round']} of {rounds}" if isinstance(rounds, int) else str(played["round"]),
        "done": isinstance(rounds, int) and played["finished"] >= rounds,
        "version": reader.value("SELECT ifnull(max(version), 0) FROM updates"),
        "attempts": reader.value("SELECT ifnull(sum(attempts), 0) FROM groups WHERE purpose = 'collect'"),
        "before": closed[0]["accuracy"] if closed else None,
        "after": closed[-1]["accuracy"] if len(closed) > 1 else None,
    }


def _inside(config: Row, section: str, key: str) -> Any:
    found = config.get(section)
    return found.get(key) if isinstance(found, dict) else None
