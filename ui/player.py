"""Play, pause and move through a replay. Where it stands and how fast it goes are in the address.

def draw(now): ...
player.play("episode 17", seconds, draw)
"""

import math
import time
from collections.abc import Callable

import streamlit as st

from ui import blocks

MOMENT, SPEED = "moment", "speed"
SPEEDS = ("1x", "5x", "20x", "100x")
_TICK = 0.5  # seconds between two pictures while it plays
_PLAYING, _OF = "replay under way", "what is replayed"


def play(name: str, seconds: float, draw: Callable[[float], None]) -> None:
    """Controls, and what `draw` shows at a moment (seconds since the beginning at the original pace).

    Args:
        name: what is replayed; another one begins paused.
        seconds: how long it takes at the original pace.
    """
    if st.session_state.get(_OF) != name:
        if MOMENT not in st.query_params:
            st.session_state[MOMENT] = 0.0  # not where another replay stood
        st.session_state[_OF], st.session_state[_PLAYING] = name, None
    playing = st.session_state.get(_PLAYING)
    st.fragment(_moving, run_every=_TICK if playing else None)(seconds, draw)


@blocks.calmly
def _moving(seconds: float, draw: Callable[[float], None]) -> None:
    end = max(0.1, math.ceil(10 * seconds) / 10)  # the last part is done there
    playing = st.session_state.get(_PLAYING)
    if playing and playing.pop("fresh", False) and st.session_state.get(MOMENT, 0.0) >= end:
        st.session_state[MOMENT] = 0.0  # from the beginning again
    if playing:
        now = time.monotonic()
        speed = float((st.session_state.get(SPEED) or SPEEDS[0]).rstrip("x"))
        moved = st.session_state.get(MOMENT, 0.0) + (now - playing["last"]) * speed
        st.session_state[MOMENT] = round(min(end, moved), 1)
        # What a tenth of a second is rounded away is played the next time.
        playing["last"] = now - (moved - st.session_state[MOMENT]) / speed if moved < end else now
        if moved >= end:
            st.session_state[_PLAYING] = None
            st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if playing:
            if st.button("Pause", icon=":material/pause:", key="pause"):
                st.session_state[_PLAYING] = None
                st.rerun()
        elif st.button("Play", icon=":material/play_arrow:", key="play"):
            st.session_state[_PLAYING] = {"last": time.monotonic(), "fresh": True}
            st.rerun()
        st.segmented_control(
            "Speed", SPEEDS, default=SPEEDS[0], required=True, key=SPEED, bind="query-params"
        )
    moment = st.slider(
        f"Seconds of {end:,.1f} at the original pace",
        0.0,
        end,
        step=0.1,
        key=MOMENT,
        bind="query-params",
        format="%.1f",
    )
    draw(moment)
