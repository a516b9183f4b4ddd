"""A run as the soak sees it from outside: what its store holds, how much memory its processes take."""

import contextlib
import csv
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from experiments.soak import processes

MB = 2**20


@dataclass(frozen=True)
class Counts:
    groups: int
    attempts: int
    tokens: int
    rounds: int
    updates: int


def counts(run_dir: Path) -> Counts:
    """What is admitted by now; zeros where there is no store yet."""
    sql = """SELECT COUNT(*), COALESCE(SUM(attempts), 0), COALESCE(SUM(tokens), 0),
      (SELECT COUNT(*) FROM rounds WHERE finished IS NOT NULL), (SELECT COUNT(*) FROM updates) FROM groups"""
    with contextlib.suppress(sqlite3.Error):
        db = sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True, timeout=2)
        try:
            return Counts(*db.execute(sql).fetchone())
        finally:
            db.close()
    return Counts(0, 0, 0, 0, 0)


class Memory:
    """Resident memory of every process of a run, a line of a CSV file each time that it is measured."""

    COLUMNS = ("seconds", "kind", "pid", "age_s", "rss_mb", "own_mb", "store_mb")

    def __init__(self, path: Path, run_dir: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._file = path.open("w", newline="")
        self._writer = csv.DictWriter(self._file, self.COLUMNS)
        self._writer.writeheader()
        self._run_dir, self._began = run_dir, time.monotonic()

    def measure(self, driver_pid: int) -> None:
        now, wall = time.monotonic() - self._began, time.time()
        store = sum(path.stat().st_size for path in self._run_dir.glob("run.db*"))
        for found in processes.of_run(driver_pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                memory, age = found.process.memory_info(), wall - found.process.create_time()
                row = {
                    "seconds": round(now, 1),
                    "kind": found.kind,
                    "pid": found.process.pid,
                    "age_s": round(age, 1),
                    "rss_mb": round(memory.rss / MB, 2),
                    "own_mb": round((memory.rss - memory.shared) / MB, 2),
                    "store_mb": round(store / MB, 2),
                }
                self.rows.append(row)
                self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
