"""What Live asks of a run beside `ui.queries`: pace, waits, queues, rounds, and how the task space grows.

Counts come from the counters that `groups` carries; lists are bounded, so that a run of a hundred thousand
attempts is watched as one of a thousand is. Not here: what is off (`memory.alerts`).
"""

from collections import Counter, defaultdict
from typing import Any

from memory.reader import RunReader
from memory.selects import parsed
from protocols.records import Step

Row = dict[str, Any]

#: How far back paces, waits and queues look, in seconds; None is all that is listed.
SPANS: dict[str, float | None] = {"10 min": 600.0, "1 h": 3600.0, "all": None}
_MOST_STAGES = 1_000
QUEUES = {
    "playing": "with solvers",
    "to_judge": "wait for a verifier",
    "judging": "with verifiers",
    "to_admit": "wait for their turn",
}
#: Stage numbers that are counted for a role, and what they are called on the screen.
_MADE = {
    "proposer": {"proposals": "proposals/s", "tokens": "tokens/s"},
    "solver": {"groups": "groups/s", "attempts": "answers/s", "tokens": "tokens/s"},
    "verifier": {"groups": "groups/s", "attempts": "programs/s"},
    "learner": {"samples": "answers/s", "tokens": "tokens/s"},
}
_WAIT = "wait for "


def recent_stages(reader: RunReader, span: float | None) -> list[Row]:
    """The stages that ended in the last `span` seconds of the run, oldest first, `numbers` as a dict."""
    rows = [parsed(row) for row in reader.rows(_STAGES, [_MOST_STAGES])]
    newest = max((row["started"] + row["seconds"] for row in rows), default=0.0)
    return [row for row in rows if span is None or row["started"] + row["seconds"] >= newest - span][::-1]


def working(recent: list[Row]) -> list[Row]:
    """The stages in which somebody worked. A wait is a sum over its round, and no stretch of time."""
    return [row for row in recent if not row["stage"].startswith(_WAIT)]


def throughput(recent: list[Row]) -> dict[str, dict[str, float]]:
    """By role what was made in each second of the run, all workers of the role together."""
    rows = working(recent)
    if not rows:
        return {}
    begun = min(row["started"] for row in rows)
    span = max(max(row["started"] + row["seconds"] for row in rows) - begun, 1e-9)
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for number, name in _MADE.get(row["role"], {}).items():
            value = row["numbers"].get(number)
            made[row["role"]][name] += value if isinstance(value, int | float) else 0  # type: ignore[assignment]
    return {role: {name: n / span for name, n in counts.items() if n} for role, counts in made.items()}


def waits(recent: list[Row]) -> list[Row]:
    """Who waited for whom, why, how long in all and in which round last; the longest first."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in recent:
        if row["stage"].startswith(_WAIT):
            key = (row["role"], row["stage"].removeprefix(_WAIT), str(row["numbers"].get("why", "")))
            told = found.setdefault(key, {"who": key[0], "whom": key[1], "why": key[2], "seconds": 0.0})
            told["seconds"] += row["seconds"]
            told["round"] = row["round"]
    return sorted(found.values(), key=lambda row: -row["seconds"])


def queues(recent: list[Row]) -> list[Row]:
    """Batches at each place, whenever one had been played or admitted: `at` in UNIX seconds and `QUEUES`."""
    found = []
    for row in recent:
        counts = row["numbers"].get("queues")
        if isinstance(counts, dict):
            ended = row["started"] + row["seconds"] + row["numbers"].get("waited", 0.0)
            found.append({"at": ended, **{name: counts.get(name, 0) for name in QUEUES}})
    return sorted(found, key=lambda row: row["at"])


def staleness(reader: RunReader) -> Row:
    """`oldest` and `newest` version of the weights that the newest 16 groups were played by, and `learned`:
    mean staleness of the newest update; each None where it is not known."""
    return {**(reader.row(_PLAYED) or {}), "learned": reader.value(_LEARNED)}


def rounds(reader: RunReader, limit: int = 12) -> list[Row]:
    """The newest rounds first, with what was planned, played, verified, proposed and measured."""
    return reader.rows(_ROUNDS, [limit])


def space_growth(reader: RunReader) -> list[Row]:
    """By round: `tasks`, `attempts` and `distinct` starts so far; mean and greatest `depth` of its attempts.

    As `memory.space_questions` counts them: a depth is the number of steps by which an answer was revised,
    and a start is a task, the texts of its history and a step.
    """
    first = dict(reader.tuples(_FIRST_STARTS))
    added = dict(reader.tuples(_TASKS_ADDED))
    depths: dict[int, Counter[int]] = defaultdict(Counter)
    known: dict[str, tuple[int, int]] = {}  # group: turn, depth
    for group, round, step, parent, turn, attempts in reader.tuples(_STEPS):
        depth = 0
        if step != Step.INITIAL:
            before, answered = known.get(parent, (turn, 0))
            depth = 1 + (answered if before == turn else 0)
        known[group] = (turn, depth)
        depths[round][depth] += attempts
    curve, tasks, attempts, distinct = [], 0, 0, 0
    for round in sorted({*first, *added, *depths}):
        counts = depths[round]
        tasks, attempts = tasks + added.get(round, 0), attempts + counts.total()
        distinct += first.get(round, 0)
        mean = sum(depth * n for depth, n in counts.items()) / max(counts.total(), 1)
        row = {"round": round, "tasks": tasks, "attempts": attempts, "distinct": distinct}
        curve.append({**row, "depth": mean, "deepest": max(counts, default=0)})
    return curve


_STAGES = "SELECT round, role, stage, started, seconds, numbers_json FROM stages ORDER BY id DESC LIMIT ?"

_PLAYED = """SELECT min(policy_version) AS oldest, max(policy_version) AS newest
FROM (SELECT policy_version FROM groups WHERE purpose = 'collect' ORDER BY seq DESC LIMIT 16)"""

_LEARNED = "SELECT json_extract(metrics_json, '$.staleness') FROM updates ORDER BY version DESC LIMIT 1"

_ROUNDS = """SELECT r.round, r.policy_version, r.started, max(r.finished - r.started, 0) AS seconds,
  r.planned, count(g.id) AS played,
  sum(g.verified) * 1.0 / nullif(sum(g.attempts - g.infra_errors), 0) AS verified, sum(g.tokens) AS tokens,
  (SELECT count(*) FROM proposals p WHERE p.round = r.round) AS proposals,
  (SELECT count(p.reason) FROM proposals p WHERE p.round = r.round) AS rejected,
  (SELECT e.accuracy FROM evaluations e WHERE e.round = r.round AND e.book = 'closed' AND e.split = 'test'
     ORDER BY e.seq DESC LIMIT 1) AS accuracy
FROM (SELECT round, policy_version, started, finished, json_array_length(plan_json) AS planned
  FROM rounds ORDER BY round DESC LIMIT ?) r
LEFT JOIN groups g ON g.round = r.round AND g.purpose = 'collect'
GROUP BY r.round ORDER BY r.round DESC"""

_FIRST_STARTS = """SELECT first, count(*) FROM (SELECT min(round) AS first FROM groups
WHERE purpose = 'collect' GROUP BY start_id) GROUP BY first"""

_TASKS_ADDED = """SELECT round, count(*) FROM tasks WHERE split = 'train' AND status <> 'rejected'
GROUP BY round"""

# Only a revised or continued answer has a history whose turns have to be counted.
_STEPS = """SELECT g.id, g.round, g.step, parent.group_id,
  CASE WHEN g.parent_attempt_id IS NULL THEN 1
    ELSE (SELECT json_array_length(body) FROM texts WHERE texts.id = g.history_text) + (g.step = 'initial')
  END, g.attempts
FROM groups g LEFT JOIN attempts parent ON parent.id = g.parent_attempt_id
WHERE g.purpose = 'collect' ORDER BY g.seq"""
