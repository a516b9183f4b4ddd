"""What the pages ask of a run, as plain dictionaries and lists that can be kept between redraws.

Statements that list things take the first characters of long texts only (`substr` in SQL), so that a
thousand rows of megabyte answers cost no more than a thousand short ones. Counts come from the counters
that `groups` carries: no question but an episode's reads attempts one by one.
Not here: how anything looks.
"""

from collections import defaultdict
from typing import Any

from memory.codec import from_json
from memory.reader import RunReader

Row = dict[str, Any]
_EXCERPT = 240  # characters of a text in a list

#: What each role makes, in the stage numbers it leaves: the unit of its throughput.
UNITS = {
    "proposer": ("proposals", "tokens"),
    "solver": ("attempts", "tokens"),
    "verifier": ("attempts",),
    "learner": ("samples", "tokens"),
}


def last_sign(reader: RunReader) -> float | None:
    """UNIX time of the newest thing in the run; None while there is nothing."""
    times = [
        reader.value("SELECT at FROM events ORDER BY id DESC LIMIT 1"),
        reader.value("SELECT created FROM groups ORDER BY seq DESC LIMIT 1"),
        reader.value("SELECT started + seconds FROM stages ORDER BY id DESC LIMIT 1"),
    ]
    return max((t for t in times if t is not None), default=None)


def growth(reader: RunReader, bins: int = 200) -> list[Row]:
    """Tasks, attempts and verified answers over time: running totals, `at` in UNIX seconds."""
    first = reader.value("SELECT created FROM groups ORDER BY seq LIMIT 1")
    last = reader.value("SELECT created FROM groups ORDER BY seq DESC LIMIT 1")
    if first is None:
        return []
    width = max((last - first) / bins, 0.5)
    played = reader.rows(
        "SELECT CAST((created - ?) / ? AS INTEGER) AS bin, sum(attempts) AS attempts,"
        " sum(verified) AS verified FROM groups WHERE purpose = 'collect' GROUP BY bin",
        (first, width),
    )
    grown = reader.rows(
        "SELECT CAST((created - ?) / ? AS INTEGER) AS bin, count(*) AS tasks FROM proposals"
        " WHERE reason IS NULL AND task_id IS NOT NULL GROUP BY bin",
        (first, width),
    )
    base = reader.value("SELECT count(*) FROM tasks WHERE origin <> 'proposed' AND split = 'train'")
    steps: dict[int, Row] = defaultdict(lambda: {"tasks": 0, "attempts": 0, "verified": 0})
    steps[min([0, *(row["bin"] for row in grown)])]["tasks"] = base
    for row in [*played, *grown]:
        for name in ("tasks", "attempts", "verified"):
            steps[row["bin"]][name] += row.get(name) or 0
    total = {"tasks": 0, "attempts": 0, "verified": 0}
    curve = []
    for number in sorted(steps):
        total = {name: total[name] + steps[number][name] for name in total}
        curve.append({"at": first + (number + 1) * width, **total})
    return curve


def stages(reader: RunReader, limit: int = 400) -> list[Row]:
    """The newest stages, oldest first, `numbers` as a dictionary."""
    rows = reader.rows(
        "SELECT round, role, stage, started, seconds, numbers_json FROM stages ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    for row in rows:
        row["numbers"] = from_json(row.pop("numbers_json"))
    return rows[::-1]


def roles(recent: list[Row]) -> list[Row]:
    """What each role did in these stages: share of the time, pace, and its newest stage."""
    if not recent:
        return []
    begun = min(row["started"] for row in recent)
    span = max(max(row["started"] + row["seconds"] for row in recent) - begun, 1e-9)
    found = []
    for role in dict.fromkeys(row["role"] for row in recent):
        # A wait is no work: nothing is made in it, and it is a sum over its round, no stretch of time.
        mine = [row for row in recent if row["role"] == role and not row["stage"].startswith("wait for ")]
        if not mine:
            continue
        spent = sum(row["seconds"] for row in mine)
        made = {unit: sum(_number(row, unit) for row in mine) for unit in UNITS.get(role, ())}
        pace = [f"{count / spent:,.1f} {unit}/s" for unit, count in made.items() if spent and count]
        found.append(
            {
                "role": role,
                "stage": mine[-1]["stage"],
                "round": mine[-1]["round"],
                "seconds": mine[-1]["seconds"],
                "ended": mine[-1]["started"] + mine[-1]["seconds"],
                "busy": min(spent / span, 1.0),
                "pace": ", ".join(pace),
            }
        )
    return found


def _number(row: Row, name: str) -> float:
    value = row["numbers"].get(name) if isinstance(row["numbers"], dict) else None
    return value if isinstance(value, int | float) else 0.0


def proposals(reader: RunReader) -> list[Row]:
    """How proposals ended: `fate` (active, candidate, rejected), `reason` of a rejection, `n`."""
    return reader.rows(
        "SELECT CASE WHEN p.reason IS NOT NULL THEN 'rejected' ELSE coalesce(t.status, 'candidate') END"
        " AS fate, substr(coalesce(p.reason, ''), 1, 80) AS reason, count(*) AS n"
        " FROM proposals p LEFT JOIN tasks t ON t.id = p.task_id GROUP BY fate, 2 ORDER BY n DESC",
    )


def recent_proposals(reader: RunReader, limit: int = 12) -> list[Row]:
    return reader.rows(
        "SELECT p.round, substr(p.topic, 1, 80) AS topic, substr(r.body, 1, ?) AS response,"
        " substr(coalesce(p.reason, ''), 1, 80) AS reason, substr(p.detail, 1, 120) AS detail, p.reward"
        " FROM proposals p JOIN texts r ON r.id = p.response_text ORDER BY p.seq DESC LIMIT ?",
        (_EXCERPT, limit),
    )


def revisions(reader: RunReader, task_id: str, limit: int = 400) -> list[Row]:
    """Collected attempts on a task with the attempt that each revises, oldest first."""
    return reader.rows(
        "SELECT a.id, a.idx, a.reward, a.category, g.step, g.round, g.policy_version, g.parent_attempt_id"
        " AS parent FROM groups g JOIN attempts a ON a.group_id = g.id"
        " WHERE g.task_id = ? AND g.purpose = 'collect' ORDER BY a.seq LIMIT ?",
        (task_id, limit),
    )


# --- learning ---


def stage_times(reader: RunReader) -> list[Row]:
    """Seconds by round, role and stage."""
    return reader.rows(
        "SELECT round, role, stage, sum(seconds) AS seconds, count(*) AS n FROM stages"
        " GROUP BY round, role, stage ORDER BY round",
    )
