"""A whole run from the command line: played, stopped, resumed, replayed, verified, measured, reported."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from command import environment, taskspace

INLINE = ("--set", "runtime.kind=inline", "--set", "sandbox.workers=1")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `smoke` was run in one process; runs/smoke-1 is the run."""
    here = tmp_path_factory.mktemp("played")
    done = taskspace("run", "smoke", "--json", *INLINE, cwd=here, timeout=240)
    assert done.returncode == 0, done.stderr
    (here / "stdout.json").write_text(done.stdout)
    (here / "stderr.txt").write_text(done.stderr)
    return here


def test_the_run_folder_holds_everything(played: Path) -> None:
    run = played / "runs" / "smoke-1"
    assert {p.name for p in run.iterdir()} >= {
        "config.yaml", "run.db", "checkpoints", "summary.json", "report.html",
    }  # fmt: skip
    summary = json.loads((run / "summary.json").read_text())
    assert summary["finished"] is True and summary["rounds"] == 2
    assert summary["attempts"] > 0 and summary["verified"] > 0
    assert summary["closed_book_before"] is not None and summary["closed_book_after"] is not None
    assert summary["tokens_trained"] > 0 and summary["peak_memory_mb"] > 50
    assert summary["sandbox"] and summary["versions"]["torch"]
    page = (run / "report.html").read_text()
    assert "<svg" in page and "closed prompts played" in page and "not audited" not in page


def test_json_mode_prints_one_object_and_nothing_else(played: Path) -> None:
    printed = json.loads((played / "stdout.json").read_text())
    assert printed == json.loads((played / "runs" / "smoke-1" / "summary.json").read_text())


def test_progress_goes_to_stderr_without_escape_codes(played: Path) -> None:
    text = (played / "stderr.txt").read_text()
    assert "\x1b" not in text
    for part in ("round 1/2", "round 2/2", "learned version", "held-out attempts"):
        assert part in text


@pytest.mark.slow
def test_a_finished_run_can_be_resumed_with_more_rounds(played: Path) -> None:
    done = taskspace("run", "--resume", "smoke-1", "--quiet", cwd=played, timeout=240)
    assert done.returncode == 0 and "closed book" in done.stdout
    assert done.stderr == ""
    before = json.loads((played / "runs" / "smoke-1" / "summary.json").read_text())
    assert before["rounds"] == 2
    done = taskspace(
        "run", "--resume", "runs/smoke-1", "--set", "rounds=3", "--json", cwd=played, timeout=240
    )
    assert done.returncode == 0, done.stderr
    after = json.loads(done.stdout)
    assert after["rounds"] == 3 and after["attempts"] > before["attempts"]
    assert after["seconds"] > before["seconds"]


def test_verdicts_run_again_are_the_same(played: Path) -> None:
    done = taskspace("replay", "smoke-1", "--verify", "--json", cwd=played, timeout=240)
    result = json.loads(done.stdout)
    assert result["differences"] == [] and result["verified"] > 0
    assert done.returncode == 0


def test_a_changed_verdict_is_noticed(played: Path, tmp_path: Path) -> None:
    import shutil
    import sqlite3

    run = tmp_path / "changed"
    shutil.copytree(played / "runs" / "smoke-1", run, ignore=shutil.ignore_patterns("checkpoints"))
    with sqlite3.connect(run / "run.db") as db:
        (changed,) = db.execute("SELECT id FROM attempts WHERE reward = 1 LIMIT 1").fetchone()
        db.execute("UPDATE attempts SET reward = 0, category = 'wrong_answer' WHERE id = ?", [changed])
    db.close()
    done = taskspace("replay", run, "--verify", "--episode", changed, cwd=tmp_path, timeout=240)
    assert done.returncode == 1
    assert changed in done.stdout and "stored wrong_answer 0, now correct 1" in done.stdout


def test_replay_shows_an_episode_of_the_run(played: Path) -> None:
    done = taskspace("replay", "smoke-1", "--round", "1", "--limit", "1", cwd=played)
    assert done.returncode == 0
    for role in ("solver was asked", "solver answered", "verifier", "curator", "learner"):
        assert role in done.stdout


def test_versions_of_the_run_can_be_measured(played: Path) -> None:
    done = taskspace("eval", "smoke-1", "--limit", "4", "--json", cwd=played, timeout=240)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["version"] >= 1 and result["results"]["closed"]["tasks"] == 4
    done = taskspace("eval", "smoke-1", "--version", "99", cwd=played)
    assert done.returncode == 2 and "99" in done.stderr


def begin(here: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "experiments.cli", "run", "smoke", *INLINE, *more]
    return subprocess.Popen(
        command,
        cwd=here,
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def lines_until(process: subprocess.Popen[str], part: str) -> Iterator[str]:
    assert process.stderr is not None
    for line in process.stderr:
        yield line
        if part in line:
            return
    raise AssertionError(f"{part!r} never came")


@pytest.mark.slow
def test_ctrl_c_once_finishes_the_batch_and_the_run_goes_on_later(tmp_path: Path) -> None:
    process = begin(tmp_path, "--set", "rounds=50")
    list(lines_until(process, "round 1/50"))
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "taskspace run --resume runs/smoke-1" in err and "Traceback" not in err
    run = tmp_path / "runs" / "smoke-1"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["finished"] is False
    assert (run / "report.html").is_file()
    done = taskspace("run", "--resume", run, "--set", "rounds=1", "--json", cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    later = json.loads(done.stdout)
    assert later["finished"] is True and later["attempts"] >= summary["attempts"]


@pytest.mark.slow
def test_ctrl_c_twice_stops_now_and_leaves_no_process(tmp_path: Path) -> None:
    process = begin(tmp_path, "--set", "rounds=50")
    list(lines_until(process, "round 1/50"))
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    list(lines_until(process, "Ctrl-C again"))
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "taskspace run --resume runs/smoke-1" in err and "Traceback" not in err
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    summary = json.loads((tmp_path / "runs" / "smoke-1" / "summary.json").read_text())
    assert summary["finished"] is False


@pytest.mark.slow
def test_smoke_runs_on_ray_and_ends_as_it_does_in_one_process(played: Path, tmp_path: Path) -> None:
    done = taskspace("run", "smoke", "--json", "--set", "sandbox.workers=1", cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    ray, inline = json.loads(done.stdout), json.loads((played / "stdout.json").read_text())
    assert ray["runtime"] == "ray" and inline["runtime"] == "inline"
    for same in (
        "tasks",
        "attempts",
        "verified",
        "tokens_trained",
        "closed_book_after",
        "proposals_rejected",
    ):
        assert ray[same] == inline[same], same


@pytest.mark.slow
def test_ctrl_c_on_ray_stops_cleanly(tmp_path: Path) -> None:
    process = begin(tmp_path, "--set", "runtime.kind=ray", "--set", "rounds=50")
    list(lines_until(process, "round 1/50"))
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    deadline = time.monotonic() + 20
    while any(p.is_running() and p.status() != "zombie" for p in family) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not [p for p in family if p.is_running() and p.status() != "zombie"]
