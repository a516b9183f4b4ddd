"""The task space as a figure: places computed on the server, drawn by WebGL, thousands of marks at once.

    task (square) ──▶ attempt (dot) ──▶ attempt …          part or topic (diamond): many tasks

What is drawn is chosen before (`ui.marks`); texts in it are made safe there. Points carry `[kind, id]` as
`customdata`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ui import theme
from ui.marks import NAMED, Array, Picture
from ui.safe import hover

NAMES = 60  # more names than this cover what they name

#: Ways to colour, and what each says.
COLOURS = {
    "solve rate": "share of verified attempts on the task; an attempt's own reward",
    "learnability": "variance of the returns, where attempts begin; 0.25 is the most there is",
    "origin": "where the task came from",
    "step": "how the attempt came to be; of a task without its attempts, how most did",
    "round": "when it entered",
    "policy version": "the weights that gave the answer; of a task, the newest that tried it",
}
_KNOWN = {
    "origin": theme.ORIGINS,
    "step": {**theme.STEPS, "task": theme.GREY, "not tried yet": theme.UNKNOWN},
}
_HIGH = {"solve rate": 1.0, "learnability": 0.25}
_SYMBOLS = {"task": "square", "attempt": "circle", "part": "diamond", "topic": "diamond"}
_LEAST = {"task": 4.5, "attempt": 3.0, "part": 7.0, "topic": 7.0}  # pixels
_MOST = {"task": 22.0, "attempt": 11.0, "part": 40.0, "topic": 40.0}
_PIXELS = 330  # from the middle of the figure to its edge
_FAINT = 0.1  # what a search did not find


def figure(picture: Picture, colour: str, way: Sequence[int] = (), name: str = "space") -> go.Figure:
    """The drawing.

    Args:
        colour: one of `COLOURS`.
        way: numbers of marks that led to the chosen one, itself at the end.
        name: of the view; another one is shown whole again, the same one stays where it was moved to.
    """
    made = go.Figure()
    x, y = picture.edges
    if len(x):
        made.add_scattergl(x=_short(x), y=_short(y), mode="lines", **_thin("rgba(138,143,152,0.35)", 0.7))
    if way:
        at = np.array(list(way))
        x, y = picture.x[at], picture.y[at]
        made.add_scattergl(x=_short(x), y=_short(y), mode="lines", **_thin(theme.YELLOW, 3))
        ring = {"size": 24, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": theme.YELLOW}}
        made.add_scattergl(
            x=_short(x[-1:]),
            y=_short(y[-1:]),
            mode="markers",
            marker=ring,
            hoverinfo="skip",
            showlegend=False,
        )
    every = np.arange(len(picture.marks))
    matched = picture.matched
    if matched is not None and len(every):
        _marks(made, picture, every[~matched], name="other", colour=theme.GREY, opacity=_FAINT)
        every = every[matched]
    if len(every):
        (_by_name if colour in NAMED else _by_number)(made, picture, every, colour)
    _labels(made, picture)
    theme.style(
        made,
        720,
        dragmode="pan",
        clickmode="event+select",
        hovermode="closest",
        uirevision=name,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": theme.GREY, "activecolor": theme.BLUE},
    )
    made.update_layout(legend={"itemsizing": "constant"})
    (middle_x, middle_y), reach = picture.middle, picture.reach
    made.update_xaxes(visible=False, range=[middle_x - reach, middle_x + reach])
    made.update_yaxes(
        visible=False, range=[middle_y - reach, middle_y + reach], scaleanchor="x", showgrid=False
    )
    return made


def _thin(colour: str, width: float) -> dict[str, Any]:
    return {"line": {"color": colour, "width": width}, "hoverinfo": "skip", "showlegend": False}


def _short(values: Array) -> Array:
    """Four bytes a number: a picture is sent to the browser whole."""
    return np.asarray(values, dtype=np.float32)


def _labels(made: go.Figure, picture: Picture) -> None:
    """Names of topics, as long as there is room for them."""
    if not 0 < len(picture.labels) <= NAMES:
        return
    made.add_scatter(
        x=[x for x, _, _ in picture.labels],
        y=[y for _, y, _ in picture.labels],
        text=[hover(topic, 24, 1) for _, _, topic in picture.labels],
        mode="text",
        textposition="top center",
        textfont={"size": 11, "color": theme.GREY},
        unselected={"textfont": {"color": theme.GREY}},  # a mark that is chosen leaves names as they are
        hoverinfo="skip",
        showlegend=False,
    )


def _by_name(made: go.Figure, picture: Picture, shown: Array, colour: str) -> None:
    known, names = _KNOWN[colour], picture.names[colour]
    kinds: dict[str, list[int]] = {}
    for number in shown:
        kinds.setdefault(names[number], []).append(int(number))
    for position, kind in enumerate(theme.legend_order(list(kinds), known)):
        label, tint = hover(kind, 24, 1), theme.colour_of(kind, known, position)
        _marks(made, picture, np.array(kinds[kind]), name=label, colour=tint)


def _by_number(made: go.Figure, picture: Picture, shown: Array, colour: str) -> None:
    values = picture.values[colour]
    known = ~np.isnan(values[shown])
    if not known.all():
        _marks(made, picture, shown[~known], name="not known", colour=theme.UNKNOWN, opacity=0.45)
    if known.any():
        some = shown[known]
        _marks(made, picture, some, name=colour, colour=_short(values[some]), high=_HIGH.get(colour))


def _marks(
    made: go.Figure,
    picture: Picture,
    shown: Array,
    *,
    name: str,
    colour: Any,
    opacity: float = 1.0,
    high: float | None = None,
) -> None:
    if not len(shown):
        return
    marks = [picture.marks[number] for number in shown]
    scaled = isinstance(colour, np.ndarray)
    marker: dict[str, Any] = {
        "color": colour,
        "opacity": opacity,
        "size": _pixels(picture, shown),
        "symbol": [_SYMBOLS[kind] for kind, _ in marks],
        "line": {"width": 0.6, "color": theme.GREY},  # the darkest colour stands out on a dark ground
    }
    if scaled:
        bar = {"thickness": 10, "title": {"text": name, "side": "right"}}
        marker |= {"colorscale": theme.SCALE, "colorbar": bar}
        if high is not None:
            marker |= {"cmin": 0, "cmax": high}
    made.add_scattergl(
        x=_short(picture.x[shown]),
        y=_short(picture.y[shown]),
        mode="markers",
        name=name,
        showlegend=not scaled,
        customdata=[list(mark) for mark in marks],
        text=[picture.text[number] for number in shown],
        hovertemplate="%{text}<extra></extra>",
        marker=marker,
        selected={"marker": {"color": theme.YELLOW, "size": 22, "opacity": 1}},
        unselected={"marker": {"opacity": opacity}},
    )


def _pixels(picture: Picture, shown: Array) -> Array:
    """Diameters: small enough that attempts are seen round their task, when everything is in view."""
    kinds = [picture.marks[number][0] for number in shown]
    least, most = (np.array([bound[kind] for kind in kinds]) for bound in (_LEAST, _MOST))
    return _short(np.clip(picture.size[shown] * _PIXELS / picture.reach, least, most))
