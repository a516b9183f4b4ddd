"""The ladder in one domain as Markdown: accuracy by improvement steps beside the published figures, then the
curriculum of every run."""

from collections.abc import Mapping, Sequence

from experiments.ladders.exit.reading import Curve, Figures, Steps
from experiments.ladders.exit.rows import BASE, ROWS, Published
from experiments.ladders.shares import Share, over_seeds


def table(domain: str, base: Sequence[Sequence[Steps]], found: Mapping[str, Sequence[Figures]]) -> str:
    """Args:
    base: measurements of what the rows begin with. found: figures by row; both one for each seed.
    """
    steps = sorted({one.steps for run in base for one in run})
    parts = [
        "### Held-out accuracy after improvement steps\n\n" + _accuracy(domain, base, found, steps),
        "### The same budget: net corrections, and independent answers\n\n" + _budget(base, found),
    ]
    if found:
        parts.append("### The curriculum, last round\n\n" + _curriculum(found))
    return "\n\n".join(parts)


def _accuracy(
    domain: str,
    base: Sequence[Sequence[Steps]],
    found: Mapping[str, Sequence[Figures]],
    steps: Sequence[int],
) -> str:
    lines = [
        _line("method", "seeds", *(f"k = {k}" for k in steps), "published, after K", "of it by the steps"),
        _line(*["---"] * (len(steps) + 4)),
    ]
    rows = [("before", base, BASE.get(domain))] if base else []
    rows += [
        (ROWS[name].title, [run.steps for run in runs], ROWS[name].published.get(domain))
        for name, runs in found.items()
    ]
    for title, runs, published in rows:
        shares = [_show(over_seeds([_at(run, k) for run in runs])) for k in steps]
        lines.append(_line(title, len(runs), *shares, *_published(published)))
    return "\n".join(lines)


def _budget(base: Sequence[Sequence[Steps]], found: Mapping[str, Sequence[Figures]]) -> str:
    lines = [
        _line("method", "k", "net corrections", "of answers", "accuracy", "majority", "best", "tokens"),
        _line(*["---"] * 8),
    ]
    rows = [("before", list(base))] if base else []
    rows += [(ROWS[name].title, [run.steps for run in runs]) for name, runs in found.items()]
    for title, runs in rows:
        last = [run[-1] for run in runs]
        shares = [
            over_seeds([getattr(one, what) for one in last]) for what in ("accuracy", "majority", "best")
        ]
        lines.append(
            _line(
                title,
                last[0].steps,
                f"{sum(one.net for one in last) / len(last):+.1f}",
                last[0].attempts,
                *map(_show, shares),
                f"{sum(one.tokens for one in last) / len(last):.0f}",
            )
        )
    return "\n".join(lines)


def _curriculum(found: Mapping[str, Sequence[Figures]]) -> str:
    lines = [
        "| row | seed | answers learned | reward, first to last | replayed | depth | turn | origin round "
        "| starts / tasks | distance | bonus | seconds |",
        _line(*["---"] * 12),
    ]
    for name, runs in found.items():
        for run in runs:
            reward = f"{run.reward[0][1]:.2f} to {run.reward[-1][1]:.2f}"
            curves = [_last(curve) for curve in (run.depth, run.turn, run.origin, run.distinct, run.distance)]
            bonus = f"{run.metrics['diversity_factor']:.2f}" if "diversity_factor" in run.metrics else "-"
            lines.append(
                _line(
                    name, run.seed, run.samples, reward, f"{run.replayed:.2f}", *curves, bonus,
                    f"{run.seconds:.0f}",
                )
            )  # fmt: skip
    return "\n".join(lines)


def _at(run: Sequence[Steps], steps: int) -> Share | None:
    return next((one.accuracy for one in run if one.steps == steps), None)


def _last(curve: Curve) -> str:
    return f"{curve[-1][1]:.2f}" if curve else "-"


def _show(found: Share | None) -> str:
    return "-" if found is None else f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def _published(found: Published | None) -> list[str]:
    return ["-", "-"] if found is None else [f"{found[0]:.1f} %", f"{found[1]:+.1f}"]


def _line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
