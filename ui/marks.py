"""What of the task space is drawn: as much detail as a browser draws at once.

    up to `MARKS` marks     tasks and attempts      one topic, or one part, that is opened is drawn by
    up to `MARKS` tasks     tasks                   the same rule with what is in it
    up to `MARKS` parts     parts: tasks of one topic that lie together
    more                    topics, the largest ones

How much there is by now decides, not how much there was in the round that is looked at, so that nothing
changes its form while the growth is played.
Not here: colours and pixels (`ui.graph`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan, sqrt
from typing import Any

import numpy as np

from memory.layout import attempt_place
from memory.reader import RunReader
from memory.space import NEXT_TURN, STEPS
from memory.space_map import UNTIL_NOW, Array, Numbers, SpaceMap
from ui import queries_space
from ui.queries_space import Match, Row
from ui.safe import hover

MARKS = 5_000  # more than this and neither the eye nor a browser gains

Place = tuple[str, str]  # kind and id of a mark

NUMBERED = ("solve rate", "learnability", "round", "policy version")
NAMED = ("origin", "step")


@dataclass(frozen=True)
class Scope:
    """Which part of the space is looked at; all of it without."""

    topic: str | None = None
    patch: int | None = None

    @property
    def whole(self) -> bool:
        return self.topic is None and self.patch is None


@dataclass
class Picture:
    """Marks as columns, in order of admission; places and sizes in task spacings."""

    level: str = "tasks"  # attempts, tasks, parts or topics
    marks: list[Place] = field(default_factory=list)
    x: Array = field(default_factory=lambda: np.zeros(0))
    y: Array = field(default_factory=lambda: np.zeros(0))
    size: Array = field(default_factory=lambda: np.zeros(0))
    text: list[str] = field(default_factory=list)  # of hover boxes, made safe
    values: dict[str, Array] = field(default_factory=dict)  # by colour; NaN: not known
    names: dict[str, list[str]] = field(default_factory=dict)  # by colour
    matched: Array | None = None  # None: no search
    edges: tuple[Array, Array] = (np.zeros(0), np.zeros(0))  # lines, NaN between them
    labels: list[tuple[float, float, str]] = field(default_factory=list)
    middle: tuple[float, float] = (0.0, 0.0)
    reach: float = 1.0  # from the middle to the farthest place, those of rounds to come included
    tasks: int = 0  # that stand behind it
    attempts: int = 0  # judged ones
    left_out: int = 0  # marks beyond what is drawn
    stands: dict[str, Place] = field(default_factory=dict)  # task -> its mark

    def mark_of(self, task_id: str, attempt_id: str | None = None) -> int | None:
        """Number of the mark that shows an attempt or a task, or that stands for it."""
        for place in (("attempt", attempt_id or ""), self.stands.get(task_id, ("", ""))):
            if place in self._numbers:
                return self._numbers[place]
        return None

    def __post_init__(self) -> None:
        self._numbers = {place: number for number, place in enumerate(self.marks)}


def draw(
    space: SpaceMap, reader: RunReader, scope: Scope, upto: int = UNTIL_NOW, match: Match | None = None
) -> Picture:
    """What there is to draw of a scope as of a round."""
    tasks = space.tasks(upto)
    numbers = _members(space, scope)
    if not numbers:
        return Picture()
    known = len(tasks.x)
    numbers = [number for number in numbers if number < known]
    if len(numbers) > MARKS:
        made = _parts(space, tasks, scope, match)
    else:
        ids = None if scope.whole else [space.ids[number] for number in numbers]
        few = _attempt_count(space, numbers, scope) + len(numbers) <= MARKS
        made = _tasks(
            space, tasks, numbers, match, queries_space.attempts(reader, ids) if few else None, upto
        )
    there = [number for number in numbers if tasks.tasks[number]]
    made.tasks = len(there)
    made.attempts = int(tasks.attempts[there].sum())
    x, y = tasks.x[numbers], tasks.y[numbers]
    if not scope.whole:
        made.middle = (float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2)
    far = np.hypot(x - made.middle[0], y - made.middle[1]).max() + 1.5
    made.reach = float(1.2 ** np.ceil(np.log(far) / np.log(1.2)))  # in steps: it stays while little is added
    return made


def _members(space: SpaceMap, scope: Scope) -> list[int]:
    if scope.patch is not None:
        return [number for number, patch in enumerate(space.patches) if patch == scope.patch]
    if scope.topic is not None:
        mine = {patch for patch, topic in enumerate(space.patch_topics) if topic == scope.topic}
        return [number for number, patch in enumerate(space.patches) if patch in mine]
    return list(range(len(space.ids)))


def _attempt_count(space: SpaceMap, numbers: Sequence[int], scope: Scope) -> int:
    """Attempts by now, judged ones where it is a part: those without a verdict are few."""
    return space.attempts if scope.whole else int(space.tasks().attempts[numbers].sum())


def _tasks(
    space: SpaceMap,
    tasks: Numbers,
    numbers: Sequence[int],
    match: Match | None,
    rows: list[Row] | None,
    upto: int,
) -> Picture:
    """Tasks, and attempts where their rows are given."""
    there = [number for number in numbers if tasks.tasks[number]]
    ids = [space.ids[number] for number in there]
    marks: list[Place] = [("task", id) for id in ids]
    at = {id: (float(tasks.x[n]), float(tasks.y[n])) for id, n in zip(ids, there)}
    x, y = [tasks.x[there]], [tasks.y[there]]
    low, high = (0.4, 0.75) if rows is not None else (0.6, 1.3)
    size = [_sized(tasks.visits[there], low, high)]
    text = [_told_task(space, tasks, number) for number in there]
    values = {name: [found] for name, found in _values(tasks, there).items()}
    step = [STEPS[code] if code >= 0 else "not tried yet" for code in tasks.step[there]]
    names = {
        "origin": [space.origins[code] for code in tasks.origin[there]],
        "step": ["task"] * len(there) if rows is not None else step,
    }
    matched = [[match is None or id in match.tasks for id in ids]]
    lines = [(at[space.ids[space.parents[n]]], at[space.ids[n]]) for n in there if _near(space, n, at)]
    if rows is not None:
        rows, places, visits, worth = _placed(rows, at, upto)
        origin = dict(zip(ids, names["origin"]))
        marks += [("attempt", row["id"]) for row in rows]
        x.append(np.array([places[row["id"]][0] for row in rows]))
        y.append(np.array([places[row["id"]][1] for row in rows]))
        size.append(_sized(np.array([visits.get(row["id"], 0) for row in rows], float), 0.22, 0.5))
        text += [_told_attempt(row, visits.get(row["id"], 0)) for row in rows]
        of = {
            "solve rate": [row["reward"] for row in rows],
            "learnability": [worth.get(row["id"]) for row in rows],
            "round": [row["round"] for row in rows],
            "policy version": [row["policy_version"] for row in rows],
        }
        for name, column in of.items():
            values[name].append(np.array([nan if value is None else value for value in column], float))
        names["origin"] += [origin[row["task"]] for row in rows]
        names["step"] += [kind(row) for row in rows]
        matched.append(
            [match is None or row["id"] in match.attempts or row["task"] in match.whole for row in rows]
        )
        for row in rows:
            lines.append((places.get(row["parent"]) or at[row["task"]], places[row["id"]]))
    return Picture(
        level="tasks" if rows is None else "attempts",
        marks=marks,
        x=np.concatenate(x),
        y=np.concatenate(y),
        size=np.concatenate(size),
        text=text,
        values={name: np.concatenate(found) for name, found in values.items()},
        names=names,
        matched=None if match is None else np.array([one for some in matched for one in some], bool),
        edges=_lines(lines),
        labels=_labels(space, there, at),
        stands={id: ("task", id) for id in ids},
    )


def _near(space: SpaceMap, number: int, at: dict[str, Any]) -> bool:
    return space.parents[number] >= 0 and space.ids[space.parents[number]] in at


def _placed(
    rows: list[Row], at: dict[str, tuple[float, float]], upto: int
) -> tuple[list[Row], dict[str, tuple[float, float]], dict[str, int], dict[str, float]]:
    """Attempts up to a round, their places, how many groups went on from each, the newest's learnability."""
    places: dict[str, tuple[float, float]] = {}
    before: dict[str, int] = {}
    visits: dict[str, int] = {}
    worth: dict[str, float] = {}
    kept = []
    for row in rows:  # the place depends on all that came before, whatever the round that is looked at
        task = row["task"]
        count = before.get(task, 0)
        before[task] = count + 1
        if row["round"] > upto or task not in at:
            continue
        places[row["id"]] = attempt_place(at[task], count)
        kept.append(row)
        if row["parent"] is not None and row["idx"] == 0:
            visits[row["parent"]] = visits.get(row["parent"], 0) + 1
            if row["learnability"] is not None:
                worth[row["parent"]] = row["learnability"]
    return kept, places, visits, worth


def _parts(space: SpaceMap, tasks: Numbers, scope: Scope, match: Match | None) -> Picture:
    """Patches of tasks, or topics where there are too many of them."""
    topic = None if scope.topic is None else {n for n, t in enumerate(space.patch_topics) if t == scope.topic}
    names: Sequence[str]
    if topic is not None or len(space.patch_topics) <= MARKS:
        kind, numbers, names = "part", space.by_patch(tasks), space.patch_topics
        of: Sequence[int] = space.patches
        shown = [n for n in range(len(names)) if numbers.tasks[n] and (topic is None or n in topic)]
    else:
        kind, (names, numbers) = "topic", space.by_topic(tasks)
        index = {name: number for number, name in enumerate(names)}
        by_patch = [index[name] for name in space.patch_topics]
        of = [by_patch[patch] for patch in space.patches]
        shown = [n for n in range(len(names)) if numbers.tasks[n]]
    left_out = max(len(shown) - MARKS, 0)
    if left_out:
        largest = np.argsort(-numbers.tasks[shown], kind="stable")[:MARKS]
        shown = [shown[n] for n in sorted(largest)]
    ids = [str(number) if kind == "part" else names[number] for number in shown]
    hit: set[int] = set()
    if match is not None:
        hit = {of[space.number[id]] for id in match.tasks if id in space.number}
    largest_size = 2 * sqrt(32) if kind == "part" else 12.0
    return Picture(
        level=f"{kind}s",
        marks=[(kind, id) for id in ids],
        x=numbers.x[shown],
        y=numbers.y[shown],
        size=_sized(numbers.visits[shown], 0.35 * largest_size, largest_size),
        text=[_told_part(names[number], numbers, number) for number in shown],
        values=_values(numbers, shown),
        names={
            "origin": [space.origins[code] if code >= 0 else "" for code in numbers.origin[shown]],
            "step": [STEPS[code] if code >= 0 else "not tried yet" for code in numbers.step[shown]],
        },
        matched=None if match is None else np.array([number in hit for number in shown], bool),
        left_out=left_out,
        stands={id: (kind, str(of[n]) if kind == "part" else names[of[n]]) for n, id in enumerate(space.ids)},
    )


def _values(numbers: Numbers, shown: Sequence[int]) -> dict[str, Array]:
    return {
        "solve rate": numbers.rate[shown],
        "learnability": numbers.learnability[shown],
        "round": numbers.round[shown].astype(float),
        "policy version": numbers.version[shown],
    }


def _sized(visits: Array, least: float, most: float) -> Array:
    """Diameters whose areas grow with the visits."""
    top = visits.max() if len(visits) else 0
    share = np.sqrt(visits / top) if top > 0 else np.zeros(len(visits))
    return least + (most - least) * share


def _lines(pairs: Sequence[tuple[tuple[float, float], tuple[float, float]]]) -> tuple[Array, Array]:
    ends = np.full((len(pairs), 3, 2), nan)
    if pairs:
        ends[:, :2, :] = np.array(pairs, dtype=float)
    return ends[:, :, 0].ravel(), ends[:, :, 1].ravel()


def _labels(
    space: SpaceMap, there: Sequence[int], at: dict[str, tuple[float, float]]
) -> list[tuple[float, float, str]]:
    """The name of each patch's topic above its tasks."""
    found: dict[int, list[tuple[float, float]]] = {}
    for number in there:
        found.setdefault(space.patches[number], []).append(at[space.ids[number]])
    return [
        (sum(x for x, _ in some) / len(some), max(y for _, y in some) + 1.0, space.patch_topics[patch])
        for patch, some in found.items()
        if space.patch_topics[patch]
    ]


def kind(row: Row) -> str:
    """Kind of the edge that leads to an attempt."""
    return NEXT_TURN if row["step"] == "initial" and row["parent"] is not None else str(row["step"])


def _told_task(space: SpaceMap, tasks: Numbers, number: int) -> str:
    return (
        f"<b>task</b> {hover(', '.join(space.topics[number]), 60, 2)}<br>"
        f"{hover(space.origins[tasks.origin[number]])}, {hover(space.statuses[number])},"
        f" round {tasks.round[number]}<br>{_told_rate(tasks, number)}"
    )


def _told_attempt(row: Row, visits: int) -> str:
    after = f"<br>gone on from {visits} times" if visits else ""
    return (
        f"<b>attempt</b> {hover(row['category'])}<br>{kind(row)}, round {row['round']},"
        f" version {row['policy_version']}{after}"
    )


def _told_part(topic: str, numbers: Numbers, number: int) -> str:
    newest = numbers.round[number]
    return (
        f"<b>{int(numbers.tasks[number]):,} tasks</b> {hover(topic, 60, 2)}<br>{_told_rate(numbers, number)}"
        f"<br>newest task of round {int(newest)}<br>choose it to open it"
    )


def _told_rate(numbers: Numbers, number: int) -> str:
    if not numbers.attempts[number]:
        return "not tried yet"
    rate, attempts, visits = (float(a[number]) for a in (numbers.rate, numbers.attempts, numbers.visits))
    return f"solved {rate:.0%} of {attempts:,.0f} attempts; {visits:,.0f} visits"
