"""What came out of the ladder's runs: accuracy by improvement steps, and the curriculum that emerged.

Everything is read from the run folders, so that the figures can be checked and drawn again without playing.
Does not cover: how they are shown (`table`, `plots`).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments import summary
from experiments.ladders.exit.playing import ITERATED, base_file, recorded
from experiments.ladders.exit.rows import Row, folder_of
from experiments.ladders.shares import Share
from memory.reader import RunReader
from memory.space_positions import distances_by_words
from protocols.records import Record

_STARTS = """
SELECT g.round, g.start_id AS start, g.step, g.mean_reward AS reward, g.learnability,
  json_array_length(history.body) AS turns, asked.body AS asked,
  json_extract(history.body, '$[#-1].response') AS answer, a.group_id AS parent, g.id, came.round AS origin,
  EXISTS (SELECT 1 FROM decisions d WHERE d.subject_id = g.id AND d.kind = 'start'
    AND d.reason = 'replay') AS replayed
FROM groups g JOIN texts history ON history.id = g.history_text
JOIN tasks t ON t.id = g.task_id JOIN texts asked ON asked.id = t.statement_text
LEFT JOIN attempts a ON a.id = g.parent_attempt_id LEFT JOIN groups came ON came.id = a.group_id
WHERE g.purpose = 'collect' ORDER BY g.seq
"""
Curve = list[tuple[int, float]]
"""A value by round."""


class Steps(Record):
    """Held-out tasks after so many improvement steps; best and majority: of as many independent answers."""

    steps: int
    accuracy: Share
    net: int  # answers that became right less those that became wrong
    attempts: int
    best: Share
    majority: Share
    tokens: float


class Figures(Record):
    """One complete run."""

    row: str
    seed: int
    steps: list[Steps]
    reward: Curve  # of collected groups
    learnability: Curve
    depth: Curve  # improvement steps already taken on what the round's groups start from
    turn: Curve  # answers in the history that they start from, the next one counted
    origin: Curve  # round that replayed histories come from
    distinct: Curve  # different starts so far, relative to the base tasks
    distance: Curve  # of these starts from each other, by their words
    replayed: float  # share of groups that start from the buffer
    metrics: dict[str, float]  # averaged over updates
    samples: int
    seconds: float


def measured(path: Path) -> list[Steps]:
    """From what a measurement wrote."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return [
        Steps(
            steps=row["steps"],
            accuracy=_share(row, told["tasks"]),
            net=row["net"],
            attempts=told["tasks"] * told["samples"],
            best=_share(row["best"], told["tasks"]),
            majority=_share(row["majority"], told["tasks"]),
            tokens=row["tokens"],
        )
        for row in told["steps"]
    ]


def _share(of: dict[str, Any], tasks: int) -> Share:
    return Share(mean=of["accuracy"], low=of["interval"][0], high=of["interval"][1], tasks=tasks)


def figures(folder: Path, row: str, seed: int) -> Figures:
    """The figures of a complete run's folder."""
    with RunReader(folder) as reader:
        groups = reader.rows(_STARTS)
        updates = reader.updates()
        tasks = reader.rows("SELECT count(*) AS n FROM tasks WHERE split = 'train'")[0]["n"]
    depths: dict[str, int] = {}
    for group in groups:  # in the order of admission: a parent comes first
        taken = depths.get(group["parent"], 0)
        depths[group["id"]] = taken + 1 if group["step"] != "initial" else 0
    starts: dict[str, str] = {}
    counts: dict[int, int] = {}
    for group in sorted(groups, key=lambda g: g["round"]):
        starts.setdefault(group["start"], f"{group['asked']}\n{group['answer'] or ''}")
        counts[group["round"]] = len(starts)
    distances = distances_by_words(list(starts.values()), list(counts.values()))
    return Figures(
        row=row,
        seed=seed,
        steps=measured(folder / ITERATED),
        reward=_by_round(groups, lambda g: g["reward"]),
        learnability=_by_round(groups, lambda g: g["learnability"]),
        depth=_by_round(groups, lambda g: depths[g["id"]]),
        turn=_by_round(groups, lambda g: g["turns"] + (g["step"] == "initial")),
        origin=_by_round(groups, lambda g: g["origin"]),
        distinct=[(number, count / tasks) for number, count in counts.items()],
        distance=list(zip(counts, distances)),
        replayed=sum(group["replayed"] for group in groups) / len(groups),
        metrics=_mean([update["metrics"] for update in updates]),
        samples=sum(update["samples"] for update in updates),
        seconds=summary.load(folder)["seconds"],
    )


def _by_round(groups: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float | None]) -> Curve:
    """The mean over a round's groups that have a value."""
    found: dict[int, list[float]] = defaultdict(list)
    for group in groups:
        one = value(group)
        if one is not None:
            found[group["round"]].append(one)
    return [(number, sum(values) / len(values)) for number, values in sorted(found.items())]


def of_rows(runs_dir: Path, rows: Sequence[Row], seeds: Sequence[int]) -> dict[str, list[Figures]]:
    """Figures of the complete runs that are there."""
    found: dict[str, list[Figures]] = {}
    for row in rows:
        for seed in seeds:
            folder = folder_of(runs_dir, row.name, seed)
            if recorded(folder):
                found.setdefault(row.name, []).append(figures(folder, row.name, seed))
    return found


def base(runs_dir: Path, seeds: Sequence[int]) -> list[list[Steps]]:
    """What the rows begin with, one for each seed that was measured."""
    return [measured(path) for seed in seeds if (path := base_file(runs_dir, seed)).is_file()]


def _mean(found: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in found for name in one)
    return {n: sum(one[n] for one in found if n in one) / sum(n in one for one in found) for n in names}
