"""Episode: one attempt, role by role, with everything that led to it and everything it led to."""

import json
from collections.abc import Sequence
from math import isnan
from typing import Any

import streamlit as st

from memory.episodes import Episode
from memory.reader import RunReader
from protocols.records import Message, Prompt
from protocols.verdicts import CATEGORIES
from ui import blocks, charts, queries, runs
from ui.safe import line

_DECISIONS = {
    "kind": st.column_config.TextColumn("on", width=70),
    "action": st.column_config.TextColumn("decision", width=65),
    "reason": st.column_config.TextColumn("reason", width=115),
    "figures": st.column_config.TextColumn("numbers", width="large"),
}
_UPDATES = {
    "version": st.column_config.NumberColumn("version", width=65),
    "round": st.column_config.NumberColumn("round", width=55),
    "recipe": "recipe",
    "weight": "weight",
    "on": "learned on",
}
_SIBLINGS = {
    "idx": st.column_config.NumberColumn("attempt", width=70),
    "category": st.column_config.TextColumn("verdict", width=110),
    "reward": st.column_config.NumberColumn("reward", width=60),
    "response": st.column_config.TextColumn("answer", width="large"),
}
_STEPS = {
    "initial": "first answer",
    "improve": "improves an earlier answer",
    "diverge": "takes another approach",
}
_PAGE = 50


@blocks.calmly
def episode() -> None:
    _, run = runs.chosen_run()
    asked = st.query_params.get("attempt")
    if not asked:
        _list(run)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        name, _ = runs.chosen_run()
        st.page_link(
            "views/episode.py",
            label="All episodes",
            icon=":material/arrow_back:",
            query_params={runs.RUN_PARAM: name},
        )
    seen: Episode = runs.snapshot("episode", run, lambda reader: reader.attempt(asked), key=asked)
    tree = runs.snapshot(
        "tree", run, lambda reader: queries.revisions(reader, seen.task.id), key=seen.task.id
    )
    _headline(seen)
    left, right = st.columns([3, 2], gap="large")
    with left:
        _task(seen)
        _prompt(seen)
        _answer(seen)
        _verdict(seen)
    with right:
        _tree(tree, seen.attempt.id)
        _siblings(seen)
        _decisions(seen)
        _trained(seen)


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
        "weights": "untrained" if seen.weights is None else seen.weights["checksum"][:12],
        "engine": seen.group["engine"],
        "seed": seen.attempt.seed,
    }
    st.text(line(" · ".join(f"{name} {value}" for name, value in facts.items()), 240))


def _task(seen: Episode) -> None:
    task = seen.task
    proposed = task.origin == "proposed"
    st.subheader("Proposer" if proposed else "Task", divider="gray")
    if proposed and seen.proposal is not None:
        st.caption("The proposer wrote this:")
        blocks.text(seen.proposal["response"], "proposal", 220)
        st.caption("It was read as this task:")
    blocks.text(task.statement, "task", 260)
    facts = {
        "about": ", ".join(task.topics),
        "domain": task.domain,
        "kind": task.kind,
        "origin": task.origin,
        "split": task.split,
        "status": seen.task_status,
    }
    st.text(line(" · ".join(f"{name} {value}" for name, value in facts.items()), 240))
    if proposed:
        agrees = {
            True: "agrees with the known truth",
            False: "differs from the known truth: noise",
            None: "was not compared with a known truth",
        }
        st.caption(f"Reference answer by consensus; it {agrees[task.truth_agrees]}.")
    with st.expander("Hidden checks and reference", icon=":material/visibility_off:"):
        st.caption("The solver never sees these.")
        blocks.text(_json({"payload": task.payload, "reference": task.reference}), "checks", 300)


def _prompt(seen: Episode) -> None:
    st.subheader("Solver", divider="gray")
    book = "with the documentation open" if seen.start.book == "open" else "closed book: no documentation"
    st.caption(f"The prompt as the model saw it, {book}; {int(seen.group['prompt_tokens'])} tokens.")
    messages(seen.prompt, "prompt", [turn.response for turn in seen.start.history])


def messages(prompt: Prompt, name: str, earlier: Sequence[str] = ()) -> None:
    """A prompt: its last message open, those before it in one drawer, and the opening of the answer.

    Args:
        earlier: answers of the model that the prompt repeats; other answers in it are demonstrations.
    """
    *before, last = enumerate(prompt.messages)
    if before:
        count = "One message" if len(before) == 1 else f"{len(before)} messages"
        with st.expander(f"{count} before it", icon=":material/history:"):
            for i, message in before:
                st.caption(_speaker(message, earlier))
                blocks.text(message.content, f"{name} {i}", 320)
    st.caption(_speaker(last[1], earlier))
    blocks.text(last[1].content, f"{name} {last[0]}", 420)
    if prompt.prefill:
        st.caption("The answer was opened for it with:")
        blocks.text(prompt.prefill, f"{name} opening")


def _speaker(message: Message, earlier: Sequence[str]) -> str:
    if message.role == "assistant":
        return (
            "An earlier answer of the model:"
            if message.content in earlier
            else "An answer, as a demonstration:"
        )
    return {"system": "System:", "user": "To the model:"}.get(message.role, "Message:")


def _answer(seen: Episode) -> None:
    attempt = seen.attempt
    cut = " It was cut off at the token limit." if attempt.finish == "length" else ""
    st.caption(f"Its answer, {len(attempt.logprobs)} tokens sampled, {attempt.prefilled} given.{cut}")
    blocks.text(attempt.response, "answer", 420)
    if attempt.logprobs and isnan(sum(attempt.logprobs)):
        st.caption("Their log-probabilities are not known: the server that answered gave only its text.")
    elif attempt.logprobs:
        with st.expander("Log-probabilities of the sampled tokens", icon=":material/bar_chart:"):
            st.caption(f"Sum {sum(attempt.logprobs):.2f} nats; dark tokens were unlikely ones.")
            ids = attempt.token_ids[attempt.prefilled :]
            blocks.figure(charts.logprobs(attempt.logprobs, ids), "logprobs", "Log-probability by token")


def _verdict(seen: Episode) -> None:
    verdict = seen.verdict
    st.subheader("Verifier", divider="gray")
    blocks.verdict_badge(verdict.reward, verdict.category)
    if verdict.category in CATEGORIES:
        st.caption(f"{CATEGORIES[verdict.category].capitalize()}.")
    reward = "none" if verdict.reward is None else f"{verdict.reward:g}"
    st.text(line(f"reward {reward} · judged in {verdict.seconds:.3f} s"))
    if verdict.infra_error is not None:
        st.caption("The sandbox failed, so this attempt has no reward at all:")
        blocks.text(verdict.infra_error, "infra error", 200)
    _evidence(verdict.evidence)


def _evidence(evidence: dict[str, Any]) -> None:
    """What the verifier saw: calls, the first failing case, the rest as it stands."""
    left = dict(evidence)
    if "calls" in left:
        st.caption("Library functions that were really called, traced at run time:")
        blocks.text(_calls(left.pop("calls")), "calls", 160)
    if "case" in left:
        st.caption("The first case that failed:")
        case = {
            name: left.pop(name) for name in ("case", "args", "expected", "got", "exception") if name in left
        }
        width = max(len(name) for name in case)
        blocks.text("\n".join(f"{name:<{width}}  {value}" for name, value in case.items()), "case", 220)
    if "stdout" in left:
        st.caption("It printed:")
        blocks.text(left.pop("stdout"), "stdout", 220)
    if left:
        st.caption("Evidence:")
        blocks.text(_json(left), "evidence", 320)


def _calls(calls: Any) -> str:
    if isinstance(calls, dict):
        told = [f"{name}  {count} times" if count != 1 else f"{name}  once" for name, count in calls.items()]
    else:
        told = [str(call) for call in calls] if isinstance(calls, list | tuple) else [str(calls)]
    return "\n".join(told) or "none"


def _tree(tree: list[dict[str, Any]], current: str) -> None:
    st.subheader("Revision tree", divider="gray")
    if not tree:
        st.caption("No collected attempts on this task.")
        return
    st.caption("All attempts on this task, by who revised whom. Choose a point to see that episode.")
    event = blocks.figure(
        charts.revision_tree(tree, current),
        f"tree {current}",
        "Revision tree of the task",
        on_select="rerun",
        selection_mode="points",
    )
    for attempt_id in blocks.picked(event):
        if attempt_id != current:
            blocks.open_episode(attempt_id)


def _siblings(seen: Episode) -> None:
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


def _decisions(seen: Episode) -> None:
    st.subheader("Curator", divider="gray")
    if not seen.decisions:
        st.caption("It decided nothing about this episode.")
        return
    rows = [{**row, "figures": _figures(row["numbers"])} for row in seen.decisions]
    blocks.table(rows, _DECISIONS)


def _figures(numbers: Any) -> str:
    if not isinstance(numbers, dict):
        return str(numbers)
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in numbers.items())


def _trained(seen: Episode) -> None:
    st.subheader("Learner", divider="gray")
    if not seen.updates:
        st.caption("No update has learned from this attempt.")
        return
    st.caption("Updates that learned from this attempt:")
    words = {True: "the prompt it was played with", False: "another prompt (below)"}
    blocks.table(({**row, "on": words[row["prompt"] == seen.prompt]} for row in seen.updates), _UPDATES)
    with st.expander("The prompt as it was learned", icon=":material/school:"):
        messages(seen.updates[-1]["prompt"], "learned")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _list(run: Any) -> None:
    """All episodes, newest first, filtered by what the address says."""
    with st.container(horizontal=True):
        chosen = {}
        for name, (label, options) in _FILTERS.items():
            picked = st.selectbox(
                label, options, index=None, key=name, placeholder="all", bind="query-params"
            )
            if picked is not None:
                chosen[name] = picked
        search = st.text_input("Search in task and answer", key="search", bind="query-params")
        page = st.number_input("Page", min_value=1, value=1, key="at", bind="query-params")
    if search:
        chosen["search"] = search
    if chosen.get("verdict"):
        verdict = chosen.pop("verdict")
        chosen["category"] = verdict

    def ask(reader: RunReader) -> list[dict[str, Any]]:
        return reader.episodes(limit=_PAGE, offset=_PAGE * (int(page) - 1), **chosen)

    rows = runs.snapshot("episodes", run, ask, key=(page, tuple(sorted(chosen.items()))))
    if not rows:
        st.info("No episode matches.", icon=":material/search_off:")
        return
    st.caption("Newest first. Choose a row to replay it.")
    blocks.episode_table(rows, key="episodes", height=600)


_FILTERS: dict[str, tuple[str, list[str]]] = {
    "purpose": ("Purpose", ["collect", "evaluate"]),
    "book": ("Book", ["open", "closed"]),
    "step": ("Step", ["initial", "improve", "diverge"]),
    "verdict": ("Verdict", list(CATEGORIES)),
}

st.title("Episode")
episode()
