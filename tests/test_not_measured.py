"""Evaluations in which nothing was judged: they say so, with why, and are no 0 % anywhere."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command import taskspace
from demo_run import make_demo_run
from pages import Show, texts
from test_stores_old import stored

from actors.deciding import counts
from actors.measuring import Scored, summarise
from experiments import evaluate, iterate, runs, summary
from memory import profiles
from memory.alerts import alerts
from memory.alerts.evidence import evidence
from memory.reader import RunReader
from memory.store import Store
from protocols.verdicts import NO_ROOM, errors_as_wrong, errors_told

WHY = "none of 4 attempts was judged"


def scored(*categories: str) -> list[Scored]:
    rewards = {"correct": 1.0, "wrong_answer": 0.0}
    return [
        Scored(task_id=f"t{n}", topics=("sum",), reward=rewards.get(c), category=c, kind="single")
        for n, c in enumerate(categories)
    ]


def test_nothing_judged_is_no_accuracy_and_a_prompt_without_room_no_failure_of_the_sandbox() -> None:
    crowded = summarise(scored(NO_ROOM, NO_ROOM))
    assert (crowded["accuracy"], crowded["infra_errors"], crowded["by_topic"]) == (None, 0, {})
    failed = summarise(scored("infra_error", NO_ROOM))
    assert (failed["accuracy"], failed["infra_errors"]) == (None, 1)
    some = summarise(scored("correct", "wrong_answer", NO_ROOM, "infra_error"))
    assert (some["accuracy"], some["infra_errors"], some["attempts"]) == (0.5, 1, 4)
    assert summarise([])["accuracy"] is None


def test_the_table_of_a_measurement_says_why() -> None:
    found = scored(NO_ROOM, NO_ROOM, NO_ROOM, "infra_error")
    part = summarise(found) | evaluate._spread(found) | evaluate._apart(found)
    told = {"model": "m", "version": 0, "split": "test", "kind": "all", "results": {"closed": part}}
    shown = evaluate.table(told)
    assert (
        f"not measured: {WHY} (3 prompts without room in the model's context, 1 infrastructure errors)"
        in shown
    )
    assert "0.0 %" not in shown and part["mean_of_kinds"] is None and json.loads(json.dumps(part)) == part
    assert iterate._measured([]) == {"accuracy": None, "interval": None}


def emptied(folder: Path, *rounds: int) -> None:
    """Make the measurements of these rounds ones in which no prompt had room."""
    with closing(sqlite3.connect(folder / "run.db")) as db, db:
        for round in rounds:
            mine = "SELECT id FROM groups WHERE purpose = 'evaluate' AND round = ?"
            db.execute(
                "UPDATE attempts SET reward = NULL, category = 'no_room', finish = 'no_room', flipped = 0,"
                f" infra_error = 'no room' WHERE group_id IN ({mine})",
                [round],
            )
            db.execute(
                "UPDATE groups SET infra_errors = attempts, verified = 0, mean_reward = NULL,"
                " learnability = NULL WHERE purpose = 'evaluate' AND round = ?",
                [round],
            )
            db.execute(
                "UPDATE evaluations SET accuracy = NULL, by_topic_json = '{}', infra_errors = 0,"
                " categories_json = json_object('no_room', attempts) WHERE round = ?",
                [round],
            )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "demo"
    make_demo_run(folder, rounds=3)
    return folder


def test_a_run_that_measured_nothing_says_so_everywhere(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied(run, 0, 1, 2, 3)
    with RunReader(run) as reader:
        found = {"run_id": "demo", "seconds": 1.0, "peak_memory_mb": 1.0}
        found |= summary._accuracy(reader) | summary._counts(reader)
    assert (found["closed_book_before"], found["closed_book_after"]) == (None, None)
    assert "closed book not measured -> not measured" in runs.headline(found, run)
    shown = taskspace("report", str(run), "--markdown", "-", cwd=run.parent).stdout
    assert "was judged" in shown and "0.0 %" not in shown.split("## ")[1]
    with RunReader(run) as reader:
        assert profiles.profile(reader).curves["closed book"] == []
        assert "infra errors" not in [alert.kind for alert in alerts(evidence(reader))]
    checked = taskspace("check", str(run), cwd=run.parent)
    assert checked.returncode == 0, checked.stdout
    for page in ("live", "learning", "compare", "runs", "episode"):
        assert "0.0 %" not in texts(Show(monkeypatch)(run.parent, page, "demo"))


def test_one_measurement_that_failed_leaves_the_others(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied(run, 2)
    with RunReader(run) as reader:
        versions = [point.version for point in profiles.profile(reader).curves["closed book"]]
        measured = [row["accuracy"] for row in reader.evaluations() if row["book"] == "closed"]
    assert None in measured and len(versions) == len([one for one in measured if one is not None])
    for page in ("live", "learning"):
        Show(monkeypatch)(run.parent, page, "demo")
    assert taskspace("report", str(run), "--markdown", "-", cwd=run.parent).returncode == 0


@pytest.mark.parametrize(("attempts", "errors", "wanted"), [(4, 4, None), (4, 1, 0.25), (4, 0, 0.25)])
def test_older_runs_learn_what_was_not_measured(
    tmp_path: Path, attempts: int, errors: int, wanted: Any
) -> None:
    folder = stored(5, tmp_path / "run")
    with closing(sqlite3.connect(folder / "run.db")) as db, db:
        db.execute(
            "UPDATE evaluations SET attempts = ?, infra_errors = ?, accuracy = 0.25", [attempts, errors]
        )
    Store.open(folder / "run.db").close()
    with RunReader(folder) as reader:
        assert {row["accuracy"] for row in reader.evaluations()} == {wanted}


def test_a_batch_counts_prompts_without_room_apart() -> None:
    verdict = type("V", (), {"reward": None, "infra_error": "no room", "category": NO_ROOM})
    group = type("G", (), {"attempts": ()})
    judged: Any = [type("J", (), {"verdicts": (verdict,), "group": group})]
    assert counts(judged)["infra_errors"] == 0 and counts(judged)["categories"] == {NO_ROOM: 1}


def test_accuracy_is_told_with_errors_as_wrong_too() -> None:
    # Three of four judged attempts are right, four have no verdict, two had no room.
    told = (0.75, 10, {"no_room": 2, "infra_error": 4}, 4)
    assert errors_as_wrong(*told) == 0.375
    assert errors_told(*told) == ", 4 without a verdict; 37.5 % with those as wrong"
    assert errors_told(0.75, 8, {}, 0) == "" and errors_as_wrong(0.75, 8, {}, 0) == 0.75
    assert errors_as_wrong(None, 8, {}, 8) is None and errors_told(None, 8, {}, 8) == ""
