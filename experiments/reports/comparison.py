"""Runs side by side: their main numbers, paired tests by held-out task, seeds, settings that differ."""

import json
from collections.abc import Sequence
from typing import Any

from experiments.reports.document import Cell, Column, Section, Share, Table
from experiments.reports.learning import share_of
from experiments.reports.reading import RunData
from memory import comparing

_OWN = ("seed", "preset", "tracking", "runtime")  # settings that make no other experiment


def runs_section(runs: Sequence[RunData]) -> Section:
    """One row a run."""
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        s = run.summary
        version = run.updates[-1]["version"] if run.updates else 0
        rows.append(
            (
                run.name,
                s["recipe"],
                s["model"],
                str(s["seed"]),
                s["rounds"],
                version,
                share_of(run, run.before("closed")),
                share_of(run, run.after("closed")),
                share_of(run, run.before("open")),
                s["attempts"],
                s["verified"],
                s["infra_errors"],
                s["seconds"],
            )
        )
    return Section(title="Runs", parts=(Table(title="Runs", columns=_RUNS, rows=tuple(rows), label="runs"),))


_RUNS = (
    Column(name="run"),
    Column(name="recipe"),
    Column(name="model"),
    Column(name="seed", kind="text"),
    Column(name="rounds", kind="count"),
    Column(name="version", kind="count"),
    Column(name="closed book, before", kind="percent"),
    Column(name="closed book, after", kind="percent"),
    Column(name="open book, before", kind="percent"),
    Column(name="attempts", kind="count"),
    Column(name="verified", kind="count"),
    Column(name="infrastructure errors", kind="count"),
    Column(name="seconds", kind="number"),
)


def sections(runs: Sequence[RunData]) -> list[Section]:
    """For several runs: tests against the first one, seeds together, settings."""
    return [_tests(runs), *_seeds(runs), settings(runs)] if len(runs) > 1 else _course(runs[0])


def _course(run: RunData) -> list[Section]:
    """For one run: its last measured version against its first, on the same tasks."""
    closed = run.of_book("closed")
    if len(closed) < 2:
        return []
    first, last = closed[0], closed[-1]
    found = comparing.paired(_results(run, first), _results(run, last))
    if found is None:
        return []
    name = f"version {last['policy_version']} less version {first['policy_version']}"
    return [
        Section(
            title="Before and after, paired by task",
            notes=(_HOW,),
            parts=(_paired_table([(name, found, found.p)], corrected=False),),
        )
    ]


_HOW = (
    "Closed book, last measurement of each; intervals: paired bootstrap over the held-out tasks that both "
    "were asked; p is two-sided: McNemar's exact test, or, where a task's mean reward may lie between 0 and "
    "1, the same test by randomly drawn signs."
)


def _tests(runs: Sequence[RunData]) -> Section:
    base, notes, made = runs[0], [_HOW], []
    mine = _results(base, base.last())
    for run in runs[1:]:
        theirs = _results(run, run.last())
        found = comparing.paired(mine, theirs)
        if found is None:
            why = "was not measured" if not theirs or not mine else "was asked other held-out tasks"
            who = run.name if mine else base.name
            notes.append(f"{run.name} less {base.name}: not paired, {who} {why}.")
            continue
        if found.tasks < max(len(mine), len(theirs)):
            shared = f"{found.tasks} tasks are shared, of {len(mine)} and {len(theirs)}"
            notes.append(f"{run.name} less {base.name}: {shared}.")
        made.append((f"{run.name} less {base.name}", found))
    adjusted = comparing.holm([found.p for _, found in made])
    if len(made) > 1:
        notes.append(f"p (Holm) is corrected for the {len(made)} tests of this table.")
    rows = [(name, found, p) for (name, found), p in zip(made, adjusted)]
    parts = (_paired_table(rows, corrected=len(made) > 1),) if rows else ()
    return Section(title=f"Against {base.name}, paired by task", notes=tuple(notes), parts=parts)


def _paired_table(rows: Sequence[tuple[str, comparing.Paired, float]], corrected: bool) -> Table:
    columns = [
        Column(name="difference of"),
        Column(name="tasks", kind="count"),
        Column(name="accuracy", kind="percent"),
        Column(name="less", kind="percent"),
        Column(name="difference", kind="percent", signed=True),
        Column(name="tasks better", kind="count"),
        Column(name="tasks worse", kind="count"),
        Column(name="p", kind="p"),
        Column(name="test"),
    ]
    if corrected:
        columns.insert(8, Column(name="p (Holm)", kind="p"))
    made: list[tuple[Cell, ...]] = []
    for name, found, p in rows:
        difference = Share(mean=found.difference, low=found.low, high=found.high)
        cells: list[Cell] = [name, found.tasks, found.second, found.first, difference]
        cells += [found.second_better, found.first_better, found.p, *([p] if corrected else []), found.test]
        made.append(tuple(cells))
    return Table(title="Paired tests", columns=tuple(columns), rows=tuple(made), label="paired")


def _results(run: RunData, evaluation: dict[str, Any] | None) -> dict[str, float]:
    return run.results.get((evaluation["round"], evaluation["book"]), {}) if evaluation else {}


def _seeds(runs: Sequence[RunData]) -> list[Section]:
    """Runs of the same settings but for the seed, as one row each; nothing where every run is another."""
    alike: dict[str, list[RunData]] = {}
    for run in runs:
        rest = {
            k: v for k, v in run.config.items() if k.split(".")[0] not in _OWN and not k.endswith(".seed")
        }
        alike.setdefault(json.dumps(rest, sort_keys=True, default=str), []).append(run)
    rows: list[tuple[Cell, ...]] = []
    for members in alike.values():
        lasts = [last for run in members if (last := run.last()) is not None]
        ends = [last["accuracy"] for last in lasts if last["accuracy"] is not None]
        if len(members) < 2 or not ends:
            continue
        found = comparing.over_seeds(ends)
        low, high = (max(0.0, found[0]), min(1.0, found[1])) if found else (None, None)
        seeds = ", ".join(str(run.summary["seed"]) for run in members)
        mean = Share(mean=sum(ends) / len(ends), low=low, high=high)
        rows.append((", ".join(run.name for run in members), seeds, len(ends), mean, min(ends), max(ends)))
    if not rows:
        return []
    columns = (
        Column(name="runs"),
        Column(name="seeds"),
        Column(name="measured", kind="count"),
        Column(name="closed book, after", kind="percent"),
        Column(name="lowest", kind="percent"),
        Column(name="highest", kind="percent"),
    )
    note = "Runs whose settings differ by seeds only; the interval is Student's over runs, 95 %."
    table = Table(title="Over seeds", columns=columns, rows=tuple(rows), label="seeds")
    return [Section(title="Over seeds", notes=(note,), parts=(table,))]


def settings(runs: Sequence[RunData]) -> Section:
    """The settings in which runs differ: a row a key, a column a run."""
    keys = sorted({key for run in runs for key in run.config})
    rows = []
    for key in keys:
        values = [json.dumps(run.config.get(key), ensure_ascii=False, default=str) for run in runs]
        if len(set(values)) > 1:
            rows.append((key, *values))
    columns = (Column(name="setting"), *(Column(name=run.name) for run in runs))
    note = f"{len(rows)} of {len(keys)} settings differ." if rows else "All settings are equal."
    parts = (Table(title="Settings that differ", columns=columns, rows=tuple(rows)),) if rows else ()
    return Section(title="Settings that differ", notes=(note,), parts=parts)
