"""What stands round an episode: its revision tree, its group, and another answer beside its own."""

from pathlib import Path
from typing import Any

import streamlit as st

from memory.episodes import Episode
from ui import blocks, charts, diffing, queries_episode, runs
from ui.safe import MAX_TEXT, line, show

_SIBLINGS = {
    "idx": st.column_config.NumberColumn("attempt", width=70),
    "category": st.column_config.TextColumn("verdict", width=110),
    "reward": st.column_config.NumberColumn("reward", width=60),
    "response": st.column_config.TextColumn("answer", width="large"),
}


def tree(found: list[dict[str, Any]], current: str) -> None:
    """All collected attempts on the task; choosing one opens it."""
    st.subheader("Revision tree", divider="gray")
    if not found:
        st.caption("No collected attempts on this task.")
        return
    st.caption("All attempts on this task, by who revised whom. Choose a point to see that episode.")
    event = blocks.figure(
        charts.revision_tree(found, current),
        f"tree {current}",
        "Revision tree of the task",
        on_select="rerun",
        selection_mode="points",
    )
    for attempt_id in blocks.picked(event):
        if attempt_id != current:
            blocks.open_episode(attempt_id)


def siblings(seen: Episode) -> None:
    """The group, what the attempt revises, and what revises it."""
    st.subheader("Group", divider="gray")
    mean, learnability = seen.group["mean_reward"], seen.group["learnability"]
    told = "no verdict in this group"
    if mean is not None:
        told = f"mean reward {mean:.2f}, learnability {learnability:.3f}"
    st.caption(f"Attempts from the same start under one policy version; {told}.")
    _choose(seen.siblings, f"siblings {seen.attempt.id}", seen.attempt.id)
    for label, rows in (("Revises", [seen.parent] if seen.parent else []), ("Revised by", seen.children)):
        if rows:
            st.caption(label)
            _choose(rows, f"{label} {seen.attempt.id}", seen.attempt.id)


def _choose(rows: list[dict[str, Any]], key: str, current: str) -> None:
    event = blocks.table(rows, _SIBLINGS, key=key, on_select="rerun", selection_mode="single-row")
    for row in event.selection.rows:
        if row < len(rows) and rows[row]["id"] != current:
            blocks.open_episode(rows[row]["id"])


def others(seen: Episode) -> dict[str, dict[str, Any]]:
    """Answers that this one can be held against, by a name of ours: its parent, its group, its revisions."""
    found = {} if seen.parent is None else {"parent": seen.parent}
    for row in seen.siblings:
        if row["id"] != seen.attempt.id:
            found[f"attempt {int(row['idx'])} of the group"] = row
    for i, row in enumerate(seen.children):
        found[f"revision {i}"] = row
    return found


def beside(seen: Episode, run: Path) -> None:
    """Another answer beside this one, line by line."""
    there = others(seen)
    if not there:
        return
    st.subheader("Side by side", divider="gray")
    chosen = st.selectbox("Beside", list(there), key="beside", bind="query-params")
    other = there[chosen if chosen in there else next(iter(there))]
    whole = runs.snapshot(
        "beside", run, lambda reader: queries_episode.response(reader, other["id"]), key=other["id"]
    )
    later = chosen is not None and chosen.startswith("revision")
    before, after = (seen.attempt.response, whole) if later else (whole, seen.attempt.response)
    sides = diffing.side_by_side(show(before[:MAX_TEXT]), show(after[:MAX_TEXT]))
    names = ("This answer", "The other") if later else ("The other", "This answer")
    same = (
        "The same, word for word."
        if before == after
        else f"{_lines(sides.gone)} gone, {_lines(sides.new)} new."
    )
    st.caption(f"{same} Lines marked - stand only on the left, + only on the right.")
    for column, name, side in zip(st.columns(2), names, (sides.left, sides.right)):
        with column:
            st.caption(name)
            if name == "The other":
                st.text(line(f"{other['category']} · {other['step']} · version {other['policy_version']}"))
            else:
                st.text(line(f"{seen.verdict.category} · {seen.start.step} · version "
                             f"{seen.group['policy_version']}"))  # fmt: skip
            st.code(
                side or " ",
                language="diff",
                wrap_lines=False,
                height=420 if side.count("\n") > 18 else "content",
            )
    blocks.episode_link("Open the other episode", other["id"], icon=":material/forum:")


def _lines(count: int) -> str:
    return "one line" if count == 1 else f"{count} lines"
