"""What runs learned: accuracy by version and topic, losses and gradients, proposals, verdicts, time, plays.

With several runs their curves lie over each other, and tables name the run in their first column.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from experiments.reports.document import (
    Bars,
    Cell,
    Column,
    Curve,
    Heat,
    Kind,
    Lines,
    Part,
    Section,
    Share,
    Table,
    Text,
)
from experiments.reports.reading import Row, RunData
from protocols.verdicts import NO_ROOM

#: Larger heat maps are thinned: versions evenly, topics to those that changed most.
MOST_VERSIONS, MOST_TOPICS, MOST_MAPS = 40, 60, 8

#: What reinforcement learning measures of each update: (key, title, unit).
_MEASURED = (
    ("entropy", "Entropy", "nats a token"),
    ("kl", "KL divergence from the reference", "nats a token"),
    ("rollout_gap", "Gap of log-probabilities, learner and engine", "nats a token"),
    ("reward", "Mean reward", "reward"),
    ("advantage", "Mean absolute advantage", "advantage"),
    ("sample_size", "Effective sample size", "share"),
)
_CLIPPED = (("clipped_positive", "advantage > 0"), ("clipped_negative", "advantage < 0"))
_BY_STEP = (
    ("losses", "Loss", "loss"),
    ("grad_norms", "Gradient norm", "norm"),
    ("learning_rates", "Learning rate", "rate"),
)


def sections(runs: Sequence[RunData]) -> list[Section]:
    return [accuracy(runs), topics(runs), updates(runs), proposals(runs), verdicts(runs), times(runs)]


def accuracy(runs: Sequence[RunData]) -> Section:
    curves = [_accuracy_curve(run, book, len(runs) > 1) for run in runs for book in ("closed", "open")]
    rows = [
        (
            run.name,
            e["round"],
            e["policy_version"],
            e["book"],
            e["kind"],
            e["tasks"],
            e["attempts"],
            share_of(run, e),
            e["infra_errors"] + e["categories"].get(NO_ROOM, 0),
            e["seconds"],
        )
        for run in runs
        for e in run.evaluations
    ]
    names = ("round:count", "version:count", "book", "kind", "tasks:count", "attempts:count")
    more = ("accuracy:percent", "without verdict:count", "seconds:number")
    return Section(
        title="Held-out accuracy by policy version",
        notes=("Bands and brackets are 95 % intervals (Wilson's) with the held-out tasks as the sample.",)
        if rows
        else ("Nothing was measured.",),
        parts=(
            Lines(
                title="Accuracy by policy version",
                x_label="policy version",
                y_label="accuracy",
                curves=tuple(curve for curve in curves if curve.points),
                y_range=(0.0, 1.0),
            ),
            _table("Evaluations", runs, (*names, *more), rows, label="evaluations"),
        ),
    )


def _accuracy_curve(run: RunData, book: str, several: bool) -> Curve:
    rows = [row for row in run.of_book(book) if row["accuracy"] is not None]
    bands = [run.interval(row) for row in rows]
    return Curve(
        name=f"{run.name}, {book} book" if several else f"{book} book",
        points=tuple((float(row["policy_version"]), float(row["accuracy"])) for row in rows),
        band=tuple(band for band in bands if band) if all(bands) else (),
    )


def share_of(run: RunData, evaluation: Row | None) -> Share | None:
    """Its accuracy with its interval; None when there is no evaluation, or nothing in it was judged."""
    if evaluation is None or evaluation["accuracy"] is None:
        return None
    low, high = run.interval(evaluation) or (None, None)
    return Share(mean=evaluation["accuracy"], low=low, high=high)


def topics(runs: Sequence[RunData]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    maps: list[Part] = []
    notes = []
    for run in runs:
        closed = run.of_book("closed")
        if not closed:
            continue
        before, after = closed[0]["by_topic"], closed[-1]["by_topic"]
        gains = {t: (after.get(t) or 0.0) - (before.get(t) or 0.0) for t in before.keys() | after.keys()}
        order = sorted(gains, key=lambda t: (-gains[t], t))
        rows += [
            (run.name, t, before.get(t), after.get(t), None if len(closed) < 2 else gains[t]) for t in order
        ]
        shown = order
        if len(order) > MOST_TOPICS:
            kept = set(sorted(order, key=lambda t: (-abs(gains[t]), t))[:MOST_TOPICS])
            shown = [t for t in order if t in kept]
            notes.append(
                f"{run.name}: of {len(order)} topics the map shows the {MOST_TOPICS} that changed most."
            )
        chosen = _thinned(closed)
        if len(chosen) < len(closed):
            notes.append(f"{run.name}: of {len(closed)} measured versions the map shows {len(chosen)}.")
        maps.append(
            Heat(
                title="Closed-book accuracy by topic" + (f": {run.name}" if len(runs) > 1 else ""),
                x_label="policy version",
                rows=tuple(shown),
                columns=tuple(str(row["policy_version"]) for row in chosen),
                values=tuple(tuple(row["by_topic"].get(t) for row in chosen) for t in shown),
            )
        )
    if len(maps) > MOST_MAPS:
        notes.append(f"Maps of the first {MOST_MAPS} of {len(maps)} runs; the table has them all.")
    names = ("topic", "before:percent", "after:percent", "gain:+percent")
    table = _table("Before and after", runs, names, rows)
    return Section(title="By topic, closed book", notes=tuple(notes), parts=(*maps[:MOST_MAPS], table))


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """At most `MOST_VERSIONS`, evenly, with the first and the last."""
    if len(rows) <= MOST_VERSIONS:
        return list(rows)
    last = len(rows) - 1
    return [rows[round(i * last / (MOST_VERSIONS - 1))] for i in range(MOST_VERSIONS)]


def updates(runs: Sequence[RunData]) -> Section:
    charts: list[Part] = []
    for key, title, unit in _BY_STEP:
        curves = tuple(_step_curve(run, key) for run in runs)
        charts.append(Lines(title=title, x_label="optimiser step", y_label=unit, curves=curves))
    for key, title, unit in _MEASURED:
        curves = tuple(_version_curve(run, key, run.name) for run in runs)
        charts.append(Lines(title=title, x_label="policy version", y_label=unit, curves=curves))
    clipped = tuple(
        _version_curve(run, key, f"{run.name}, {sign}" if len(runs) > 1 else sign)
        for run in runs
        for key, sign in _CLIPPED
    )
    charts.append(
        Lines(title="Share of clipped tokens", x_label="policy version", y_label="share", curves=clipped)
    )
    rows = [
        (
            run.name,
            u["version"],
            u["round"],
            u["recipe"],
            u["samples"],
            u["tokens"],
            u["steps"],
            u["losses"][-1] if u["losses"] else None,
            u["seconds"],
            u["tokens"] / u["seconds"] if u["seconds"] else None,
        )
        for run in runs
        for u in run.updates
    ]
    names = ("version:count", "round:count", "recipe", "samples:count", "tokens:count", "steps:count")
    table = _table("Updates", runs, (*names, "last loss:number", "seconds:number", "tokens/s:number"), rows)
    return Section(
        title="Learning", notes=() if rows else ("Nothing was learned.",), parts=(*_drawn(charts), table)
    )


def _step_curve(run: RunData, key: str) -> Curve:
    values = [value for update in run.updates for value in update[key]]
    return Curve(name=run.name, points=tuple((float(i), float(v)) for i, v in enumerate(values, 1)))


def _version_curve(run: RunData, key: str, name: str) -> Curve:
    points = tuple(
        (float(u["version"]), float(u["metrics"][key]))
        for u in run.updates
        if isinstance(u["metrics"].get(key), int | float)
    )
    return Curve(name=name, points=points)


def _drawn(charts: Iterable[Part]) -> list[Part]:
    """Without those that would be empty: most recipes measure some of it only."""
    return [
        chart
        for chart in charts
        if not isinstance(chart, Lines) or any(curve.points for curve in chart.curves)
    ]


def proposals(runs: Sequence[RunData]) -> Section:
    notes = []
    for run in runs:
        s, noise = run.summary, run.summary["proposal_noise"]
        told = (
            f"{s['proposals']} asked for, {s['proposed_tasks']} stand, {s['proposals_rejected']} rejected; "
            f"{noise['wrong']} of {noise['known']} accepted references with a known truth differ from it."
        )
        notes.append(f"{run.name}: {told}" if len(runs) > 1 else told)
    reasons = [(run.name, r["reason"], r["n"], r["example"] or "") for run in runs for r in run.rejections]
    curves = tuple(
        Curve(
            name=run.name,
            points=tuple((float(r["round"]), r["rejected"] / r["proposals"]) for r in run.proposals),
        )
        for run in runs
    )
    chart = Lines(
        title="Share of proposals rejected",
        x_label="round",
        y_label="share",
        curves=curves,
        y_range=(0.0, 1.0),
    )
    table = _table("Rejections", runs, ("reason", "number:count", "one of them"), reasons)
    return Section(title="Proposals", notes=tuple(notes), parts=(*_drawn([chart]), table))


def verdicts(runs: Sequence[RunData]) -> Section:
    rows = [
        (run.name, c["purpose"], c["book"], c["category"], c["n"]) for run in runs for c in run.categories
    ]
    names = ("purpose", "book", "category", "attempts:count")
    return Section(title="Verdicts", parts=(_table("Attempts by category", runs, names, rows),))


def times(runs: Sequence[RunData]) -> Section:
    parts: list[Part] = [
        Bars(
            title="Seconds by stage" + (f": {run.name}" if len(runs) > 1 else ""),
            values=tuple((f"{row['role']}: {row['stage']}", float(row["seconds"])) for row in run.stages),
            unit="s",
        )
        for run in runs[:MOST_MAPS]
        if run.stages
    ]
    rows = [(run.name, row["role"], row["stage"], row["seconds"]) for run in runs for row in run.stages]
    table = _table("Stages", runs, ("role", "stage", "seconds:number"), rows)
    note = "Verifiers judge while solvers play, so stages may add up to more than the run's time."
    return Section(
        title="Where the time went",
        notes=(note,) if rows else ("No stage was recorded.",),
        parts=(*parts, table),
    )


def episodes(runs: Sequence[RunData]) -> Section:
    parts: list[Part] = []
    for run in runs:
        for row in run.episodes:
            judged = row["category"] if row["infra_error"] is None else f"no verdict ({row['infra_error']})"
            where = f"{run.name}, " if len(runs) > 1 else ""
            parts.append(
                Text(
                    title=f"{where}{row['purpose']}, round {row['round']}, {row['book']} book: {judged} "
                    f"({row['topics']}; {row['id']})",
                    body=f"{_clip(row['statement'], 2000)}\n\n{_clip(row['response'], 4000)}\n\n"
                    f"{_clip(row['evidence_json'], 1500)}",
                )
            )
    return Section(title="A few episodes", notes=() if parts else ("None yet.",), parts=tuple(parts))


def _clip(text: Any, most: int) -> str:
    text = str(text or "")
    return text if len(text) <= most else f"{text[:most]}\n... {len(text) - most} more characters"


def _table(
    title: str,
    runs: Sequence[RunData],
    names: Sequence[str],
    rows: Sequence[tuple[Cell, ...]],
    label: str = "",
) -> Table:
    """Columns from `name` or `name:kind` (`+kind`: with its sign); the run's own column only for several."""
    columns = [Column(name="run"), *(_column(name) for name in names)]
    drop = 1 if len(runs) == 1 else 0
    return Table(
        title=title, columns=tuple(columns[drop:]), rows=tuple(row[drop:] for row in rows), label=label
    )


def _column(told: str) -> Column:
    name, _, given = told.partition(":")
    kinds: dict[str, Kind] = {kind: kind for kind in ("text", "count", "number", "percent", "p")}
    return Column(name=name, kind=kinds[given.lstrip("+") or "text"], signed=given.startswith("+"))
