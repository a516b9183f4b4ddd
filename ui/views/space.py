"""Task space: all revision trees of the run in one picture; a mark chosen shows what it stands for."""

import time
from math import ceil
from pathlib import Path
from typing import Any

import streamlit as st

from memory.space_map import UNTIL_NOW, SpaceMap
from protocols.verdicts import CATEGORIES
from ui import blocks, graph, maps, marks, node, queries_space, runs
from ui.marks import Picture, Scope
from ui.queries_space import Match
from ui.safe import line

PLAY_S = 1.0  # between two steps of the growth that is played
PLAY_STEPS = 30  # from the first round to the newest
#: A browser's request brings the address as it was when it was sent: while the growth is played, and as long
#: after that, the round is remembered here, or a slow machine would go back to where it was.
SETTLE_S = 30.0
_TOPICS = 2_000  # to choose from; more are found by searching
_PLAYING, _PLAYED, _AT, _STEP = "space playing", "space played", "space at", "space step"
_RESTART, _DRAWN = "space restart", "space drawn"
_PICKED = "space picked"  # the node that was chosen by clicking on its mark
_STANDS = "space stands"  # the address that the page was last drawn for; None: that came to no end
_ADDRESS = ("topic", "part", "upto", "node")


def page() -> None:
    """The task space. Remembers what it was drawn for, so that `watch` makes up for what was not."""
    st.session_state[_STANDS] = None
    if st.session_state.pop(_RESTART, False):
        st.rerun()  # the page as a whole, whose pace changes
    st.session_state[_DRAWN] = time.monotonic()
    space()
    st.session_state[_STANDS] = _address()


def _address() -> list[str | None]:
    return [st.query_params.get(name) for name in _ADDRESS]


def space() -> None:
    _, run = runs.chosen_run()
    grown = maps.current(run)
    if not grown.ids:
        st.caption("The space is empty: the run has no tasks yet.")
        return
    colour, find, category = _controls(grown)
    scope = _scope(grown)
    upto = _time(grown)
    match: Match | None = runs.snapshot(
        "space match",
        run,
        lambda reader: queries_space.search(reader, find, category),
        key=(find, category),
    )
    view = (scope, upto, find, category)
    made: Picture = runs.snapshot(
        "space picture", run, lambda reader: marks.draw(grown, reader, scope, upto, match), key=view
    )
    chosen = st.query_params.get("node")
    picture, side = st.columns([5, 2], gap="medium")
    with side:
        way = _beside(run, grown, made, match, chosen)
    with picture:
        _draw(run, made, colour, way, view)


def _controls(grown: SpaceMap) -> tuple[str, str | None, str | None]:
    """What to colour by, what to search for, which verdict. The topic is part of the scope."""
    colour = st.segmented_control(
        "Colour by",
        list(graph.COLOURS),
        default="solve rate",
        required=True,
        key="colour",
        bind="query-params",
    )
    with st.container(horizontal=True):
        find = st.text_input("Find in tasks and answers", key="find", bind="query-params", max_chars=200)
        category = st.selectbox(
            "Verdict", list(CATEGORIES), index=None, key="category", placeholder="all", bind="query-params"
        )
        asked = st.query_params.get("topic")
        topics = list(dict.fromkeys(grown.patch_topics))
        shown = sorted(topics[:_TOPICS])
        if asked in topics and asked not in shown:
            shown.append(asked)
        st.session_state["space topic"] = asked if asked in shown else None
        st.selectbox(
            "Topic",
            shown,
            key="space topic",
            index=None,
            placeholder="all",
            format_func=line,
            on_change=lambda: _open(topic=st.session_state["space topic"]),
        )
    return colour or "solve rate", find or None, category


def _open(topic: str | None = None, part: str | None = None) -> None:
    """Another part of the space goes into the address; without arguments, all of it."""
    for name, value in (("topic", topic), ("part", part)):
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value


def _scope(grown: SpaceMap) -> Scope:
    topic, part = st.query_params.get("topic"), st.query_params.get("part")
    if topic is None and part is None:
        return Scope()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("The whole space", icon=":material/zoom_out_map:", on_click=_open, key="space whole")
        if part is not None and part.isdecimal() and int(part) < len(grown.patch_topics):
            st.text(line(f"part {part}, about {grown.patch_topics[int(part)]}", 200))
            return Scope(patch=int(part))
        if topic is not None and topic in grown.patch_topics:
            st.text(line(f"all about {topic}", 200))
            return Scope(topic=topic)
    what = f"topic {topic}" if part is None else f"part {part}"
    blocks.calm("That part is not in this run; all of it is shown.", f"{what}: choose another one")
    return Scope()


def _time(grown: SpaceMap) -> int:
    """The round up to which the space is looked at: the address's, or the next one while it is played."""
    first, last = grown.first_round, grown.rounds
    if last <= first:
        return UNTIL_NOW
    playing = st.session_state.get(_PLAYING)
    if playing is not None or time.monotonic() - st.session_state.get(_PLAYED, -SETTLE_S) < SETTLE_S:
        upto = min(max(st.session_state[_AT], first), last)
        _move(upto, last)
    else:
        asked = st.query_params.get("upto", "")
        upto = min(max(int(asked), first), last) if asked.isdecimal() and len(asked) < 10 else last
    if playing is not None and time.monotonic() - playing > 0.7 * PLAY_S:  # a click is no tick of the clock
        upto = min(upto + ceil((last - first) / PLAY_STEPS), last)
        st.session_state[_PLAYING] = time.monotonic()
        st.session_state[_STEP] = st.session_state.get(_STEP, 0) + 1
        _move(upto, last)
        if upto == last:
            _stop()
            st.rerun()  # the page as a whole, at its usual pace
    # Another slider after each step that was played: what a browser says of an earlier one is no choice.
    key = f"space round {st.session_state.get(_STEP, 0)}"
    st.session_state[key] = upto
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Pause" if playing is not None else "Play the growth",
            icon=":material/pause:" if playing is not None else ":material/play_arrow:",
            key="space pause" if playing is not None else "space play",  # a late click stops nothing
            on_click=_pause if playing is not None else _play,
            args=() if playing is not None else (upto, last, first),
        )
        st.slider("Up to round", first, last, key=key, on_change=_slide, args=(key, last), width=520)
    return UNTIL_NOW if upto == last else upto


def _slide(key: str, last: int) -> None:
    _move(int(st.session_state[key]), last)


def _move(upto: int, last: int) -> None:
    """A round goes into the address; the newest one needs no mention, and moves on with the run."""
    st.session_state[_AT] = UNTIL_NOW if upto >= last else upto
    if upto >= last:
        st.query_params.pop("upto", None)
    else:
        st.query_params["upto"] = str(upto)


def _stop() -> None:
    del st.session_state[_PLAYING]
    st.session_state[_PLAYED] = time.monotonic()


def _pause() -> None:
    st.session_state[_RESTART] = True
    if _PLAYING in st.session_state:
        _stop()


def _play(at: int, last: int, first: int) -> None:
    """Begin to play the growth."""
    st.session_state[_RESTART] = True
    _move(first if at == last else at, last)
    st.session_state[_PLAYING] = time.monotonic()


def _draw(run: Path, made: Picture, colour: str, way: list[int], view: tuple[Any, ...]) -> None:
    scope = view[0]
    of = "as of now" if view[1] == UNTIL_NOW else f"as of round {view[1]}"
    told = f"{made.tasks:,} tasks, {made.attempts:,} judged attempts, {of}{_form(made)}"
    st.caption(f"{told} Colour: {graph.COLOURS[colour]}.")
    name = f"space {scope.topic} {scope.patch}"
    # Streamlit makes a figure that changed anew, and the view it was moved to is gone. What was clicked on
    # the figure shows by itself, so it need not change, unless the way to another mark is drawn in it.
    same, drawn = (*view, colour, id(made)), st.session_state.get("space way")
    if drawn == (same, []) and st.session_state.get(_PICKED) == st.query_params.get("node"):
        way = []
    st.session_state["space way"] = (same, way)
    figure = runs.snapshot(
        "space figure",
        run,
        lambda _: graph.figure(made, colour, way, name),
        key=(*same, tuple(way)),
    )
    key = f"picture of {name}"
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _pick(key),
        selection_mode="points",
        config={"scrollZoom": True, "displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt="The task space as a graph",
    )


def _form(made: Picture) -> str:
    """What stands for what."""
    if made.level == "tasks":
        return "; attempts left out, tasks stand for them."
    if made.level == "parts":
        return "; drawn as parts of up to 32 tasks of one topic. Choose one to open it."
    if made.level == "topics":
        rest = f", the {marks.MARKS:,} largest" if made.left_out else ""
        return f"; drawn as topics{rest}. Choose one to open it."
    return "."


def _pick(key: str) -> None:
    """The mark that was chosen goes into the address: a node, or a part that opens."""
    for point in st.session_state[key].selection.points:  # a redraw clears it, which says nothing
        kind, name = node.kind_and_id(point.get("customdata"))
        if kind == "part":
            _open(part=name)
        elif kind == "topic":
            _open(topic=name)
        elif name:
            st.query_params["node"] = st.session_state[_PICKED] = name
        return


def _beside(run: Path, grown: SpaceMap, made: Picture, match: Match | None, chosen: str | None) -> list[int]:
    """What is told beside the picture. Returns the marks that led to the chosen one."""
    if match is not None:
        node.found(run, grown, match)
    if chosen is not None:
        return node.detail(run, grown, made, chosen)
    if match is None:
        st.caption(
            "Squares are tasks, dots are attempts, diamonds are many tasks; lines say what came from what."
        )
        st.caption(
            "Choose a mark to see its task, its attempts and its lineage. Drag to move, scroll to zoom."
        )
    return []


@st.fragment(run_every=blocks.POLL_S)
def watch() -> None:
    """Draws again what the run has left behind, what could not be read before, and what is not what the
    address says. Apart from the picture, which is not sent while it stands."""
    if time.monotonic() - st.session_state.get(_DRAWN, 0.0) < 0.8 * blocks.POLL_S:
        return
    if st.session_state.get(_PLAYING) is not None:
        return  # drawn again at its own pace
    stands = st.session_state.get(_STANDS) == _address()
    if not stands or runs.behind(runs.chosen_run()[1], "space", "space picture"):
        st.rerun()


st.title("Task space")
playing = st.session_state.get(_PLAYING) is not None
st.fragment(run_every=PLAY_S if playing else None)(blocks.calmly(page))()
watch()
