"""Stored answers are generated again: exactly where that is promised, and told apart where they differ."""

import shutil
import sqlite3
from pathlib import Path

import pytest
import talking_domain  # noqa: F401  (registers it)
from hypothesis import given
from hypothesis import strategies as st
from loop_driver import small_run

from actors.arena import Arena
from experiments import regenerate, replay
from experiments.token_differences import Sampled, compare, parting
from memory.artefacts import fetch_model
from memory.codec import pack_ids, pack_logprobs, unpack_ids, unpack_logprobs
from protocols.errors import EngineError, SettingError

TINY = {
    "engine": {"kind": "transformers", "device": "cpu", "threads": 1, "batch_size": 5},
    "solver": {
        "group_size": 3,
        "groups_per_round": 8,
        "batch_groups": 3,
        "sampling": {"max_tokens": 12, "temperature": 0.9},
    },
    "zwc": {"functions": 3, "tasks_per_function": 2, "test_tasks_per_function": 1, "demonstrations": 1},
    "proposer": {"per_round": 2, "sampling": {"max_tokens": 8}},
    "learner": {"recipe": "closed-rl", "threads": 1, "device": "cpu", "learning_rate": 1e-2}
    | {"grpo": {"zero_variance": "keep"}},
    "evaluation": {"tasks": 3, "sampling": {"max_tokens": 8}},
    "runtime": {"kind": "inline"},
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of a tiny random model on the transformers engine; what it writes is never right, and
    rewards are turned round by noise, so that there is something to learn."""
    settings = small_run(**TINY, verifier={"false_positive": 0.5})
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    folder.mkdir()
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


def again(run_dir: Path, **chosen) -> dict:
    asked = {"episode": None, "task": None, "round": None, "limit": None} | chosen
    return regenerate.regenerate(run_dir, replay.choose(run_dir, **asked), quiet=True)


def changed(run_dir: Path, tmp_path: Path, sql: str, *values) -> Path:
    copy = tmp_path / "changed"
    shutil.copytree(run_dir, copy)
    with sqlite3.connect(copy / "run.db") as db:
        db.execute(sql, values)
    db.close()
    return copy


def test_a_whole_run_is_generated_again_to_the_last_bit(run_dir: Path) -> None:
    with sqlite3.connect(run_dir / "run.db") as db:
        (attempts,) = db.execute("SELECT count(*) FROM attempts").fetchone()
        played = {row[0] for row in db.execute("SELECT DISTINCT policy_version FROM groups")}
    db.close()
    assert played == {0, 1, 2}
    result = again(run_dir)
    assert result["attempts"] == attempts == result["identical"]
    assert result["differences"] == [] == result["reasons"] == result["skipped"]
    assert result["equal_tokens"] == result["tokens"] > 500 and result["logprob_max"] == 0.0


def test_one_episode_is_played_in_its_batch_and_compared_alone(run_dir: Path) -> None:
    row = replay.choose(run_dir, None, None, 2, None)[4]
    result = again(run_dir, episode=row["id"])
    assert (result["attempts"], result["identical"]) == (1, 1)


def test_other_weights_are_noticed(run_dir: Path, tmp_path: Path) -> None:
    """Of round 2, as if version 0 had played it: tokens differ, and the lines say from where on."""
    copy = changed(run_dir, tmp_path, "UPDATE groups SET policy_version = 0 WHERE round = 2")
    result = again(copy, round=2)
    assert result["tokens_differ"] > 0 and 0 < result["equal_share"] < 1
    one = next(d for d in result["differences"] if d["first"] is not None)
    assert 0 <= one["first"] < one["tokens"] and one["stored"] != one["again"]
    text = regenerate.told(result)
    assert "is the first that differs" in text and "possible reasons" in text and "summary.json" in text


def test_a_changed_token_and_a_changed_log_probability_are_found(run_dir: Path, tmp_path: Path) -> None:
    row = replay.choose(run_dir, None, None, 1, None)[0]
    with sqlite3.connect(run_dir / "run.db") as db:
        ids, logprobs, prefilled = db.execute(
            "SELECT k.token_ids, k.logprobs, a.prefilled FROM tokens k JOIN attempts a"
            " ON a.seq = k.attempt_seq WHERE a.id = ?",
            [row["id"]],
        ).fetchone()
    db.close()
    where = "WHERE attempt_seq = (SELECT seq FROM attempts WHERE id = ?)"
    other = list(unpack_ids(ids))
    other[prefilled + 2] += 1
    copy = changed(run_dir, tmp_path / "ids", f"UPDATE tokens SET token_ids = ? {where}",
                   pack_ids(other), row["id"])  # fmt: skip
    (found,) = again(copy, episode=row["id"])["differences"]
    assert found["first"] == 2 and found["equal"] == found["tokens"] - 1
    nearly = list(unpack_logprobs(logprobs))
    nearly[3] += 0.25
    copy = changed(run_dir, tmp_path / "logprobs", f"UPDATE tokens SET logprobs = ? {where}",
                   pack_logprobs(nearly), row["id"])  # fmt: skip
    result = again(copy, episode=row["id"])
    assert (result["tokens_differ"], result["logprobs_differ"]) == (0, 1)
    assert result["logprob_max"] == pytest.approx(0.25, abs=1e-6)


def test_every_answer_of_a_play_is_asked_for_on_what_was_said_before(tmp_path: Path) -> None:
    """Three turns a play, starts in the middle of plays; a turn that differs leaves the next ones alone."""
    settings = small_run(
        **TINY | {"learner": TINY["learner"] | {"recipe": "exit-diverge"}, "proposer": {"per_round": 0}},
        domain="talking",
        curator={"buffer": {"p": 0.6, "least": 2, "children": "all"}},
    )
    folder = tmp_path / "talk"
    folder.mkdir()
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    result = again(folder)
    assert result["identical"] == result["answers"] > 2 * result["attempts"] > 20
    sql = "SELECT a.id, k.token_ids, a.seq FROM attempts a JOIN tokens k ON k.attempt_seq = a.seq LIMIT 1"
    with sqlite3.connect(folder / "run.db") as db:
        attempt, ids, seq = db.execute(sql).fetchone()
        other = list(unpack_ids(ids))
        other[0] += 1
        db.execute("UPDATE tokens SET token_ids = ? WHERE attempt_seq = ?", [pack_ids(other), seq])
    db.close()
    (found,) = again(folder, episode=attempt)["differences"]
    assert (found["answer"], found["first"]) == (0, 0)


@pytest.mark.parametrize(
    "change",
    [{"max_staleness": 1, "rounds": 3}, {"engine": TINY["engine"] | {"replicas": 2}}],
    ids=["ahead", "replicas"],
)
def test_batches_are_those_of_the_run_however_it_was_played(tmp_path: Path, change: dict) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    settings = small_run(**TINY | change, verifier={"false_positive": 0.5})
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    result = again(folder)
    assert result["identical"] == result["answers"] > 50


def test_answers_by_rules_are_the_same_again(tmp_path: Path) -> None:
    folder = tmp_path / "scripted"
    folder.mkdir()
    assert Arena(small_run(), folder, fetch_model("tiny-random"), lambda *_: None).run()
    result = again(folder)
    assert result["identical"] == result["answers"] > 50 and result["engines"]["now"] == "scripted"


def test_adapters_are_added_to_the_model_as_it_came(tmp_path: Path) -> None:
    settings = small_run(
        **TINY | {"learner": TINY["learner"] | {"lora": {"rank": 4}}}, verifier={"false_positive": 0.5}
    )
    folder = tmp_path / "adapters"
    folder.mkdir()
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    result = again(folder, round=2)
    assert result["identical"] == result["answers"] > 20


def test_pruned_weights_are_left_out_or_refused_with_the_nearest(run_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "pruned"
    shutil.copytree(run_dir, copy)
    shutil.rmtree(copy / "checkpoints" / "v0001")
    result = again(copy)
    (left,) = result["skipped"]
    assert "version 1" in left["why"] and "those of version 0" in left["why"] and left["attempts"] > 0
    assert result["identical"] == result["answers"] > 0
    evaluated = "SELECT a.id FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.policy_version = 1"
    with sqlite3.connect(copy / "run.db") as db:
        (one,) = db.execute(evaluated).fetchone()
    db.close()
    with pytest.raises(SettingError, match=r"weights of version 1 .* version 0; choose e.g. --round 2"):
        again(copy, episode=one)


def test_weights_that_were_changed_are_refused(run_dir: Path, tmp_path: Path) -> None:
    copy = changed(run_dir, tmp_path, "UPDATE updates SET checksum = 'other' WHERE version = 1")
    with pytest.raises(EngineError, match="other was published"):
        again(copy, round=2)


def test_answers_of_another_run_are_left_to_that_one(run_dir: Path, tmp_path: Path) -> None:
    copy = changed(
        run_dir,
        tmp_path,
        "UPDATE run SET value_json = json_set(value_json, '$.curator.source', 'runs/first')"
        " WHERE key = 'config'",
    )
    with pytest.raises(SettingError, match="played by runs/first"):
        again(copy, limit=3)


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=8))
def test_comparing_two_answers(left: list[int], right: list[int]) -> None:
    one, other = (
        Sampled(ids=tuple(ids), logprobs=(-0.5,) * len(ids), text=str(ids)) for ids in (left, right)
    )
    found = compare(one, other)
    assert found.same_tokens == (left == right) == found.same
    assert 0 <= found.equal <= found.tokens and compare(other, one) == found
    if left and right and found.first is not None:
        assert left[: found.first] == right[: found.first]
        assert left[found.first : found.first + 1] != right[found.first : found.first + 1]
        assert len(found.differences) == found.first


def test_unknown_log_probabilities_count_as_no_difference() -> None:
    nan = Sampled(ids=(1, 2), logprobs=(float("nan"), -1.0), text="ab")
    found = compare(nan, Sampled(ids=(1, 2), logprobs=(-3.0, -1.5), text="ab"))
    assert found.differences == (0.5,) and not found.same and found.same_tokens


def test_where_two_texts_part() -> None:
    assert parting("abcdef", "abxdef", 3) == ("cde", "xde")
    assert parting("same", "same") == ("", "")
