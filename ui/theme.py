"""Colours and figure style. Only hues that stay apart for colour-blind eyes, on light and dark ground.

The eight hues are Okabe and Ito's (2008); their black is a grey here, visible on both grounds, and
dark enough to be told from pink by eyes without red; `tests/test_ui_theme.py` computes all distances.
Backgrounds stay transparent and texts take the colour of Streamlit's theme, so figures fit either.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, YELLOW, GREY = "#56B4E9", "#CC79A7", "#D8C92F", "#676B72"
HUES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY)
#: From nothing to everything; lightness rises all the way, so it reads without hue.
SCALE = "Viridis"

ROLES = {
    "proposer": PINK,
    "solver": BLUE,
    "verifier": ORANGE,
    "curator": GREEN,
    "learner": RED,
    "arena": GREY,
}
ORIGINS = {"seed": BLUE, "dataset": SKY, "proposed": PINK}
STEPS = {"initial": BLUE, "improve": GREEN, "diverge": ORANGE, "next turn": SKY}
GOOD, BAD, UNKNOWN = GREEN, RED, GREY


def colour_of(name: str, known: dict[str, str], position: int = 0) -> str:
    """The colour of a name, or one of the hues by position for a name that has none."""
    return known.get(name, HUES[position % len(HUES)])


def style(figure: go.Figure, height: int = 260, **layout: Any) -> go.Figure:
    """Calm: no grid but the one that is read off, legend on top, thin margins."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "title": None},
        hoverlabel={"align": "left", "font": {"family": "monospace", "size": 12}},
        bargap=0.25,
    )
    figure.update_layout(**layout)
    figure.update_xaxes(showgrid=False, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.18)", zeroline=False, automargin=True)
    return figure


def band(x: Sequence[Any], low: Sequence[float], high: Sequence[float], hue: str) -> go.Scatter:
    """The area between two curves in a faint tint of their line, without an entry in the legend."""
    red, green, blue = (int(hue[i : i + 2], 16) for i in (1, 3, 5))
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.18)",
        hoverinfo="skip",
        showlegend=False,
    )


#: No logo, no zoom toys on small charts; the mode bar stays away until it is asked for.
PLAIN = {"displayModeBar": False, "displaylogo": False}


def rank(name: str, known: dict[str, str]) -> tuple[int, str]:
    """Sorts known names in their own order, then the others by alphabet."""
    return (list(known).index(name) if name in known else len(known), name)


def legend_order(names: Sequence[str], known: dict[str, str]) -> list[str]:
    """Names in a fixed order, so that colours stay put between redraws."""
    return sorted(set(names), key=lambda name: rank(name, known))
