"""`taskspace replay` and `taskspace branch` as a user types them, on one small run; and wrong input."""

import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from command import taskspace
from loop_driver import small_run
from test_regenerate import TINY

from actors.arena import Arena
from experiments import cli, config
from memory.artefacts import fetch_model


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which runs/tiny is a run of two rounds."""
    folder = tmp_path_factory.mktemp("here")
    settings = small_run(**TINY, verifier={"false_positive": 0.5})
    run_dir = folder / "runs" / "tiny"
    run_dir.mkdir(parents=True)
    assert Arena(settings, run_dir, fetch_model("tiny-random"), lambda *_: None).run()
    config.save(settings, run_dir / "config.yaml")
    return folder


def changed(here: Path, sql: str) -> Path:
    """The same with runs/tiny/run.db changed, in a place of its own."""
    copy = here.with_name(f"{here.name}-changed")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(here, copy)
    with sqlite3.connect(copy / "runs" / "tiny" / "run.db") as db:
        db.execute(sql)
    db.close()
    return copy


def test_answers_are_generated_again(here: Path) -> None:
    done = taskspace("replay", "tiny", "--regenerate", "--round", "1", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["identical"] == result["answers"] > 20 and result["differences"] == []


@pytest.mark.slow
def test_a_difference_is_exit_code_1(here: Path) -> None:
    copy = changed(here, "UPDATE groups SET policy_version = 0 WHERE round = 2")
    done = taskspace("replay", "tiny", "--regenerate", "--round", "2", "--limit", "4", cwd=copy)
    assert done.returncode == 1, done.stderr
    assert "first that differs" in done.stdout and "possible reasons:" in done.stdout


def test_a_round_that_is_longer_than_shown_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["taskspace", "replay", "tiny", "--round", "1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    printed = capfd.readouterr()
    assert printed.err == "3 of 27 episodes; --limit 27 shows all\n"
    assert printed.out.count("solver answered") == 3


def test_output_to_a_pipe_does_not_wait(here: Path) -> None:
    done = taskspace("replay", "tiny", "--limit", "1", cwd=here, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "solver answered  +" in done.stdout and "learner  +" in done.stdout


def test_a_branch_goes_on_to_the_end(here: Path) -> None:
    done = taskspace(
        "branch", "tiny", "--at", "1", "--set", "rounds=3", "--set", "solver.group_size=2", "--name", "other",
        "--json", cwd=here, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["finished"] and summary["rounds"] == 3 and summary["run_id"] == "other"
    assert (summary["branched_from"]["run"], summary["branched_from"]["round"]) == ("tiny", 1)
    assert "solver.group_size (3 -> 2)" in done.stderr
    assert (here / "runs" / "other" / "report.html").exists()
    assert config.load_file(here / "runs" / "other" / "config.yaml").solver.group_size == 2
    assert not list((here / "runs").glob(".unfinished-*"))


@pytest.mark.slow
def test_a_prepared_branch_is_gone_on_with_by_resume(here: Path) -> None:
    done = taskspace("branch", "tiny", "--at", "1", "--prepare", "--json", "--name", "later", cwd=here)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "run": "runs/later", "source": "runs/tiny", "round": 1, "policy_version": 1, "changes": [],
    }  # fmt: skip
    done = taskspace("run", "--resume", "runs/later", "--quiet", cwd=here, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("replay", "tiny", "--round", "7"), ["--round 7", "nearest is 2"]),
        (("replay", "tiny", "--episode", "nothing"), ["--episode nothing", "did you mean"]),
        (("replay", "tiny", "--verify", "--regenerate"), ["one after the other"]),
        (("replay", "tiny", "--round", "9", "--verify"), ["--round 9"]),
        (("branch", "tiny", "--at", "9"), ["--at 9", "nearest is 2"]),
        (("branch", "tiny", "--at", "2"), ["--set rounds="]),
        (("branch", "nowhere", "--at", "1"), ["nowhere", "tiny"]),
        (("branch", "tiny", "--at", "1", "--name", "tiny"), ["another --name"]),
        (("branch", "tiny", "--at", "1", "--set", "domain=math"), ["domain", "cannot change"]),
        (
            ("branch", "tiny", "--at", "1", "--set", "solver.group_size=0"),
            ["solver.group_size", "1 <= value"],
        ),
    ],
)
def test_wrong_input_is_one_line(
    arguments: tuple[str, ...],
    parts: list[str],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = sorted((here / "runs").iterdir())
    line = refusal(arguments, here, monkeypatch, capfd)
    for part in parts:
        assert part in line
    assert sorted((here / "runs").iterdir()) == before


@pytest.mark.parametrize("arguments", [("replay", "tiny", "--regenerate"), ("branch", "tiny", "--at", "1")])
def test_a_run_of_a_newer_schema_is_refused(
    arguments: tuple[str, ...],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    copy = changed(here, "PRAGMA user_version = 99")
    line = refusal(arguments, copy, monkeypatch, capfd)
    assert "schema version 99 is newer" in line and "upgrade taskspace" in line
    assert [path.name for path in (copy / "runs").glob("*at1*")] == []


def refusal(
    arguments: tuple[str, ...],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> str:
    """The one line with which a command ends that was asked for something that cannot be."""
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["taskspace", *arguments])
    monkeypatch.delenv("TASKSPACE_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    line = capfd.readouterr().err.rstrip("\n")
    assert line.startswith("taskspace: ") and "\n" not in line
    return line
