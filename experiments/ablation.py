"""What a part of a run's experience did: learn again without it, and compare what is known then.

The influence of a part is the accuracy of the run less that of the run without it, on the same held-out
tasks, closed book, after the last round; positive: it helped. Its interval is over held-out tasks, and says
nothing about other seeds. The run itself is what is compared with, as learning the same again gives the same
weights where runs are deterministic (docs/determinism.md).
Does not cover: how a run is learned again (`experiments.relearning`).
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from actors import selecting
from experiments import relearning
from experiments.ladders import counterfactual
from experiments.ladders.shares import Share, share
from experiments.why import OfFunction, OfTask, Told, count
from memory.held_out import by_task
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.records import Record
from protocols.seeds import digest


class Influence(Record):
    without: str  # what was left out
    where: str  # the selection that says so
    run: str  # folder of the run that learned without it
    removed: int  # attempts
    left: int
    overall: Share | None  # over held-out tasks; None: they were not measured in both
    by_function: dict[str, Share]  # of what was left out


def ablate(source: Path, told: Told, overrides: Sequence[str], quiet: bool) -> Influence:
    """Learn without what the answer of `experiments.why` is about. Costs as much as the run's learning did.

    Raises:
        SettingError: nothing of it was learned, or nothing would be left.
        TaskspaceError: the run failed or was stopped; the same command goes on from there.
    """
    without, where, functions = _part(told)
    measured = ["evaluation.before=false", "evaluation.every=0", *overrides]  # the end is what is compared
    slug = re.sub(r"[^\w]+", "-", without).strip("-")[:40]
    name = f"{source.name}-without-{slug}-{digest(where, list(overrides), size=3)}"
    with RunReader(source) as reader:
        removed, left = _counts(reader, where)
        seconds = reader.value("SELECT sum(seconds) FROM stages WHERE stage = 'learn'") or 0.0
    if not removed:
        raise SettingError(f"--ablate: {source.name} learned nothing of {without}; nothing to leave out")
    prepared = relearning.prepare(source, where=where, overrides=measured, folder=name)
    print(
        f"taskspace: learning {source.name} again without {without}: {removed} of {removed + left} attempts "
        f"left out. Its own updates took {seconds:.0f} s; this takes about as long, and one measurement.",
        file=sys.stderr,
    )
    counterfactual.finish(prepared, quiet)
    with RunReader(source) as reader, RunReader(prepared.run_dir) as other:
        overall = _difference(reader, other, None)
        by_function = {name: _difference(reader, other, name) for name in functions}
    return Influence(
        without=without,
        where=where,
        run=prepared.run_dir.name,
        removed=removed,
        left=left,
        overall=overall,
        by_function={name: found for name, found in by_function.items() if found is not None},
    )


def text(found: Influence) -> str:
    """For people."""
    lines = [
        f"influence of {found.without}: {found.removed} of {found.removed + found.left} attempts, "
        f"learned again without them in {found.run}",
        f"  overall: {_told(found.overall)}",
    ]
    lines += [f"  {name}: {_told(one)}" for name, one in found.by_function.items()]
    lines.append("  closed-book accuracy with it less that without it; 95 % interval over held-out tasks")
    return "\n".join(lines)


def _told(one: Share | None) -> str:
    if one is None:
        return "not measured in both"
    few = ", too few to be sure of anything" if one.tasks < 10 else ""
    return (
        f"{100 * one.mean:+.1f} points ({100 * one.low:+.1f} to {100 * one.high:+.1f}), "
        f"{count(one.tasks, 'held-out task')}{few}"
    )


def _part(told: Told) -> tuple[str, str, list[str]]:
    """What is left out in words, the selection of the rest, and the functions that it is about."""
    if isinstance(told, OfFunction):
        about = f"SELECT 1 FROM json_each(topics_json) WHERE value = {_quoted(told.function)}"
        return f"function {told.function}", f"NOT EXISTS ({about})", [told.function]
    if isinstance(told, OfTask):
        return f"task {told.task}", f"task_id <> {_quoted(told.task)}", [one.topic for one in told.topics]
    version = told.update.version
    first = f"SELECT attempt_id FROM samples GROUP BY attempt_id HAVING min(version) = {version}"
    fresh = [topic for one in told.update.learned if one.new for topic in one.topics]
    return f"what version {version} learned first", f"id NOT IN ({first})", list(dict.fromkeys(fresh))


def _counts(reader: RunReader, where: str) -> tuple[int, int]:
    """Collected attempts that the selection leaves out, and the others."""
    kept = selecting.attempts(reader, where) or frozenset()
    rows = reader.rows("SELECT id FROM episodes WHERE purpose = 'collect'")
    left = sum(row["id"] in kept for row in rows)
    return len(rows) - left, left


def _difference(reader: RunReader, other: RunReader, topic: str | None) -> Share | None:
    with_it, without = by_task(reader, topic), by_task(other, topic)
    found = [with_it[task] - without[task] for task in with_it if task in without]
    return share(found) if found else None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
