"""The chain of `experiments.why` as a graph, and the graph as a picture: decisions on the left, what the
weights can do on the right.

Nodes have `kind` (one of `KINDS`), `layer` (its place in them) and `label`; edges lead from cause to effect.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import networkx as nx

from experiments import why
from experiments.outputs import writing_bytes
from experiments.why import OfFunction, Told, updates_of
from memory import space_graphml
from memory.causes import Asked, Caused, Decided, Learned, OfTask
from memory.held_out import Measured
from protocols.errors import SettingError

KINDS = ("decision", "proposal", "task", "episodes", "update", "measurement")
#: Okabe and Ito's colours, lightened for dark letters; which kind it is, its place and words say as well.
_COLOURS = ("#dddddd", "#f3d3e4", "#f9e2a8", "#bfe3f7", "#b5e5d3", "#f6c9a6")
ENDINGS = (".svg", ".png", ".graphml")


def graph(told: Told, shown: int | None = None) -> nx.DiGraph:
    """The chain as a graph.

    Args:
        shown: tasks of each update, those with most new samples; None: all.
    """
    made: nx.DiGraph = nx.DiGraph()
    if isinstance(told, OfFunction):
        for change in told.changes:
            _measured(made, change.before)
            _measured(made, change.after)
    if isinstance(told, OfTask):
        task = _node(made, "task", told.task, f"{told.origin} {told.task[:8]}\n{told.statement}")
        _add_origin(made, task, told.task, told.proposal, told.decisions)
    for update, after in updates_of(told):
        version = _node(made, "update", str(update.version), _update_label(update))
        if after is not None:
            made.add_edge(version, _measured(made, after))
        for learned in update.learned[:shown]:
            _add_learned(made, version, update, learned)
        more = len(update.learned) - shown if shown is not None else 0
        if more > 0:
            made.add_edge(_node(made, "episodes", f"{version} more", f"{more} more tasks"), version)
    return made


def _add_learned(made: nx.DiGraph, version: str, update: Caused, learned: Learned) -> None:
    label = f"{why.count(learned.samples, 'answer')}, {learned.new} new\n{learned.verified} verified"
    episodes = _node(made, "episodes", f"{update.version}/{learned.task}", label)
    task = _node(made, "task", learned.task, f"{learned.origin} {learned.task[:8]}\n{learned.statement}")
    made.add_edge(episodes, version)
    made.add_edge(task, episodes)
    _add_origin(made, task, learned.task, learned.proposal, learned.decisions)


def _add_origin(
    made: nx.DiGraph, task: str, name: str, asked: Asked | None, decisions: Sequence[Decided]
) -> None:
    led = task
    if asked is not None:
        led = _node(made, "proposal", asked.id, f"asked about {asked.topic}\nround {asked.round}")
        made.add_edge(led, task)
    for decided in decisions:
        what = f"{decided.action} {decided.kind}"
        node = f"{name} {what} {why.one_line(decided.reason)}"
        decision = _node(made, "decision", node, f"{what}\n{decided.reason} ({decided.count})")
        made.add_edge(decision, led if decided.kind in ("ask", "proposal") else task)


def _measured(made: nx.DiGraph, one: Measured) -> str:
    label = f"version {one.version}\n{why.measured_line(one)}"
    return _node(made, "measurement", f"{one.version}, round {one.round}", label)


def _update_label(update: Caused) -> str:
    return f"update {update.version}: {update.recipe}\n{why.count(update.about, 'answer')}, {update.new} new"


def _node(made: nx.DiGraph, kind: str, name: str, label: str) -> str:
    node = f"{kind} {name}"
    made.add_node(
        node, kind=kind, layer=KINDS.index(kind), label="\n".join(map(_short, label.splitlines()[:2]))
    )
    return node


def _short(line: str) -> str:
    return why.one_line(line, 30)


def require_ending(path: Path) -> None:
    """Raises:
    SettingError: it is none of `ENDINGS`, or its folder is not there.
    """
    if path.suffix not in ENDINGS:
        raise SettingError(f"--picture {path}: the ending says how; write one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise SettingError(
            f"--picture {path}: there is no folder {path.parent}; make it, or name another file"
        )


def write(told: Told, path: Path) -> None:
    """As SVG or PNG with the tasks that matter most, or whole as GraphML: the file's ending says how.

    Raises:
        SettingError: the ending is another one, or the file cannot be written.
    """
    require_ending(path)
    with writing_bytes(path, "--picture") as file:
        if path.suffix == ".graphml":
            space_graphml.write(graph(told), file)
        else:
            _draw(graph(told, why.SHOWN), file, path.suffix.removeprefix("."))


def _draw(made: nx.DiGraph, file: BinaryIO, ending: str) -> None:
    import matplotlib

    matplotlib.use("Agg")  # no display is needed, or there
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "taskspace"  # the same chain gives the same file
    columns = Counter(layer for _, layer in made.nodes(data="layer"))
    tallest = max(columns.values(), default=1)
    places: dict[str, tuple[float, float]] = {}
    above: Counter[int] = Counter()
    for node, layer in made.nodes(data="layer"):  # in the order of their effects: few edges cross
        above[layer] += 1
        places[node] = (layer, -(above[layer] - 0.5) / columns[layer] * tallest)
    for cause, effect in made.edges:
        if made.nodes[cause]["kind"] == "proposal":  # beside its task, of which it is the only one
            places[cause] = (places[cause][0], places[effect][1])
    figure, axes = pyplot.subplots(figsize=(18, max(3.0, 0.62 * tallest + 1)))
    for cause, effect in made.edges:  # left to right, and below the boxes: no arrowheads are needed
        axes.plot(*zip(places[cause], places[effect]), color="#777777", linewidth=0.8, zorder=1)
    for node, attributes in made.nodes(data=True):
        axes.text(
            *places[node],
            attributes["label"].encode("ascii", "replace").decode(),  # fonts do not hold every letter
            ha="center",
            va="center",
            fontsize=8,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": _COLOURS[attributes["layer"]], "linewidth": 0.5},
        )
    for layer, kind in enumerate(KINDS):
        axes.text(layer, 0.35, kind, ha="center", va="bottom", fontsize=10, fontweight="bold")
    axes.set_xlim(-0.6, len(KINDS) - 0.4)
    axes.set_ylim(-tallest - 0.2, 0.9)
    axes.axis("off")
    figure.savefig(
        file, format=ending, bbox_inches="tight", metadata={"Date": None} if ending == "svg" else None
    )
    pyplot.close(figure)
