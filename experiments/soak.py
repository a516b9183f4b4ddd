"""A long run in which something fails every few seconds: `python -m experiments.soak --minutes 30`.

The run is played by a process of its own (this module with `--play`), on a real Ray, ahead of the learner,
with the scripted engine, the tiny model and the real learner. Every few seconds this process kills or stops
one of its roles, or the whole of it, which is then started again. At the end the store is checked, and memory
is fitted by a line. Written to OUT: samples.csv, faults.csv, summary.json.
"""

import argparse
import contextlib
import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from memory.reader import RunReader
from protocols.settings import RunSettings

KINDS = ("curator", "engine", "learner", "proposer", "solver", "verifier")
FAULTS = (*(f"kill {kind}" for kind in KINDS), "stop engine", "stop verifier", "kill driver")
WARM_S = 300.0  # left out of the line through memory
SAMPLE_S = 5.0


def settings_of(seed: int) -> RunSettings:
    """Small rounds for ever, most limits short."""
    return RunSettings.model_validate(
        {
            "seed": seed,
            "rounds": 1_000_000,
            "max_staleness": 1,
            "model": {"name": "tiny-random"},
            "engine": {
                "kind": "scripted",
                "replicas": 2,
                "deadline_s": 10,
                "scripted": {"latency_s": 0.1},
            },
            "zwc": {"functions": 4, "tasks_per_function": 4, "test_tasks_per_function": 1},
            "proposer": {"per_round": 4},
            "solver": {
                "group_size": 2,
                "groups_per_round": 12,
                "batch_groups": 2,
                "in_flight": 2,
                "replicas": 2,
            },
            "verifier": {"replicas": 2, "deadline_s": 20},
            "curator": {"experience": "round"},
            "learner": {"batch_size": 8, "threads": 1, "device": "cpu", "keep_versions": 3},
            "evaluation": {"tasks": 2, "before": False, "every": 25},
            "sandbox": {"workers": 1},
            "runtime": {"restarts": 1_000_000},
        }
    )


def play(run_dir: Path, seed: int) -> None:
    """The run, until something ends it."""
    from actors.arena import Arena
    from memory.artefacts import fetch_model

    arena = Arena(settings_of(seed), run_dir, fetch_model("tiny-random"), lambda kind, facts: None)
    signal.signal(signal.SIGINT, lambda *_: arena.request_stop())
    arena.run()


class Soak:
    """The process that plays, its family, and what is done to it."""

    def __init__(self, out: Path, seed: int) -> None:
        self.out, self.seed, self.rng = out, seed, random.Random(seed)
        self.run_dir = out / "run"
        self.run_dir.mkdir(parents=True)
        self.starts = 0
        self.faults: list[dict[str, Any]] = []
        self.samples: list[dict[str, float]] = []
        self._start()

    def _start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "experiments.soak",
            "--play",
            str(self.run_dir),
            "--seed",
            str(self.seed),
        ]
        log = (self.out / "driver.log").open("a")
        self.driver = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.starts += 1

    def family(self) -> list[psutil.Process]:
        try:
            top = psutil.Process(self.driver.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def actors(self) -> dict[str, list[psutil.Process]]:
        """Processes of roles by kind: Ray writes an actor's class into its process's title."""
        found: dict[str, list[psutil.Process]] = defaultdict(list)
        for process in self.family():
            try:
                title = "".join(process.cmdline()[:1])
            except psutil.Error:
                continue
            for kind in KINDS:
                if title.startswith(f"ray::{kind.capitalize()}"):
                    found[kind].append(process)
        return found

    def admitted(self) -> int:
        """Groups in the store."""
        if not (self.run_dir / "run.db").exists():
            return 0
        with RunReader(self.run_dir / "run.db") as reader:
            return int(reader.rows("SELECT COUNT(*) AS n FROM groups")[0]["n"])

    def strike(self) -> None:
        """One fault, and how long until something is admitted again."""
        fault = self.rng.choice(FAULTS)
        how, _, kind = fault.partition(" ")
        if kind == "driver":
            before = self.admitted()
            for process in self.family():
                _signal(process, signal.SIGKILL)
            self.driver.wait()
            self._start()
        else:
            there = self.actors().get(kind)
            if not there:
                return  # being constructed again
            before = self.admitted()
            _signal(self.rng.choice(there), signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        began, deadline = time.monotonic(), time.monotonic() + 180
        while self.admitted() <= before and time.monotonic() < deadline and self.driver.poll() is None:
            time.sleep(0.25)
        seconds = time.monotonic() - began
        self.faults.append({"at": time.time(), "fault": fault, "seconds_until_admission": round(seconds, 2)})
        if self.driver.poll() is not None:
            raise SystemExit(f"soak: the run ended after '{fault}'; see {self.out / 'driver.log'}")
        if seconds >= 180:
            raise SystemExit(
                f"soak: nothing was admitted for 180 s after '{fault}'; see {self.out / 'driver.log'}"
            )

    def sample(self, began: float) -> None:
        """Resident memory by what it belongs to, in MB."""
        row: dict[str, float] = {"seconds": round(time.monotonic() - began, 1)}
        roles = {process.pid: kind for kind, found in self.actors().items() for process in found}
        sizes: dict[str, float] = defaultdict(float)
        for process in self.family():
            try:
                size, name = process.memory_info().rss / 1e6, process.name()
                sandboxed = "boot.py" in " ".join(process.cmdline())
            except psutil.Error:
                continue
            kind = roles.get(process.pid) or ("driver" if process.pid == self.driver.pid else None)
            sizes[kind or ("sandbox" if sandboxed else "ray " + name[:16])] += size
        row |= {name: round(size, 1) for name, size in sorted(sizes.items())}
        row["all"] = round(sum(sizes.values()), 1)
        store = self.run_dir / "run.db"
        row["store_mb"] = round(store.stat().st_size / 1e6, 2) if store.exists() else 0.0
        self.samples.append(row)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def check(run_dir: Path) -> dict[str, Any]:
    """What the store holds, and what is wrong with it: every count under `wrong` has to be 0."""
    with RunReader(run_dir / "run.db") as reader:

        def count(sql: str) -> int:
            return int(reader.rows(f"SELECT COUNT(*) AS n FROM ({sql})")[0]["n"])

        return {
            "rounds": count("SELECT 1 FROM rounds WHERE finished IS NOT NULL"),
            "groups": count("SELECT 1 FROM groups"),
            "attempts": count("SELECT 1 FROM attempts"),
            "updates": count("SELECT 1 FROM updates"),
            "infra_errors": count("SELECT 1 FROM attempts WHERE infra_error IS NOT NULL"),
            "wrong": {
                "integrity": int(reader.rows("PRAGMA integrity_check")[0]["integrity_check"] != "ok"),
                "foreign_keys": len(reader.rows("PRAGMA foreign_key_check")),
                "groups_doubled": count(
                    "SELECT 1 FROM groups WHERE purpose = 'collect' "
                    "GROUP BY round, position HAVING COUNT(*) > 1"
                ),
                "groups_lost": count(
                    "SELECT 1 FROM rounds r WHERE r.finished IS NOT NULL AND json_array_length(plan_json) <> "
                    "(SELECT COUNT(*) FROM groups g WHERE g.round = r.round AND g.purpose = 'collect')"
                ),
                "attempts_lost": count(
                    "SELECT 1 FROM groups g WHERE g.attempts <> "
                    "(SELECT COUNT(*) FROM attempts a WHERE a.group_id = g.id)"
                ),
                "rewards_invented": count(
                    "SELECT 1 FROM attempts WHERE infra_error IS NOT NULL AND reward IS NOT NULL"
                ),
                "versions_skipped": count(
                    "SELECT 1 FROM updates u WHERE u.version > 1 AND NOT EXISTS "
                    "(SELECT 1 FROM updates v WHERE v.version = u.version - 1)"
                ),
                "too_stale": count(
                    "SELECT 1 FROM groups g WHERE g.purpose = 'collect' AND g.policy_version + 1 < "
                    "COALESCE((SELECT MAX(u.version) FROM updates u WHERE u.round < g.round), 0)"
                ),
            },
        }


def slope(samples: list[dict[str, float]], name: str) -> dict[str, float]:
    """Least squares after warming up: MB an hour with its 95 % interval, and the mean in MB."""
    kept = [row for row in samples if row["seconds"] >= WARM_S and name in row] or samples
    x = np.array([row["seconds"] / 3600 for row in kept])
    y = np.array([row.get(name, 0.0) for row in kept])
    if len(kept) < 3:
        return {"mean_mb": float(y.mean()) if len(y) else 0.0}
    line, residuals = np.polyfit(x, y, 1), None
    residuals = y - np.polyval(line, x)
    error = np.sqrt(residuals.var(ddof=2) / ((x - x.mean()) ** 2).sum())
    return {
        "mb_an_hour": round(float(line[0]), 1),
        "interval_95": round(float(1.96 * error), 1),
        "mean_mb": round(float(y.mean()), 1),
    }


def run(minutes: float, every: float, seed: int, out: Path) -> dict[str, Any]:
    """See the module."""
    soak, began = Soak(out, seed), time.monotonic()
    next_fault, next_sample = began + 30, began
    try:
        while time.monotonic() - began < minutes * 60:
            if time.monotonic() >= next_sample:
                soak.sample(began)
                next_sample = time.monotonic() + SAMPLE_S
            if time.monotonic() >= next_fault:
                soak.strike()
                next_fault = time.monotonic() + soak.rng.uniform(0.5, 1.5) * every
            time.sleep(0.2)
    finally:
        soak.driver.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            soak.driver.wait(timeout=120)
        for process in soak.family():
            _signal(process, signal.SIGKILL)
        _write(out / "faults.csv", soak.faults)
        _write(out / "samples.csv", soak.samples)
    waits: dict[str, list[float]] = defaultdict(list)
    for fault in soak.faults:
        waits[fault["fault"]].append(fault["seconds_until_admission"])
    names = sorted({name for row in soak.samples for name in row} - {"seconds"})
    summary = {
        "minutes": minutes,
        "faults": len(soak.faults),
        "driver_starts": soak.starts,
        "store": check(soak.run_dir),
        "seconds_until_admission": {
            name: {"count": len(found), "median": float(np.median(found)), "most": max(found)}
            for name, found in sorted(waits.items())
        },
        "memory": {name: slope(soak.samples, name) for name in names},
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return summary


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between faults, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    parser.add_argument("--play", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.play:
        play(asked.play, asked.seed)
        return 0
    if asked.out.exists():
        print(f"soak: {asked.out} is there already; choose another folder with --out", file=sys.stderr)
        return 2
    asked.out.mkdir(parents=True)
    summary = run(asked.minutes, asked.every, asked.seed, asked.out)
    print(json.dumps(summary, indent=2))
    return int(any(summary["store"]["wrong"].values()))


if __name__ == "__main__":
    sys.exit(main())
