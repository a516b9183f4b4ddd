"""The task space as GraphML, for Gephi, Cytoscape, igraph and their like.

What GraphML has no type for is there as JSON text; an attribute that is None is left out.
"""

import io
import json
from typing import Any, BinaryIO

import networkx as nx

from memory.space import TaskSpace
from protocols.visible import reveal


def with_places(space: TaskSpace) -> nx.DiGraph:
    """The graph with its places as `x` and `y`, attributes as they are."""
    places = space.layout()
    made: nx.DiGraph = nx.DiGraph()
    for node, attributes in space.nodes():
        x, y = places[node]
        made.add_node(node, x=x, y=y, **attributes)
    made.add_edges_from(space.graph.edges(data=True))
    return made


def graphml(space: TaskSpace) -> bytes:
    """The file, UTF-8."""
    out = io.BytesIO()
    write(with_places(space), out)
    return out.getvalue()


def write(graph: nx.DiGraph, file: BinaryIO) -> None:
    """A graph whose attributes may be any JSON and any text."""
    made: nx.DiGraph = nx.DiGraph()
    for node, attributes in graph.nodes(data=True):
        made.add_node(_flat(node), **_all_flat(attributes))
    for start, end, attributes in graph.edges(data=True):
        made.add_edge(_flat(start), _flat(end), **_all_flat(attributes))
    nx.write_graphml(made, file)


def _all_flat(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: _flat(value) for name, value in attributes.items() if value is not None}


def _flat(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    return reveal(value if isinstance(value, str) else json.dumps(value))  # XML has no control characters
