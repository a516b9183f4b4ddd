"""A small run with revisions, proposals, two updates and measurements, through the real store; and all of
its rows, for comparing stores."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from demo_run import DemoRun


def a_run(folder: Path, seed: int = 1, rounds: int = 2, hostile: bool = False) -> Path:
    with DemoRun(
        folder, seed=seed, topics=3, tasks_per_topic=2, groups_per_round=12, proposals_per_round=6,
        hostile=hostile,
    ) as demo:  # fmt: skip
        for _ in range(rounds):
            demo.play_round()
    return folder


def rows(folder: Path, table: str, *leave: str) -> list[dict[str, Any]]:
    """All rows of a table by their order, texts in place of their ids, without the columns to leave."""
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as connection:
        columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", [table])]
        wanted = [column for column in columns if column not in leave]
        values = ", ".join(
            f"(SELECT body FROM texts WHERE id = t.{c})" if c.endswith("_text") else f"t.{c}" for c in wanted
        )
        found = connection.execute(f"SELECT {values} FROM {table} t ORDER BY 1, 2").fetchall()
    return [dict(zip(wanted, row)) for row in found]


def change(folder: Path, sql: str, *values: Any) -> None:
    """Change a store behind the back of whoever checks it."""
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        connection.execute(sql, values)
        connection.commit()
