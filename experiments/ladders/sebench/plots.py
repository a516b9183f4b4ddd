"""The ladder's plots as SVG: accuracy over passes, the RL gap, noise, error categories."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed, or there
from matplotlib import pyplot
from matplotlib.axes import Axes

from experiments.ladders.sebench.reading import Figures
from experiments.ladders.sebench.rows import CLEAN, ROWS

ByRow = Mapping[str, Sequence[Figures]]
"""Figures of a row's seeds."""


def draw(found: ByRow, folder: Path) -> list[Path]:
    """Every plot that the figures are there for; returns the files."""
    matplotlib.rcParams["svg.hashsalt"] = "taskspace"  # the same figures give the same file
    made = []
    for name, plot in (("course", _course), ("gap", _gap), ("noise", _noise), ("errors", _errors)):
        figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
        if plot(axes, found):
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            made.append(path)
        pyplot.close(figure)
    return made


def _course(axes: Axes, found: ByRow) -> bool:
    """Closed-book accuracy over rounds: open against closed, SFT against RL."""
    for name, runs in found.items():
        if ROWS[name].part not in ("main", "volume"):
            continue
        by_round: dict[int, list[float]] = {}
        for run in runs:
            for round, accuracy in run.course.get("single", []):
                by_round.setdefault(round, []).append(accuracy)
        if by_round:
            means = [sum(v) / len(v) for v in by_round.values()]
            axes.plot(list(by_round), means, marker="o", markersize=3, label=ROWS[name].title)
    axes.set(xlabel="round (SFT: pass over the experience)", ylabel="closed book, single", ylim=(-0.03, 1.03))
    return _legend(axes)


def _gap(axes: Axes, found: ByRow) -> bool:
    names = [name for name in found if ROWS[name].part == "gap"]
    places = range(len(names))
    for offset, what, shares in (
        (-0.2, "as asked", [[run.after for run in found[name]] for name in names]),
        (0.2, "answer opened", [[run.opened for run in found[name] if run.opened] for name in names]),
    ):
        values = [_mean([one["single"].mean for one in of_row]) if of_row else 0.0 for of_row in shares]
        axes.barh([place + offset for place in places], values, height=0.4, label=what)
    axes.set_yticks(list(places), [name.removeprefix("gap-") for name in names])
    axes.invert_yaxis()
    axes.set(xlabel="closed book, single", xlim=(0, 1))
    axes.tick_params(axis="y", labelsize=7)
    return bool(names) and _legend(axes)


def _noise(axes: Axes, found: ByRow) -> bool:
    """Accuracy against injected noise: SFT on one experience, RL after SFT."""
    for method, without in CLEAN.items():
        for kind, what in (("false_positive", "false positives"), ("false_negative", "false negatives")):
            points = {0.0: found.get(without, ())}
            for name, runs in found.items():
                rates = ROWS[name].changes.get("verifier", {})
                if name.startswith(f"noise-{method}") and rates[kind]:
                    points[rates[kind]] = runs
            drawn = {x: _mean([r.after["single"].mean for r in runs]) for x, runs in points.items() if runs}
            if len(drawn) > 1:
                axes.plot(list(drawn), list(drawn.values()), marker="o", label=f"{method.upper()}, {what}")
    axes.set(xlabel="rate", ylabel="closed book, single", ylim=(-0.03, 1.03))
    return _legend(axes)


def _errors(axes: Axes, found: ByRow) -> bool:
    """Shares of what went wrong, closed book, before and after reinforcement learning."""
    names = [name for name in ("closed-sft", "closed-sft-rl") if name in found]
    kinds = sorted({kind for name in names for run in found[name] for kind in run.errors})
    for number, name in enumerate(names):
        total = sum(run.answers for run in found[name])
        shares = [sum(run.errors.get(kind, 0) for run in found[name]) / total for kind in kinds]
        places = [place + 0.4 * number for place in range(len(kinds))]
        axes.barh(places, shares, height=0.38, label=ROWS[name].title)
    axes.set_yticks([place + 0.2 for place in range(len(kinds))], kinds)
    axes.set(xlabel="share of closed-book answers")
    return _legend(axes)


def _legend(axes: Axes) -> bool:
    drawn = bool(axes.get_legend_handles_labels()[0])
    if drawn:
        axes.legend(fontsize=7)
    return drawn


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
