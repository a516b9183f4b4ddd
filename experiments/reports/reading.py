"""One run, read once for a report: what its store, its folder and its summary say."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import audit as auditing
from experiments import config, summary
from memory import frozen
from memory.alerts import Alert, alerts, evidence
from memory.codec import from_json
from memory.privacy import portable
from memory.reader import RunReader
from protocols.errors import TaskspaceError
from protocols.intervals import wilson
from protocols.settings import RunSettings

#: Plays that are shown of one run.
EPISODES = 6

Row = dict[str, Any]
#: Mean reward over a task's judged attempts, by task id.
Results = dict[str, float]


@dataclass(frozen=True)
class RunData:
    """`name` tells the run from the others of a report; rows are as the store's readers give them."""

    name: str
    folder: Path
    summary: Row
    settings: RunSettings
    config: dict[str, Any]  # dotted key -> value
    evaluations: list[Row]  # of held-out tasks, in order
    results: dict[tuple[int, str], Results]  # by round and book
    updates: list[Row]
    stages: list[Row]  # role, stage, seconds
    rejections: list[Row]
    categories: list[Row]
    proposals: list[Row]  # by round: proposals, rejected
    trouble: list[Row]  # events of a level above "info", oldest first
    alerts: list[Alert]  # what was off, as the screen tells it
    flipped: int  # rewards that injected noise turned round
    missing_weights: list[int]  # versions whose folder is gone
    altered: list[str]  # what was done to the store since: merged, imported, pruned
    episodes: list[Row] = field(default_factory=list)
    audit: auditing.Audit | str = ""  # or why there is none

    def of_book(self, book: str) -> list[Row]:
        """Evaluations with that book, in order; one a policy version, the last."""
        found = {row["policy_version"]: row for row in self.evaluations if row["book"] == book}
        return list(found.values())

    def interval(self, evaluation: Row) -> tuple[float, float] | None:
        """95 % over tasks; None when nothing was judged."""
        results = self.results.get((evaluation["round"], evaluation["book"]))
        if not results or evaluation["accuracy"] is None:
            return None
        return wilson(evaluation["accuracy"], len(results))

    def before(self, book: str) -> Row | None:
        """Of the untrained model."""
        return next((row for row in self.evaluations if row["book"] == book and row["round"] == 0), None)

    def after(self, book: str) -> Row | None:
        """The last one after a round."""
        found = [row for row in self.evaluations if row["book"] == book and row["round"] > 0]
        return found[-1] if found else None

    def last(self, book: str = "closed") -> Row | None:
        found = self.of_book(book)
        return found[-1] if found else None


def read(run_dir: Path, name: str, *, audited: bool, episodes: int = EPISODES) -> RunData:
    """Everything a report says of a run.

    Args:
        audited: look through its prompts and rewards, too, which reads them all.
        episodes: how many plays are shown.

    Raises:
        StoreError: the database cannot be read.
    """
    known = summary.load(run_dir) or summary.build(run_dir, finished=False, seconds=0, peak_memory_mb=0)
    with RunReader(run_dir / "run.db") as reader:
        settings = config.resolve(reader.config())
        updates = reader.updates()
        categories = reader.rows(
            "SELECT g.purpose, g.book, a.category, count(*) AS n, sum(a.flipped) AS flipped FROM attempts a"
            " JOIN groups g ON g.id = a.group_id GROUP BY 1, 2, 3 ORDER BY 1, 2, n DESC"
        )
        return RunData(
            name=name,
            folder=run_dir,
            summary=portable(known),
            settings=settings,
            config=portable(config.flat(settings)),
            evaluations=[row for row in reader.evaluations() if row["split"] == "test"],
            results=_results(reader),
            updates=updates,
            stages=reader.rows(
                "SELECT role, stage, sum(seconds) AS seconds FROM stages GROUP BY 1, 2 ORDER BY 3 DESC"
            ),
            rejections=reader.rows(
                "SELECT reason, count(*) AS n, min(detail) AS example FROM proposals"
                " WHERE reason IS NOT NULL GROUP BY reason ORDER BY n DESC"
            ),
            categories=categories,
            proposals=reader.rows(
                "SELECT round, count(*) AS proposals, count(reason) AS rejected FROM proposals"
                " GROUP BY round ORDER BY round"
            ),
            trouble=reader.rows("SELECT * FROM events WHERE level <> 'info' ORDER BY id"),
            alerts=alerts(evidence(reader)),
            flipped=sum(row["flipped"] for row in categories),
            missing_weights=[u["version"] for u in updates if not (run_dir / u["path"]).exists()],
            altered=frozen.reasons(reader.facts()),
            episodes=_episodes(reader, episodes),
            audit=_audit(run_dir) if audited else "`taskspace audit` does it",
        )


def _results(reader: RunReader) -> dict[tuple[int, str], Results]:
    """From the counters of groups: no attempt is read."""
    found: dict[tuple[int, str], Results] = defaultdict(dict)
    sql = (
        "SELECT round, book, task_id,"
        " sum(mean_reward * (attempts - infra_errors)) / sum(attempts - infra_errors) FROM groups"
        " WHERE purpose = 'evaluate' AND mean_reward IS NOT NULL GROUP BY 1, 2, 3"
    )
    for round, book, task, reward in reader.tuples(sql):
        found[round, book][task] = reward
    return dict(found)


def _episodes(reader: RunReader, most: int) -> list[Row]:
    """A few plays: verified and failed ones of the newest round, and of the last measurement."""
    found = []
    for purpose, good in (("collect", True), ("collect", False), ("evaluate", True), ("evaluate", False)):
        test = "reward >= 0.5" if good else "(reward < 0.5 OR reward IS NULL)"
        newest = reader.value("SELECT max(round) FROM groups WHERE purpose = ?", [purpose])
        found += reader.rows(
            f"SELECT * FROM episodes WHERE purpose = ? AND round = ? AND {test} ORDER BY seq LIMIT ?",
            (purpose, newest, most // 3),
        )
    for row in found:
        row["topics"] = ", ".join(from_json(row["topics_json"]))
    return found


def _audit(run_dir: Path) -> auditing.Audit | str:
    if not (run_dir / "config.yaml").is_file():
        return "the folder holds no config.yaml"
    try:
        return auditing.audit(run_dir)
    except (TaskspaceError, OSError) as error:  # another domain, or files of the domain that are gone
        return " ".join(str(error).split())
