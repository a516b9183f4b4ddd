"""A run's task space for people and for other programs: an overview, lineages, GraphML and JSON.

Does not cover: the graph itself (`memory.space`), what it tells (`memory.space_questions`).
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import networkx as nx
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from memory import space_questions
from memory.reader import RunReader
from memory.space import TaskSpace
from protocols.errors import SettingError

SHOWN = 10  # fertile nodes of an overview
EXPORTS = (".graphml", ".json")


def overview(space: TaskSpace) -> dict[str, Any]:
    """Every figure about the whole."""
    return {
        "growth": space.growth(),
        "starts": space_questions.starts(space.graph),
        "revisions": space_questions.revisions(space.graph),
        "branching": space_questions.branching(space.graph),
        "fertile": [
            {"id": node, "descendants": count, **_brief(space, node)}
            for node, count in space_questions.fertile(space.graph, SHOWN)
        ],
    }


def lineage(space: TaskSpace, reader: RunReader, node: str) -> list[dict[str, Any]]:
    """The way to a node, oldest first, with the weights that made each attempt."""
    paths = {row["version"]: row["path"] for row in reader.rows("SELECT version, path FROM updates")}
    found = []
    for one in space.lineage(_named(space, node)):
        told = {"id": one, **_brief(space, one)}
        if told["kind"] == "attempt":
            told["weights"] = paths.get(told["policy_version"])  # None: the model as it came
        found.append(told)
    return found


def descendants(space: TaskSpace, node: str) -> list[dict[str, Any]]:
    """Everything that came from a node, nearest first."""
    return [{"id": one, **_brief(space, one)} for one in space.descendants(_named(space, node))]


def export(space: TaskSpace, path: Path) -> None:
    """Write the graph with its places; what GraphML has no type for is there as JSON text.

    Raises:
        SettingError: the file's ending is none of `EXPORTS`.
    """
    if path.suffix not in EXPORTS:
        raise SettingError(f"--export {path}: the ending says how; write {' or '.join(EXPORTS)}")
    places = space.layout()
    if path.suffix == ".json":
        graph = space.graph.copy()
        for node, (x, y) in places.items():
            graph.nodes[node].update(x=x, y=y)
        path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")), encoding="utf-8")
        return
    flat: nx.DiGraph = nx.DiGraph()
    for node, attributes in space.nodes():
        x, y = places[node]
        flat.add_node(node, x=x, y=y, **{k: _flat(v) for k, v in attributes.items() if v is not None})
    flat.add_edges_from(space.graph.edges(data=True))
    nx.write_graphml(flat, path)


def text(told: dict[str, Any]) -> str:
    """An overview as tables."""
    parts = [
        table(told["growth"], "Growth"),
        table(told["starts"], "Where groups started"),
        table(told["revisions"], "What revisions changed"),
        table(told["fertile"], "Most fertile"),
    ]
    for kind, row in told["branching"].items():
        parts.append(
            f"{row['started']} {kind}s were started from, {row['groups']:.2f} times each "
            f"({100 * row['revised']:.1f} % of all)"
        )
    return "\n".join(part for part in parts if part)


def table(rows: Sequence[dict[str, Any]], title: str = "") -> str:
    """Rows under the names of their fields; empty without any."""
    if not rows:
        return ""
    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        made.add_column(name, no_wrap=True)
    for row in rows:
        made.add_row(*(escape(_cell(row.get(name))) for name in names))
    out = io.StringIO()
    Console(file=out, width=10_000, color_system=None).print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _named(space: TaskSpace, beginning: str) -> str:
    """The one node whose id begins so."""
    found = [node for node in space.graph if node.startswith(beginning)]
    if len(found) == 1 or beginning in found:
        return beginning if beginning in found else found[0]
    what = f"{len(found)} nodes begin so; give more of its id" if found else "no such task or attempt"
    raise SettingError(f"node {beginning}: {what}")


def _brief(space: TaskSpace, node: str) -> dict[str, Any]:
    attributes = space.graph.nodes[node]
    if attributes["kind"] == "task":
        names: tuple[str, ...] = ("kind", "origin", "status", "depth", "solve_rate")
    else:
        names = ("kind", "step", "round", "policy_version", "depth", "reward", "category")
    return {name: attributes[name] for name in names}


def _flat(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
