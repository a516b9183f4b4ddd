"""Plays a run, breaks it every few seconds, resumes it where that ended it, and checks that all holds.

Writes into the folder: memory.csv, faults.csv, summary.json, the driver's driver.out and driver.log, and the
run itself.
"""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from experiments.soak import figures, invariants, processes, watching
from protocols.cores import usable_cores
from protocols.settings import RunSettings

#: Faults with how often each is drawn. `stop` is SIGSTOP: it hangs until it is replaced.
FAULTS = {
    "kill solver": 4,
    "kill verifier": 4,
    "kill engine": 4,
    "kill learner": 3,
    "kill curator": 3,
    "kill proposer": 2,
    "stop engine": 3,
    "kill driver": 1,
}
LOOK_S = 0.2
MEASURE_S = 5.0
ENGINE_DEADLINE_S = 8.0
END_S = 180.0


def settings_of(seed: int) -> RunSettings:
    """A run without end whose rounds take a second or two."""
    return RunSettings.model_validate(
        {
            "rounds": 1_000_000,
            "seed": seed,
            "max_staleness": 1,
            "model": {"name": "tiny-random"},
            "engine": {
                "kind": "scripted",
                "replicas": 2,
                "deadline_s": ENGINE_DEADLINE_S,
                "scripted": {"latency_s": 0.2},
            },
            "zwc": {"functions": 6, "tasks_per_function": 6, "test_tasks_per_function": 1},
            "proposer": {"per_round": 2},
            "solver": {
                "group_size": 2,
                "groups_per_round": 8,
                "batch_groups": 2,
                "replicas": 2,
                "in_flight": 2,
            },
            "verifier": {"replicas": 2},
            "learner": {
                "recipe": "open-sft",
                "batch_size": 8,
                "threads": 1,
                "device": "cpu",
                "keep_versions": 3,
            },
            "curator": {"experience": "round"},
            "evaluation": {"before": False, "every": 10, "tasks": 2},
            "sandbox": {"workers": 1, "wall_s": 60},
            "runtime": {"restarts": 1000},
        }
    )


class Soak:
    """One soak in a folder. Args: see `main`."""

    def __init__(self, out: Path, every: float, seed: int, learner: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.run_dir, self._out, self._every, self._learner = out / "run", out, every, learner
        self._settings, self._rng = settings_of(seed), random.Random(seed)
        self._said, self._log = (out / "driver.out").open("a"), (out / "driver.log").open("a")
        self._memory = watching.Memory(out / "memory.csv", self.run_dir)
        self.faults: list[dict[str, Any]] = []
        self.endings: list[str] = []  # last lines of drivers that ended by themselves
        self.left_over = 0  # processes that outlived their killed driver
        self._seen: list[tuple[int, str]] = []  # how many groups there were, and their fingerprint
        self._open: list[dict[str, Any]] = []  # faults after which nothing has been admitted yet
        self._began = time.monotonic()
        self._driver = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        module = "experiments.soak.driver"
        command = [sys.executable, "-m", module, str(self.run_dir), self._settings.model_dump_json()]
        return subprocess.Popen(
            [*command, self._learner], stdout=self._said, stderr=self._log, start_new_session=True
        )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def play(self, until_s: float, faulty: bool) -> None:
        """Look on until then, and break something now and then."""
        next_fault, next_measure = self.seconds + self._every, self.seconds
        while self.seconds < until_s:
            time.sleep(LOOK_S)
            self._go_on_if_ended()
            self._look()
            if self.seconds >= next_measure:
                self._memory.measure(self._driver.pid)
                self._save_faults()
                next_measure = self.seconds + MEASURE_S
            if faulty and self.seconds >= next_fault and watching.counts(self.run_dir).groups:
                self._break()
                next_fault = self.seconds + self._every * self._rng.uniform(0.5, 1.5)

    def end(self) -> str:
        """Have the run stop; its last line."""
        self._driver.send_signal(signal.SIGINT)
        try:
            self._driver.wait(END_S)
        except subprocess.TimeoutExpired:
            self.endings.append(f"no stop within {END_S:.0f} s")
            _end(processes.of_run(self._driver.pid))
        self._look()
        self._memory.close()
        return self._last_line()

    def violations(self) -> list[str]:
        found = invariants.violations(self.run_dir, self._settings, complete=False)
        for groups, print in self._seen:
            if invariants.fingerprint(self.run_dir, groups) != print:
                found.append(f"the first {groups} groups are not what they were")
        return found + [f"the driver ended by itself: {line}" for line in self.endings]

    def write(self, summary: dict[str, Any]) -> None:
        (self._out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        self._save_faults()

    def _save_faults(self) -> None:
        with (self._out / "faults.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ("at", "fault", "groups", "seconds"))
            writer.writeheader()
            writer.writerows(self.faults)

    def memory(self, from_s: float) -> dict[str, Any]:
        return figures.of_memory(self._memory.rows, from_s, least_age_s=15.0)

    # ---- one step ----

    def _look(self) -> None:
        """Note for every fault when the next batch was admitted."""
        groups = watching.counts(self.run_dir).groups
        for fault in [fault for fault in self._open if groups > fault["groups"]]:
            fault["seconds"] = round(self.seconds - fault["at"], 2)
            self._open.remove(fault)

    def _break(self) -> None:
        kind = self._rng.choices(list(FAULTS), list(FAULTS.values()))[0]
        how, role = kind.split()
        found = processes.of_run(self._driver.pid)
        victims = [one.process for one in found if one.kind == role]
        if not victims:
            return  # it is being started
        groups = watching.counts(self.run_dir).groups
        self._seen.append((groups, invariants.fingerprint(self.run_dir, groups)))
        fault = {"at": round(self.seconds, 2), "fault": kind, "groups": groups, "seconds": None}
        self.faults.append(fault)
        self._open.append(fault)
        try:
            self._rng.choice(victims).send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        except psutil.NoSuchProcess:
            return
        if role == "driver":
            self._driver.wait()
            self._end_what_is_left(found)
            self._driver = self._start()

    def _end_what_is_left(self, found: list[processes.Found]) -> None:
        """Everything that a killed driver had started has to end by itself; Ray's own agents take minutes."""
        ours = [one.process for one in found if one.kind != "agent"]
        _, alive = psutil.wait_procs(ours, timeout=30)
        self.left_over += len(alive)
        _end([one for one in found if one.process in alive])

    def _go_on_if_ended(self) -> None:
        if self._driver.poll() is not None:
            self.endings.append(f"{self._driver.returncode}: {self._last_line()}")
            self._driver = self._start()

    def _last_line(self) -> str:
        lines = (self._out / "driver.out").read_text(errors="replace").split("\n")
        return next((line[6:] for line in reversed(lines) if line.startswith("soak: ")), "said nothing")


def _end(found: list[processes.Found]) -> None:
    for one in found:
        try:
            one.process.kill()
        except psutil.NoSuchProcess:
            continue


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 30.0,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between faults, on average.")] = 4.0,
    calm: Annotated[float, typer.Option(min=0.0, help="Minutes of these without faults, at the end.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the run, and of what is broken when.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the run and the figures.")] = Path("soak"),
    learner: Annotated[str, typer.Option(help="real (a tiny model), or simulated.")] = "real",
) -> None:
    """Break a run every few seconds, and check that nothing is lost, doubled or invented."""
    if (out / "run").exists():
        raise typer.BadParameter(f"{out} holds a soak already; give another folder", param_hint="--out")
    soak = Soak(out, every, seed, learner)
    soak.play(60 * (minutes - calm), faulty=True)
    soak.play(60 * minutes, faulty=False)
    last, wrong = soak.end(), soak.violations()
    if last not in ("stopped", "complete"):
        wrong.append(f"the run did not stop well: {last}")
    counted = watching.counts(soak.run_dir)
    summary = {
        "minutes": round(soak.seconds / 60, 1),
        "seed": seed,
        "machine": f"{usable_cores()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        "date": time.strftime("%Y-%m-%d"),
        "violations": wrong,
        "faults": figures.of_faults(soak.faults),
        "unanswered": sum(fault["seconds"] is None for fault in soak.faults),
        "processes_left_over": soak.left_over,
        "rounds": counted.rounds,
        "groups": counted.groups,
        "attempts": counted.attempts,
        "tokens": counted.tokens,
        "updates": counted.updates,
        "store_mb": round((soak.run_dir / "run.db").stat().st_size / 2**20, 1),
        "memory": soak.memory(60.0),
        "memory_in_calm": soak.memory(60 * (minutes - calm) + 30.0) if calm else {},
    }
    soak.write(summary)
    typer.echo(json.dumps(summary, indent=2))
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
