"""Beside the task space: a node with its task, lineage, revision tree and attempts; what a search found."""

from pathlib import Path
from typing import Any

import streamlit as st

from memory.reader import RunReader
from memory.space_map import Numbers, SpaceMap
from ui import blocks, charts, marks, queries, queries_space, runs
from ui.marks import Picture
from ui.queries_space import Match, Row
from ui.safe import line

_WAY = {
    "what": st.column_config.TextColumn("what", width=65),
    "how": st.column_config.TextColumn("step", width=70),
    "round": st.column_config.NumberColumn("round", width=50),
    "verdict": "verdict",
}
_LISTED = 200  # attempts in a table
_TREE = 400  # attempts in a revision tree


def kind_and_id(customdata: Any) -> tuple[str, str]:
    """Of the mark that a point of the picture stands for; ("", "") where it is none."""
    if isinstance(customdata, list | tuple) and len(customdata) == 2:
        kind, name = customdata
        if isinstance(kind, str) and isinstance(name, str):
            return kind, name
    return "", ""


def choose(node_id: str | None) -> None:
    """A node goes into the address, or none."""
    if node_id is None:
        st.query_params.pop("node", None)
    else:
        st.query_params["node"] = node_id


def found(run: Path, grown: SpaceMap, match: Match) -> None:
    """What a search found; a row chosen becomes the chosen node."""
    st.subheader("Found", divider="gray")
    st.text(f"{len(match.tasks):,} tasks, {match.hits:,} attempts")
    if match.searched < match.of:
        st.caption(f"The newest {match.searched:,} of {match.of:,} attempts were searched.")
    ids = list(match.attempts)[:_LISTED] or sorted(
        match.tasks & grown.number.keys(), key=lambda id: grown.number[id]
    )
    ids = ids[:_LISTED]
    if not ids:
        st.caption("Nothing matches. Leave out a word, or take another verdict or topic.")
        return

    def rows(reader: RunReader) -> list[Row]:
        if match.attempts:
            return [_step(row) for id in ids if (row := queries_space.attempt(reader, id))]
        tasks = grown.tasks()
        return [_task_step(grown, tasks, grown.number[id]) for id in ids]

    told = runs.snapshot("space found", run, rows, key=tuple(ids))
    st.caption("Choose a row to see it here.")
    _listed(told, [row["id"] for row in told], f"found {hash(tuple(ids))}", choose)


def detail(run: Path, grown: SpaceMap, made: Picture, chosen: str) -> list[int]:
    """Everything about a node. Returns the marks of the picture that led to it, itself at the end."""
    told = runs.snapshot("space node", run, lambda reader: _told(reader, grown, chosen), key=chosen)
    if told is None:
        blocks.calm("That mark is not in this run.", f"node {chosen}: choose another mark in the picture")
        return []
    task_id, way, below = told["task"].id, told["way"], told["below"]
    if way:
        st.subheader("Attempt", divider="gray")
        self = way[-1]
        blocks.verdict_badge(self["reward"], self["category"])
        st.text(line(f"{marks.kind(self)} · round {self['round']} · version {self['policy_version']}"))
        blocks.episode_link("Open this episode", chosen, icon=":material/forum:")
    _task(grown, made, told)
    steps = told["lineage"] + [_step(row) for row in way]
    if len(steps) > 1:
        st.subheader("Lineage", divider="gray")
        blocks.table(steps, _WAY)
    _tree(told["tree"], task_id, chosen)
    st.subheader("Came from it" if way else "Attempts", divider="gray")
    if not below:
        st.caption("Nothing yet.")
    else:
        st.caption("Choose a row to replay it.")
        _listed([_step(row) for row in below], [row["id"] for row in below], f"below {chosen}", None)
    shown = [made.mark_of(row["id"]) for row in told["lineage"]]
    shown += [made.mark_of(row["task"], row["id"]) for row in way]
    known = [mark for mark in shown if mark is not None]
    return [mark for mark, before in zip(known, [None, *known]) if mark != before]


def _told(reader: RunReader, grown: SpaceMap, chosen: str) -> dict[str, Any] | None:
    way: list[Row] = []
    number = grown.number.get(chosen)
    if number is None:
        way = queries_space.way(reader, chosen)
        number = grown.number.get(way[-1]["task"]) if way else None
    if number is None:
        return None
    task_id = grown.ids[number]
    tasks = grown.tasks()
    return {
        "number": number,
        "way": way,
        "task": reader.task(task_id),
        "attempts": int(tasks.attempts[number]),
        "rate": float(tasks.rate[number]),
        "visits": int(tasks.visits[number]),
        "round": int(tasks.round[number]),
        "lineage": [_task_step(grown, tasks, one) for one in grown.lineage(number)],
        "tree": queries.revisions(reader, task_id, _TREE),
        "below": queries_space.came_from(reader, chosen, _LISTED)
        if way
        else queries_space.on_task(reader, task_id, _LISTED),
    }


def _task(grown: SpaceMap, made: Picture, told: dict[str, Any]) -> None:
    number, task = told["number"], told["task"]
    st.subheader("Task", divider="gray")
    blocks.text(task.statement, "space task", 200)
    st.text(line(f"about {', '.join(task.topics)}", 200))
    st.text(line(f"{task.origin.value} · {grown.statuses[number]} · round {told['round']}"))
    rate, attempts = told["rate"], told["attempts"]
    st.text(f"solved {rate:.0%} of {attempts:,} judged attempts" if attempts else "not tried yet")
    st.text(f"groups that started from it: {told['visits']:,}")
    if made.level != "attempts":
        st.button(
            "Open its part of the space",
            icon=":material/zoom_in:",
            key="space open part",
            on_click=lambda: st.query_params.update({"part": str(grown.patches[number])}),
        )


def _tree(rows: list[Row], task_id: str, chosen: str) -> None:
    st.subheader("Revision tree", divider="gray")
    if not rows:
        st.caption("No collected attempts on this task.")
        return
    rewards = {row["id"]: row for row in rows}
    changes = [charts.change(rewards.get(row["parent"] or ""), row) for row in rows]
    better, worse = changes.count("improvement"), changes.count("regression")
    first = f" The first {_TREE} attempts." if len(rows) == _TREE else ""
    st.caption(f"{better} improvements, {worse} regressions. Choose a point to see it here.{first}")
    key = f"tree of {task_id}"

    def pick() -> None:
        for name in blocks.picked(st.session_state[key]):
            choose(name)

    made = charts.revision_tree(rows, chosen)
    blocks.figure(made, key, "Revision tree of the task", on_select=pick, selection_mode="points")


def _listed(rows: list[dict[str, Any]], ids: list[str], key: str, use: Any) -> None:
    """A table of attempts; a row chosen is used, or opened as an episode."""

    def pick() -> None:
        for row in st.session_state[key].selection.rows:
            if row < len(ids):
                use(ids[row])

    event = blocks.table(
        rows,
        _WAY,
        height=320 if len(rows) > 8 else "auto",
        key=key,
        on_select=pick if use else "rerun",
        selection_mode="single-row",
    )
    for row in event.selection.rows if use is None else ():
        if row < len(ids):
            blocks.open_episode(ids[row])


def _step(row: Row) -> Row:
    how = marks.kind(row)
    return {
        "id": row["id"],
        "what": "attempt",
        "how": how,
        "round": row["round"],
        "verdict": row["category"],
    }


def _task_step(grown: SpaceMap, tasks: Numbers, number: int) -> Row:
    return {
        "id": grown.ids[number],
        "what": "task",
        "how": grown.origins[tasks.origin[number]],
        "round": int(tasks.round[number]),
        "verdict": grown.statuses[number],
    }
