"""Stored verdicts are run again by the verifier, and every difference comes with its evidence and reasons."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import talking_domain  # noqa: F401  (registers it)
from loop_driver import small_run

from actors.arena import Arena
from experiments import replay, verify
from memory.artefacts import fetch_model
from protocols.settings import RunSettings

NOISY = {"false_positive": 0.3, "false_negative": 0.3}


def play(settings: RunSettings, folder: Path) -> Path:
    folder.mkdir(parents=True)
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Proposals, consensus, evaluation and injected noise."""
    return play(small_run(verifier=NOISY), tmp_path_factory.mktemp("runs") / "noisy")


def again(run_dir: Path, **chosen: Any) -> dict[str, Any]:
    asked = {"episode": None, "task": None, "round": None, "limit": None} | chosen
    return verify.verify(run_dir, replay.choose(run_dir, **asked), quiet=True)


def one(run_dir: Path, condition: str) -> tuple[str, str]:
    """Id and response of an attempt."""
    with sqlite3.connect(run_dir / "run.db") as db:
        found = db.execute(f"SELECT id, response FROM episodes WHERE {condition} LIMIT 1").fetchone()
    db.close()
    return found


def changed(run_dir: Path, tmp_path: Path, attempt: str, **columns: Any) -> Path:
    copy = tmp_path / "changed"
    shutil.copytree(run_dir, copy, ignore=shutil.ignore_patterns("checkpoints"))
    with sqlite3.connect(copy / "run.db") as db:
        if "response" in columns:
            db.execute("INSERT INTO texts (hash, body) VALUES (x'00', ?)", [columns.pop("response")])
            columns["response_text"] = db.execute("SELECT max(id) FROM texts").fetchone()[0]
        for name, value in columns.items():
            db.execute(f"UPDATE attempts SET {name} = ? WHERE id = ?", [value, attempt])
    db.close()
    return copy


def test_a_noisy_run_with_proposals_is_the_same_again(run_dir: Path) -> None:
    result = again(run_dir)
    with sqlite3.connect(run_dir / "run.db") as db:
        flipped, unrewarded, proposed = (
            db.execute(f"SELECT count(*) FROM episodes WHERE {what}").fetchone()[0]
            for what in ("flipped", "reward IS NULL", "origin = 'proposed' AND reward IS NOT NULL")
        )
    db.close()
    assert flipped > 5 and proposed > 0
    assert result["differences"] == [] == result["evidence_differs"]
    assert result["verified"] > 50 and result["skipped"] == unrewarded


def test_a_verdict_that_was_changed_is_told_with_its_evidence(run_dir: Path, tmp_path: Path) -> None:
    attempt, _ = one(run_dir, "category = 'correct' AND NOT flipped")
    evidence = json.dumps({"case": 2, "expected": "7"})
    copy = changed(run_dir, tmp_path, attempt, reward=0.0, category="wrong_answer", evidence_json=evidence)
    (found,) = again(copy, episode=attempt)["differences"]
    assert (found["stored"], found["now"]) == ("wrong_answer 0", "correct 1")
    assert found["evidence"]["expected"] == ("7", None) and "changed in the store" in found["reasons"][0]
    text = verify.told(again(copy, episode=attempt))
    assert 'expected: "7" then, nothing now' in text and "1 differ" in text


def test_evidence_alone_is_counted_and_is_no_difference(run_dir: Path, tmp_path: Path) -> None:
    attempt, _ = one(run_dir, "category = 'correct' AND NOT flipped")
    copy = changed(run_dir, tmp_path, attempt, evidence_json='{"calls": {}}')
    result = again(copy, episode=attempt)
    assert result["differences"] == [] and result["evidence_differs"] == [attempt]
    assert "other evidence: 1" in verify.told(result)


@pytest.mark.parametrize(
    ("columns", "answer", "reason"),
    [
        ({"reward": 0.0, "category": "timeout"}, None, "sandbox.wall_s"),
        ({"reward": 0.0, "category": "memory"}, None, "sandbox.memory_mb"),
        ({"reward": 0.0, "category": "runtime_error", "verdict_seconds": 59.0}, None, "59.0 s of sandbox"),
        ({}, "```python\nimport random\n\ndef solve(x):\n    return random.random()\n```", "uses random"),
    ],
)
def test_reasons_fit_what_happened(
    run_dir: Path, tmp_path: Path, columns: dict[str, Any], answer: str | None, reason: str
) -> None:
    attempt, _ = one(run_dir, "category = 'correct' AND NOT flipped")
    if answer is not None:
        columns = columns | {"response": answer}
    copy = changed(run_dir, tmp_path, attempt, **columns)
    (found,) = again(copy, episode=attempt)["differences"]
    assert reason in " ".join(found["reasons"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("import random\nx = random.random()", {"random"}),
        ("from time import sleep", {"time"}),
        ("rng = np.random.default_rng()", {"random", "default_rng"}),
        ("The time of the train is random; its id is 3. valid(x)", set()),
    ],
)
def test_what_a_program_draws_from(answer: str, words: set[str]) -> None:
    assert {word for found in verify.DRAWS.findall(answer) for word in found if word} == words


def test_other_layers_and_packages_are_named(run_dir: Path, tmp_path: Path) -> None:
    attempt, _ = one(run_dir, "category = 'correct' AND NOT flipped")
    copy = changed(run_dir, tmp_path, attempt, reward=0.0, category="wrong_answer")
    with sqlite3.connect(copy / "run.db") as db:
        (text,) = db.execute("SELECT value_json FROM run WHERE key = 'facts'").fetchone()
        facts = json.loads(text)
        facts["sandbox"][0]["state"] = "gone"
        db.execute("UPDATE run SET value_json = ? WHERE key = 'facts'", [json.dumps(facts)])
    db.close()
    (copy / "summary.json").write_text(json.dumps({"versions": {"numpy": "1.0", "python": "3.1"}}))
    (found,) = again(copy, episode=attempt)["differences"]
    told = " ".join(found["reasons"])
    assert f"sandbox layer {facts['sandbox'][0]['name']}: gone then" in told and "numpy: 1.0 then" in told


def test_answers_that_improve_themselves_are_judged_whole(tmp_path: Path) -> None:
    chain = {"solver": {"group_size": 2, "groups_per_round": 4, "chain": {"answers": 2}, "batch_groups": 2}}
    settings = small_run(
        **chain,
        rounds=1,
        learner={"recipe": "two-attempts", "threads": 1, "device": "cpu"},
        proposer={"per_round": 0},
        evaluation={"every": 0, "before": False, "tasks": 2},
    )
    result = again(play(settings, tmp_path / "chain"))
    assert result["verified"] > 4 and result["differences"] == [] == result["evidence_differs"]


def test_another_domain_is_judged_as_in_its_run(tmp_path: Path) -> None:
    settings = small_run(
        domain="math", rounds=1, proposer={"per_round": 0}, evaluation={"kind": "all", "tasks": 3}
    )
    result = again(play(settings, tmp_path / "math"))
    assert result["verified"] > 20 and result["differences"] == [] == result["evidence_differs"]


def test_plays_of_several_turns_are_judged_whole(tmp_path: Path) -> None:
    settings = small_run(
        domain="talking",
        rounds=2,
        learner={"recipe": "exit-diverge", "threads": 1, "device": "cpu"},
        curator={"buffer": {"p": 0.7, "children": "all"}},
        proposer={"per_round": 0},
        solver={"group_size": 2, "groups_per_round": 4, "sampling": {"max_tokens": 6}},
        evaluation={"every": 0, "before": False, "kind": "all", "tasks": 2},
    )
    result = again(play(settings, tmp_path / "talk"))
    assert result["verified"] > 10 and result["differences"] == [] == result["evidence_differs"]
