"""Figures from plain rows. Pure functions; every text in them goes through `ui.safe.hover`.

Not here: the task space (`ui.graph`).
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from protocols.intervals import wilson
from ui import theme
from ui.safe import hover

Rows = Sequence[dict[str, Any]]
MOST_STEPS = 3_000  # optimiser steps drawn; more are not told apart on a screen


def growth(rows: Rows) -> go.Figure:
    """Running totals over time."""
    figure = go.Figure()
    at = [datetime.fromtimestamp(row["at"]) for row in rows]
    for name, colour in (("attempts", theme.BLUE), ("verified", theme.GREEN), ("tasks", theme.PINK)):
        figure.add_scatter(
            x=at, y=[row[name] for row in rows], name=name, mode="lines", line={"color": colour, "width": 2}
        )
    return theme.style(figure, 250, hovermode="x unified", yaxis_rangemode="tozero")


def with_bounds(evaluations: Rows) -> list[dict[str, Any]]:
    """Evaluations with `low` and `high`: Wilson's 95 % interval of the accuracy, over tasks."""
    found = []
    for row in evaluations:
        measured = row["tasks"] and row["accuracy"] is not None
        low, high = wilson(row["accuracy"], row["tasks"]) if measured else (None, None)
        found.append({**row, "low": low, "high": high})
    return found


def accuracy(rows: Rows, height: int = 250) -> go.Figure:
    """Accuracy by policy version with its 95 % band, one line for each book and split; sizes when hovered.

    Args:
        rows: of `with_bounds`.
    """
    figure = go.Figure()
    kinds = sorted({(row["book"], row["split"]) for row in rows})
    for book, split in kinds:
        mine = [row for row in rows if (row["book"], row["split"]) == (book, split)]
        # The newest measurement of a version counts; versions may be measured again.
        latest = {row["policy_version"]: row for row in mine if row["accuracy"] is not None}
        closed = book == "closed"
        versions = [version for version in sorted(latest) if latest[version]["low"] is not None]
        hue = theme.BLUE if closed else theme.GREY
        ends = ([latest[v]["low"] for v in versions], [latest[v]["high"] for v in versions])
        figure.add_trace(theme.band(versions, *ends, hue))
        figure.add_scatter(
            x=sorted(latest),
            y=[latest[version]["accuracy"] for version in sorted(latest)],
            name=f"{hover(book)} book, {hover(split)}",
            mode="lines+markers",
            line={
                "color": hue,
                "width": 2.5,
                "dash": "solid" if closed else "dot",
            },
            marker={"size": 8, "symbol": "circle" if closed else "diamond"},
            customdata=[
                [latest[v][name] for name in ("tasks", "attempts", "round", "low", "high")]
                for v in sorted(latest)
            ],
            hovertemplate="version %{x}: %{y:.1%} (%{customdata[3]:.0%} to %{customdata[4]:.0%})"
            "<br>%{customdata[0]} tasks, %{customdata[1]} attempts,"
            " round %{customdata[2]}<extra></extra>",
        )
    theme.style(figure, height, yaxis_range=[-0.03, 1.05], yaxis_tickformat=".0%")
    figure.update_xaxes(
        title="policy version", dtick=1 if len({r["policy_version"] for r in rows}) < 16 else None
    )
    return figure


def timeline(rows: Rows) -> go.Figure:
    """Who worked when: one bar for each stage, one line for each role."""
    figure = go.Figure()
    names = [str(row["role"]) for row in rows]
    for position, role in enumerate(theme.legend_order(names, theme.ROLES)):
        mine = [row for row in rows if row["role"] == role]
        figure.add_bar(
            orientation="h",
            y=[hover(role, 24)] * len(mine),
            base=[datetime.fromtimestamp(row["started"]) for row in mine],
            x=[1000 * row["seconds"] for row in mine],  # milliseconds, as date axes count
            marker={"color": theme.colour_of(role, theme.ROLES, position), "line": {"width": 0}},
            hovertext=[
                f"{hover(role)}: {hover(row['stage'])}<br>round {row['round']}, {row['seconds']:.1f} s<br>"
                + hover(", ".join(f"{k} {v}" for k, v in row["numbers"].items()))
                for row in mine
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    theme.style(figure, 230, barmode="overlay")
    figure.update_xaxes(type="date")
    figure.update_yaxes(autorange="reversed")
    return figure


def fates(rows: Rows) -> go.Figure:
    """How proposals ended, and why they were rejected."""
    colours = {"active": theme.GREEN, "candidate": theme.GREY, "rejected": theme.RED}
    words = {"active": "admitted by consensus", "candidate": "not decided yet"}
    order = {"active": 0, "candidate": 1}
    rows = sorted(rows, key=lambda row: (order.get(row["fate"], 2), -row["n"]))
    labels = [
        words.get(row["fate"]) or "rejected: " + (hover(str(row["reason"]).replace("_", " "), 34, 1) or "–")
        for row in rows
    ]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=[row["n"] for row in rows],
            y=labels,
            text=[row["n"] for row in rows],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [colours.get(row["fate"], theme.RED) for row in rows]},
            hovertemplate="%{y}: %{x}<extra></extra>",
        )
    )
    theme.style(figure, max(120, 40 + 26 * len(rows)))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def steps(rows: Rows) -> go.Figure:
    """Loss, gradient norm and learning rate by optimiser step, updates one after the other.

    Of more than `MOST_STEPS` every second, third, ... is drawn.
    """
    every = 1 + sum(len(row["losses"]) for row in rows) // MOST_STEPS
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.5, 0.3, 0.2]
    )
    curves = (("losses", "loss", theme.BLUE), ("grad_norms", "gradient norm", theme.ORANGE))
    for line, (column, name, colour) in enumerate(
        (*curves, ("learning_rates", "learning rate", theme.GREEN)), 1
    ):
        x, y, labels, begun = [], [], [], 0
        for row in rows:
            values = row[column]
            drawn = range(0, len(values), every)
            x += [*(begun + i for i in drawn), None]
            y += [*(values[i] for i in drawn), None]  # a gap between updates
            labels += [f"version {row['version']}, step {i + 1}" for i in drawn] + [""]
            begun += row["steps"] or len(values)
        figure.add_scattergl(
            row=line,
            col=1,
            x=x,
            y=y,
            text=labels,
            name=name,
            mode="lines",
            line={"color": colour, "width": 1.6},
            hovertemplate="%{text}: %{y:.4g}<extra></extra>",
        )
        figure.update_yaxes(row=line, col=1, title={"text": name, "font": {"size": 11}}, nticks=4)
    ends = [*accumulate(row["steps"] for row in rows)][:-1]
    border = {"type": "line", "yref": "paper", "y0": 0, "y1": 1}
    border["line"] = {"width": 1, "dash": "dot", "color": theme.GREY}
    # All at once: added one by one, a hundred take seconds.
    figure.update_layout(shapes=[{**border, "x0": end - 0.5, "x1": end - 0.5} for end in ends])
    theme.style(figure, 420, showlegend=False)
    figure.update_yaxes(tickformat="~g")
    figure.update_xaxes(title="optimiser step", row=3, col=1)
    return figure


def times(rows: Rows) -> go.Figure:
    """Seconds of each round, stacked by role, waits hatched. Not the arena's: its stages enclose others'."""
    figure = go.Figure()
    rows = [row for row in rows if row["role"] != "arena"]
    rounds = sorted({row["round"] for row in rows})
    for position, role in enumerate(theme.legend_order([row["role"] for row in rows], theme.ROLES)):
        for waits in (False, True):
            spent = dict.fromkeys(rounds, 0.0)
            for row in rows:
                if row["role"] == role and row["stage"].startswith("wait for ") == waits:
                    spent[row["round"]] += row["seconds"]
            if not any(spent.values()):
                continue
            name = hover(role, 24) + (" waits" if waits else "")
            hue = theme.colour_of(role, theme.ROLES, position)
            figure.add_bar(
                x=rounds,
                y=list(spent.values()),
                name=name,
                marker={
                    "color": hue,
                    "line": {"width": 0},
                    "pattern": {"shape": "/" if waits else "", "fillmode": "replace", "size": 6},
                },
                hovertemplate="round %{x}: %{y:.1f} s<extra>" + name + "</extra>",
            )
    theme.style(figure, 280, barmode="stack")
    figure.update_xaxes(title="round", dtick=1 if len(rounds) < 20 else None)
    figure.update_yaxes(title="seconds")
    return figure


def logprobs(values: Sequence[float], ids: Sequence[int]) -> go.Figure:
    """Log-probability of each sampled token, as it was sampled."""
    figure = go.Figure(
        go.Bar(
            x=list(range(len(values))),
            y=list(values),
            customdata=list(ids),
            marker={
                "color": list(values),
                "colorscale": theme.SCALE,
                "cmin": -5,
                "cmax": 0,
                "line": {"width": 0},
            },
            hovertemplate="token %{x} (id %{customdata}): %{y:.3f}<extra></extra>",
        )
    )
    theme.style(figure, 170)
    figure.update_xaxes(title="sampled token")
    figure.update_yaxes(title="log-probability")
    return figure


def revision_tree(rows: Rows, current: str) -> go.Figure:
    """A task's attempts from left (first answers) to right (revisions of revisions).

    Points carry the attempt's id as `customdata`. Lines say where a revision earned more than what it
    revises, or less.
    """
    children: dict[str | None, list[str]] = {}
    by_id = {row["id"]: row for row in rows}
    for row in rows:
        children.setdefault(row["parent"] if row["parent"] in by_id else None, []).append(row["id"])
    at: dict[str | None, tuple[float, float]] = {}
    leaves = 0
    stack: list[tuple[str | None, int, bool]] = [(None, 0, False)]
    while stack:  # children first, so that a parent stands in the middle of them
        node, depth, seen = stack.pop()
        below = children.get(node, [])
        if below and not seen:
            stack.append((node, depth, True))
            stack += [(child, depth + 1, False) for child in reversed(below)]
        elif below:
            at[node] = (depth, sum(at[child][1] for child in below) / len(below))
        else:
            at[node] = (depth, float(leaves))
            leaves += 1
    lines: dict[str, list[tuple[Any, Any]]] = {"": [], "improvement": [], "regression": []}
    for parent, below in children.items():
        for child in below:
            lines[change(by_id.get(parent or ""), by_id[child])] += [at[parent], at[child], (None, None)]
    ids = list(by_id)
    colours = [
        theme.UNKNOWN if row["reward"] is None else theme.GOOD if row["reward"] >= 1 else theme.BAD
        for row in rows
    ]
    figure = go.Figure()
    for kind, points in lines.items():
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="lines",
            line=_CHANGES[kind],
            name=kind,
            showlegend=bool(kind and points),
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=[at[None][0]],
        y=[at[None][1]],
        mode="markers",
        showlegend=False,
        marker={"symbol": "square", "size": 14, "color": theme.BLUE},
        hovertemplate="the task<extra></extra>",
    )
    figure.add_scatter(
        x=[at[name][0] for name in ids],
        y=[at[name][1] for name in ids],
        mode="markers",
        customdata=ids,
        text=[
            f"{hover(row['category'])}<br>{hover(row['step'])}, round {row['round']},"
            f" version {row['policy_version']}"
            for row in rows
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
        marker={
            "color": colours,
            "size": [17 if name == current else 11 for name in ids],
            "symbol": ["circle" if row["reward"] and row["reward"] >= 1 else "x" for row in rows],
            "line": {"width": [3 if name == current else 0 for name in ids], "color": theme.YELLOW},
        },
    )
    theme.style(figure, min(max(180, 60 + 16 * leaves), 520))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    return figure


_CHANGES = {
    "": {"color": theme.GREY, "width": 1},
    "improvement": {"color": theme.GOOD, "width": 2.5},
    "regression": {"color": theme.BAD, "width": 2.5, "dash": "dot"},
}


def change(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """What a revision did to the reward: "improvement", "regression", or "" (nothing, or not known)."""
    if before is None or before["reward"] is None or after["reward"] is None:
        return ""
    if after["reward"] == before["reward"]:
        return ""
    return "improvement" if after["reward"] > before["reward"] else "regression"
