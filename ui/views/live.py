"""Live: the run grows while one looks. Asks the database again only when its version has moved."""

from typing import Any

import streamlit as st

from memory.reader import RunReader
from ui import blocks, charts, queries, runs, theme
from ui.safe import line

_EVENTS = {
    "at": st.column_config.TimeColumn("at", format="HH:mm:ss", width=80),
    "round": st.column_config.NumberColumn("round", width=60),
    "role": st.column_config.TextColumn("role", width=80),
    "message": st.column_config.TextColumn("what happened", width="large"),
}
_ROLES = {
    "role": "role",
    "stage": "last stage",
    "round": st.column_config.NumberColumn("round", width=60),
    "took": "took",
    "ended": st.column_config.TimeColumn("ended", format="HH:mm:ss", width=80),
    "busy": st.column_config.ProgressColumn("share of the time", format="percent", min_value=0, max_value=1),
    "pace": st.column_config.TextColumn("pace while working", width="medium"),
}
_PROPOSALS = {
    "round": st.column_config.NumberColumn("round", width=60),
    "topic": "topic",
    "fate": "fate",
    "response": st.column_config.TextColumn("proposal", width="large"),
}


_CLOSED = "Newest accuracy on held-out tasks without the documentation, and the change since the first."


def _gather(reader: RunReader) -> dict[str, Any]:
    """Everything the page shows, figures included: built once for each version of the run."""
    recent = queries.stages(reader)
    evaluations = reader.evaluations()
    closed = [row for row in evaluations if row["book"] == "closed" and row["split"] == "test"]
    fates = queries.proposals(reader)
    grown = queries.growth(reader)
    return {
        "numbers": reader.overview(),
        "rounds": reader.config().get("rounds"),
        "last": queries.last_sign(reader),
        "closed": closed,
        "growth": charts.growth(grown) if grown else None,
        "accuracy": charts.accuracy(evaluations) if evaluations else None,
        "roles": sorted(queries.roles(recent), key=lambda row: theme.rank(row["role"], theme.ROLES)),
        "timeline": charts.timeline(recent) if recent else None,
        "fates": charts.fates(fates) if fates else None,
        "proposals": queries.recent_proposals(reader),
        "events": reader.events(limit=12)[::-1],
        "episodes": reader.episodes(limit=12),
    }


@st.fragment(run_every=blocks.POLL_S)
@blocks.calmly
def live() -> None:
    _, run = runs.chosen_run()
    seen = runs.snapshot("live", run, _gather)
    _headline(seen)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Growth")
        blocks.figure_or_nothing(seen["growth"], "growth", "Tasks, attempts and verified answers over time")
    with right:
        st.subheader("Accuracy on held-out tasks")
        blocks.figure_or_nothing(seen["accuracy"], "accuracy", "Accuracy by policy version")
    st.subheader("Roles at work")
    if seen["roles"]:
        blocks.table(
            (
                {**row, "took": blocks.duration(row["seconds"]), "ended": blocks.when(row["ended"])}
                for row in seen["roles"]
            ),
            _ROLES,
        )
    blocks.figure_or_nothing(seen["timeline"], "timeline", "Which role worked when")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Proposals")
        blocks.figure_or_nothing(seen["fates"], "fates", "Proposals admitted and rejected, by reason")
    with right:
        st.subheader("Events")
        if seen["events"]:
            blocks.table(({**row, "at": blocks.when(row["at"])} for row in seen["events"]), _EVENTS)
        else:
            st.caption("Nothing yet.")
    if seen["proposals"]:
        with st.expander("Newest proposals"):
            blocks.table(seen["proposals"], _PROPOSALS)
    st.subheader("Newest episodes")
    if seen["episodes"]:
        st.caption("Choose a row to replay it.")
        blocks.episode_table(seen["episodes"], key="live episodes")
    else:
        st.caption("Nothing has been played yet.")


def _headline(seen: dict[str, Any]) -> None:
    numbers, closed = seen["numbers"], seen["closed"]
    accuracy = closed[-1]["accuracy"] if closed else None
    gained = f"{100 * (accuracy - closed[0]['accuracy']):+.1f} points" if len(closed) > 1 else None
    rounds = f" of {seen['rounds']}" if isinstance(seen["rounds"], int) else ""
    judged = numbers["attempts"] - numbers["infra_errors"]
    cells = st.columns([1.25, 1, 1, 1, 1, 1.1])
    box: dict[str, Any] = {"border": True, "height": "stretch"}
    cells[0].metric("Closed book", blocks.percent(accuracy), gained, help=_CLOSED, **box)
    cells[1].metric("Round", f"{numbers['round']}{rounds}", help="Collect, verify, learn, publish.", **box)
    cells[2].metric("Policy version", numbers["policy_version"], help="One more at each update.", **box)
    cells[3].metric("Tasks", f"{numbers['tasks']:,}", help="For training, proposed ones included.", **box)
    cells[4].metric("Attempts", f"{numbers['attempts']:,}", help="Collected; evaluation not counted.", **box)
    share = f"{100 * numbers['verified'] / judged:.0f} % of judged" if judged else None
    cells[5].metric(
        "Verified", f"{numbers['verified']:,}", share, delta_color="off", delta_arrow="off", **box
    )
    facts = f"last sign of life {blocks.clock(seen['last'])}"
    if numbers["infra_errors"]:
        facts += f" · {numbers['infra_errors']:,} attempts without verdict (sandbox failures)"
    st.text(line(facts))


st.title("Live")
live()
