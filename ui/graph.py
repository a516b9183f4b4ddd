"""The task space as a figure: places computed on the server, drawn by WebGL, thousands of marks at once.

    task (square) ──▶ attempt (dot) ──▶ attempt …

Beyond `MARKS` marks attempts are left out and tasks stand for them. Texts in it are made safe.
Not here: where things stand (`memory.layout`) and what grows (`memory.space`).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import dist, sqrt
from typing import Any

import plotly.graph_objects as go

from memory.layout import PATCH
from memory.space import TaskSpace
from ui import theme
from ui.safe import hover

MARKS = 5_000  # more than this and neither the eye nor a browser gains from attempts

NAMES = 60  # more names than this cover what they name

#: Ways to colour, and what each says.
COLOURS = {
    "solve rate": "share of verified attempts on the task; an attempt's own reward",
    "learnability": "variance of the returns, where attempts begin; 0.25 is the most there is",
    "origin": "where the task came from",
    "step": "how the attempt came to be",
    "round": "when it entered",
}
_NAMED = {"origin": theme.ORIGINS, "step": {**theme.STEPS, "task": theme.GREY}}
_HIGH = {"solve rate": 1.0, "learnability": 0.25}


def figure(space: TaskSpace, colour: str, chosen: str | None = None) -> tuple[go.Figure, bool]:
    """The drawing, and what its points stand for.

    Args:
        colour: one of `COLOURS`.
        chosen: a node to mark, with the way that led to it.

    Returns:
        The figure, whose points carry node ids as `customdata`; and whether attempts were left out.
    """
    graph, places = space.graph, space.layout()
    summarised = graph.number_of_nodes() > MARKS
    drawn = [
        (name, node)
        for name, node in graph.nodes(data=True)
        if (node["kind"] == "task" if summarised else True) and node.get("split") != "test"
    ]
    shown = {name for name, _ in drawn}
    made = go.Figure()
    edges = ((a, b) for a, b in graph.edges() if a in shown and b in shown)
    _lines(made, edges, places, "rgba(138,143,152,0.35)", 0.7)
    if chosen in shown:
        way = space.lineage(str(chosen))
        _lines(made, pairwise(way), places, theme.YELLOW, 3)
        x, y = places[str(chosen)]
        made.add_scattergl(
            x=[x],
            y=[y],
            mode="markers",
            hoverinfo="skip",
            showlegend=False,
            marker={"size": 24, "color": "rgba(0,0,0,0)", "line": {"width": 3, "color": theme.YELLOW}},
        )
    if colour in _NAMED:
        _by_name(made, drawn, places, colour, graph)
    else:
        _by_number(made, drawn, places, colour)
    _topics(made, drawn, places)
    theme.style(
        made,
        720,
        dragmode="pan",
        clickmode="event+select",
        hovermode="closest",
        uirevision="space",  # a redraw leaves the view where it was moved to
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": theme.GREY, "activecolor": theme.BLUE},
    )
    made.update_layout(legend={"itemsizing": "constant"})
    made.update_xaxes(visible=False)
    made.update_yaxes(visible=False, scaleanchor="x", showgrid=False)
    return made, summarised


def _topics(made: go.Figure, drawn: Sequence[Any], places: dict[str, Any]) -> None:
    """The name of each topic above its tasks, as long as there is room for names."""
    patches = _patches(drawn, places)
    if not 0 < len(patches) <= NAMES:
        return
    made.add_scatter(
        x=[sum(x for x, _ in found) / len(found) for _, found in patches],
        y=[max(y for _, y in found) + 1.4 for _, found in patches],
        text=[hover(topic, 24, 1) for topic, _ in patches],
        mode="text",
        textposition="top center",
        textfont={"size": 11, "color": theme.GREY},
        hoverinfo="skip",
        showlegend=False,
    )


def _patches(drawn: Sequence[Any], places: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """Places of tasks that lie together, by topic: a large topic has several patches."""
    found: list[tuple[str, list[Any]]] = []
    newest: dict[str, list[Any]] = {}
    for name, node in drawn:
        if node["kind"] != "task" or not node["topics"]:
            continue
        topic, place = node["topics"][0], places[name]
        patch = newest.get(topic)
        if patch is None or dist(patch[0], place) > sqrt(PATCH) + 2:
            patch = newest[topic] = []
            found.append((topic, patch))
        patch.append(place)
    return found


def _lines(
    made: go.Figure, edges: Iterable[tuple[str, str]], places: dict[str, Any], colour: str, width: float
) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for a, b in edges:
        x += [places[a][0], places[b][0], None]
        y += [places[a][1], places[b][1], None]
    made.add_scattergl(
        x=x, y=y, mode="lines", line={"color": colour, "width": width}, hoverinfo="skip", showlegend=False
    )


def _by_name(made: go.Figure, drawn: Sequence[Any], places: dict[str, Any], colour: str, graph: Any) -> None:
    known = _NAMED[colour]
    kinds: dict[str, list[Any]] = {}
    for name, node in drawn:
        kinds.setdefault(_name(node, colour, graph), []).append((name, node))
    for position, kind in enumerate(theme.legend_order(list(kinds), known)):
        _marks(
            made,
            kinds[kind],
            places,
            name=hover(kind, 24, 1),
            colour=theme.colour_of(kind, known, position),
        )


def _name(node: dict[str, Any], colour: str, graph: Any) -> str:
    if colour == "step":
        return str(node["step"]) if node["kind"] == "attempt" else "task"
    task = node if node["kind"] == "task" else graph.nodes[node["task"]]
    return str(task["origin"])


def _by_number(made: go.Figure, drawn: Sequence[Any], places: dict[str, Any], colour: str) -> None:
    values = [_value(node, colour) for _, node in drawn]
    unknown = [pair for pair, value in zip(drawn, values) if value is None]
    known = [(pair, value) for pair, value in zip(drawn, values) if value is not None]
    if unknown:
        _marks(made, unknown, places, name="not known", colour=theme.UNKNOWN, opacity=0.45)
    if known:
        _marks(
            made,
            [pair for pair, _ in known],
            places,
            name=colour,
            colour=[value for _, value in known],
            high=_HIGH.get(colour),
        )


def _value(node: dict[str, Any], colour: str) -> float | None:
    if colour == "round":
        return float(node["round"])
    if colour == "learnability":
        measured = [worth for *_, worth in node["visits"] if worth is not None]
        return measured[-1] if measured else None
    found = node["solve_rate"] if node["kind"] == "task" else node["reward"]
    return None if found is None else float(found)


def _marks(
    made: go.Figure,
    drawn: Sequence[Any],
    places: dict[str, Any],
    *,
    name: str,
    colour: Any,
    opacity: float = 1.0,
    high: float | None = None,
) -> None:
    scale = _scale(places.values())
    marker: dict[str, Any] = {
        "color": colour,
        "opacity": opacity,
        "size": [_size(node, scale) for _, node in drawn],
        "symbol": ["square" if node["kind"] == "task" else "circle" for _, node in drawn],
        "line": {"width": 0.6, "color": theme.GREY},  # the darkest colour stands out on a dark ground
    }
    if isinstance(colour, list):
        bar = {"thickness": 10, "title": {"text": name, "side": "right"}}
        marker |= {"colorscale": theme.SCALE, "colorbar": bar}
        if high is not None:
            marker |= {"cmin": 0, "cmax": high}
    made.add_scattergl(
        x=[places[node_id][0] for node_id, _ in drawn],
        y=[places[node_id][1] for node_id, _ in drawn],
        mode="markers",
        name=name,
        showlegend=not isinstance(colour, list),
        customdata=[node_id for node_id, _ in drawn],
        text=[summary(node) for _, node in drawn],
        hovertemplate="%{text}<extra></extra>",
        marker=marker,
    )


def _scale(places: Iterable[Any]) -> float:
    """About how many pixels a task spacing takes up when everything is in view."""
    reach = max((max(abs(x), abs(y)) for x, y in places), default=1.0)
    return 330 / max(reach, 1.0)


def _size(node: dict[str, Any], scale: float) -> float:
    """Diameter in pixels: small enough that attempts are seen round their task."""
    if node["kind"] == "task":
        return min(max(0.5 * scale, 4.5), 18.0)
    return min(max(0.26 * scale, 3.0), 9.0)


def summary(node: dict[str, Any]) -> str:
    """What a mark stands for, for its hover box."""
    if node["kind"] == "task":
        rate = "not tried yet" if node["solve_rate"] is None else f"solved {node['solve_rate']:.0%}"
        told = f"{rate} of {node['attempts']} attempts"
        return (
            f"<b>task</b> {hover(', '.join(node['topics']), 60, 2)}<br>{hover(node['origin'])},"
            f" {hover(node['status'])}, round {node['round']}<br>{told}"
        )
    return (
        f"<b>attempt</b> {hover(node['category'])}<br>{hover(node['step'])}, round {node['round']},"
        f" version {node['policy_version']}"
    )
