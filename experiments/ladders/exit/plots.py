"""The ladder's plots as SVG, after figures 3 to 7 of ExIt (arXiv 2509.04575).

steps     accuracy by improvement steps            (figure 3)
net       net corrections by steps                 (figure 4)
depth     of what rounds start from                (figures 5 and 6)
turn      answers in what rounds start from        (figure 6)
origin    round that replayed histories come from  (figures 5 and 6)
distinct  different starts relative to base tasks  (figure 7)
distance  of these starts from each other           (table 2)
reward    of collected groups, by round
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed, or there
from matplotlib import pyplot
from matplotlib.axes import Axes

from experiments.ladders.exit.reading import Curve, Figures, Steps
from experiments.ladders.exit.rows import ROWS

Lines = dict[str, list[Curve]]
"""Curves by label, one for each seed."""


def draw(base: Sequence[Sequence[Steps]], found: Mapping[str, Sequence[Figures]], folder: Path) -> list[Path]:
    """Every plot that the figures are there for; returns the files."""
    matplotlib.rcParams["svg.hashsalt"] = "taskspace"  # the same figures give the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # letters as letters, not as paths
    measured: dict[str, Sequence[Sequence[Steps]]] = {"before": base} if base else {}
    measured |= {ROWS[name].title: [run.steps for run in runs] for name, runs in found.items()}

    def by_round(curve: Callable[[Figures], Curve]) -> Lines:
        return {ROWS[name].title: [curve(run) for run in runs] for name, runs in found.items()}

    plots: list[tuple[str, str, str, Lines]] = [
        (
            "steps",
            "improvement steps",
            "held-out accuracy",
            _by_steps(measured, lambda one: one.accuracy.mean),
        ),
        ("net", "improvement steps", "net corrections", _by_steps(measured, lambda one: float(one.net))),
        ("depth", "round", "depth of starts", by_round(lambda run: run.depth)),
        ("turn", "round", "turn of starts", _several(by_round(lambda run: run.turn))),
        ("origin", "round", "origin round of replayed histories", by_round(lambda run: run.origin)),
        ("distinct", "round", "different starts / base tasks", by_round(lambda run: run.distinct)),
        ("distance", "round", "mean distance of starts", by_round(lambda run: run.distance)),
        ("reward", "round", "mean reward of collected groups", by_round(lambda run: run.reward)),
    ]
    made = []
    for name, across, up, lines in plots:
        figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
        if _draw(axes, lines):
            axes.set(xlabel=across, ylabel=up)
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            made.append(path)
        pyplot.close(figure)
    return made


def _by_steps(measured: Mapping[str, Sequence[Sequence[Steps]]], value: Callable[[Steps], float]) -> Lines:
    return {
        title: [[(one.steps, value(one)) for one in run] for run in runs] for title, runs in measured.items()
    }


def _several(lines: Lines) -> Lines:
    """Nothing where every play has one turn."""
    turns = {value for curves in lines.values() for curve in curves for _, value in curve}
    return {} if turns == {1.0} else lines


def _draw(axes: Axes, lines: Lines) -> bool:
    """Means over seeds, and a band from the lowest to the highest of them; False without any."""
    for label, curves in lines.items():
        places: dict[int, list[float]] = {}
        for place, value in (point for curve in curves for point in curve):
            places.setdefault(place, []).append(value)
        if not places:
            continue
        across = sorted(places)
        means = [sum(places[x]) / len(places[x]) for x in across]
        (line,) = axes.plot(across, means, marker="o", markersize=3, label=label)
        if len(curves) > 1:
            low, high = zip(*((min(places[x]), max(places[x])) for x in across))
            axes.fill_between(across, low, high, alpha=0.15, color=line.get_color())
    drawn = bool(axes.get_legend_handles_labels()[0])
    if drawn:
        axes.legend(fontsize=7)
    return drawn
