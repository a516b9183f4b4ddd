"""Learning: what is known closed book and what was forgotten, what updates changed, and where time went."""

from typing import Any

import streamlit as st

from memory.reader import RunReader
from ui import blocks, charts, charts_learning, knowledge, queries, queries_learning, runs

_NUMBER = st.column_config.NumberColumn
_SHARE = st.column_config.ProgressColumn
_EVALUATIONS = {
    "policy_version": _NUMBER("version", width=70),
    "round": _NUMBER("round", width=60),
    "book": "book",
    "split": "split",
    "kind": "kind",
    "accuracy": _SHARE("accuracy", format="percent", min_value=0, max_value=1),
    "low": _NUMBER("from", format="percent", help="95 % interval over tasks (Wilson)."),
    "high": _NUMBER("to", format="percent", help="95 % interval over tasks (Wilson)."),
    "tasks": "tasks",
    "attempts": "attempts",
    "infra_errors": _NUMBER("without verdict"),
    "outcome": st.column_config.TextColumn("verdicts", width="large"),
    "took": "took",
}
_KNOWLEDGE = {
    "name": st.column_config.TextColumn("what", width="medium"),
    "state": "state",
    "now": _SHARE("now", format="percent", min_value=0, max_value=1),
    "low": _NUMBER("from", format="percent", help="95 % interval over tasks (Wilson)."),
    "high": _NUMBER("to", format="percent", help="95 % interval over tasks (Wilson)."),
    "best": _NUMBER("best", format="percent"),
    "at": _NUMBER("at version"),
    "lost": _NUMBER("lost since", format="percent"),
    "sure": st.column_config.CheckboxColumn("sure", help="The intervals of best and newest share lie apart."),
    "first": _NUMBER("known first at version"),
    "tasks": "tasks",
}
_UPDATES = {
    "version": _NUMBER("version", width=70),
    "round": _NUMBER("round", width=60),
    "recipe": "recipe",
    "samples": "answers learned",
    "tokens": _NUMBER("tokens", format="localized"),
    "steps": "steps",
    "loss": _NUMBER("last loss", format="%.4f"),
    "took": "took",
    "pace": "tokens/s",
    "checksum": "weights",
}
_GRADIENT = {
    "version": _NUMBER("version", width=70),
    "reward": _NUMBER("reward", format="%.3f"),
    "proposer_reward": _NUMBER("proposer's reward", format="%.3f"),
    "advantage": _NUMBER("mean |advantage|", format="%.3f"),
    "entropy": _NUMBER("entropy (nats)", format="%.3f"),
    "ratio": _NUMBER("ratio", format="%.3f"),
    "sample_size": _NUMBER("effective sample size", format="percent"),
    "clipped_positive": _NUMBER("clipped, advantage > 0", format="percent"),
    "clipped_negative": _NUMBER("clipped, advantage < 0", format="percent"),
    "rollout_gap": _NUMBER("gap to the rollout (nats)", format="%.3f"),
    "kl": _NUMBER("divergence from the reference", format="%.4f"),
    "staleness": _NUMBER("staleness", format="%.2f"),
}
_SOLVED = {
    "version": "version",
    "step": "step",
    "rate": _NUMBER("verified", format="percent"),
    "low": _NUMBER("from", format="percent"),
    "high": _NUMBER("to", format="percent"),
    "groups": "groups",
    "attempts": "attempts",
}
_CHANGES = {
    "version": "version",
    "loss": _NUMBER("mean loss", format="%.4f"),
    "loss_low": _NUMBER("tenth", format="%.4f"),
    "loss_high": _NUMBER("nine tenths", format="%.4f"),
    "grad_norm": _NUMBER("mean gradient norm", format="%.4f"),
}
_STEPS = {
    "version": "version",
    "step": "step",
    "loss": _NUMBER("loss", format="%.4f"),
    "norm": _NUMBER("gradient norm", format="%.4f"),
    "rate": _NUMBER("learning rate", format="%.2e"),
}
_TIMES = {
    "round": "round",
    "role": "role",
    "stage": "stage",
    "seconds": _NUMBER("seconds", format="%.1f"),
    "n": "times",
}
_MOST_STEPS = 500  # rows of a table; more are not read


def _gather(reader: RunReader) -> dict[str, Any]:
    evaluations, updates = charts.with_bounds(reader.evaluations()), reader.updates()
    times, solved = queries.stage_times(reader), queries_learning.solved(reader)
    changes = queries_learning.changes(updates)
    return {
        "evaluations": [{**row, "outcome": _outcome(row["categories"])} for row in evaluations],
        "updates": updates,
        "changes": changes,
        "times": times,
        "solved": solved,
        "accuracy figure": charts.accuracy(evaluations, 330) if evaluations else None,
        "changes figure": charts_learning.changes(changes) if changes else None,
        "steps figure": charts.steps(updates) if updates else None,
        "times figure": charts.times(times) if times else None,
        "solved figure": charts_learning.solved(solved) if solved else None,
    }


def _known(reader: RunReader, by: str, book: str, order: str) -> dict[str, Any]:
    rows = knowledge.retention(queries_learning.cells(reader, by, book))
    rows = knowledge.ordered(rows, order)
    return {"rows": rows, "figure": charts_learning.knowledge(rows) if rows else None}


def _outcome(categories: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(categories.items(), key=lambda item: -item[1]))


@st.fragment(run_every=blocks.POLL_S)
@blocks.calmly
def learning() -> None:
    _, run = runs.chosen_run()
    seen = runs.snapshot("learning", run, _gather)
    _one_version(seen["updates"])
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Accuracy on held-out tasks")
        st.caption("Bands are 95 % intervals over tasks.")
        alt = "Accuracy by policy version"
        rows = _took(seen["evaluations"])
        blocks.figure_and_table(seen["accuracy figure"], "learning accuracy", alt, rows, _EVALUATIONS)
        st.subheader("Verified answers during collection")
        alt = "Share verified by policy version and step"
        blocks.figure_and_table(seen["solved figure"], "solved", alt, seen["solved"], _SOLVED)
        _updates(seen)
    with right:
        _knowledge()
        st.subheader("Where the time goes")
        st.caption("Verifiers judge while solvers play, so a stack may be taller than its round was long.")
        alt = "Seconds of each round by role"
        blocks.figure_and_table(seen["times figure"], "times", alt, seen["times"], _TIMES)
    if seen["updates"]:
        st.subheader("Updates")
        blocks.table((_update(row) for row in reversed(seen["updates"])), _UPDATES)
    measured = [{**row["metrics"], "version": row["version"]} for row in seen["updates"]]
    if any(row.keys() & _GRADIENT.keys() - {"version", "staleness"} for row in measured):
        st.subheader("Policy gradient")
        blocks.table(reversed(measured), _GRADIENT)


def _one_version(updates: list[dict[str, Any]]) -> None:
    """The update that the address asks for, first of all."""
    asked = st.query_params.get("version")
    if asked is None:
        return
    found = [row for row in updates if str(row["version"]) == asked]
    st.subheader(f"Version {found[0]['version']}" if found else "A version")
    if found:
        blocks.table(map(_update, found), _UPDATES)
    else:
        blocks.calm("This run has no such version.", f"It has {len(updates)} updates; those are below.")


def _knowledge() -> None:
    """Known and forgotten, by function, domain or kind of task."""
    _, run = runs.chosen_run()
    st.subheader("What is known")
    book = _choice("Book", list(queries_learning.BOOKS), "book")
    by = _choice("By", list(queries_learning.BY), "by")
    order = _choice("First", list(knowledge.ORDERS), "order")
    seen = runs.snapshot(
        "knowledge", run, lambda reader: _known(reader, by, book, order), key=(by, book, order)
    )
    if not seen["rows"]:
        st.caption(f"Nothing yet: no measurement with the {book} book.")
        return
    states = [row["state"] for row in seen["rows"]]
    told = ", ".join(f"{states.count(state)} {state}" for state in ("known", "forgotten", "never known"))
    st.text(f"{told}, of {len(states)}")
    st.caption(
        f"Known is what is verified in {knowledge.KNOWN:.0%} of the attempts or more; "
        f"{charts_learning.LAPSE} marks where something was not known although it had been before."
    )
    if len(seen["rows"]) > charts_learning.MOST_NAMES:
        st.caption(f"The picture shows the first {charts_learning.MOST_NAMES}, the table all.")
    blocks.figure_and_table(
        seen["figure"], "knowledge", f"Accuracy by {by} and version", seen["rows"], _KNOWLEDGE
    )


def _choice(label: str, options: list[str], key: str) -> str:
    """A choice that the address keeps; the first one holds where nothing is said."""
    chosen = st.segmented_control(
        label, options, default=options[0], required=True, key=key, bind="query-params"
    )
    return chosen or options[0]


def _updates(seen: dict[str, Any]) -> None:
    st.subheader("What updates measured")
    if not seen["changes"]:
        st.caption("Nothing yet: no update has been made.")
        return
    bands = "Bands hold the middle 80 % of an update's optimiser steps."
    if not any("entropy" in row for row in seen["changes"]):
        bands += " Entropy, KL and clipping are measured by recipes of reinforcement learning only."
    st.caption(bands)
    columns = {**_CHANGES, **{name: column for name, column in _GRADIENT.items() if name != "version"}}
    told = {name for row in seen["changes"] for name in row}
    columns = {name: column for name, column in columns.items() if name in told}
    alt = "Loss, gradient norm and metrics by policy version"
    blocks.figure_and_table(seen["changes figure"], "changes", alt, seen["changes"], columns)
    st.subheader("Optimiser steps")
    alt = "Loss, gradient norm and learning rate by step"
    blocks.figure_and_table(seen["steps figure"], "steps", alt, _steps(seen["updates"]), _STEPS)


def _steps(updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest optimiser steps, newest first."""
    rows = []
    for row in reversed(updates):
        curves = zip(row["losses"], row["grad_norms"], row["learning_rates"])
        told = [
            {"version": row["version"], "step": i, "loss": loss, "norm": norm, "rate": rate}
            for i, (loss, norm, rate) in enumerate(curves, 1)
        ]
        rows += told[::-1]
        if len(rows) >= _MOST_STEPS:
            break
    return rows[:_MOST_STEPS]


def _took(evaluations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "took": blocks.duration(row["seconds"])} for row in reversed(evaluations)]


def _update(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "loss": row["losses"][-1] if row["losses"] else None,
        "took": blocks.duration(row["seconds"]),
        "pace": round(row["tokens"] / row["seconds"]) if row["seconds"] else None,
    }


st.title("Learning")
learning()
