"""A run's task space for people and for other programs: questions, lineages, positions, GraphML and JSON.

    RUN/positions.json   where nodes lie by what they say, once asked for: {node: [x, y]}

Does not cover: the graph itself (`memory.space`), what it tells (`memory.space_questions`), how positions
come about (`memory.space_positions`).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import networkx as nx

from experiments.outputs import writing_bytes
from experiments.tables import table
from memory import space_graphml, space_positions, space_questions
from memory.layout import Position
from memory.reader import RunReader
from memory.space import TaskSpace
from protocols.errors import ArtefactError, SettingError

SHOWN = 10  # fertile nodes
EXPORTS = (".graphml", ".json")
POSITIONS = "positions.json"

QUESTIONS: dict[str, Callable[[TaskSpace], Any]] = {
    "growth": lambda space: space.growth(),
    "starts": lambda space: space_questions.starts(space.graph),
    "revisions": lambda space: space_questions.revisions(space.graph),
    "branching": lambda space: space_questions.branching(space.graph),
    "fertile": lambda space: [
        {"id": node, "descendants": count, **_brief(space, node)}
        for node, count in space_questions.fertile(space.graph, SHOWN)
    ],
}
TITLES = {
    "growth": "Growth",
    "starts": "Where groups started",
    "revisions": "What revisions changed",
    "fertile": "Most fertile",
}


def overview(space: TaskSpace) -> dict[str, Any]:
    """Every figure about the whole."""
    return {name: ask(space) for name, ask in QUESTIONS.items()}


def positions(
    space: TaskSpace, reader: RunReader, folder: Path, embedder: str | None = None
) -> dict[str, Position]:
    """Work out where the nodes lie, and keep it in the run's folder for `placed`.

    Args:
        embedder: a model whose embeddings count, as in `learner.grpo.embedder`; None: words do.

    Raises:
        ArtefactError: there is no such embedder.
    """
    texts = space_positions.texts(reader)
    said = {node: texts[node] for node in space.graph}
    if embedder is None:
        found = space_positions.by_words(said)
    else:
        found = space_positions.by_embeddings(dict(zip(said, _embedded(list(said.values()), embedder))))
    part = folder / f"{POSITIONS}.part"
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(folder / POSITIONS)
    return found


def distances(reader: RunReader, embedder: str) -> dict[str, Any]:
    """How far the answers that groups went on from lie from each other, each text of a task counted once.

    Returns:
        `starts` (how many), and the mean `cosine` and `l2` distance over their pairs.

    Raises:
        ArtefactError: there is no such embedder.
    """
    said = [text for _, text in reader.tuples(_GONE_ON_FROM)]
    return {"starts": len(said), **space_questions.apart(_embedded(said, embedder))}


_GONE_ON_FROM = """SELECT DISTINCT g.task_id, json_extract(history.body, '$[#-1].response') FROM groups g
JOIN texts history ON history.id = g.history_text
WHERE g.purpose = 'collect' AND g.parent_attempt_id IS NOT NULL"""


def _embedded(texts: Sequence[str], embedder: str) -> list[Sequence[float]]:
    if not texts:
        return []
    from actors.learning.embedding import Embedder  # torch takes seconds
    from memory.embedder_sources import fetch_embedder

    found: list[Sequence[float]] = Embedder(fetch_embedder(embedder)).embed(texts).tolist()
    return found


def placed(space: TaskSpace, folder: Path) -> None:
    """Give nodes the positions that were worked out last; those that came later have none.

    Raises:
        ArtefactError: the file holds something else.
    """
    file = folder / POSITIONS
    if not file.is_file():
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        space.place({node: (x, y) for node, (x, y) in found.items() if node in space.graph})
    except (ValueError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"{file}: not the positions of a task space ({error}); remove it, or make it anew with"
            f" `taskspace space {folder} positions`"
        ) from error


def lineage(space: TaskSpace, reader: RunReader, node: str) -> list[dict[str, Any]]:
    """The way to a node, oldest first, with the weights that made each attempt.

    `weights` is their checkpoint, `learned` the round whose update made them and `recipe` its recipe: all
    None for the model as it came.
    """
    rows = reader.tuples("SELECT version, path, round, recipe FROM updates")
    made = {version: rest for version, *rest in rows}
    found = []
    for one in space.lineage(_named(space, node)):
        told = {"id": one, **_brief(space, one)}
        if told["kind"] == "attempt":
            weights = made.get(told["policy_version"], (None, None, None))
            told |= dict(zip(("weights", "learned", "recipe"), weights))
        found.append(told)
    return found


def descendants(space: TaskSpace, node: str) -> list[dict[str, Any]]:
    """Everything that came from a node, nearest first."""
    return [{"id": one, **_brief(space, one)} for one in space.descendants(_named(space, node))]


def export(space: TaskSpace, path: Path) -> None:
    """Write the graph with its places (`x`, `y`); what GraphML has no type for is there as JSON text.

    In GraphML an attribute that is None is left out.

    Raises:
        SettingError: the file's ending is none of `EXPORTS`, or it cannot be written.
    """
    if path.suffix not in EXPORTS:
        raise SettingError(f"--export {path}: the ending says how; write {' or '.join(EXPORTS)}")
    if path.suffix == ".graphml":
        text = space_graphml.graphml(space)
    else:
        made = nx.node_link_data(space_graphml.with_places(space), edges="edges")
        text = json.dumps(made).encode()
    with writing_bytes(path, "--export") as file:
        file.write(text)


def text(told: dict[str, Any]) -> str:
    """An overview as tables."""
    parts = [table(told[name], title) for name, title in TITLES.items()]
    parts.append(branches(told["branching"]))
    return "\n".join(part for part in parts if part)


def branches(told: dict[str, Any]) -> str:
    """How starts branch, in sentences."""
    return "\n".join(
        f"{row['started']} {kind}s were started from, {row['groups']:.2f} times each "
        f"({100 * row['revised']:.1f} % of all)"
        if row["started"]
        else f"no {kind} was started from"
        for kind, row in told.items()
    )


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
        names = ("kind", "step", "turn", "depth", "round", "policy_version", "reward", "category")
    return {name: attributes[name] for name in names}
