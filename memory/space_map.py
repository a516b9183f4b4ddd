"""The task space from afar: its tasks with what their groups add up to, as of any round.

For looking at large runs. A million attempts are 125,000 groups of eight, and the counters that a group
carries are all that is read: seconds once, and only what is new after that. Attempts are asked for one part
at a time (`ui.queries_space`).

Places come from `memory.layout`, one for each task when it is first read: none that has a place moves.

Not here: single attempts and what came from what (`memory.space`), and how it looks (`ui.graph`).
"""

import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any

import numpy as np

from memory import space_rows
from memory.layout import Layout, patch_place
from memory.space import NEXT_TURN, STEPS

if TYPE_CHECKING:
    from memory.reader import RunReader

Array = np.ndarray[Any, Any]

UNTIL_NOW = 2**31 - 1  # as a round: the newest


@dataclass(frozen=True)
class Numbers:
    """What things of one kind add up to; one entry of every array for each thing. NaN: not known."""

    x: Array
    y: Array
    round: Array  # in which it entered
    version: Array  # of the policy, newest
    visits: Array  # groups that started at the task itself; of a part, at any of its tasks
    attempts: Array  # that were judged
    verified: Array
    rate: Array  # verified / attempts
    learnability: Array  # of the newest group that started at the task; of a part, its tasks' mean
    step: Array  # most frequent step kind of its groups, as place in `STEPS`; -1: none
    origin: Array  # most frequent, as place in `SpaceMap.origins`
    tasks: Array  # how many stand behind it; 0: not there yet


class SpaceMap:
    """Grows by `catch_up`. Threads may share it.

    Attributes, in order of admission:
        ids, topics, statuses, parents: of the tasks; a parent is a place in this order, -1 without one.
        patches: of the tasks, the number of the patch that each lies in.
        patch_topics: of the patches, what their tasks are about.
        origins: names of origins, in the order in which they came up.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.topics: list[tuple[str, ...]] = []
        self.statuses: list[str] = []
        self.parents: list[int] = []
        self.patches = array("i")
        self.patch_topics: list[str] = []
        self.origins: list[str] = []
        self.number: dict[str, int] = {}  # id -> place in this order
        self.attempts = 0  # admitted so far, judged or not
        self.first_round = UNTIL_NOW  # the oldest with a task, and the newest with a task or a group
        self.rounds = 0
        self._turn = threading.Lock()
        self._layout = Layout()
        self._task_seq = self._group_seq = 0  # of the last ones that were read
        self._task = _columns("round origin", "x y")
        self._group = _columns("task round version step at_task attempts verified", "learnability")

    def catch_up(self, reader: "RunReader") -> "SpaceMap":
        """Add what the run admitted since the last call; returns itself."""
        with self._turn:
            last = space_rows.last_group(reader)  # first: no group may lack its task
            for id, status in space_rows.statuses(reader, self._task_seq):
                self.statuses[self.number[id]] = intern(status)
            for seq, *task in space_rows.tasks(reader, self._task_seq):
                self._add_task(*task)
                self._task_seq = seq  # at once: a reader that fails half-way goes on from here
            for rows in space_rows.counters(reader, self._group_seq, last):
                self._add_groups(rows)
                self._group_seq = rows[-1][0]
        return self

    def _add_task(
        self,
        id: str,
        origin: str,
        domain: str,
        topics: tuple[str, ...],
        status: str,
        round: int,
        parent_id: str | None,
    ) -> None:
        topic = intern(topics[0]) if topics else ""
        patch = self._layout.add_task(id, topic)
        if patch == len(self.patch_topics):
            self.patch_topics.append(topic)
        if origin not in self.origins:
            self.origins.append(intern(origin))
        x, y = self._layout.positions[id]
        self.number[id] = len(self.ids)
        self.ids.append(id)
        self.topics.append(topics)
        self.statuses.append(intern(status))
        self.parents.append(-1 if parent_id is None else self.number.get(parent_id, -1))
        self.patches.append(patch)
        for name, value in (("round", round), ("origin", self.origins.index(origin)), ("x", x), ("y", y)):
            self._task[name].append(value)
        self.first_round = min(self.first_round, round)
        self.rounds = max(self.rounds, round)

    def _add_groups(self, rows: Sequence[tuple[Any, ...]]) -> None:
        known = [row for row in rows if row[1] in self.number]  # held-out tasks are not part of the space
        if not known:
            return
        _, tasks, rounds, versions, steps, goes_on, attempts, verified, failed, worth = zip(*known)
        group = self._group
        group["task"].extend(self.number[id] for id in tasks)
        group["round"].extend(rounds)
        group["version"].extend(versions)
        group["step"].extend(_step(step, on) for step, on in zip(steps, goes_on))
        group["at_task"].extend(not on for on in goes_on)
        group["attempts"].extend(n - lost for n, lost in zip(attempts, failed))
        group["verified"].extend(verified)
        group["learnability"].extend(np.nan if value is None else value for value in worth)
        self.attempts += sum(attempts)
        self.rounds = max(self.rounds, *rounds)

    def tasks(self, upto: int = UNTIL_NOW) -> Numbers:
        """The tasks as they stood at the end of a round."""
        with self._turn:
            task = {name: np.array(values) for name, values in self._task.items()}
            group = {name: np.array(values) for name, values in self._group.items()}
        count = len(task["x"])
        if upto < UNTIL_NOW:
            kept = group["round"] <= upto
            group = {name: values[kept] for name, values in group.items()}
        of = group["task"]

        def total(values: Array) -> Array:
            return np.bincount(of, values, count)

        attempts, verified = total(group["attempts"]), total(group["verified"])
        worth, version = np.full(count, np.nan), np.full(count, np.nan)
        begun = (group["at_task"] == 1) & ~np.isnan(group["learnability"])
        worth[of[begun]] = group["learnability"][begun]  # of several, NumPy keeps the last
        version[of] = group["version"]
        told = group["step"] >= 0
        steps = np.bincount(of[told] * len(STEPS) + group["step"][told], minlength=count * len(STEPS))
        return Numbers(
            x=task["x"],
            y=task["y"],
            round=task["round"],
            version=version,
            visits=total(group["at_task"]),
            attempts=attempts,
            verified=verified,
            rate=_share(verified, attempts),
            learnability=worth,
            step=_most(steps.reshape(count, len(STEPS))),
            origin=task["origin"],
            tasks=(task["round"] <= upto).astype(int),
        )

    def joined(self, tasks: Numbers, by: Sequence[int], places: Sequence[tuple[float, float]]) -> Numbers:
        """Tasks put together to parts.

        Args:
            by: for each task, the part that it belongs to; -1: to none.
            places: where the parts lie.
        """
        parts, count = np.asarray(by, dtype=int), len(places)
        inside = (parts >= 0) & (tasks.tasks > 0)
        of = parts[inside]

        def total(values: Array) -> Array:
            return np.bincount(of, values[inside], count)

        def newest(values: Array) -> Array:
            found = np.full(count, np.nan)
            known = ~np.isnan(values[inside])
            np.fmax.at(found, of[known], values[inside][known])
            return found

        measured = ~np.isnan(tasks.learnability)
        attempts, verified = total(tasks.attempts), total(tasks.verified)
        told = tasks.step[inside] >= 0
        steps = np.bincount(
            of[told] * len(STEPS) + tasks.step[inside][told], minlength=count * len(STEPS)
        ).reshape(count, len(STEPS))
        kinds = max(len(self.origins), 1)
        origins = np.bincount(of * kinds + tasks.origin[inside], minlength=count * kinds)
        place = np.array(places, dtype=float).reshape(count, 2)
        return Numbers(
            x=place[:, 0],
            y=place[:, 1],
            round=newest(tasks.round.astype(float)),
            version=newest(tasks.version),
            visits=total(tasks.visits),
            attempts=attempts,
            verified=verified,
            rate=_share(verified, attempts),
            learnability=_share(total(np.nan_to_num(tasks.learnability)), total(measured)),
            step=_most(steps),
            origin=_most(origins.reshape(count, kinds)),
            tasks=total(tasks.tasks).astype(int),
        )

    def by_patch(self, tasks: Numbers) -> Numbers:
        """One entry for each patch, in the middle of it."""
        return self.joined(tasks, self.patches, [patch_place(n) for n in range(len(self.patch_topics))])

    def by_topic(self, tasks: Numbers) -> tuple[list[str], Numbers]:
        """Topics in the order in which they came up, and an entry for each, where its first patch lies."""
        first: dict[str, int] = {}
        number = {}
        for patch, topic in enumerate(self.patch_topics):
            number[patch] = first.setdefault(topic, len(first))
        places: list[tuple[float, float]] = []
        for patch, topic in enumerate(self.patch_topics):
            if first[topic] == len(places):
                places.append(patch_place(patch))
        return list(first), self.joined(tasks, [number[patch] for patch in self.patches], places)

    def lineage(self, task: int) -> list[int]:
        """The way to a task over the tasks that it was proposed from, oldest first, itself at the end."""
        way = [task]
        while self.parents[way[-1]] >= 0:
            way.append(self.parents[way[-1]])
        return way[::-1]


def _columns(whole: str, real: str) -> dict[str, "array[Any]"]:
    made: dict[str, array[Any]] = {name: array("i") for name in whole.split()}
    return made | {name: array("d") for name in real.split()}


def _step(step: str, goes_on: bool) -> int:
    kind = NEXT_TURN if goes_on and step == "initial" else step
    return STEPS.index(kind) if kind in STEPS else -1


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _most(counts: Array) -> Array:
    """The column with the highest count in each row; -1 where all are zero."""
    if not counts.shape[1] or not len(counts):
        return np.full(len(counts), -1)
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
