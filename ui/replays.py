"""Replays in the page: an episode role by role, and a round, at the pace of the original."""

from pathlib import Path
from typing import Any

import streamlit as st

from memory.episodes import Episode
from ui import blocks, episode_parts, player, queries_episode, replaying, runs, theme
from ui.safe import line

_NEWEST = {
    "at": st.column_config.TextColumn("after", width=80),
    "role": st.column_config.TextColumn("role", width=80),
    "what": st.column_config.TextColumn("what happened", width="large"),
}
_WORKING = {
    "role": st.column_config.TextColumn("role", width=90),
    "stage": st.column_config.TextColumn("at work on", width="medium"),
    "done": st.column_config.ProgressColumn("done", format="percent", min_value=0, max_value=1),
    "took": st.column_config.TextColumn("took in all", width=90),
}
_DOING = {
    "proposer": "writes a task",
    "solver": "answers",
    "verifier": "judges",
    "curator": "decides",
    "learner": "learns",
}


def episode(seen: Episode, behind: queries_episode.Background, run: Path) -> None:
    """An episode from the proposal to the update that learned from it."""
    at = runs.snapshot("times", run, lambda reader: queries_episode.times(reader, seen), key=seen.attempt.id)
    found = replaying.parts(seen, at)
    st.caption(
        "Each part takes as long as it took. The answers of a group were written together, and so were a "
        f"round's proposals; waits are cut to {replaying.LONGEST_WAIT:g} s."
    )
    player.play(
        f"episode {seen.attempt.id}", replaying.length(found), lambda now: _at(seen, behind, found, now)
    )


def _at(seen: Episode, behind: queries_episode.Background, found: list[replaying.Part], now: float) -> None:
    begun = [part for part in found if now >= part.begins]
    current = begun[-1]
    doing = _DOING[current.role] if current.share(now) < 1 else "is done"
    st.text(f"{current.role} {doing} · {blocks.duration(current.seconds)}")
    if not any(part.role == "proposer" for part in found):
        episode_parts.task(seen, behind)
    for part in begun:
        if part.waited is not None and part.waited > replaying.LONGEST_WAIT:
            st.caption(f"{blocks.duration(part.waited)} later:")
        share = part.share(now)
        if part.role == "proposer":
            episode_parts.task(seen, behind, share)
        elif part.role == "solver":
            episode_parts.prompt(seen)
            episode_parts.answer(seen, behind, share)
        elif share < 1:
            st.subheader(part.role.capitalize(), divider="gray")
            st.progress(share)
        elif part.role == "verifier":
            episode_parts.verdict(seen)
        elif part.role == "curator":
            episode_parts.decisions(seen)
        else:
            episode_parts.trained(seen)


def a_round(round: int, run: Path) -> None:
    """A round as it went: who worked on what, what came, and what it added up to."""
    happened = runs.snapshot(
        "happenings", run, lambda reader: queries_episode.happenings(reader, round), key=round
    )
    stages = runs.snapshot("stages", run, lambda reader: queries_episode.stages(reader, round), key=round)
    begun, ended = replaying.span(happened, stages)
    if begun == ended == 0.0:
        blocks.calm("Nothing has happened in this round.", f"round {round}: choose another one")
        return
    player.play(
        f"round {round} of {run}", ended - begun, lambda now: _round_at(happened, stages, begun, begun + now)
    )


def _round_at(
    happened: list[queries_episode.Happening], stages: list[dict[str, Any]], begun: float, now: float
) -> None:
    seen = replaying.seen_at(happened, stages, now)
    counts = seen.counts
    cells = st.columns(4)
    box: dict[str, Any] = {"border": True}
    cells[0].metric("Proposals", f"{counts['proposals']:,}", **box)
    cells[1].metric("Rejected", f"{counts['rejected']:,}", **box)
    cells[2].metric("Attempts", f"{counts['attempts']:,}", **box)
    cells[3].metric("Verified", f"{counts['verified']:,}", **box)
    st.subheader("At work")
    if seen.working:
        working = sorted(seen.working, key=lambda row: theme.rank(row["role"], theme.ROLES))
        blocks.table(({**row, "took": blocks.duration(row["seconds"])} for row in working), _WORKING)
    else:
        st.caption("Nobody, at this moment.")
    st.subheader("What happened")
    if not seen.newest:
        st.caption("Nothing yet.")
        return
    st.caption("Newest first. Choose a row of the solver to see that episode.")
    event = blocks.table(
        (
            {"at": blocks.duration(m.at - begun), "role": m.role, "what": line(m.what, 200)}
            for m in seen.newest
        ),
        _NEWEST,
        key=f"moments {len(seen.newest)} {seen.newest[0].at}",
        on_select="rerun",
        selection_mode="single-row",
    )
    for row in event.selection.rows:
        if row < len(seen.newest) and (chosen := seen.newest[row].attempt_id):
            blocks.open_episode(chosen)
