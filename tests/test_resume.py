"""Killed at any moment, a run goes on: no admitted group is lost, none is doubled, and it ends the same."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from loop_driver import small_run

from actors.arena import Arena
from experiments.soak import processes
from memory.artefacts import fetch_model
from memory.store import Store
from protocols.settings import RunSettings

DRIVER = Path(__file__).with_name("loop_driver.py")
CONTENT = """
SELECT g.id, g.round, g.purpose, g.policy_version, a.id, a.idx, response.body, a.reward, a.category
FROM attempts a JOIN groups g ON g.id = a.group_id JOIN texts response ON response.id = a.response_text
ORDER BY g.id, a.idx
"""
LEARNED = "SELECT version, round, samples, tokens, losses_json, checksum FROM updates ORDER BY version"
MEASURED = "SELECT round, book, policy_version, accuracy FROM evaluations ORDER BY round, book"


def start(run_dir: Path, settings: RunSettings) -> subprocess.Popen:
    root = str(DRIVER.parents[1])
    command = [sys.executable, str(DRIVER), str(run_dir), settings.model_dump_json()]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        start_new_session=True,
    )


def finish(run_dir: Path, settings: RunSettings) -> str:
    process = start(run_dir, settings)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def read(run_dir: Path, sql: str) -> list[tuple]:
    with sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def content(run_dir: Path) -> dict[str, list[tuple]]:
    return {name: read(run_dir, sql) for name, sql in
            [("attempts", CONTENT), ("updates", LEARNED), ("evaluations", MEASURED)]}  # fmt: skip


def family(process: subprocess.Popen) -> list[psutil.Process]:
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]


def assert_same(found: dict[str, list[tuple]], wanted: dict[str, list[tuple]]) -> None:
    """Equal, or the rows that only one of the two has."""
    for name in wanted:
        missing, extra = set(wanted[name]) - set(found[name]), set(found[name]) - set(wanted[name])
        assert not missing and not extra, f"{name}: missing {missing}, instead {extra}"
        assert found[name] == wanted[name]


class Crash(Exception):
    """Stands for the end of the process: everything that is not in the store is gone."""


def crash_after(run_dir: Path, settings: RunSettings, told: int) -> bool:
    """Go on with the run, and crash when the arena has told this much; False when it has ended before."""
    left = [told]

    def notify(kind: str, facts: dict) -> None:
        left[0] -= 1
        if not left[0]:
            raise Crash

    try:
        return not Arena(settings, run_dir, fetch_model("tiny-random"), notify).run()
    except Crash:
        return True


def check_whole(run_dir: Path) -> None:
    """What has been admitted is whole: every group has all its attempts, and integrity holds."""
    assert read(run_dir, "PRAGMA integrity_check") == [("ok",)]
    assert read(run_dir, "PRAGMA foreign_key_check") == []
    counts = (
        "SELECT COUNT(*) FROM groups g"
        " WHERE attempts <> (SELECT COUNT(*) FROM attempts a WHERE a.group_id = g.id)"
    )
    assert read(run_dir, counts) == [(0,)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    assert finish(run_dir, small_run()).endswith("done\n")
    return content(run_dir)


def test_the_small_run_has_everything_in_it(uninterrupted):
    assert len({row[2] for row in uninterrupted["attempts"]}) == 2  # collected and measured
    assert [row[0] for row in uninterrupted["updates"]] == [1, 2]
    assert len(uninterrupted["evaluations"]) == 4  # closed and open before, closed after each round


def test_two_runs_with_one_seed_store_the_same(uninterrupted, tmp_path):
    finish(tmp_path / "run", small_run())
    assert_same(content(tmp_path / "run"), uninterrupted)


def test_a_start_that_was_cut_short_is_begun_again(uninterrupted, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.db").touch()
    finish(tmp_path / "run", small_run())
    assert_same(content(tmp_path / "run"), uninterrupted)


def kill_at_random(run_dir: Path, settings: RunSettings, seed: int, times: int, longest: float) -> int:
    """Kill everything of the run `times` times at random moments; returns how often it was still alive."""
    rng = random.Random(seed)
    killed = 0
    for _ in range(times):
        process = start(run_dir, settings)
        time.sleep(rng.uniform(0.2, longest))
        for victim in family(process) if process.poll() is None else []:
            if victim.is_running():
                victim.send_signal(signal.SIGKILL)
                killed += 1
        process.communicate(timeout=60)
        if Store.begun(run_dir / "run.db"):
            check_whole(run_dir)
    return killed


@pytest.mark.slow
@pytest.mark.timeout(900)  # nine runs, on a machine however busy
@pytest.mark.parametrize("seed", range(3))
def test_kill_9_of_everything_at_random_moments(uninterrupted, tmp_path, seed):
    run_dir = tmp_path / "run"
    assert kill_at_random(run_dir, small_run(), seed, times=8, longest=6.0)
    finish(run_dir, small_run())
    assert_same(content(run_dir), uninterrupted)


@pytest.mark.slow
def test_kill_9_of_any_actor_at_random_moments(uninterrupted, tmp_path):
    """Ray: actors die under the driver, one at a time; the run goes on by itself and ends the same."""
    settings = small_run(runtime={"kind": "ray", "restarts": 20})
    run_dir = tmp_path / "run"
    rng = random.Random(5)
    process = start(run_dir, settings)
    killed = 0
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(rng.uniform(1.0, 4.0))
        actors = [one.process for one in processes.of_run(process.pid) if one.kind in processes.ROLES]
        if actors and killed < 6:
            rng.choice(actors).send_signal(signal.SIGKILL)
            killed += 1
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output.endswith("done\n"), output
    assert killed >= 2
    check_whole(run_dir)
    assert_same(content(run_dir), uninterrupted)


@pytest.mark.slow
def test_ray_and_inline_store_the_same(uninterrupted, tmp_path):
    finish(tmp_path / "run", small_run(runtime={"kind": "ray"}))
    assert_same(content(tmp_path / "run"), uninterrupted)
