"""The task space of the run that is looked at: read once, shared by all visitors, grown by what is new."""

from pathlib import Path

import streamlit as st

from memory.reader import RunReader
from memory.space_map import SpaceMap
from ui import runs


def current(run: Path) -> SpaceMap:
    """The space of a run, with everything that it has admitted.

    Raises:
        StoreError: see `runs.opened`.
    """

    def caught_up(reader: RunReader) -> SpaceMap:
        # A run that took the place of another has another inode, or was created at another time.
        return _kept(str(run), reader.path.stat().st_ino, reader.created()).catch_up(reader)

    return runs.snapshot("space", run, caught_up)


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(path: str, inode: int, created: float) -> SpaceMap:
    return SpaceMap()
