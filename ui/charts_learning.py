"""Figures of Learning from plain rows: what is known and forgotten, what updates measured. Pure functions."""

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ui import theme
from ui.charts import Rows
from ui.safe import hover

MOST_NAMES = 60  # rows of the heat map; beyond that they cannot be read, and the order says which come first
LAPSE = "×"

#: Panels by what they show: their name on the axis and their curves (column, name, hue, dash).
PANELS: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    ("loss", (("loss", "loss", theme.BLUE, "solid"),)),
    ("gradient norm", (("grad_norm", "gradient norm", theme.ORANGE, "solid"),)),
    ("entropy, nats", (("entropy", "entropy", theme.GREEN, "solid"),)),
    ("KL", (("kl", "divergence from the reference", theme.PINK, "solid"),)),
    (
        "clipped",
        (
            ("clipped_positive", "clipped, positive advantage", theme.BLUE, "solid"),
            ("clipped_negative", "clipped, negative advantage", theme.RED, "dash"),
        ),
    ),
    ("gap, nats", (("rollout_gap", "gap to the rollout", theme.GREY, "solid"),)),
    (
        "reward",
        (
            ("reward", "reward", theme.BLUE, "solid"),
            ("proposer_reward", "proposer's reward", theme.PINK, "dash"),
        ),
    ),
    (
        "staleness",
        (
            ("staleness", "mean staleness", theme.BLUE, "solid"),
            ("staleness_most", "greatest staleness", theme.GREY, "dot"),
        ),
    ),
)


def knowledge(rows: Rows) -> go.Figure:
    """Share verified by name (lines, the first on top) and policy version (columns); × marks what was lost.

    Args:
        rows: of `ui.knowledge.retention`, in order.
    """
    shown = list(rows)[:MOST_NAMES]
    versions = sorted({version for row in shown for version in row["curve"]})
    figure = go.Figure(
        go.Heatmap(
            x=[f"v{version}" for version in versions],
            y=[hover(row["name"], 40, 1) for row in shown],
            z=[[row["curve"].get(version) for version in versions] for row in shown],
            text=[[LAPSE if version in row["lapses"] else "" for version in versions] for row in shown],
            texttemplate="%{text}",
            zmin=0,
            zmax=1,
            colorscale=theme.SCALE,
            xgap=2,
            ygap=2,
            colorbar={"tickformat": ".0%", "thickness": 10, "title": None},
            hovertemplate="%{y}, %{x}: %{z:.0%} %{text}<extra></extra>",
        )
    )
    theme.style(figure, max(200, 60 + 20 * len(shown)))
    figure.update_yaxes(autorange="reversed")
    return figure


def changes(rows: Rows) -> go.Figure:
    """What the updates measured, by policy version: a panel for each thing that was measured at all.

    The band round loss and gradient norm holds the middle 80 % of the optimiser steps.

    Args:
        rows: of `ui.queries_learning.changes`; at least one.
    """
    panels = [
        (title, [curve for curve in curves if any(curve[0] in row for row in rows)])
        for title, curves in PANELS
    ]
    panels = [(title, curves) for title, curves in panels if curves]
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.15 / len(panels))
    for line, (title, curves) in enumerate(panels, 1):
        for column, name, hue, dash in curves:
            mine = [row for row in rows if column in row]
            versions = [row["version"] for row in mine]
            if f"{column}_low" in mine[0]:
                ends = ([row[f"{column}_low"] for row in mine], [row[f"{column}_high"] for row in mine])
                figure.add_trace(theme.band(versions, *ends, hue), row=line, col=1)
            figure.add_scatter(
                row=line,
                col=1,
                x=versions,
                y=[row[column] for row in mine],
                name=name,
                showlegend=len(curves) > 1,  # the others are named at their axis
                mode="lines+markers",
                line={"color": hue, "width": 2, "dash": dash},
                marker={"size": 5},
                hovertemplate="version %{x}: %{y:.4~g}<extra>" + name + "</extra>",
            )
        figure.update_yaxes(row=line, col=1, title={"text": title, "font": {"size": 11}}, nticks=4)
    theme.style(figure, 60 + 110 * len(panels), showlegend=True)
    figure.update_yaxes(tickformat="~g")
    ticks: dict[str, Any] = {"dtick": 1} if len(rows) < 16 else {}
    figure.update_xaxes(title="policy version", row=len(panels), col=1, **ticks)
    return figure


def solved(rows: Rows) -> go.Figure:
    """Share of verified answers during collection with its 95 % band, by policy version and step kind.

    Args:
        rows: of `ui.queries_learning.solved`.
    """
    figure = go.Figure()
    symbols = ("circle", "diamond", "square", "x")
    for position, step in enumerate(theme.legend_order([row["step"] for row in rows], theme.STEPS)):
        mine = [row for row in rows if row["step"] == step]
        hue = theme.colour_of(step, theme.STEPS, position)
        versions = [row["version"] for row in mine]
        figure.add_trace(theme.band(versions, [r["low"] for r in mine], [r["high"] for r in mine], hue))
        figure.add_scatter(
            x=versions,
            y=[row["rate"] for row in mine],
            name=hover(step, 24),
            mode="lines+markers",
            line={"color": hue, "width": 2},
            marker={"size": 8, "symbol": symbols[position % len(symbols)]},
            customdata=[[row["attempts"], row["low"], row["high"]] for row in mine],
            hovertemplate="version %{x}: %{y:.1%} (%{customdata[1]:.0%} to %{customdata[2]:.0%})"
            " of %{customdata[0]} attempts<extra>" + hover(step, 24) + "</extra>",
        )
    theme.style(figure, 280, yaxis_range=[-0.03, 1.05], yaxis_tickformat=".0%")
    ticks: dict[str, Any] = {"dtick": 1} if len({row["version"] for row in rows}) < 16 else {}
    figure.update_xaxes(title="policy version", **ticks)
    return figure
