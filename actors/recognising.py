"""The tasks of a run that was begun before: as its store has them.

Ids and expected answers are data. A store may hold a task under the id of an earlier version, or with answers
that another processor rounded; the run's plans and measurements name that task, so it goes on with that one.

Pure functions over the tasks that the domain makes now and those that the store was begun with. Does not
cover: proposed tasks, which only the store has.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from protocols.domains.zwc.grading import equal
from protocols.errors import StoreError
from protocols.records import Task

#: Settings that tasks are made by, by section: some of it, or all.
_SHAPING: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("domain", "zwc", "math", "tools", "mle"), ()),
    "evaluation": ("kind", "tasks"),
}
#: Relative and absolute: of payloads that are the same but for how results were rounded or fitted.
_NEAR = 1e-3


def as_stored(made: Sequence[Task], stored: Sequence[Task]) -> list[Task]:
    """Each task as the store has it, under its own id or as the one that asks the same; others as made."""
    by_id = {task.id: task for task in stored}
    by_words: dict[tuple[object, ...], list[Task]] = defaultdict(list)
    for task in stored:
        by_words[_words(task)].append(task)
    return [by_id.get(task.id) or _same(task, by_words[_words(task)]) for task in made]


def asked_alike(begun: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether settings ask for the tasks that those asked for which a run was begun with; both as JSON. What
    an earlier version did not know is left to its default."""

    def alike(one: Any, other: Any) -> bool:
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            return all(alike(value, other[key]) for key, value in one.items() if key in other)
        return bool(one == other)

    for section, keys in _SHAPING.items():
        old, new = begun.get(section), now.get(section)
        if keys and isinstance(old, Mapping) and isinstance(new, Mapping):
            old, new = ({key: one.get(key) for key in keys if key in old} for one in (old, new))
        if not alike(old, new):
            return False
    return True


def gone_on_with(made: Sequence[Task], stored: Sequence[Task], unchanged: bool = False) -> list[Task]:
    """The tasks of a split that a run goes on with: as the store has them, and those that it has not.

    An earlier version may have drawn some tasks differently. Where the rest agree place for place, the run
    keeps those that it was begun with.

    Args:
        made: what the domain makes for the run's settings. stored: of the same split, in their order.
        unchanged: the run's settings ask for the tasks that it was begun with.

    Raises:
        StoreError: it was begun by an earlier version, and its settings have changed since.
    """
    found = as_stored(made, stored)
    if unchanged and not {task.id for task in found} <= {task.id for task in stored}:
        return list(stored)  # an earlier version drew some of them differently
    here, kept, now = ({task.id for task in tasks} for tasks in (stored, found, made))
    if kept <= here or kept <= now or here <= kept:  # known, of this version, or some more of an earlier one
        return found
    if len(stored) == len(made) and 2 * sum(a.id == b.id for a, b in zip(found, stored)) > len(made):
        return list(stored)
    new = len(kept - here)
    raise StoreError(
        f"{new} of {len(made)} tasks that these settings ask for are drawn differently since an earlier "
        "version began the run; go on with the settings it was begun with, or start a new run"
    )


def _words(task: Task) -> tuple[object, ...]:
    return task.domain, task.split, task.kind, task.statement, task.topics


def _same(task: Task, others: Sequence[Task]) -> Task:
    return next((one for one in others if equal(one.payload, task.payload, _NEAR, _NEAR)), task)
