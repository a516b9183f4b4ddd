"""An episode's parts, role by role, as the Episode page and its replay draw them."""

import json
from collections.abc import Sequence
from math import isnan
from typing import Any

import streamlit as st

from memory.episodes import Episode
from protocols.records import Message, Prompt
from protocols.verdicts import CATEGORIES
from ui import blocks, charts, queries_episode, runs, tokens
from ui.safe import line

_DECISIONS = {
    "round": st.column_config.NumberColumn("round", width=50),
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
_LINKED = 12  # updates that get a link of their own


def task(seen: Episode, behind: queries_episode.Background, share: float = 1.0) -> None:
    """What was asked, and who asked it. A `share` below 1: so much of the proposal has been written."""
    asked = seen.task
    proposed = asked.origin == "proposed"
    st.subheader("Proposer" if proposed else "Task", divider="gray")
    if proposed and seen.proposal is not None:
        told = {name: seen.proposal[name] for name in ("topic", "round")}
        told["policy version"] = seen.proposal["policy_version"]
        st.text(line(" · ".join(f"{name} {value}" for name, value in told.items()), 240))
        if behind.asked is not None:
            with st.expander("The prompt that the proposer saw", icon=":material/lightbulb:"):
                messages(behind.asked, "proposer's prompt")
        st.caption("The proposer wrote this:")
        blocks.text(_written(seen.proposal["response"], share), "proposal", 220)
        if share < 1:
            return
        if seen.proposal["reward"] is not None:
            learned = ", ".join(map(str, behind.proposal_versions)) or "none"
            reward = f"proposer's reward {seen.proposal['reward']:g}"
            st.text(line(f"{reward} · versions that learned from it: {learned}"))
        st.caption("It was read as this task:")
    blocks.text(asked.statement, "task", 260)
    facts = {
        "about": ", ".join(asked.topics),
        "domain": asked.domain,
        "kind": asked.kind,
        "origin": asked.origin,
        "split": asked.split,
        "status": seen.task_status,
    }
    st.text(line(" · ".join(f"{name} {value}" for name, value in facts.items()), 240))
    if proposed:
        agrees = {
            True: "agrees with the known truth",
            False: "differs from the known truth: noise",
            None: "was not compared with a known truth",
        }
        st.caption(f"Reference answer by consensus; it {agrees[asked.truth_agrees]}.")
    with st.expander("Hidden checks and reference", icon=":material/visibility_off:"):
        st.caption("The solver never sees these.")
        blocks.text(as_json({"payload": asked.payload, "reference": asked.reference}), "checks", 300)


def prompt(seen: Episode) -> None:
    """The prompt as the model saw it."""
    st.subheader("Solver", divider="gray")
    book = "with the documentation open" if seen.start.book == "open" else "closed book: no documentation"
    st.caption(f"The prompt as the model saw it, {book}; {int(seen.group['prompt_tokens'])} tokens.")
    retrieved = queries_episode.retrieved(seen)
    if retrieved is not None:
        st.text(line(f"retrieved: {retrieved}", 240))
    messages(seen.prompt, "prompt", [turn.response for turn in seen.start.history])


def messages(asked: Prompt, name: str, earlier: Sequence[str] = ()) -> None:
    """A prompt: its last message open, those before it in one drawer, and the opening of the answer.

    Args:
        earlier: answers of the model that the prompt repeats; other answers in it are demonstrations.
    """
    *before, last = enumerate(asked.messages)
    if before:
        count = "One message" if len(before) == 1 else f"{len(before)} messages"
        with st.expander(f"{count} before it", icon=":material/history:"):
            for i, message in before:
                st.caption(_speaker(message, earlier))
                blocks.text(message.content, f"{name} {i}", 320)
    st.caption(_speaker(last[1], earlier))
    blocks.text(last[1].content, f"{name} {last[0]}", 420)
    if asked.prefill:
        st.caption("The answer was opened for it with:")
        blocks.text(asked.prefill, f"{name} opening")


def _speaker(message: Message, earlier: Sequence[str]) -> str:
    if message.role == "assistant":
        return (
            "An earlier answer of the model:"
            if message.content in earlier
            else "An answer, as a demonstration:"
        )
    return {"system": "System:", "user": "To the model:"}.get(message.role, "Message:")


def answer(seen: Episode, behind: queries_episode.Background, share: float = 1.0) -> None:
    """What it answered; with its tokens' texts coloured by how likely they were, else as plain text.

    Args:
        share: below 1, so much of it has been written.
    """
    attempt, pieces = seen.attempt, behind.pieces
    cut = " It was cut off at the token limit." if attempt.finish == "length" and share >= 1 else ""
    st.caption(f"Its answer, {len(attempt.logprobs)} tokens sampled, {attempt.prefilled} given.{cut}")
    known = bool(attempt.logprobs) and not isnan(sum(attempt.logprobs))
    as_tokens = pieces is not None and known and _asked_for_tokens(share)
    count, begun, learned = len(attempt.token_ids), 0, 0
    for i, (text, length) in enumerate(queries_episode.answers(seen)):
        exchange = attempt.exchanges[i] if attempt.exchanges else None
        due = round(share * count) - begun  # tokens of this answer that have been written
        if share < 1 and due <= 0:
            break
        if exchange is not None and i:
            for k, message in enumerate(exchange.told):
                st.caption("Then it was told:")
                blocks.text(message.content, f"told {i} {k}", 220)
        given = attempt.prefilled if exchange is None else exchange.prefilled
        if as_tokens and pieces is not None:
            made = tokens.coloured(
                pieces[i],
                attempt.token_ids[begun : begun + length],
                attempt.logprobs[learned : learned + length - given],
                given,
                None if share >= 1 else due,
            )
            st.html(made)
        else:
            blocks.text(_written(text, due / length if length and share < 1 else 1.0), f"answer {i}", 420)
        begun, learned = begun + length, learned + length - given
    if as_tokens:
        st.caption(tokens.LEGEND)
    if share >= 1:
        _logprobs(seen, known, pieces is not None)


def _asked_for_tokens(share: float) -> bool:
    if share < 1:
        return True
    ways = ["tokens", "text"]
    chosen = st.segmented_control(
        "Answer as", ways, default="tokens", required=True, key="answer", bind="query-params"
    )
    return chosen != "text"


def _logprobs(seen: Episode, known: bool, texts: bool) -> None:
    attempt = seen.attempt
    if attempt.logprobs and not known:
        st.caption("Their log-probabilities are not known: the server that answered gave only its text.")
    elif attempt.logprobs:
        with st.expander("Log-probabilities of the sampled tokens", icon=":material/bar_chart:"):
            st.caption(f"Sum {sum(attempt.logprobs):.2f} nats; dark tokens were unlikely ones.")
            ids = attempt.token_ids[attempt.prefilled :]
            blocks.figure(charts.logprobs(attempt.logprobs, ids), "logprobs", "Log-probability by token")
            if not texts:
                st.caption(
                    "The texts of single tokens need the run's tokenizer, which is not on this machine."
                )


def _written(text: str, share: float) -> str:
    return text if share >= 1 else text[: round(share * len(text))]


def verdict(seen: Episode) -> None:
    """What the verifier saw and said."""
    said = seen.verdict
    st.subheader("Verifier", divider="gray")
    blocks.verdict_badge(said.reward, said.category)
    if said.category in CATEGORIES:
        st.caption(f"{CATEGORIES[said.category].capitalize()}.")
    reward = "none" if said.reward is None else f"{said.reward:g}"
    st.text(line(f"reward {reward} · judged in {said.seconds:.3f} s"))
    if said.infra_error is not None:
        st.caption("The sandbox failed, so this attempt has no reward at all:")
        blocks.text(said.infra_error, "infra error", 200)
    _evidence(said.evidence)


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
        blocks.text(as_json(left), "evidence", 320)


def _calls(calls: Any) -> str:
    if isinstance(calls, dict):
        told = [f"{name}  {count} times" if count != 1 else f"{name}  once" for name, count in calls.items()]
    else:
        told = [str(call) for call in calls] if isinstance(calls, list | tuple) else [str(calls)]
    return "\n".join(told) or "none"


def decisions(seen: Episode) -> None:
    """What the curator decided, with its numbers."""
    st.subheader("Curator", divider="gray")
    if not seen.decisions:
        st.caption("It decided nothing about this episode.")
        return
    blocks.table([{**row, "figures": _figures(row["numbers"])} for row in seen.decisions], _DECISIONS)


def _figures(numbers: Any) -> str:
    if not isinstance(numbers, dict):
        return str(numbers)
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in numbers.items())


def trained(seen: Episode) -> None:
    """Which updates learned from it, and on what prompt."""
    st.subheader("Learner", divider="gray")
    if not seen.updates:
        st.caption("No update has learned from this attempt.")
        return
    st.caption("Updates that learned from this attempt:")
    words = {True: "the prompt it was played with", False: "another prompt (below)"}
    blocks.table(({**row, "on": words[row["prompt"] == seen.prompt]} for row in seen.updates), _UPDATES)
    name, _ = runs.chosen_run()
    versions = list(dict.fromkeys(int(row["version"]) for row in seen.updates))
    with st.container(horizontal=True):
        for version in versions[:_LINKED]:
            st.page_link(
                "views/learning.py",
                label=f"Version {version} in Learning",
                icon=":material/school:",
                query_params={runs.RUN_PARAM: name, "version": str(version)},
            )
    with st.expander("The prompt as it was learned", icon=":material/school:"):
        messages(seen.updates[-1]["prompt"], "learned")


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
