"""`report.html`: a run on one page that opens offline, from its store and its summary.

Model output is escaped and its control characters are written out. Does not cover: the task space and
single plays in full (the screen and `taskspace replay` show those).
"""

import json
from pathlib import Path
from typing import Any

from experiments import charts, summary
from experiments.plaintext import one_line, visible

TEMPLATES = Path(__file__).parent / "templates"
EPISODES = 6


def write(run_dir: Path, out: Path | None = None) -> Path:
    """Write the report of a run folder; returns its path (`RUN/report.html` unless told otherwise).

    Raises:
        StoreError: the database cannot be read.
    """
    path = out or run_dir / "report.html"
    draft = path.with_name(path.name + ".part")
    draft.write_text(render(run_dir), encoding="utf-8", errors="backslashreplace")
    draft.replace(path)
    return path


def render(run_dir: Path) -> str:
    """The report as HTML text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from memory.reader import RunReader

    reader = RunReader(run_dir / "run.db")
    known = summary.load(run_dir) or summary.build(run_dir, finished=False, seconds=0, peak_memory_mb=0)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["visible"] = visible
    environment.filters["one_line"] = one_line
    evaluations = reader.rows("SELECT * FROM evaluations ORDER BY round, seq")
    updates = reader.rows("SELECT * FROM updates ORDER BY version")
    return environment.get_template("report.html").render(
        summary=known,
        charts={name: Markup(svg) for name, svg in _charts(reader, evaluations, updates).items()},
        evaluations=evaluations,
        topics=_topics(evaluations),
        updates=updates,
        rejections=reader.rows(
            "SELECT reason, count(*) AS n, min(detail) AS example FROM proposals WHERE reason IS NOT NULL"
            " GROUP BY reason ORDER BY n DESC"
        ),
        categories=reader.rows(
            "SELECT g.purpose, g.book, a.category, count(*) AS n FROM attempts a JOIN groups g"
            " ON g.id = a.group_id GROUP BY 1, 2, 3 ORDER BY 1, 2, n DESC"
        ),
        episodes=_episodes(reader),
        config=json.dumps(reader.config(), indent=2, ensure_ascii=False),
    )


def _charts(reader: Any, evaluations: list[dict[str, Any]], updates: list[dict[str, Any]]) -> dict[str, str]:
    accuracy: dict[str, list[charts.Point]] = {}
    for row in evaluations:
        line = accuracy.setdefault(f"{row['book']} book", [])
        line.append((float(row["policy_version"]), float(row["accuracy"])))
    losses = [loss for row in updates for loss in json.loads(row["losses_json"])]
    stages = reader.rows("SELECT role, stage, sum(seconds) AS s FROM stages GROUP BY 1, 2 ORDER BY s DESC")
    return {
        "accuracy": charts.lines(accuracy, "policy version", "accuracy", (0.0, 1.0)),
        "losses": charts.lines(
            {"loss": [(float(i), loss) for i, loss in enumerate(losses, 1)]} if losses else {},
            "optimiser step",
            "loss",
            marks=len(losses) <= 40,
        ),
        "stages": charts.bars({f"{row['role']}: {row['stage']}": row["s"] for row in stages}, "s"),
    }


def _topics(evaluations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Closed-book accuracy by topic, before and after, the largest gain first."""
    closed = [row for row in evaluations if row["book"] == "closed"]
    if not closed:
        return []
    before, after = json.loads(closed[0]["by_topic_json"]), json.loads(closed[-1]["by_topic_json"])
    rows = [
        {"topic": t, "before": before.get(t), "after": after.get(t)} for t in before.keys() | after.keys()
    ]
    return sorted(rows, key=lambda r: ((r["before"] or 0.0) - (r["after"] or 0.0), r["topic"]))


def _episodes(reader: Any) -> list[dict[str, Any]]:
    """A few plays: verified and failed ones of the newest round, and of the last measurement."""
    found = []
    for purpose, good in (("collect", True), ("collect", False), ("evaluate", True), ("evaluate", False)):
        test = "reward >= 0.5" if good else "(reward < 0.5 OR reward IS NULL)"
        found += reader.rows(
            f"SELECT * FROM episodes WHERE purpose = ? AND {test} ORDER BY round DESC, seq LIMIT ?",
            (purpose, EPISODES // 3),
        )
    for row in found:
        row["topics"] = ", ".join(json.loads(row["topics_json"]))
    return found
