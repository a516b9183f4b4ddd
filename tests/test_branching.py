"""A branch is its source up to a round, and without a change it goes on as the source did."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from loop_driver import imaginative, small_run
from test_regenerate import TINY
from test_resume import CONTENT, LEARNED, MEASURED, assert_same, check_whole, read
from test_resume_exploring import EXPLORING, WHAT

from actors.arena import Arena
from actors.engines import scripted
from actors.exploring import buffer_after
from experiments import branch, config, regenerate, replay
from memory import checkpoints
from memory.artefacts import fetch_model
from memory.branches import checksum_until, config_at, origin_of
from memory.reader import RunReader
from protocols.errors import SettingError, StoreError
from protocols.settings import RunSettings

KEPT = {"threads": 1, "device": "cpu", "batch_size": 4, "keep_states": 9}
ALL = WHAT | {
    "evaluations": MEASURED,
    "learned": LEARNED,
    "content": CONTENT,
    "tasks": "SELECT id, origin, payload_json, reference_json, truth_agrees, status, round FROM tasks"
    " ORDER BY id",
    "proposals": "SELECT p.id, p.round, p.reason, p.detail, p.reward, p.task_id, body FROM proposals p"
    " JOIN texts ON texts.id = p.response_text ORDER BY p.id",
    "rounds": "SELECT round, policy_version FROM rounds ORDER BY round",
}


@pytest.fixture(scope="module", autouse=True)
def proposals_that_differ() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scripted, "copy_the_shape", imaginative)
        yield


def play(settings: RunSettings, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    config.save(settings, folder / "config.yaml")
    return folder


def content(run_dir: Path) -> dict[str, list[tuple]]:
    return {name: read(run_dir, sql) for name, sql in ALL.items()}


def branched(source: Path, at: int, runs: Path, *overrides: str, name: str | None = None) -> Path:
    prepared = branch.make(branch.plan(source, at, list(overrides), runs, name))
    check_whole(prepared.run_dir)
    return prepared.run_dir


def go_on(run_dir: Path) -> Path:
    with RunReader(run_dir) as reader:
        return play(config.resolve(reader.config()), run_dir)


@pytest.fixture(scope="module")
def proposing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rounds of scripted answers; proposals of each wait for a reference until the next."""
    settings = small_run(rounds=3, learner=KEPT, proposer={"per_round": 12, "reward": "one_minus_p"})
    return play(settings, tmp_path_factory.mktemp("source") / "proposing")


@pytest.fixture(scope="module")
def exploring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rounds that draw from the buffer."""
    learner = {**EXPLORING["learner"], "keep_states": 9}
    return play(
        small_run(**EXPLORING | {"learner": learner}), tmp_path_factory.mktemp("source") / "exploring"
    )


@pytest.fixture(scope="module")
def generating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of a tiny random model on the transformers engine."""
    settings = small_run(**TINY, verifier={"false_positive": 0.5})
    return play(settings, tmp_path_factory.mktemp("source") / "generating")


@pytest.mark.parametrize(
    ("kind", "at"),
    [*((kind, at) for kind in ("proposing", "exploring") for at in (0, 1, 2)), ("generating", 1)],
)
def test_without_a_change_it_goes_on_as_its_source_did(
    kind: str, at: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = request.getfixturevalue(kind)
    run_dir = branched(source, at, tmp_path)
    assert run_dir.name == f"{kind}-at{at}"
    found = {path.name for path in run_dir.iterdir()} - {"run.db-shm", "run.db-wal"}  # of readers
    assert found <= {"run.db", "config.yaml", "checkpoints"}
    with RunReader(run_dir) as reader:
        assert [row["round"] for row in reader.rounds()] == list(range(1, at + 1))
        assert reader.row("SELECT 1 FROM groups WHERE round > ?", [at]) is None
        texts = reader.value("SELECT count(*) FROM texts")
    assert texts < read(source, "SELECT count(*) FROM texts")[0][0]
    go_on(run_dir)
    assert_same(content(run_dir), content(source))


def test_tasks_that_found_their_reference_later_wait_for_it_again(proposing: Path, tmp_path: Path) -> None:
    later = read(
        proposing,
        "SELECT count(*) FROM decisions d JOIN tasks t ON t.id = d.subject_id"
        " WHERE d.kind = 'task' AND d.round > 1 AND t.round <= 1",
    )[0][0]
    assert later > 0
    run_dir = branched(proposing, 1, tmp_path)
    waiting = "SELECT count(*) FROM tasks WHERE status = 'candidate' AND reference_json IS NULL"
    assert read(run_dir, waiting)[0][0] >= later


@pytest.mark.parametrize("at", [1, 2, 3])
def test_the_buffer_is_made_again_from_plans_and_groups(exploring: Path, at: int, tmp_path: Path) -> None:
    """At the last round it has to be what the run itself stored."""
    with RunReader(exploring) as reader:
        settings = config.resolve(reader.config())
        made = buffer_after(reader, [settings] * at)
        assert made.state_dict()["counts"]["offered"] > 0
        if at == 3:
            assert made.state_dict() == reader.state()["buffer"]
            by_id = {entry.start.id: entry for entry in made.entries()}
            assert by_id == {entry.start.id: entry for entry in reader.buffer()}


def test_the_buffer_is_made_again_with_the_scores_that_were_kept(exploring: Path, tmp_path: Path) -> None:
    """What starts were drawn by is data: an earlier version may have rounded it otherwise."""
    copy = tmp_path / "other"
    shutil.copytree(exploring, copy)
    with sqlite3.connect(copy / "run.db") as db:
        db.execute("UPDATE groups SET learnability = learnability + 1e-15")
    db.close()
    with RunReader(exploring) as before, RunReader(copy) as after:
        settings = [config.resolve(before.config())]
        scores = [[e.score for e in buffer_after(r, settings).entries()] for r in (before, after)]
    assert scores[0] and scores[1] == [score + 1e-15 for score in scores[0]]


def test_a_plan_that_was_changed_by_hand_is_noticed(exploring: Path, tmp_path: Path) -> None:
    copy = tmp_path / "changed"
    shutil.copytree(exploring, copy)
    with sqlite3.connect(copy / "run.db") as db:
        db.execute("DELETE FROM decisions WHERE kind = 'start' AND round = 2")
    db.close()
    with pytest.raises(StoreError, match=r"changed/run.db: .* before round 2 cannot be made again"):
        branched(copy, 2, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["changed"]


def test_a_change_makes_another_run_that_says_where_it_comes_from(proposing: Path, tmp_path: Path) -> None:
    run_dir = branched(
        proposing, 1, tmp_path, "learner.learning_rate=1e-3", "solver.group_size=2", name="other"
    )
    go_on(run_dir)
    with RunReader(run_dir) as reader, RunReader(proposing) as source:
        origin = origin_of(reader)
        assert origin is not None
        assert (origin["run"], origin["round"], origin["policy_version"]) == ("proposing", 1, 1)
        assert origin["settings"] == {"learner.learning_rate": 1e-4, "solver.group_size": 3}
        assert origin["checksum"] == checksum_until(source, 1) == checksum_until(reader, 1)
        assert checksum_until(source, 2) != checksum_until(reader, 2)
        assert config_at(reader, 1) == source.config() and config_at(reader, 2) == reader.config()
        sizes = dict(
            reader.tuples("SELECT round, max(attempts) FROM groups WHERE purpose = 'collect' GROUP BY 1")
        )
        assert sizes == {1: 3, 2: 2, 3: 2}
        assert any("branched from proposing after round 1" in row["message"] for row in reader.events())
        for text in (json.dumps(reader.facts()), json.dumps(origin)):
            assert str(proposing) not in text and str(tmp_path) not in text
    again = branched(run_dir, 2, tmp_path, "solver.group_size=5", name="again")
    with RunReader(again) as reader:  # a branch of a branch
        groups = [config_at(reader, round)["solver"]["group_size"] for round in (1, 2, 3)]
        assert groups == [3, 2, 5]


def test_weights_are_shared_and_the_source_keeps_its_own(proposing: Path, tmp_path: Path) -> None:
    run_dir = branched(proposing, 2, tmp_path, "learner.keep_versions=2", "rounds=5")
    one = checkpoints.path_of(run_dir, 2) / "model.safetensors"
    assert one.samefile(checkpoints.path_of(proposing, 2) / "model.safetensors")
    assert checkpoints.versions(run_dir) == [1, 2]
    before = checkpoints.weights_checksum(checkpoints.path_of(proposing, 2))
    go_on(run_dir)
    assert checkpoints.versions(run_dir) == [4, 5]
    assert checkpoints.versions(proposing) == [1, 2, 3]
    assert checkpoints.weights_checksum(checkpoints.path_of(proposing, 2)) == before


def test_another_seed_goes_on_otherwise_from_the_same_weights(proposing: Path, tmp_path: Path) -> None:
    run_dir = go_on(branched(proposing, 2, tmp_path, "seed=11"))
    versions = "SELECT version, checksum FROM updates ORDER BY version"
    here, there = read(run_dir, versions), read(proposing, versions)
    assert here[:2] == there[:2] and here[2] != there[2]
    groups = "SELECT id FROM groups WHERE round = 3"
    assert not set(read(run_dir, groups)) & set(read(proposing, groups))
    again = branched(proposing, 2, tmp_path)  # the source still goes on under its own
    assert read(go_on(again), versions) == there


def test_a_buffer_of_another_size_keeps_the_best(exploring: Path, tmp_path: Path) -> None:
    whole, small = branched(exploring, 2, tmp_path), branched(exploring, 2, tmp_path, "curator.buffer.size=3")
    with RunReader(whole) as all_of_it, RunReader(small) as rest:
        scores = sorted((entry.score for entry in all_of_it.buffer()), reverse=True)
        assert sorted((entry.score for entry in rest.buffer()), reverse=True) == scores[:3]
        assert [entry.slot for entry in sorted(rest.buffer(), key=lambda e: e.slot)] == [0, 1, 2]
    go_on(small)


def test_a_branch_of_a_branch_knows_under_which_settings_each_round_was_drawn(
    exploring: Path, tmp_path: Path
) -> None:
    changes = ("curator.buffer.kappa=0.5", "curator.buffer.size=4", "curator.buffer.p=0.9")
    first = go_on(branched(exploring, 1, tmp_path, *changes, name="first"))
    second = go_on(branched(first, 2, tmp_path, name="second"))
    assert_same(content(second), content(first))


def test_another_recipe_brings_its_own_defaults(proposing: Path, tmp_path: Path) -> None:
    planned = branch.plan(
        proposing, 1, ["learner.recipe=closed-rl", "learner.grpo.mini_batches=3"], tmp_path, None
    )
    grpo = planned.settings.learner.grpo
    assert (grpo.denominator, grpo.mini_batches) == ("recomputed", 3)
    run_dir = branch.make(planned).run_dir
    go_on(run_dir)
    recipes = [row[0] for row in read(run_dir, "SELECT recipe FROM updates ORDER BY version")]
    assert recipes == ["closed-sft", "closed-rl", "closed-rl"]


@pytest.mark.parametrize(
    ("at", "overrides", "parts"),
    [
        (7, [], ["--at 7", "3 rounds", "nearest is 3"]),
        (3, [], ["last of 3 rounds", "--set rounds="]),
        (1, ["zwc.seed=9"], ["zwc.seed (7 -> 9)", "library's names"]),
        (1, ["domain=math"], ["domain", "that world"]),
        (1, ["model.name=other"], ["model.name", "that model's"]),
        (1, ["learner.lora.rank=4"], ["learner.lora.rank"]),
        (1, ["solver.group_siz=3"], ["'solver.group_size'"]),
    ],
)
def test_what_cannot_be(
    proposing: Path, tmp_path: Path, at: int, overrides: list[str], parts: list[str]
) -> None:
    with pytest.raises(SettingError) as refused:
        branch.plan(proposing, at, overrides, tmp_path, None)
    for part in parts:
        assert part in str(refused.value)
    assert "\n" not in str(refused.value) and list(tmp_path.iterdir()) == []


def test_a_pruned_state_names_the_rounds_that_can_be_branched_at(proposing: Path, tmp_path: Path) -> None:
    copy = tmp_path / "pruned"
    shutil.copytree(proposing, copy)
    checkpoints.prune(copy, keep_states=1)
    with pytest.raises(SettingError, match=r"version 2 .* branched at: 0, 3, nearest is 3"):
        branch.plan(copy, 2, [], tmp_path, None)


def test_a_checkpoint_that_goes_away_meanwhile_is_one_line(
    proposing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = branch.plan(proposing, 2, [], tmp_path, None)
    gone = checkpoints.path_of(proposing, 2) / "model.safetensors"
    whole = os.link

    def link(source: Path, target: Path) -> None:
        if source == gone:
            raise FileNotFoundError(2, "No such file", str(source))
        whole(source, target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(StoreError, match=r"went away while it was copied .*safetensors"):
        branch.make(planned)
    assert list(tmp_path.iterdir()) == []


def test_another_disk_gets_copies(proposing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    run_dir = branched(proposing, 2, tmp_path)
    mine, theirs = (checkpoints.path_of(folder, 2) for folder in (run_dir, proposing))
    assert checkpoints.weights_checksum(mine) == checkpoints.weights_checksum(theirs)
    assert not (mine / "model.safetensors").samefile(theirs / "model.safetensors")


def test_a_folder_that_is_there_is_left_alone(proposing: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(SettingError, match="another --name"):
        branch.plan(proposing, 1, [], tmp_path, "taken")
    first = branched(proposing, 1, tmp_path)
    assert branched(proposing, 1, tmp_path).name == f"{first.name}-2"


def test_answers_of_the_source_are_generated_again_under_its_settings(
    generating: Path, tmp_path: Path
) -> None:
    """A branch samples colder; what it took over was sampled as its source did."""
    run_dir = go_on(branched(generating, 1, tmp_path, "solver.sampling.temperature=0.3"))
    result = regenerate.regenerate(run_dir, replay.choose(run_dir, None, None, None, None), quiet=True)
    assert result["identical"] == result["answers"] > 0


def test_a_run_that_was_collected_ahead_can_be_branched(tmp_path: Path) -> None:
    """It repeats itself in nothing but what was stored; that is consistent, and goes on."""
    settings = {**EXPLORING, "max_staleness": 1, "rounds": 4}
    settings["learner"] = {**EXPLORING["learner"], "keep_states": 9}
    source = play(small_run(**settings), tmp_path / "source")
    run_dir = go_on(branched(source, 2, tmp_path))
    stored = "SELECT id FROM groups WHERE round <= 2 ORDER BY id"
    assert read(run_dir, stored) == read(source, stored)
    assert read(run_dir, "SELECT count(*) FROM rounds WHERE finished IS NOT NULL") == [(4,)]
    check_whole(run_dir)
