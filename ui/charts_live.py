"""Figures of Live from plain rows: queues, and how the task space grows by round. Pure functions."""

from datetime import datetime

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ui import theme
from ui.charts import Rows
from ui.queries_live import QUEUES

_DASHES = ("solid", "dot", "dash", "dashdot")


def queues(rows: Rows) -> go.Figure:
    """Batches at each place over time, each line with a dash of its own."""
    figure = go.Figure()
    at = [datetime.fromtimestamp(row["at"]) for row in rows]
    hues = (theme.BLUE, theme.GREY, theme.ORANGE, theme.GREEN)
    for (name, label), hue, dash in zip(QUEUES.items(), hues, _DASHES):
        figure.add_scatter(
            x=at,
            y=[row[name] for row in rows],
            name=label,
            mode="lines",
            line={"color": hue, "width": 2, "shape": "hv", "dash": dash},
        )
    theme.style(figure, 250, hovermode="x unified", yaxis_rangemode="tozero")
    figure.update_yaxes(title="batches", tickformat="d")
    return figure


def space_growth(rows: Rows) -> go.Figure:
    """Tasks, attempts and distinct starts so far; below, how deep the answers of each round lie."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1, row_heights=[0.6, 0.4])
    rounds = [row["round"] for row in rows]
    curves = (
        ("distinct", "distinct starts", theme.BLUE, "solid", 1),
        ("tasks", "tasks", theme.PINK, "dash", 1),
        ("depth", "mean depth", theme.GREEN, "solid", 2),
        ("deepest", "greatest depth", theme.GREY, "dot", 2),
    )
    for column, name, hue, dash, line in curves:
        figure.add_scatter(
            row=line,
            col=1,
            x=rounds,
            y=[row[column] for row in rows],
            name=name,
            mode="lines+markers",
            line={"color": hue, "width": 2, "dash": dash},
            hovertemplate="round %{x}: %{y:,.4~g}<extra>" + name + "</extra>",
        )
    theme.style(figure, 280, yaxis_rangemode="tozero")
    figure.update_yaxes(rangemode="tozero", nticks=4)
    figure.update_yaxes(title={"text": "depth", "font": {"size": 11}}, row=2, col=1)
    figure.update_xaxes(title="round", row=2, col=1, dtick=1 if len(rounds) < 20 else None)
    return figure
