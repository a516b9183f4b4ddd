"""Episode: one attempt, role by role, with what led to it and what it led to; or its replay."""

from pathlib import Path
from typing import Any

import streamlit as st

from memory.episodes import Episode
from memory.reader import RunReader
from protocols.verdicts import CATEGORIES
from ui import blocks, episode_around, episode_parts, queries, queries_episode, replays, runs
from ui.safe import line

_STEPS = {
    "initial": "first answer",
    "improve": "improves an earlier answer",
    "diverge": "takes another approach",
}
_PAGE = 50
_REPLAY = "replay"  # in the address: 1 for an episode, the round's number for a round


@blocks.calmly
def episode() -> None:
    name, run = runs.chosen_run()
    asked, replay = st.query_params.get("attempt"), st.query_params.get(_REPLAY)
    if not asked:
        if replay is not None:
            _round(name, run, replay)
        else:
            _list(name, run)
        return
    seen: Episode = runs.snapshot("episode", run, lambda reader: reader.attempt(asked), key=asked)
    behind = runs.snapshot(
        "background", run, lambda reader: queries_episode.background(reader, run, seen), key=asked
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        _link("All episodes", name, ":material/arrow_back:")
        if replay is None:
            _link("Replay", name, ":material/play_circle:", attempt=asked, replay="1")
        else:
            _link("All of it at once", name, ":material/article:", attempt=asked)
        _link("Replay its round", name, ":material/movie:", replay=str(seen.group["round"]))
    _headline(seen)
    if replay is not None:
        replays.episode(seen, behind, run)
        return
    tree = runs.snapshot(
        "tree", run, lambda reader: queries.revisions(reader, seen.task.id), key=seen.task.id
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        episode_parts.task(seen, behind)
        episode_parts.prompt(seen)
        episode_parts.answer(seen, behind)
        episode_parts.verdict(seen)
    with right:
        episode_around.tree(tree, seen.attempt.id)
        episode_around.siblings(seen)
        episode_parts.decisions(seen)
        episode_parts.trained(seen)
    episode_around.beside(seen, run)


def _link(label: str, name: str, icon: str, **address: str) -> None:
    """A link to this page at another address. The label is ours."""
    st.page_link("views/episode.py", label=label, icon=icon, query_params={runs.RUN_PARAM: name, **address})


def _headline(seen: Episode) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("open book" if seen.start.book == "open" else "closed book", icon=":material/menu_book:")
        blocks.verdict_badge(seen.verdict.reward, seen.verdict.category)
        st.badge(_STEPS[seen.start.step], color="gray", icon=":material/account_tree:")
        if seen.group["purpose"] == "evaluate":
            st.badge("evaluation: never learned from", color="gray", icon=":material/straighten:")
        if seen.verdict.flipped:
            st.badge("reward flipped by injected noise", color="red", icon=":material/casino:")
    facts = {
        "attempt": seen.attempt.id,
        "round": seen.group["round"],
        "policy version": seen.group["policy_version"],
        "weights": _weights(seen.weights),
        "engine": seen.group["engine"],
        "seed": seen.attempt.seed,
    }
    st.text(line(" · ".join(f"{name} {value}" for name, value in facts.items()), 240))


def _weights(made: dict[str, Any] | None) -> str:
    if made is None:
        return "untrained"
    source = made["source"]
    return f"of {source}, where it was played" if source else str(made["checksum"])[:12]


def _round(name: str, run: Path, replay: str) -> None:
    _link("All episodes", name, ":material/arrow_back:")
    there = runs.snapshot("rounds", run, queries_episode.rounds)
    if not replay.isdecimal() or int(replay) not in there:
        span = f"{there[0]} to {there[-1]}" if there else "none yet"
        blocks.calm("There is no such round to replay.", f"round {replay}: this run has {span}")
        return
    round = int(replay)
    with st.container(horizontal=True):
        for other, label in ((round - 1, "The round before"), (round + 1, "The next round")):
            if other in there:
                _link(label, name, ":material/movie:", replay=str(other))
    st.subheader(f"Round {round}")
    replays.a_round(round, run)


def _list(name: str, run: Path) -> None:
    """All episodes, newest first, filtered by what the address says."""
    with st.container(horizontal=True):
        chosen: dict[str, Any] = {}
        for filter, (label, options) in _FILTERS.items():
            picked = st.selectbox(
                label, options, index=None, key=filter, placeholder="all", bind="query-params"
            )
            if picked is not None:
                chosen[filter] = picked
        search = st.text_input("Search in task and answer", key="search", bind="query-params")
        page = st.number_input("Page", min_value=1, value=1, key="at", bind="query-params")
    if search:
        chosen["search"] = search
    if chosen.get("verdict"):
        chosen["category"] = chosen.pop("verdict")

    def ask(reader: RunReader) -> list[dict[str, Any]]:
        return reader.episodes(limit=_PAGE, offset=_PAGE * (int(page) - 1), **chosen)

    rows = runs.snapshot("episodes", run, ask, key=(page, tuple(sorted(chosen.items()))))
    if not rows:
        st.info("No episode matches.", icon=":material/search_off:")
        return
    if there := runs.snapshot("rounds", run, queries_episode.rounds):
        _link("Replay the newest round", name, ":material/movie:", replay=str(there[-1]))
    st.caption("Newest first. Choose a row to see that episode, and to replay it.")
    blocks.episode_table(rows, key="episodes", height=600)


_FILTERS: dict[str, tuple[str, list[str]]] = {
    "purpose": ("Purpose", ["collect", "evaluate"]),
    "book": ("Book", ["open", "closed"]),
    "step": ("Step", ["initial", "improve", "diverge"]),
    "verdict": ("Verdict", list(CATEGORIES)),
}

st.title("Episode")
episode()
