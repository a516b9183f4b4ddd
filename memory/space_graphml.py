"""The task space as GraphML, for Gephi, Cytoscape, igraph and their like.

What GraphML has no type for is there as JSON text; an attribute that is None is left out.
"""

import io
import json
from typing import Any

import networkx as nx

from memory.space import TaskSpace


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
    made = with_places(space)
    for _, attributes in made.nodes(data=True):
        flat = {name: _flat(value) for name, value in attributes.items() if value is not None}
        attributes.clear()
        attributes.update(flat)
    out = io.BytesIO()
    nx.write_graphml(made, out)
    return out.getvalue()


def _flat(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)
