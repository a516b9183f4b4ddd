"""What runs have to say when they are held against each other: curves, held-out tasks, settings.

    profile(reader)          of one run, read-only: settings, curves, rewards on held-out tasks
    compared(held_out)       figures and paired tests of several
    differences(configs)     the settings in which they differ

A run's accuracy is that of its newest evaluation, never of its best one: choosing a version by the very tasks
it is judged on would flatter it.
Does not cover: the statistics themselves (`memory.comparing`), and how anything looks.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memory.comparing import Paired, holm, paired
from memory.reader import RunReader
from protocols.intervals import wilson

#: What can be drawn of a run, by name: what it is, in words.
CURVES = {
    "closed book": "accuracy on held-out tasks without the documentation",
    "open book": "accuracy on held-out tasks with the documentation",
    "reward": "mean reward of collected attempts",
    "loss": "mean loss of an update's steps",
}
#: What a curve can be drawn over: `tokens` are response tokens learned up to then, over all updates.
OVER = ("version", "round", "tokens")


_SEED = re.compile(r"seed\d+")
_ENDING = re.compile(r"[-_]seed\d+$")


class Point(NamedTuple):
    """Of a curve."""

    version: int
    round: int
    tokens: int
    value: float


class Profile(NamedTuple):
    """One run."""

    config: dict[str, Any]
    curves: dict[str, list[Point]]  # by name, see `CURVES`; in order
    held_out: dict[str, float]  # mean reward by task, closed book, in the newest evaluation
    version: int | None  # policy version that was measured there; None before there is one


class Compared(NamedTuple):
    """One run beside a reference."""

    accuracy: float  # mean over its held-out tasks
    low: float  # 95 %, Wilson over tasks
    high: float
    tasks: int
    against: Paired | None  # None: it is the reference, or no task is shared
    p_adjusted: float | None  # by Holm, over all comparisons with the reference


def profile(reader: RunReader) -> Profile:
    """Everything that comparing needs of a run in progress or finished."""
    learned, loss, tokens = {0: 0}, [], 0
    for update in reader.updates():
        tokens += update["tokens"]
        learned[update["version"]] = tokens
        if update["losses"]:
            mean = sum(update["losses"]) / len(update["losses"])
            loss.append(Point(update["version"], update["round"], tokens, mean))
    measured: dict[str, list[Point]] = {"closed": [], "open": []}
    newest = None
    for row in reader.evaluations():
        if row["split"] != "test" or row["book"] not in measured or row["accuracy"] is None:
            continue
        version = row["policy_version"]
        point = Point(version, row["round"], learned.get(version, tokens), row["accuracy"])
        measured[row["book"]].append(point)
        if row["book"] == "closed":
            newest = row
    reward = [
        Point(row["policy_version"], row["round"], learned.get(row["policy_version"], 0), row["mean_reward"])
        for row in reader.rounds()
        if row["mean_reward"] is not None
    ]
    return Profile(
        config=reader.config(),
        curves={
            "closed book": _last_of_each(measured["closed"]),
            "open book": _last_of_each(measured["open"]),
            "reward": reward,
            "loss": loss,
        },
        held_out={} if newest is None else _held_out(reader, newest["round"], newest["policy_version"]),
        version=None if newest is None else newest["policy_version"],
    )


def _last_of_each(points: Sequence[Point]) -> list[Point]:
    """Versions may be measured again: the newest measurement of each counts."""
    latest = {point.version: point for point in points}
    return [latest[version] for version in sorted(latest)]


def _held_out(reader: RunReader, round: int, version: int) -> dict[str, float]:
    """Mean reward by held-out task, closed book, of what was judged in one evaluation."""
    found = reader.tuples(
        """SELECT g.task_id, sum(g.mean_reward * (g.attempts - g.infra_errors)),
          sum(g.attempts - g.infra_errors)
        FROM groups g JOIN tasks t ON t.id = g.task_id
        WHERE g.purpose = 'evaluate' AND g.round = ? AND g.policy_version = ? AND g.book = 'closed'
          AND t.split = 'test' AND g.mean_reward IS NOT NULL
        GROUP BY g.task_id""",
        [round, version],
    )
    return {task: total / judged for task, total, judged in found}


def together(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean reward by task over several runs, of the tasks that all of them were measured on."""
    shared = set(runs[0]).intersection(*runs[1:]) if runs else set()
    return {task: sum(run[task] for run in runs) / len(runs) for task in sorted(shared)}


def compared(held_out: Mapping[str, Mapping[str, float]], reference: str) -> dict[str, Compared | None]:
    """Accuracy of each run with its interval, and how it differs from a reference run on the same tasks.

    Args:
        held_out: rewards by task, by run. reference: one of these runs.

    Returns:
        By run, in their order; None for one that has no judged held-out task.
    """
    tests = {
        name: paired(held_out[reference], rewards) for name, rewards in held_out.items() if name != reference
    }
    asked = {name: test for name, test in tests.items() if test is not None}
    adjusted = dict(zip(asked, holm([test.p for test in asked.values()])))
    found: dict[str, Compared | None] = {}
    for name, rewards in held_out.items():
        values = list(rewards.values())
        if not values:
            found[name] = None
            continue
        mean = sum(values) / len(values)
        low, high = wilson(mean, len(values))
        found[name] = Compared(mean, low, high, len(values), asked.get(name), adjusted.get(name))
    return found


def differences(configs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str | None]]:
    """The settings in which runs differ: rows of `key` (dotted) and each run's value as JSON text.

    None: the run's settings have no such key.
    """
    flat = {name: _flat(config) for name, config in configs.items()}
    keys = sorted({key for values in flat.values() for key in values})
    return [
        {"key": key, **{name: values.get(key) for name, values in flat.items()}}
        for key in keys
        if len({values.get(key) for values in flat.values()}) > 1
    ]


def alike(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Runs whose settings are the same but for their seed, by the name of the first of them without its seed.

    Folders that are named after a seed, as a ladder's are (`closed-sft-seed2`), count as the same.
    """
    found: dict[str, list[str]] = {}
    for name, config in configs.items():
        rest = json.dumps({key: v for key, v in config.items() if key != "seed"}, sort_keys=True, default=str)
        found.setdefault(_SEED.sub("seed", rest), []).append(name)
    named: dict[str, list[str]] = {}
    for names in found.values():
        plain = _ENDING.sub("", names[0]) if len(names) > 1 else names[0]
        named[names[0] if plain in named or plain in configs else plain] = names
    return named


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        return {k: v for name, part in value.items() for k, v in _flat(part, f"{prefix}{name}.").items()}
    return {prefix.removesuffix("."): json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)}
