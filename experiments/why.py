"""Why a run knows what it knows: the chain of `memory.causes` for people, and as a graph.

Asked about a function, a version or a task of a run; names are resolved here, and whoever asks for what is
not there is told the nearest that is. Does not cover: the picture (`experiments.why_picture`), and leaving
something out to see what it did (`experiments.ablation`).
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from experiments.plaintext import one_line
from memory import causes
from memory.causes import Asked, Caused, Change, Decided, Learned, OfTask, OfVersion, Shift
from memory.held_out import Measured
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.records import Record

SHOWN = 8  # tasks of an update; all of them are in JSON and GraphML


class OfFunction(Record):
    """When accuracy on a function rose or fell, and what was learned about it then."""

    function: str
    changes: tuple[Change, ...]
    never_measured: bool = False  # no held-out task is about it
    updates: tuple[Caused, ...] = ()  # where it was never measured: all that learned about it


Told = OfFunction | OfVersion | OfTask


def of_function(reader: RunReader, name: str) -> OfFunction:
    """Raises:
    SettingError: the run has no task about it; the message names the nearest function.
    """
    known = causes.topics(reader)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise SettingError(_unknown(reader, "--function", name, "no task is about it", near, known))
    found = causes.changes(reader, name)
    if found:
        return OfFunction(function=name, changes=tuple(found))
    learned = [one for v in causes.versions(reader) if (one := causes.caused(reader, v, name)).about]
    return OfFunction(function=name, changes=(), never_measured=True, updates=tuple(learned))


def of_version(reader: RunReader, version: int) -> OfVersion:
    """Raises:
    SettingError: no update made it; the message names the nearest version.
    """
    known = causes.versions(reader)
    if version not in known:
        near = sorted(known, key=lambda v: abs(v - version))[:1]
        what = "is the model as it came; it learned nothing" if version == 0 else "no update made it"
        raise SettingError(_unknown(reader, "--version", str(version), what, near, known))
    return causes.of_version(reader, version)


def of_task(reader: RunReader, beginning: str) -> OfTask:
    """Raises:
    SettingError: no training task's id begins so, or several do; the message names the nearest.
    """
    known = causes.tasks(reader)
    found = [beginning] if beginning in known else [one for one in known if one.startswith(beginning)]
    if len(found) != 1:
        what = f"{len(found)} tasks begin so; give more of it" if found else "no training task begins so"
        near = found[:1] or difflib.get_close_matches(beginning, known, n=1, cutoff=0.0)
        raise SettingError(_unknown(reader, "--task", beginning, what, near, known))
    return causes.of_task(reader, found[0])


T = TypeVar("T")


def _unknown(
    reader: RunReader, option: str, value: str, what: str, near: Sequence[T], known: Sequence[T]
) -> str:
    run = reader.path.absolute().parent.name
    if not known:
        return f"{option} {value}: {run} has none yet; it has to play and learn first"
    return f"{option} {value}: {what} in {run}; the nearest of {len(known)} is {near[0]}"


def text(told: Told, shown: int = SHOWN) -> str:
    """The chain as a tree, harmless to print."""
    console = Console(width=110, color_system=None)
    with console.capture() as captured:
        console.print(tree(told, shown))
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").splitlines())


def tree(told: Told, shown: int = SHOWN) -> Tree:
    if isinstance(told, OfFunction):
        return _function_tree(told, shown)
    return _version_tree(told, shown) if isinstance(told, OfVersion) else _task_tree(told, shown)


def _function_tree(told: OfFunction, shown: int) -> Tree:
    root = _tree(f"function {told.function}, closed book: {course(told.changes)}")
    if told.never_measured:
        root = _tree(f"function {told.function}: measured at most once; what was learned about it")
    for change in told.changes:
        branch = _add(root, change_line(change))
        for update in change.updates:
            _add_update(branch, update, shown)
    for update in told.updates:
        _add_update(root, update, shown)
    return root


def _version_tree(told: OfVersion, shown: int) -> Tree:
    root = _tree(f"version {told.update.version}, closed book: {_moved(told.before, told.after)}")
    around = _add(root, f"what it learned about: {len(told.topics)} functions")
    for shift in told.topics[:shown]:
        _add(around, shift_line(shift))
    _add_rest(around, len(told.topics) - shown, "functions")
    _add_update(root, told.update, shown)
    return root


def _task_tree(told: OfTask, shown: int) -> Tree:
    root = _tree(
        f"task {told.task} ({told.origin}, {told.status}, round {told.round}): {one_line(told.statement)}"
    )
    if told.parent:
        _add(root, f"proposed from task {told.parent}")
    _add_origin(root, told.proposal, told.decisions)
    played = _add(root, f"{sum(g.attempts for g in told.groups)} attempts in {len(told.groups)} groups")
    for group in told.groups[:shown]:
        learned = ", ".join(map(str, group.learned)) or "none"
        _add(
            played,
            f"group {group.id}: round {group.round}, {group.step}, {group.book} book, by version "
            f"{group.policy_version}; {group.verified} of {group.attempts} verified; learned by versions: "
            f"{learned}",
        )
    _add_rest(played, len(told.groups) - shown, "groups")
    for update in told.updates:
        _add(root, update_line(update))
    for shift in told.topics:
        _add(root, shift_line(shift))
    if told.children:
        _add(root, f"{len(told.children)} tasks were proposed from it: {', '.join(told.children[:shown])}")
    return root


def _add_update(branch: Tree, update: Caused, shown: int) -> None:
    node = _add(branch, update_line(update))
    for learned in update.learned[:shown]:
        episodes = _add(node, episodes_line(learned))
        task = _add(episodes, task_line(learned))
        _add_origin(task, learned.proposal, learned.decisions)
    _add_rest(node, len(update.learned) - shown, "tasks")


def _add_origin(branch: Tree, proposal: Asked | None, decisions: Sequence[Decided]) -> None:
    if proposal is not None:
        _add(branch, proposal_line(proposal))
    for decided in decisions:
        _add(branch, decision_line(decided))


def course(changes: Sequence[Change]) -> str:
    """Accuracy from version to version."""
    points = [changes[0].before, *(change.after for change in changes)] if changes else []
    return " -> ".join(f"{measured_line(one)} (version {one.version})" for one in points)


def change_line(change: Change) -> str:
    points = f"{100 * abs(change.difference):.1f} points"
    moved = f"rose by {points}" if change.difference > 0 else f"fell by {points}"
    return (
        f"{moved if change.difference else 'stayed'} with round {change.after.round}, "
        f"{count(change.after.attempts, 'held-out attempt')}; "
        f"{count(len(change.updates), 'update')} in between"
    )


def count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def measured_line(one: Measured) -> str:
    return f"{100 * one.accuracy:.1f} % of {one.attempts}"


def update_line(one: Caused) -> str:
    proposals = f" and {count(one.proposals, 'proposal')}" if one.proposals else ""
    return (
        f"update {one.version} (round {one.round}, {one.recipe}): {one.samples} samples, of them "
        f"{count(one.about, 'answer')}{proposals} about it, {one.new} new"
    )


def episodes_line(one: Learned) -> str:
    return (
        f"{count(one.samples, 'answer')}, {one.new} new, {one.verified} verified, weight {one.weight:.4g}; "
        f"played in {_span('round', one.rounds)} by {_span('version', one.policy_versions)}"
    )


def task_line(one: Learned) -> str:
    return f"task {one.task} ({one.origin}): {one_line(one.statement, 70)}"


def proposal_line(one: Asked) -> str:
    reward = "" if one.reward is None else f", reward {one.reward:g}"
    return (
        f"proposal {one.id}: asked about {one_line(one.topic)} in round {one.round}, "
        f"written by version {one.policy_version}{reward}"
    )


def decision_line(one: Decided) -> str:
    times = f" {one.count} times, first" if one.count > 1 else ""
    numbers = ", ".join(f"{key} {_number(value)}" for key, value in one.numbers.items())
    told = f" ({one_line(numbers, 80)})" if numbers else ""
    return f"{one.action} {one.kind}: {one_line(one.reason)},{times} in round {one.round}{told}"


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def shift_line(one: Shift) -> str:
    learned = f"{count(one.samples, 'answer')} about it learned"
    return f"{one_line(one.topic)}: {_moved(one.before, one.after)}; {learned}"


def _moved(before: Measured | None, after: Measured | None) -> str:
    def told(one: Measured | None) -> str:
        return "not measured" if one is None else f"{measured_line(one)} (version {one.version})"

    return f"{told(before)} -> {told(after)}"


def _span(word: str, ends: tuple[int, int]) -> str:
    return f"{word} {ends[0]}" if ends[0] == ends[1] else f"{word}s {ends[0]} to {ends[1]}"


def _tree(line: str) -> Tree:
    return Tree(Text(line))  # text, never markup: brackets in a statement are not ours to interpret


def _add(branch: Tree, line: str) -> Tree:
    return branch.add(Text(line))


def _add_rest(branch: Tree, more: int, what: str) -> None:
    if more > 0:
        _add(branch, f"and {more} more {what}")


def updates_of(told: Told) -> Iterator[tuple[Caused, Measured | None]]:
    """Every update of the chain, with the measurement that came after it."""
    if isinstance(told, OfFunction):
        for change in told.changes:
            for update in change.updates:
                yield update, change.after
        for update in told.updates:
            yield update, None
    elif isinstance(told, OfVersion):
        yield told.update, told.after
    else:
        after = next((shift.after for shift in told.topics if shift.after is not None), None)
        for update in told.updates:
            yield update, after if after is not None and after.version >= update.version else None
