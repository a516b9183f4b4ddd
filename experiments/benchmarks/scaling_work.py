"""What the benchmark of scaling works on: settings, plays, judged groups, and CPU seconds of processes."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec
import psutil

from actors import choosing
from actors.verifier import Judged
from experiments.benchmarks import store
from protocols.domain import make_domain
from protocols.iteration import Play, play_of, start_of
from protocols.records import Book, Purpose, Task
from protocols.seeds import digest
from protocols.settings import RunSettings

GROUP_SIZE = 4
FUNCTIONS = 16


def settings_of(**changes: Any) -> RunSettings:
    """A run with scripted answers about the quickstart's number of functions, which proposes nothing."""
    base: dict[str, Any] = {
        "model": {"name": "tiny-random"},
        "engine": {"kind": "scripted"},
        "zwc": {"functions": FUNCTIONS, "tasks_per_function": 4, "test_tasks_per_function": 1},
        "proposer": {"per_round": 0},
        "solver": {"group_size": GROUP_SIZE},
        "sandbox": {"workers": 1},
        "learner": {"recipe": "open-sft"},
        "curator": {"experience": "round"},
        "evaluation": {"before": False, "every": 0, "tasks": 1},
    }
    for section, values in changes.items():
        base[section] = {**base.get(section, {}), **values} if isinstance(values, dict) else values
    return RunSettings.model_validate(base)


def tasks_of(settings: RunSettings) -> list[Task]:
    return choosing.base_tasks(make_domain(settings), settings)


def plays(settings: RunSettings) -> Iterator[Play]:
    """Without end, no two alike."""
    tasks = tasks_of(settings)
    for position in count():
        task = tasks[position % len(tasks)]
        start = start_of(task, Book.OPEN)
        yield play_of(settings.seed, 1, position, Purpose.COLLECT, start, task, settings.solver.group_size)


class JudgedGroups:
    """Judged groups about these tasks, without end, no two alike; made from a few by new ids and texts, which
    is quicker than admitting them."""

    def __init__(self, task_ids: Sequence[str], group_size: int, tokens: int, label: str) -> None:
        self._task_ids, self._label = task_ids, label
        self._made = store.work(16 * group_size, group_size, tokens, per_task=group_size).judged
        self._numbers = count()

    def take(self, groups: int) -> list[Judged]:
        return [self._next(next(self._numbers)) for _ in range(groups)]

    def _next(self, number: int) -> Judged:
        group, verdicts = self._made[number % len(self._made)]
        name = digest("scaling", self._label, number)
        attempts = tuple(
            msgspec.structs.replace(
                one, id=digest(name, one.index), group_id=name, response=f"{name} {one.index} {one.response}"
            )
            for one in group.attempts
        )
        task_id = self._task_ids[number % len(self._task_ids)]
        start = msgspec.structs.replace(group.start, id=digest("start", task_id), task_id=task_id)
        return Judged(
            group=msgspec.structs.replace(
                group, id=name, round=1, position=number, start=start, attempts=attempts
            ),
            verdicts=tuple(
                msgspec.structs.replace(verdict, attempt_id=attempt.id)
                for verdict, attempt in zip(verdicts, attempts)
            ),
        )


def cpu_s(pids: Sequence[int], whole_tree: bool = False) -> float:
    """CPU seconds that processes have used so far; with `whole_tree` also all that they started."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for one in [process, *(process.children(recursive=True) if whole_tree else [])]:
                with suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    total += times.user + times.system
                    total += (times.children_user + times.children_system) if whole_tree else 0.0
    return total
