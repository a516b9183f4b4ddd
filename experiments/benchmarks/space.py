"""Seconds and memory for a million attempts as a task space, against networkx filled row by row.

A store is filled by the real writer: groups of 8 on 10,000 tasks, half of them from tasks, the others revise
an earlier answer or go on after it, histories and answers of 24 words. Then, each in a process of its own:

- ours: the space is rebuilt from the store; 15 times 1,000 more attempts (125 judged groups) are admitted;
  lineages of 1,000 attempts are asked of the graph and of the store by SQL, and have to agree. Of several
  times the median is told.
- baseline: networkx as one would write it first, `add_node` and `add_edge` for every row with all columns of
  attempt and group, on a tenth of the attempts, because a million would not fit beside other work.

Memory is the process's largest resident set, Python and libraries included.
"""

import json
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx as nx

from experiments.benchmarks.contenders import apart
from memory.reader import RunReader
from memory.store import Store
from protocols.iteration import kept, start_of
from protocols.records import (
    Attempt,
    Book,
    Group,
    Message,
    Origin,
    Prompt,
    Purpose,
    Split,
    Start,
    Step,
    Task,
    Turn,
    Verdict,
)
from protocols.seeds import digest, rng_of

NEEDED_SECONDS = 60.0  # for the rebuild of a million
NEEDED_GIGABYTES = 4.0
NEEDED_ADMISSION_MS = 50.0  # for `ADMITTED` attempts
NEEDED_LINEAGE_MS = 5.0

GROUP, TASKS, DEEPEST, TURNS = 8, 10_000, 6, 3
ADMITTED, ASKED = 1_000, 1_000
BATCHES = 15  # of `ADMITTED` attempts
BATCH = 256  # groups of one commit
OPEN = 20_000  # answers that can still be gone on from
_WORDS = [digest("word", i)[:3] for i in range(4096)]

Judged = tuple[Group, list[Verdict]]


class Player:
    """Makes tasks and judged groups by dice, deterministic by seed."""

    def __init__(self, seed: int, first: int = 0, tasks: int = TASKS, per_round: int = 128) -> None:
        self._rng = rng_of("space benchmark", seed, first)
        self._number = first
        self._open: list[tuple[Start, Attempt, int]] = []  # start, its answer, self-iteration steps behind it
        self._per_round = per_round  # groups
        self.tasks = [_task(number) for number in range(tasks)]

    def groups(self, count: int) -> Iterator[Judged]:
        for _ in range(count):
            start, depth = self._start()
            judged = _judged(start, self._number, self._rng, self._per_round)
            self._number += 1
            for attempt in judged[0].attempts:
                place = self._rng.randrange(OPEN)
                self._open[place : place + 1] = [(start, attempt, depth)]
            yield judged

    def _start(self) -> tuple[Start, int]:
        rng = self._rng
        if not self._open or rng.random() < 0.5:
            return start_of(rng.choice(self.tasks), Book.CLOSED), 0
        before, attempt, depth = rng.choice(self._open)
        history = [Turn(attempt_id="", response=text) for text in kept(before)]
        history = [*before.history[: len(history)], Turn(attempt_id=attempt.id, response=attempt.response)]
        task = self.tasks[int(before.task_id.partition("-")[2])]
        if len(history) < TURNS and rng.random() < 0.2:
            return start_of(task, Book.CLOSED, Step.INITIAL, history), 0
        if depth >= DEEPEST:
            return start_of(task, Book.CLOSED), 0
        step = Step.DIVERGE if rng.random() < 0.2 else Step.IMPROVE
        return start_of(task, Book.CLOSED, step, history), depth + 1


def _task(number: int) -> Task:
    return Task(
        id=f"{digest('task', number)[:8]}-{number}",
        domain="zwc",
        split=Split.TRAIN,
        kind="single",
        origin=Origin.SEED,
        statement=f"task {number}",
        topics=(f"topic{number % 64}",),
        payload={},
    )


def _judged(start: Start, number: int, rng: random.Random, per_round: int) -> Judged:
    group_id = digest("group", number)
    attempts = tuple(
        Attempt(
            id=digest(group_id, index),
            group_id=group_id,
            index=index,
            response=" ".join(rng.choices(_WORDS, k=24)),
            token_ids=(1, 2, 3, 4),
            logprobs=(-0.5, -0.5, -0.5, -0.5),
            prefilled=0,
            finish="stop",
            seed=index,
        )
        for index in range(GROUP)
    )
    group = Group(
        id=group_id,
        round=1 + number // per_round,
        position=number % per_round,
        purpose=Purpose.COLLECT,
        start=start,
        prompt=Prompt(messages=(Message(role="user", content=start.task_id),)),
        prompt_tokens=16,
        policy_version=number // per_round,
        engine="scripted",
        attempts=attempts,
        seconds=1.0,
    )
    verdicts = []
    for attempt in attempts:
        right = rng.random() < 0.4
        category = "correct" if right else "wrong_answer"
        verdicts.append(
            Verdict(attempt_id=attempt.id, reward=float(right), category=category, evidence={"cases": 8})
        )
    return group, verdicts


def run(attempts: int = 1_000_000, baseline_attempts: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Fill, rebuild, admit, ask, throw away.

    Args:
        baseline_attempts: a tenth of `attempts` if not given.

    Returns:
        seconds and memory of ours and of the baseline, their ratios for each attempt, and whether what is
        needed was reached; the bound for the rebuild is in proportion to the nodes.
    """
    folder = Path(tempfile.mkdtemp(prefix="taskspace-bench-"))
    try:
        task = {"path": str(folder / "run" / "run.db"), "attempts": attempts, "seed": seed}
        filled = apart(__name__, "fill", task)
        ours = apart(__name__, "ours", task)
        plain = apart(
            __name__, "plain", {**task, "attempts": baseline_attempts or max(GROUP, attempts // 10)}
        )
    finally:
        shutil.rmtree(folder)
    share = ours["nodes"] / (1_000_000 + TASKS)
    each, each_plain = ours["seconds"] / attempts, plain["seconds"] / plain["attempts"]
    bytes_each = ours["grown"] / attempts
    bytes_plain = plain["grown"] / plain["attempts"]
    return {
        "attempts": ours["attempts"],
        "nodes": ours["nodes"],
        "store_gigabytes": round(filled["bytes"] / 1e9, 2),
        "store_filled_s": round(filled["seconds"], 1),
        "rebuild_s": round(ours["seconds"], 2),
        "rebuild_peak_gigabytes": round(ours["peak"] / 1e9, 2),
        "bytes_per_attempt": round(bytes_each),
        f"admission_of_{ADMITTED}_ms": round(ours["admission_ms"], 2),
        "lineage_ms": round(ours["lineage_ms"], 4),
        "lineage_p99_ms": round(ours["lineage_p99_ms"], 4),
        "lineage_by_sql_ms": round(ours["lineage_sql_ms"], 4),
        "lineage_by_sql_p99_ms": round(ours["lineage_sql_p99_ms"], 4),
        "lineage_ratio": round(ours["lineage_sql_ms"] / ours["lineage_ms"], 1),
        "baseline": "networkx add_node and add_edge with every column, row by row",
        "baseline_attempts": plain["attempts"],
        "baseline_s_per_million": round(each_plain * 1e6, 1),
        "baseline_bytes_per_attempt": round(bytes_plain),
        f"baseline_admission_of_{ADMITTED}_ms": round(plain["admission_ms"], 2),
        "ratio": round(each_plain / each, 2),
        "memory_ratio": round(bytes_plain / bytes_each, 2),
        "needed_rebuild_s": round(NEEDED_SECONDS * share, 1),
        "needed_peak_gigabytes": NEEDED_GIGABYTES,
        "needed_admission_ms": NEEDED_ADMISSION_MS,
        "needed_lineage_ms": NEEDED_LINEAGE_MS,
        "passed": ours["seconds"] < NEEDED_SECONDS * share
        and ours["peak"] < NEEDED_GIGABYTES * 1e9
        and ours["admission_ms"] < NEEDED_ADMISSION_MS
        and ours["lineage_p99_ms"] < NEEDED_LINEAGE_MS,
    }


def _fill(task: dict[str, Any]) -> dict[str, Any]:
    path, groups = Path(task["path"]), task["attempts"] // GROUP
    player = Player(task["seed"])
    before = time.perf_counter()
    with Store.create(path, {}, {}) as store:
        store.add_tasks(player.tasks)
        waiting: list[Judged] = []
        for judged in player.groups(groups):
            waiting.append(judged)
            if len(waiting) == BATCH:
                store.admit_groups(waiting)
                waiting = []
        store.admit_groups(waiting)
    return {"seconds": time.perf_counter() - before, "bytes": path.stat().st_size}


def _ours(task: dict[str, Any]) -> dict[str, Any]:
    with RunReader(task["path"]) as reader:
        before = _resident()
        seconds, space = _timed(reader.space)
        peak = _resident()
        nodes, attempts = len(space.graph), sum(one["kind"] == "attempt" for _, one in space.nodes())
        if attempts != task["attempts"] // GROUP * GROUP:
            raise RuntimeError(f"the store holds {task['attempts']} attempts, the space {attempts}")
        asked = rng_of("lineages", task["seed"]).sample(list(space.graph), ASKED + ASKED)
        asked = [node for node in asked if space.graph.nodes[node]["kind"] == "attempt"][:ASKED]
        by_graph, by_sql = [], []
        for node in asked:
            one, way = _timed(lambda node=node: space.lineage(node))  # type: ignore[misc]
            other, rows = _timed(lambda node=node: reader.lineage(node))  # type: ignore[misc]
            if way[1:] != [row["id"] for row in rows]:
                raise RuntimeError(f"graph and store disagree about the lineage of {node}")
            by_graph.append(one)
            by_sql.append(other)
    player = Player(task["seed"], first=task["attempts"] // GROUP)
    admissions = []
    for _ in range(BATCHES):
        judged = list(player.groups(ADMITTED // GROUP))
        admissions.append(_timed(lambda j=judged: [space.add_group(*one) for one in j])[0])  # type: ignore[misc]
    return {
        "attempts": attempts,
        "nodes": nodes,
        "seconds": seconds,
        "peak": peak,
        "grown": peak - before,
        "admission_ms": 1000 * statistics.median(admissions),
        "lineage_ms": 1000 * statistics.median(by_graph),
        "lineage_p99_ms": 1000 * _p99(by_graph),
        "lineage_sql_ms": 1000 * statistics.median(by_sql),
        "lineage_sql_p99_ms": 1000 * _p99(by_sql),
    }


def _plain(task: dict[str, Any]) -> dict[str, Any]:
    columns = """SELECT g.*, a.*, a.id AS attempt_id FROM groups g JOIN attempts a ON a.group_id = g.id
    WHERE g.seq <= ? ORDER BY g.seq, a.idx"""
    groups = task["attempts"] // GROUP
    graph: nx.DiGraph = nx.DiGraph()

    def add(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            graph.add_node(row["attempt_id"], kind="attempt", **row)
            graph.add_edge(row["parent_attempt_id"] or row["task_id"], row["attempt_id"], kind=row["step"])

    def rebuild() -> None:
        for row in reader.rows("SELECT * FROM tasks"):
            graph.add_node(row["id"], **{**row, "kind": "task"})
        add(reader.rows(columns, [groups]))

    with RunReader(task["path"]) as reader:
        before = _resident()
        seconds, _ = _timed(rebuild)
        peak = _resident()
        later = columns.replace("g.seq <= ?", "g.seq > ?") + f" LIMIT {ADMITTED * BATCHES}"
        more = reader.rows(later, [groups])
    parts = [more[first : first + ADMITTED] for first in range(0, len(more), ADMITTED)]
    admissions = [_timed(lambda part=part: add(part))[0] for part in parts]  # type: ignore[misc]
    return {
        "attempts": groups * GROUP,
        "seconds": seconds,
        "grown": peak - before,
        "admission_ms": 1000 * statistics.median(admissions),
    }


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    before = time.perf_counter()
    found = what()
    return time.perf_counter() - before, found


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    contender = {"fill": _fill, "ours": _ours, "plain": _plain}[sys.argv[1]]
    print(json.dumps(contender(json.loads(sys.argv[2]))))
