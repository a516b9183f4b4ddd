"""Curves of several runs in one figure. Pure functions; every text in them goes through `ui.safe.hover`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from memory.profiles import Point
from ui import theme
from ui.safe import hover

_DASHES = ("solid", "dash", "dot", "dashdot")
_MARKS = ("circle", "square", "diamond", "cross", "triangle-up", "x")
_TITLES = {"version": "policy version", "round": "round", "tokens": "response tokens learned"}


def curves(found: Mapping[str, Sequence[Sequence[Point]]], over: str, share: bool) -> go.Figure:
    """A line for each name; of several runs together their mean, with a band from the lowest to the highest.

    Runs are told apart by hue, dashes and marks, so that no two of 24 need to be told by colour alone.

    Args:
        found: by name, the curve of each run that it stands for.
        over: what is drawn from left to right, one of `memory.profiles.OVER`.
        share: values lie in 0 .. 1 and are shown as percentages.
    """
    figure = go.Figure()
    shown = ".1%" if share else ".4g"
    for i, (name, several) in enumerate(found.items()):
        at: dict[int, list[float]] = defaultdict(list)
        for points in several:
            for point in points:
                at[getattr(point, over)].append(point.value)
        places = sorted(at)
        if (
            over == "tokens" and len(several) > 1
        ):  # seeds learn different numbers of tokens: one line for each
            for run in several:
                _line(
                    figure, name, i, [p.tokens for p in run], [p.value for p in run], shown, run is several[0]
                )
            continue
        means = [sum(at[x]) / len(at[x]) for x in places]
        if len(several) > 1 and places:
            colour = theme.HUES[i % len(theme.HUES)]
            figure.add_scatter(
                x=[*places, *reversed(places)],
                y=[*(max(at[x]) for x in places), *(min(at[x]) for x in reversed(places))],
                mode="lines",
                fill="toself",
                fillcolor=_clear(colour),
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=f"{i}",
            )
        _line(figure, name, i, places, means, shown, True)
    theme.style(figure, 380)
    if share:
        figure.update_layout(yaxis_range=[-0.03, 1.05], yaxis_tickformat=".0%")
    whole = {
        x for several in found.values() for points in several for x in (getattr(p, over) for p in points)
    }
    figure.update_xaxes(title=_TITLES[over], dtick=1 if over != "tokens" and len(whole) < 16 else None)
    return figure


def _line(
    figure: go.Figure,
    name: str,
    i: int,
    x: Sequence[float],
    y: Sequence[float],
    shown: str,
    in_legend: bool,
) -> None:
    label = hover(name, 40, 1)
    figure.add_scatter(
        x=list(x),
        y=list(y),
        name=label,
        legendgroup=f"{i}",
        showlegend=in_legend,
        mode="lines+markers",
        line={
            "color": theme.HUES[i % len(theme.HUES)],
            "width": 2.2,
            "dash": _DASHES[i // len(theme.HUES) % len(_DASHES)],
        },
        marker={"size": 7, "symbol": _MARKS[i % len(_MARKS)]},
        hovertemplate=f"%{{x}}: %{{y:{shown}}}<extra>{label}</extra>",
    )


def _clear(colour: str) -> str:
    """A hue as a thin veil."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
