"""A run's metrics as numbers on an axis, and which of them are new.

version/...   by policy version: accuracy, and what each update came to
step/...      by optimiser step of the whole run: loss, gradient norm, learning rate
round/...     by round: what was proposed, played and verified
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from memory.reader import RunReader
from memory.selects import parsed
from protocols.records import Record

Axis = Literal["version", "step", "round"]
Row = dict[str, Any]


class Point(Record):
    """`name` holds the axis in front; `at` is UNIX time."""

    axis: Axis
    name: str
    step: int
    value: float
    at: float


class Sent(Record):
    """How far a tracker has come in a store: the last of each that it has taken."""

    evaluation: int = 0  # seq
    version: int = 0
    round: int = 0
    steps: int = 0  # optimiser steps of all updates so far


def news(reader: RunReader, sent: Sent) -> tuple[list[Point], Sent]:
    """What the store has beyond `sent`, in order, and how far that goes. Values that are no numbers are left
    out: no tracker can draw them."""
    evaluations = reader.rows(
        "SELECT * FROM evaluations WHERE seq > ? AND split = 'test' ORDER BY seq", [sent.evaluation]
    )
    updates = [
        parsed(row)
        for row in reader.rows("SELECT * FROM updates WHERE version > ? ORDER BY version", [sent.version])
    ]
    rounds = reader.rows(_ROUNDS, [sent.round, sent.round])
    points = [*_of_evaluations(evaluations), *_of_updates(updates, sent.steps), *_of_rounds(rounds)]
    reached = Sent(  # of the rows that were read: a run in progress may have more by now
        evaluation=max((row["seq"] for row in evaluations), default=sent.evaluation),
        version=max((row["version"] for row in updates), default=sent.version),
        round=max((row["round"] for row in rounds), default=sent.round),
        steps=sent.steps + sum(len(row["losses"]) for row in updates),
    )
    return [point for point in points if math.isfinite(point.value)], reached


def _of_evaluations(rows: Sequence[Row]) -> Iterator[Point]:
    for row in rows:
        for name in ("accuracy", "infra_errors"):
            at, where = row["created"], f"version/{row['book']}_book_{name}"
            if row[name] is not None:
                yield Point(axis="version", name=where, step=row["policy_version"], value=row[name], at=at)


def _of_updates(rows: Sequence[Row], steps: int) -> Iterator[Point]:
    """`steps`: optimiser steps before the first of them."""
    for row in rows:
        at, version = row["created"], row["version"]
        told = {name: row[name] for name in ("samples", "tokens", "steps", "seconds")} | row["metrics"]
        if row["losses"]:
            told["loss"] = row["losses"][-1]
        for name, value in told.items():
            if isinstance(value, int | float):
                yield Point(axis="version", name=f"version/{name}", step=version, value=value, at=at)
        curves = zip(row["losses"], row["grad_norms"], row["learning_rates"])
        for i, values in enumerate(curves, steps + 1):
            for name, value in zip(("loss", "grad_norm", "learning_rate"), values):
                yield Point(axis="step", name=f"step/{name}", step=i, value=value, at=at)
        steps += len(row["losses"])


def _of_rounds(rows: Sequence[Row]) -> Iterator[Point]:
    for row in rows:
        for name in _OF_ROUND:
            if row[name] is not None:
                at, where = row["finished"], f"round/{name}"
                yield Point(axis="round", name=where, step=row["round"], value=row[name], at=at)


#: Only what is settled when a round ends: a task that stands may be rejected in a later one.
_OF_ROUND = (
    *("seconds", "proposals", "proposals_unusable", "attempts", "verified", "mean_reward", "learnability"),
    *("infra_errors", "tokens"),
)
_ROUNDS = """SELECT r.round, r.finished, max(r.finished - r.started, 0) AS seconds,
  (SELECT count(*) FROM proposals p WHERE p.round = r.round) AS proposals,
  (SELECT count(*) FROM proposals p WHERE p.round = r.round AND p.task_id IS NULL) AS proposals_unusable,
  ifnull(g.attempts, 0) AS attempts, ifnull(g.verified, 0) AS verified, g.mean_reward, g.learnability,
  ifnull(g.infra_errors, 0) AS infra_errors, ifnull(g.tokens, 0) AS tokens
FROM rounds r LEFT JOIN (SELECT round, sum(attempts) AS attempts, sum(verified) AS verified,
    sum(mean_reward * (attempts - infra_errors)) / sum(attempts - infra_errors) AS mean_reward,
    avg(learnability) AS learnability, sum(infra_errors) AS infra_errors, sum(tokens) AS tokens
  FROM groups WHERE purpose = 'collect' AND round > ? GROUP BY round) g ON g.round = r.round
WHERE r.round > ? AND r.finished IS NOT NULL ORDER BY r.round"""
