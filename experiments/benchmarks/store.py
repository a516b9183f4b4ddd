"""Attempts per second into the store, against one commit per attempt; and what a million of them weigh.

Both sides keep the same attempts: an answer of 100 sampled tokens (about 420 characters, no two alike) with
token ids, log-probabilities and a verdict. The store takes them as the curator hands them over, in batches
of groups. The baseline is sqlite-utils as one would write it first: a table made from the record's
dictionary, `insert` for every attempt, each in a transaction of its own, WAL on. The same table filled by
its `insert_all`, one call and one transaction per batch, stands beside it.
"""

import random
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlite_utils import Database

from memory.store import Store
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
    Verdict,
)
from protocols.seeds import digest, rng_of

NEEDED_PER_SECOND = 5_000
NEEDED_GIGABYTES_PER_MILLION = 5.0

_WORDS = [digest("word", i)[:3] for i in range(4096)]


@dataclass
class Work:
    """Judged groups ready for the store, and their task."""

    tasks: list[Task]
    judged: list[tuple[Group, list[Verdict]]]

    @property
    def attempts(self) -> int:
        return sum(len(group.attempts) for group, _ in self.judged)


def work(attempts: int, group_size: int = 4, tokens: int = 100, per_task: int = 64, seed: int = 0) -> Work:
    """Deterministic by seed. The prompt holds a page of documentation, as open-book prompts do."""
    rng = rng_of("store benchmark", seed)
    made = Work([], [])
    for number in range(attempts // group_size):
        if number % (per_task // group_size) == 0:
            made.tasks.append(_task(len(made.tasks), rng))
        made.judged.append(_group(made.tasks[-1], number, group_size, tokens, rng))
    return made


def _task(number: int, rng: random.Random) -> Task:
    cases = [{"args": [[rng.random() for _ in range(5)]], "expected": rng.random()} for _ in range(8)]
    return Task(
        id=digest("task", number),
        domain="zwc",
        split=Split.TRAIN,
        kind="single",
        origin=Origin.SEED,
        statement=_text(rng, 40),
        topics=(f"topic{number % 16}",),
        payload={"cases": cases},
    )


def _group(
    task: Task, number: int, size: int, tokens: int, rng: random.Random
) -> tuple[Group, list[Verdict]]:
    group_id = digest("group", number)
    attempts = tuple(
        Attempt(
            id=digest(group_id, index),
            group_id=group_id,
            index=index,
            response=_text(rng, tokens),
            token_ids=tuple(rng.randrange(49_152) for _ in range(tokens)),
            logprobs=tuple(-rng.random() for _ in range(tokens)),
            prefilled=0,
            finish="stop",
            seed=rng.getrandbits(63),
        )
        for index in range(size)
    )
    group = Group(
        id=group_id,
        round=number // 64,
        position=number % 64,
        purpose=Purpose.COLLECT,
        start=Start(id=digest("start", task.id), task_id=task.id, step=Step.INITIAL, book=Book.OPEN),
        prompt=Prompt(messages=(Message(role="user", content=f"{task.statement}\n" + "doc " * 400),)),
        prompt_tokens=500,
        policy_version=number // 256,
        engine="scripted",
        attempts=attempts,
        seconds=1.0,
    )
    return group, [_verdict(attempt, rng) for attempt in attempts]


def _verdict(attempt: Attempt, rng: random.Random) -> Verdict:
    correct = rng.random() < 0.5
    evidence = (
        {"passed": 8, "cases": 8} if correct else {"passed": 3, "cases": 8, "first_failure": {"got": 1}}
    )
    category = "correct" if correct else "wrong_answer"
    return Verdict(attempt_id=attempt.id, reward=float(correct), category=category, evidence=evidence)


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words))


def run(
    attempts: int = 20_000,
    batch_groups: int = 64,
    group_size: int = 4,
    tokens: int = 100,
    baseline_attempts: int = 2_000,
) -> dict[str, Any]:
    """Insert, measure, throw away. Rates are attempts per second of wall-clock time, commits included.

    Returns:
        rates, their ratio, bytes per attempt (the whole file, tasks and prompts included), gigabytes at a
        million attempts, and whether what is needed was reached.
    """
    made = work(attempts, group_size, tokens)
    folder = Path(tempfile.mkdtemp(prefix="taskspace-bench-"))
    try:
        seconds, size = _store(folder / "run" / "run.db", made, batch_groups)
        base_made = made.judged[: baseline_attempts // group_size]
        base_count = len(base_made) * group_size
        base_seconds = _plain(folder / "baseline.db", base_made, batch_groups=0)
        batched_seconds = _plain(folder / "batched.db", base_made, batch_groups)
    finally:
        shutil.rmtree(folder)
    per_second, base_per_second = made.attempts / seconds, base_count / base_seconds
    gigabytes = size / made.attempts * 1e6 / 1e9
    return {
        "attempts": made.attempts,
        "tokens_per_attempt": tokens,
        "batch_groups": batch_groups,
        "attempts_per_second": round(per_second),
        "baseline": "sqlite-utils insert, one commit per attempt",
        "baseline_attempts_per_second": round(base_per_second),
        "ratio": round(per_second / base_per_second, 2),
        "insert_all_attempts_per_second": round(base_count / batched_seconds),
        "bytes_per_attempt": round(size / made.attempts),
        "gigabytes_per_million": round(gigabytes, 2),
        "needed_per_second": NEEDED_PER_SECOND,
        "needed_gigabytes_per_million": NEEDED_GIGABYTES_PER_MILLION,
        "passed": per_second >= NEEDED_PER_SECOND and gigabytes < NEEDED_GIGABYTES_PER_MILLION,
    }


def _store(path: Path, made: Work, batch_groups: int) -> tuple[float, int]:
    """Seconds for all batches and for closing, and the size of the file in bytes."""
    store = Store.create(path, {}, {})
    store.add_tasks(made.tasks)
    before = time.perf_counter()
    for first in range(0, len(made.judged), batch_groups):
        store.admit_groups(made.judged[first : first + batch_groups], state={"next": first})
    store.close()
    return time.perf_counter() - before, path.stat().st_size


def _plain(path: Path, judged: list[tuple[Group, list[Verdict]]], batch_groups: int) -> float:
    """Seconds for the same attempts by sqlite-utils alone; with `batch_groups` 0, one commit each."""
    db = Database(path)
    db.enable_wal()
    table = db.table("attempts")
    before = time.perf_counter()
    for first in range(0, len(judged), batch_groups or 1):
        rows = [
            {
                **msgspec.to_builtins(attempt),
                **msgspec.to_builtins(verdict),
                "start": msgspec.to_builtins(group.start),
            }
            for group, verdicts in judged[first : first + (batch_groups or 1)]
            for attempt, verdict in zip(group.attempts, verdicts)
        ]
        if batch_groups:
            table.insert_all(rows, pk="id")
        else:
            for row in rows:
                table.insert(row, pk="id")
    db.close()
    return time.perf_counter() - before
