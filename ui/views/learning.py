"""Learning: what closed-book accuracy, losses and time say about the run so far."""

from typing import Any

import streamlit as st

from memory.reader import RunReader
from ui import blocks, charts, queries, runs

_EVALUATIONS = {
    "policy_version": st.column_config.NumberColumn("version", width=70),
    "round": st.column_config.NumberColumn("round", width=60),
    "book": "book",
    "split": "split",
    "kind": "kind",
    "accuracy": st.column_config.ProgressColumn("accuracy", format="percent", min_value=0, max_value=1),
    "tasks": "tasks",
    "attempts": "attempts",
    "infra_errors": st.column_config.NumberColumn("without verdict"),
    "outcome": st.column_config.TextColumn("verdicts", width="large"),
    "took": "took",
}
_UPDATES = {
    "version": st.column_config.NumberColumn("version", width=70),
    "round": st.column_config.NumberColumn("round", width=60),
    "recipe": "recipe",
    "samples": "answers learned",
    "tokens": st.column_config.NumberColumn("tokens", format="localized"),
    "steps": "steps",
    "loss": st.column_config.NumberColumn("last loss", format="%.4f"),
    "took": "took",
    "pace": "tokens/s",
    "checksum": "weights",
}
_GRADIENT = {
    "version": st.column_config.NumberColumn("version", width=70),
    "reward": st.column_config.NumberColumn("reward", format="%.3f"),
    "proposer_reward": st.column_config.NumberColumn("proposer's reward", format="%.3f"),
    "advantage": st.column_config.NumberColumn("mean |advantage|", format="%.3f"),
    "entropy": st.column_config.NumberColumn("entropy (nats)", format="%.3f"),
    "ratio": st.column_config.NumberColumn("ratio", format="%.3f"),
    "sample_size": st.column_config.NumberColumn("effective sample size", format="percent"),
    "clipped_positive": st.column_config.NumberColumn("clipped, advantage > 0", format="percent"),
    "clipped_negative": st.column_config.NumberColumn("clipped, advantage < 0", format="percent"),
    "rollout_gap": st.column_config.NumberColumn("gap to the rollout (nats)", format="%.3f"),
    "kl": st.column_config.NumberColumn("divergence from the reference", format="%.4f"),
}


def _gather(reader: RunReader) -> dict[str, Any]:
    evaluations, updates = reader.evaluations(), reader.updates()
    closed = [row for row in evaluations if row["book"] == "closed"]
    times, rewards = queries.stage_times(reader), queries.rewards(reader)
    return {
        "evaluations": [{**row, "outcome": _outcome(row["categories"])} for row in evaluations],
        "updates": updates,
        "accuracy": charts.accuracy(evaluations, 330) if evaluations else None,
        "topics": charts.topics(closed) if closed else None,
        "steps": charts.steps(updates) if updates else None,
        "times": charts.times(times) if times else None,
        "rewards": charts.solve_rates(rewards) if rewards else None,
    }


def _outcome(categories: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(categories.items(), key=lambda item: -item[1]))


@st.fragment(run_every=blocks.POLL_S)
@blocks.calmly
def learning() -> None:
    _, run = runs.chosen_run()
    seen = runs.snapshot("learning", run, _gather)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Accuracy on held-out tasks")
        blocks.figure_or_nothing(seen["accuracy"], "learning accuracy", "Accuracy by policy version")
        st.subheader("Optimiser steps")
        blocks.figure_or_nothing(seen["steps"], "steps", "Loss, gradient norm and learning rate by step")
        st.subheader("Verified answers during collection")
        blocks.figure_or_nothing(seen["rewards"], "rewards", "Share of verified answers by round")
    with right:
        st.subheader("Closed book, by topic")
        blocks.figure_or_nothing(seen["topics"], "topics", "Accuracy by topic and policy version")
        st.subheader("Where the time goes")
        st.caption("Verifiers judge while solvers play, so a stack may be taller than its round was long.")
        blocks.figure_or_nothing(seen["times"], "times", "Seconds of each round by role")
    if seen["evaluations"]:
        st.subheader("Evaluations")
        blocks.table(
            ({**row, "took": blocks.duration(row["seconds"])} for row in reversed(seen["evaluations"])),
            _EVALUATIONS,
        )
    if seen["updates"]:
        st.subheader("Updates")
        blocks.table((_update(row) for row in reversed(seen["updates"])), _UPDATES)
    measured = [{**row["metrics"], "version": row["version"]} for row in seen["updates"] if row["metrics"]]
    if measured:
        st.subheader("Policy gradient")
        blocks.table(reversed(measured), _GRADIENT)


def _update(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "loss": row["losses"][-1] if row["losses"] else None,
        "took": blocks.duration(row["seconds"]),
        "pace": round(row["tokens"] / row["seconds"]) if row["seconds"] else None,
    }


st.title("Learning")
learning()
