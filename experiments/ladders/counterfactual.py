"""Recipes on one experience, side by side: each a relearned run beside its source, and a table of them all.

Accuracy is closed book after the last round, over held-out tasks; what differs from the source is taken task
by task, so that both answered the same ones. Runs that are complete are not played again.
Does not cover: what a relearned run is (`experiments.relearning`).
"""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import relearning, runs, summary
from experiments.ladders.shares import Share, over_seeds, share
from memory.held_out import by_task
from memory.reader import RunReader
from protocols.errors import TaskspaceError
from protocols.records import Record


class Figures(Record):
    """A run, the source itself included."""

    run: str
    recipe: str
    seed: int
    where: str | None  # what was selected of the source; None: everything
    groups: int  # that it had to learn from
    attempts: int
    learned: int  # different attempts that any update learned
    updates: int
    before: float | None  # closed book, if measured
    after: Share | None
    difference: Share | None  # from the source, over the held-out tasks of both; None of the source itself
    seconds: float


class Summary(Record):
    """A recipe over its seeds."""

    recipe: str
    seeds: int
    after: Share | None
    difference: Share | None


def play(
    source: Path,
    recipes: Sequence[str | None],
    where: str | None,
    seeds: Sequence[int | None],
    overrides: Sequence[str],
    quiet: bool,
) -> list[Path]:
    """Folders of the relearned runs, by recipe, then seed; all are checked before any is played.

    Raises:
        SettingError, StoreError: see `relearning.prepare`.
        TaskspaceError: one failed or was stopped; the others are kept, the same command goes on from there.
    """
    wanted = [
        relearning.prepare(source, recipe, where, seed, overrides) for recipe in recipes for seed in seeds
    ]
    for prepared in wanted:
        finish(prepared, quiet)
    return [prepared.run_dir for prepared in wanted]


def finish(prepared: runs.Prepared, quiet: bool) -> None:
    """Play what is left of a run; what it says goes to stderr, as stdout belongs to the table.

    Raises:
        TaskspaceError: it failed or was stopped.
    """
    if summary.load(prepared.run_dir).get("finished"):
        return
    with contextlib.redirect_stdout(sys.stderr):
        code = runs.execute(prepared, quiet=quiet)
    if code:
        raise TaskspaceError(f"relearn: stopped in {prepared.run_dir}; the same command goes on from there")


def figures(folder: Path, source: Path) -> Figures:
    """Of a complete run."""
    told = summary.load(folder)
    with RunReader(folder) as reader, RunReader(source) as other:
        counts, config = reader.overview(), reader.config()
        here, there = by_task(reader), by_task(other)
    common = [task for task in here if task in there]
    differs = folder.resolve() != source.resolve() and common
    return Figures(
        run=folder.name,
        recipe=config["learner"]["recipe"],
        seed=config["seed"],
        where=config["curator"].get("source_where"),
        groups=counts["groups"],
        attempts=counts["attempts"],
        learned=counts["attempts_trained"],
        updates=counts["updates"],
        before=told.get("closed_book_before"),
        after=share(list(here.values())) if here else None,
        difference=share([here[task] - there[task] for task in common]) if differs else None,
        seconds=float(told.get("seconds", 0.0)),
    )


def summaries(found: Sequence[Figures]) -> list[Summary]:
    """Of relearned runs, by recipe: with intervals over seeds, or of a single seed over held-out tasks."""
    return [
        Summary(
            recipe=name,
            seeds=len(runs_),
            after=over_seeds([one.after for one in runs_]),
            difference=over_seeds([one.difference for one in runs_]),
        )
        for name in dict.fromkeys(one.recipe for one in found)
        if (runs_ := [one for one in found if one.recipe == name])
    ]


def table(source: Figures, found: Sequence[Figures]) -> str:
    """Markdown: the source, a row for each relearned run, then a row for each recipe."""
    lines = [
        "| run | recipe | seed | groups | attempts | learned | updates | closed before | closed after "
        "| seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in (source, *found):
        cells = (
            one.run, one.recipe, one.seed, one.groups, one.attempts, one.learned, one.updates,
            "-" if one.before is None else f"{one.before:.3f}", _mean(one.after), f"{one.seconds:.0f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    several = any(row.seeds > 1 for row in summaries(found))
    over = "seeds" if several else "held-out tasks"
    lines += [
        "",
        f"| recipe | seeds | closed after, mean | 95 % interval over {over} | less the source's, mean "
        "| 95 % interval |",
        "|---|---|---|---|---|---|",
        f"| {source.recipe} (the source) | 1 | {_mean(source.after)} | {_interval(source.after)} | - | - |",
    ]
    for row in summaries(found):
        lines.append(
            f"| {row.recipe} | {row.seeds} | {_mean(row.after)} | {_interval(row.after)} "
            f"| {_mean(row.difference, '+')} | {_interval(row.difference, '+')} |"
        )
    return "\n".join(lines)


def _mean(one: Share | None, sign: str = "") -> str:
    return "-" if one is None else f"{one.mean:{sign}.3f}"


def _interval(one: Share | None, sign: str = "") -> str:
    return "-" if one is None else f"{one.low:{sign}.3f} to {one.high:{sign}.3f}"
