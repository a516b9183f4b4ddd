"""Task space: all revision trees of the run in one picture; a mark chosen shows what it stands for."""

from pathlib import Path
from typing import Any

import streamlit as st

from memory.space import TaskSpace
from ui import blocks, graph, runs
from ui.safe import line

_WAY = {
    "what": st.column_config.TextColumn("what", width=65),
    "how": st.column_config.TextColumn("step", width=70),
    "round": st.column_config.NumberColumn("round", width=50),
    "verdict": "verdict",
}


_PICTURE = "space picture"


@st.fragment(run_every=blocks.POLL_S)
@blocks.calmly
def space() -> None:
    _, run = runs.chosen_run()
    grown: TaskSpace = runs.snapshot("space", run, lambda reader: reader.space())
    colour = st.segmented_control(
        "Colour by",
        list(graph.COLOURS),
        default="solve rate",
        required=True,
        key="colour",
        bind="query-params",
    )
    colour = colour or "solve rate"
    chosen = st.query_params.get("node")
    picture, side = st.columns([5, 2], gap="medium")
    with picture:
        made, summarised = runs.snapshot(
            "picture", run, lambda _: graph.figure(grown, colour, chosen), key=(colour, chosen)
        )
        _draw(grown, made, colour, summarised)
    with side:
        if chosen is None:
            st.caption("Squares are tasks, dots are attempts, lines say what came from what.")
            st.caption(
                "Choose a mark to see its task, its attempts and its lineage. Drag to move, scroll to zoom."
            )
        elif chosen not in grown.graph:
            blocks.calm("That mark is not in this run.", f"node {chosen}: choose another mark in the picture")
        else:
            _detail(run, grown, chosen)


def _draw(grown: TaskSpace, made: Any, colour: str, summarised: bool) -> None:
    if not grown.graph:
        st.caption("The space is empty: the run has no tasks yet.")
        return
    count = f"{grown.graph.number_of_nodes():,} nodes, {grown.graph.number_of_edges():,} edges"
    told = f"{count}; attempts left out, tasks stand for them." if summarised else f"{count}."
    st.caption(f"{graph.COLOURS[colour].capitalize()}. {told}")
    st.plotly_chart(
        made,
        key=_PICTURE,
        on_select=_pick,
        selection_mode="points",
        config={"scrollZoom": True, "displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt="The task space as a graph",
    )


def _pick() -> None:
    """The mark that was chosen goes into the address."""
    names = blocks.picked(st.session_state[_PICTURE])
    if names:  # a redraw clears the figure's own selection, which says nothing about what was chosen
        st.query_params["node"] = names[0]


def _detail(run: Path, grown: TaskSpace, chosen: str) -> None:
    node = grown.graph.nodes[chosen]
    task_id = chosen if node["kind"] == "task" else node["task"]
    if node["kind"] == "attempt":
        st.subheader("Attempt", divider="gray")
        blocks.verdict_badge(node["reward"], node["category"])
        facts = f"{node['step']} · round {node['round']} · version {node['policy_version']}"
        st.text(line(facts))
        blocks.episode_link("Open this episode", chosen, icon=":material/forum:")
    task = runs.snapshot("space task", run, lambda reader: reader.task(task_id), key=task_id)
    about = grown.graph.nodes[task_id]
    st.subheader("Task", divider="gray")
    blocks.text(task.statement, "space task", 200)
    st.text(line(f"about {', '.join(task.topics)}", 200))
    st.text(line(f"{about['origin']} · {about['status']} · round {about['round']}"))
    rate = about["solve_rate"]
    st.text("not tried yet" if rate is None else f"solved {rate:.0%} of {about['attempts']} judged attempts")
    if node["kind"] == "attempt":
        st.subheader("Lineage", divider="gray")
        blocks.table([_step(grown, name) for name in grown.lineage(chosen)], _WAY)
    below = [name for name in grown.descendants(chosen) if grown.graph.nodes[name]["kind"] == "attempt"][:200]
    st.subheader("Came from it" if node["kind"] == "attempt" else "Attempts", divider="gray")
    if not below:
        st.caption("Nothing yet.")
        return
    st.caption("Choose a row to replay it.")
    event = blocks.table(
        [_step(grown, name) for name in below],
        _WAY,
        height=320 if len(below) > 8 else "auto",
        key=f"below {chosen}",
        on_select="rerun",
        selection_mode="single-row",
    )
    for row in event.selection.rows:
        if row < len(below):
            blocks.open_episode(below[row])


def _step(grown: TaskSpace, name: str) -> dict[str, Any]:
    node = grown.graph.nodes[name]
    if node["kind"] == "task":
        return {"what": "task", "how": node["origin"], "round": node["round"], "verdict": node["status"]}
    return {"what": "attempt", "how": node["step"], "round": node["round"], "verdict": node["category"]}


st.title("Task space")
space()
