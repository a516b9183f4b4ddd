"""What Learning asks of a run beside `ui.queries`: accuracy by function, domain or kind, and by version."""

from statistics import quantiles
from typing import Any

from memory.reader import RunReader
from protocols.intervals import wilson

Row = dict[str, Any]

#: What the rows of the heat map are: how they are called, and where they stand.
BY = {"function": "topic.value", "domain": "t.domain", "kind": "t.kind"}
BOOKS = ("closed", "open")


def cells(reader: RunReader, by: str, book: str) -> list[Row]:
    """Held-out measurements: `name`, `version`, distinct `tasks`, and the mean reward of judged attempts
    (`share`).

    Args:
        by: one of `BY`; a task about two functions counts for both.
        book: open or closed.
    """
    each = ", json_each(t.topics_json) topic" if by == "function" else ""
    return reader.rows(
        f"""SELECT {BY[by]} AS name, g.policy_version AS version, count(DISTINCT g.task_id) AS tasks,
          sum(g.mean_reward * (g.attempts - g.infra_errors)) / sum(g.attempts - g.infra_errors) AS share
        FROM groups g JOIN tasks t ON t.id = g.task_id{each}
        WHERE g.purpose = 'evaluate' AND g.book = ? AND t.split = 'test' AND g.attempts > g.infra_errors
        GROUP BY 1, 2 ORDER BY 1, 2""",
        [book],
    )


def solved(reader: RunReader) -> list[Row]:
    """Collected answers by `version` and `step`: `rate` verified, `attempts`, and its 95 % interval over
    groups (`low`, `high`): answers from one start tend to end alike."""
    rows = reader.rows(
        """SELECT policy_version AS version, step, count(*) AS groups, sum(attempts) AS attempts,
          sum(verified) * 1.0 / sum(attempts - infra_errors) AS rate
        FROM groups WHERE purpose = 'collect' AND attempts > infra_errors
        GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    for row in rows:
        row["low"], row["high"] = wilson(row["rate"], row["groups"])
    return rows


def changes(updates: list[Row]) -> list[Row]:
    """By `version` what its update measured: its metrics as they are, and of loss and gradient norm the mean
    over its optimiser steps with the middle 80 % of them (`loss_low`, `loss_high`, ...)."""
    found = []
    for row in updates:
        told = {**row["metrics"], "version": row["version"], "recipe": row["recipe"]}
        for name, values in (("loss", row["losses"]), ("grad_norm", row["grad_norms"])):
            if not values:
                continue
            tenths = quantiles(values, n=10, method="inclusive") if len(values) > 1 else [values[0]]
            told |= {name: sum(values) / len(values), f"{name}_low": tenths[0], f"{name}_high": tenths[-1]}
        found.append(told)
    return found
