"""Live: the run grows while one looks. Asks the database again only when its version has moved."""

import time
from typing import Any

import streamlit as st

from memory import opening
from memory.alerts import alerts, evidence
from memory.reader import RunReader
from ui import blocks, charts, charts_live, queries, queries_live, runs, theme
from ui.safe import line

_NUMBER = st.column_config.NumberColumn
_EVENTS = {
    "at": st.column_config.TimeColumn("at", format="HH:mm:ss", width=80),
    "round": _NUMBER("round", width=60),
    "role": st.column_config.TextColumn("role", width=80),
    "message": st.column_config.TextColumn("what happened", width="large"),
}
_ROLES = {
    "role": "role",
    "stage": "last stage",
    "round": _NUMBER("round", width=60),
    "took": "took",
    "ended": st.column_config.TimeColumn("ended", format="HH:mm:ss", width=80),
    "busy": st.column_config.ProgressColumn("share of the time", format="percent", min_value=0, max_value=1),
    **{
        name: _NUMBER(name, format="%.2f", help="In each second of the run, all of the role together.")
        for name in ("tokens/s", "programs/s", "groups/s", "answers/s", "proposals/s")
    },
    "pace": st.column_config.TextColumn("pace while working", width="medium"),
}
_STAGES = {
    "began": st.column_config.TimeColumn("began", format="HH:mm:ss"),
    "role": "role",
    "stage": "stage",
    "round": "round",
    "took": "took",
}
_MOST_BARS = 400  # stages drawn; of more, the newest
_WAITS = {
    "who": "who waits",
    "whom": "for whom",
    "why": st.column_config.TextColumn("why", width="medium"),
    "took": "how long in all",
    "round": _NUMBER("last in round", width=90),
}
_ROUNDS = {
    "round": _NUMBER("round", width=60),
    "policy_version": _NUMBER("version", width=70),
    "began": st.column_config.TimeColumn("began", format="HH:mm:ss", width=80),
    "took": "took",
    "played": "groups played",
    "planned": "planned",
    "verified": st.column_config.ProgressColumn("verified", format="percent", min_value=0, max_value=1),
    "tokens": _NUMBER("tokens", format="localized"),
    "proposals": "proposals",
    "rejected": "rejected",
    "accuracy": st.column_config.ProgressColumn("closed book", format="percent", min_value=0, max_value=1),
}
_PROPOSALS = {
    "round": _NUMBER("round", width=60),
    "topic": "topic",
    "fate": "fate",
    "reason": "reason",
    "response": st.column_config.TextColumn("proposal", width="large"),
    "detail": "detail",
}
_GROWTH = {
    "at": st.column_config.TimeColumn("at", format="HH:mm:ss"),
    "tasks": "tasks",
    "attempts": "attempts",
    "verified": "verified",
}
_SPACE = {
    "round": "round",
    "tasks": "tasks",
    "attempts": "attempts",
    "distinct": "distinct starts",
    "depth": _NUMBER("mean depth", format="%.2f"),
    "deepest": "greatest depth",
}
_ACCURACY = {
    "policy_version": "version",
    "book": "book",
    "split": "split",
    "accuracy": _NUMBER("accuracy", format="percent"),
    "low": _NUMBER("from", format="percent"),
    "high": _NUMBER("to", format="percent"),
    "tasks": "tasks",
}
_QUEUES = {"at": st.column_config.TimeColumn("at", format="HH:mm:ss"), **queries_live.QUEUES}
_FATES = {"fate": "fate", "reason": "reason", "n": "proposals"}

_CLOSED = "Newest accuracy on held-out tasks without the documentation, and the change since the first."
_VERSION = "One more at each update; below, the versions that the newest collected answers were played by."


def _gather(reader: RunReader, span: str) -> dict[str, Any]:
    """Everything the page shows, figures included: built once for each version of the run."""
    recent = queries_live.recent_stages(reader, queries_live.SPANS[span])
    working = queries_live.working(recent)
    evaluations = charts.with_bounds(reader.evaluations())
    fates, grown = queries.proposals(reader), queries.growth(reader)
    space, queues = queries_live.space_growth(reader), queries_live.queues(recent)
    paces = queries_live.throughput(recent)
    roles = [{**row, **paces.get(row["role"], {})} for row in queries.roles(recent)]
    return {
        "numbers": reader.overview(),
        "rounds": queries_live.rounds(reader),
        "planned": reader.config().get("rounds"),
        "stale": queries_live.staleness(reader),
        "last": queries.last_sign(reader),
        "evaluations": evaluations,
        "grown": grown,
        "growth": charts.growth(grown) if grown else None,
        "accuracy": charts.accuracy(evaluations) if evaluations else None,
        "space": space,
        "space figure": charts_live.space_growth(space) if space else None,
        "queues": queues,
        "queues figure": charts_live.queues(queues) if queues else None,
        "waits": queries_live.waits(recent),
        "roles": sorted(roles, key=lambda row: theme.rank(row["role"], theme.ROLES)),
        "stages": working[-_MOST_BARS:],
        "timeline": charts.timeline(working[-_MOST_BARS:]) if working else None,
        "fates": fates,
        "fates figure": charts.fates(fates) if fates else None,
        "proposals": queries.recent_proposals(reader),
        "events": reader.events(limit=12)[::-1],
        "episodes": reader.episodes(limit=12),
    }


@st.fragment(run_every=blocks.POLL_S)
@blocks.calmly
def live() -> None:
    _, run = runs.chosen_run()
    top, working, rest = st.container(), st.container(), st.container()
    with working:  # asked first: what stands above it needs its answer
        st.subheader("Roles at work")
        spans = list(queries_live.SPANS)
        span = st.segmented_control(
            "The last", spans, default="all", required=True, key="span", bind="query-params"
        )
    span = span or "all"
    seen = runs.snapshot("live", run, lambda reader: _gather(reader, span), key=span)
    # Apart from the figures, which a large run draws less often; and told anew with every look, because a run
    # that stands still writes nothing that would move its version.
    off = alerts(runs.snapshot("alerts", run, evidence), opening.writer(run), time.time())
    with top:
        for alert in off:
            blocks.alarm(alert.what, alert.where, alert.since, alert.do)
        _headline(seen)
        _growth(seen)
    with working:
        _roles(seen)
    with rest:
        _rounds(seen)
        _proposals_and_events(seen)
        _episodes(seen)


def _rounds(seen: dict[str, Any]) -> None:
    st.subheader("Rounds")
    if seen["rounds"]:
        blocks.table(map(_round, seen["rounds"]), _ROUNDS)
    else:
        st.caption("Nothing yet: the first round is not planned.")


def _episodes(seen: dict[str, Any]) -> None:
    st.subheader("Newest episodes")
    if seen["episodes"]:
        st.caption("Choose a row to replay it.")
        blocks.episode_table(seen["episodes"], key="live episodes")
    else:
        st.caption("Nothing has been played yet.")


def _growth(seen: dict[str, Any]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Growth")
        rows = ({**row, "at": blocks.when(row["at"])} for row in seen["grown"])
        blocks.figure_and_table(seen["growth"], "growth", "Tasks and answers over time", rows, _GROWTH)
    with right:
        st.subheader("Accuracy on held-out tasks")
        blocks.figure_and_table(
            seen["accuracy"], "accuracy", "Accuracy by policy version", seen["evaluations"], _ACCURACY
        )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Task space by round")
        blocks.figure_and_table(
            seen["space figure"], "space", "Distinct starts and depth by round", seen["space"], _SPACE
        )
    with right:
        st.subheader("Queues")
        if seen["queues"]:
            now = seen["queues"][-1]
            st.text(
                "Last: " + ", ".join(f"{now[name]} {label}" for name, label in queries_live.QUEUES.items())
            )
        rows = ({**row, "at": blocks.when(row["at"])} for row in seen["queues"][-200:])
        blocks.figure_and_table(seen["queues figure"], "queues", "Batches in each queue", rows, _QUEUES)


def _roles(seen: dict[str, Any]) -> None:
    if not seen["roles"]:
        st.caption("Nothing yet: no role has finished a stage.")
        return
    made = {name for row in seen["roles"] for name in row}
    rows = (
        {**row, "took": blocks.duration(row["seconds"]), "ended": blocks.when(row["ended"])}
        for row in seen["roles"]
    )
    blocks.table(rows, {name: column for name, column in _ROLES.items() if "/s" not in name or name in made})
    stages = (
        {**row, "began": blocks.when(row["started"]), "took": blocks.duration(row["seconds"])}
        for row in reversed(seen["stages"])
    )
    blocks.figure_and_table(seen["timeline"], "timeline", "Which role worked when", stages, _STAGES)
    if seen["waits"]:
        st.caption("Who waited for whom")
        blocks.table(({**row, "took": blocks.duration(row["seconds"])} for row in seen["waits"]), _WAITS)
    else:
        st.caption("Nobody has waited for anybody; waits are told at the end of a round.")


def _round(row: dict[str, Any]) -> dict[str, Any]:
    took = blocks.duration(row["seconds"]) if row["seconds"] is not None else "goes on"
    return {**row, "began": blocks.when(row["started"]), "took": took}


def _proposals_and_events(seen: dict[str, Any]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Proposals")
        alt = "Proposals admitted and rejected, by reason"
        blocks.figure_and_table(seen["fates figure"], "fates", alt, seen["fates"], _FATES)
        if seen["proposals"]:
            with st.expander("Newest proposals"):
                blocks.table(map(_proposal, seen["proposals"]), _PROPOSALS)
    with right:
        st.subheader("Events")
        if seen["events"]:
            blocks.table(({**row, "at": blocks.when(row["at"])} for row in seen["events"]), _EVENTS)
        else:
            st.caption("Nothing yet.")


def _proposal(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "fate": "rejected" if row["reason"] else "admitted"}


def _headline(seen: dict[str, Any]) -> None:
    numbers = seen["numbers"]
    closed = [row for row in seen["evaluations"] if (row["book"], row["split"]) == ("closed", "test")]
    accuracy = closed[-1]["accuracy"] if closed else None
    first = closed[0]["accuracy"] if len(closed) > 1 else None
    gained = None if accuracy is None or first is None else f"{100 * (accuracy - first):+.1f} points"
    rounds = f" of {seen['planned']}" if isinstance(seen["planned"], int) else ""
    judged = numbers["attempts"] - numbers["infra_errors"]
    verified = f"{100 * numbers['verified'] / judged:.0f} % of judged" if judged else None
    plain: dict[str, Any] = {"delta_color": "off", "delta_arrow": "off"}
    box: dict[str, Any] = {"border": True, "width": 165, "height": 132}
    with st.container(horizontal=True):
        st.metric("Closed book", blocks.percent(accuracy), gained, help=_CLOSED, **box)
        st.metric("Round", f"{numbers['round']}{rounds}", help="Collect, verify, learn, publish.", **box)
        st.metric("Policy version", numbers["policy_version"], _played(seen), help=_VERSION, **plain, **box)
        st.metric("Tasks", f"{numbers['tasks']:,}", help="For training, proposed ones included.", **box)
        distinct = f"{seen['space'][-1]['distinct']:,} distinct starts" if seen["space"] else None
        told = "Collected; evaluation not counted."
        st.metric("Attempts", f"{numbers['attempts']:,}", distinct, help=told, **plain, **box)
        st.metric("Verified", f"{numbers['verified']:,}", verified, **plain, **box)
    facts = f"last sign of life {blocks.clock(seen['last'])}"
    if numbers["infra_errors"]:
        facts += f" · {numbers['infra_errors']:,} attempts without verdict"
    if seen["stale"]["learned"]:
        facts += f" · newest update: from answers {seen['stale']['learned']:.2f} versions behind"
    st.text(line(facts, 240))


def _played(seen: dict[str, Any]) -> str | None:
    oldest, newest = seen["stale"]["oldest"], seen["stale"]["newest"]
    if oldest is None:
        return None
    return f"answers of v{newest}" if oldest == newest else f"answers of v{oldest} to v{newest}"


st.title("Live")
live()
