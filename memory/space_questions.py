"""What a task space can tell: fertile nodes, what revisions changed, branching, where starts came from.

Functions over the graph of `memory.space`; each looks at every node at most once. Does not cover: how the
space grew by round (`TaskSpace.growth`), lineage and descendants (`TaskSpace`).
"""

from collections import Counter, defaultdict
from typing import Any

import networkx as nx

from protocols.records import Step

RIGHT = 1.0  # reward of a right answer


def fertile(graph: nx.DiGraph, count: int) -> list[tuple[str, int]]:
    """The `count` nodes that most nodes came from, with how many; the earliest of equals first."""
    below: Counter[str] = Counter()
    for node in reversed(list(nx.topological_sort(graph))):
        for origin in graph.predecessors(node):  # at most one
            below[origin] += below[node] + 1
    order = {node: place for place, node in enumerate(graph)}
    return sorted(below.items(), key=lambda one: (-one[1], order[one[0]]))[:count]


def revisions(graph: nx.DiGraph) -> list[dict[str, Any]]:
    """By kind of step and depth, what became of answers when they were revised.

    Returns:
        Rows with `step`, `depth` (of the revision), `corrected` (wrong before, right after), `broken` (the
        other way round), `kept` (right both times), `missed` (wrong both times). Answers without a reward on
        either side do not count.
    """
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for origin, node, edge in graph.edges(data=True):
        before, after = graph.nodes[origin], graph.nodes[node]
        if edge["kind"] not in (Step.IMPROVE, Step.DIVERGE):
            continue
        if before["reward"] is None or after["reward"] is None:
            continue
        was, became = before["reward"] >= RIGHT, after["reward"] >= RIGHT
        names = {
            (False, True): "corrected",
            (True, False): "broken",
            (True, True): "kept",
            (False, False): "missed",
        }
        found[edge["kind"], after["depth"]][names[was, became]] += 1
    outcomes = ("corrected", "broken", "kept", "missed")
    return [
        {"step": step, "depth": depth, **{name: counts[name] for name in outcomes}}
        for (step, depth), counts in sorted(found.items())
    ]


def branching(graph: nx.DiGraph) -> dict[str, Any]:
    """How starts branch.

    Returns:
        For `task` and `attempt`: `started` (nodes that a group started from), `groups` (how many did, in the
        mean), `revised` (share of all attempts that were; of tasks, that were played at all).
    """
    found = {}
    for kind in ("task", "attempt"):
        nodes = [node for _, node in graph.nodes(data=True) if node["kind"] == kind]
        visits = [len(node["visits"]) for node in nodes if node["visits"]]
        found[kind] = {
            "started": len(visits),
            "groups": sum(visits) / len(visits) if visits else 0.0,
            "revised": len(visits) / len(nodes) if nodes else 0.0,
        }
    return found


def starts(graph: nx.DiGraph) -> list[dict[str, Any]]:
    """By round, where its groups started from.

    Returns:
        Rows with `round`, `groups`, `from_attempts` (groups that went on from an answer), `depth` (mean
        number of steps already taken, 0 at a task), `origin_round` (mean round that those answers came from;
        None without any), `distinct` (starts played so far, each once), `relative` (`distinct` over the
        tasks played so far).
    """
    played: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for name, node in graph.nodes(data=True):
        for round, *_ in node["visits"]:
            played[round].append((name, node))
    rows, seen, tasks = [], set(), set()
    for round in sorted(played):
        nodes = played[round]
        seen |= {name for name, _ in nodes}
        tasks |= {node.get("task", name) for name, node in nodes}
        answers = [node for _, node in nodes if node["kind"] == "attempt"]
        origins = [node["round"] for node in answers]
        rows.append(
            {
                "round": round,
                "groups": len(nodes),
                "from_attempts": len(answers),
                "depth": sum(node["depth"] + 1 for node in answers) / len(nodes),
                "origin_round": sum(origins) / len(origins) if origins else None,
                "distinct": len(seen),
                "relative": len(seen) / len(tasks),
            }
        )
    return rows
