"""The whole loop by reinforcement learning, on a scripted engine and a tiny model."""

import json
import statistics
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loop_driver import imaginative, self_play, small_run

from actors.arena import Arena
from actors.engines import scripted
from actors.engines.base import Weights
from actors.engines.serving import ServedEngine
from actors.runtime import InlineRuntime
from actors.solver import Solver
from actors.verifier import Verifier
from memory.artefacts import fetch_model
from memory.reader import RunReader
from protocols.domain import make_domain
from protocols.iteration import play_of, start_of
from protocols.records import Book, Purpose, Split
from protocols.settings import RunSettings


@pytest.mark.parametrize("recipe", ["closed-rl", "open-rl"])
def test_groups_are_compared_and_learned(tmp_path: Path, recipe: str) -> None:
    settings = small_run(learner={"recipe": recipe, "threads": 1, "device": "cpu"}, rounds=2)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    assert Arena(settings, run_dir, fetch_model("tiny-random"), lambda *_: None).run()
    with RunReader(run_dir) as reader:
        updates = reader.rows("SELECT * FROM updates ORDER BY version")
        assert [row["recipe"] for row in updates] == [recipe, recipe]
        assert [row["steps"] for row in updates] == [settings.learner.grpo.mini_batches] * 2
        for row in updates:
            metrics = json.loads(row["metrics_json"])
            assert metrics["entropy"] > 0 and metrics["advantage"] > 0
            assert 0 < metrics["seconds_steps"] < row["seconds"]
            rewards = reader.rows(
                "SELECT a.reward FROM samples s JOIN attempts a ON a.id = s.attempt_id WHERE s.version = ?",
                [row["version"]],
            )
            assert metrics["reward"] == pytest.approx(statistics.mean(r["reward"] for r in rewards))
            if recipe == "closed-rl":
                assert metrics["ratio"] == 1.0 and metrics["clipped_negative"] == 0.0
        learned = reader.rows(
            "SELECT s.version, s.weight, a.reward, a.group_id, g.round FROM samples s"
            " JOIN attempts a ON a.id = s.attempt_id JOIN groups g ON g.id = a.group_id"
        )
        assert all(row["version"] == row["round"] for row in learned)  # only under the policy that played it
        assert any(row["weight"] < 0 for row in learned)
        prompts = reader.rows(
            "SELECT s.prompt_text = g.prompt_text AS same FROM samples s"
            " JOIN attempts a ON a.id = s.attempt_id JOIN groups g ON g.id = a.group_id"
        )
        assert {bool(row["same"]) for row in prompts} == {recipe == "open-rl"}  # on-policy: the very prompt
        for row in learned:
            assert (row["weight"] > 0) <= (row["reward"] == 1.0) and (row["weight"] < 0) <= (
                row["reward"] == 0.0
            )


def test_a_prompt_without_room_has_no_reward_and_is_counted(tmp_path: Path) -> None:
    settings = small_run()
    domain = make_domain(settings)
    task = domain.tasks(Split.TRAIN, "single", 1)[0]
    play = play_of(1, 1, 0, Purpose.COLLECT, start_of(task, Book.OPEN), task, 2)
    engine = InlineRuntime().spawn("engine", ServedEngine, settings, str(fetch_model("tiny-random")))
    group = Solver(settings, engine).play([play], Weights(version=0, path=""))[0]
    cut = msgspec.structs.replace(group.attempts[0], finish="no_room")
    group = msgspec.structs.replace(group, attempts=(cut, group.attempts[1]))
    verifier = Verifier(settings)
    (judged,), _ = verifier.judge([group], {task.id: task})
    verifier.close()
    first, second = judged.verdicts
    assert (first.reward, first.category) == (None, "no_room") and "leaves no room" in (
        first.infra_error or ""
    )
    assert second.reward is not None


def played(tmp_path: Path, settings: RunSettings) -> tuple[RunSettings, Path]:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    assert Arena(settings, run_dir, fetch_model("tiny-random"), lambda *_: None).run()
    return settings, run_dir


def learning(recipe: str, **changes: Any) -> dict[str, Any]:
    return {"recipe": recipe, "threads": 1, "device": "cpu", **changes}


@pytest.mark.parametrize("baseline", ["batch", "running"])
def test_absolute_zero_learns_proposals_and_answers(
    tmp_path: Path, baseline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "copy_the_shape", imaginative)
    grpo = {"baseline": baseline}
    settings, run_dir = played(
        tmp_path,
        self_play(learner=learning("absolute-zero", grpo=grpo), curator={"duplicate_similarity": 0.9}),
    )
    with RunReader(run_dir) as reader:
        # Nothing but proposed tasks is played.
        assert {g["origin"] for g in reader.episodes(purpose="collect", limit=None)} == {"proposed"}
        for row in reader.proposals(limit=None):
            if row["task_id"] is None:
                assert row["reward"] == settings.proposer.unusable_reward == -1.0
            elif row["task_status"] == "rejected":
                assert row["reward"] == 0.0
            elif row["task_status"] == "active":
                (group,) = reader.groups(task_id=row["task_id"], purpose="collect")
                assert row["reward"] == pytest.approx(1.0 - group["mean_reward"])
        updates = reader.updates()
        assert [u["version"] for u in updates] == [1, 2]
        seen: dict[str, list[float]] = {}
        for update in updates:
            rewards = rewards_learned(reader, update["version"])
            assert set(rewards) == {"proposer", "solver/single"} == set(update["baselines"])
            for key, found in rewards.items():
                seen[key] = found if baseline == "batch" else [*seen.get(key, []), *found]
                baseline_used = update["baselines"][key]
                assert baseline_used["count"] == len(seen[key])
                assert baseline_used["mean"] == pytest.approx(statistics.fmean(seen[key]))
            # The stored weights are the advantages: (reward - mean) / std.
            for key, reward, weight in weights_learned(reader, update["version"]):
                std = statistics.stdev(seen[key])
                assert weight == pytest.approx(
                    (reward - statistics.fmean(seen[key])) / (std + 1e-6), abs=1e-6
                )
        prompts = reader.rows(
            "SELECT s.prompt_text = p.prompt_text AS same"
            " FROM proposal_samples s JOIN proposals p ON p.id = s.proposal_id"
        )
        assert prompts and all(row["same"] for row in prompts)  # learned as asked


def weights_learned(reader: RunReader, version: int) -> list[tuple[str, float, float]]:
    answers = reader.rows(
        "SELECT a.reward, s.weight FROM samples s JOIN attempts a ON a.id = s.attempt_id WHERE version = ?",
        [version],
    )
    proposals = reader.rows(
        "SELECT p.reward, s.weight FROM proposal_samples s JOIN proposals p ON p.id = s.proposal_id"
        " WHERE version = ?",
        [version],
    )
    return [("solver/single", r["reward"], r["weight"]) for r in answers] + [
        ("proposer", r["reward"], r["weight"]) for r in proposals
    ]


def rewards_learned(reader: RunReader, version: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for key, reward, _ in weights_learned(reader, version):
        found.setdefault(key, []).append(reward)
    return found


def test_groups_that_tell_nothing_are_replaced(tmp_path: Path) -> None:
    grpo = {"zero_variance": "resample", "resample_limit": 1.0}
    _, run_dir = played(
        tmp_path,
        small_run(
            learner=learning("closed-rl", grpo=grpo),
            solver={"group_size": 2, "groups_per_round": 4, "batch_groups": 2},
            zwc={"functions": 4, "tasks_per_function": 6, "test_tasks_per_function": 1},
        ),
    )
    with RunReader(run_dir) as reader:
        further = 0
        for row in reader.rounds():
            planned, groups = row["planned"], reader.compared(row["round"])
            assert planned == 4 and len(groups) == len(row["plan"]) <= 8
            further += len(groups) - planned
            assert sum(g.differs for g in groups) == planned or len(groups) == 8
        assert further and further == reader.overview()["groups_resampled"]
        reasons = [d["reason"] for d in reader.decisions(limit=1000)]
        assert reasons.count("resample") == reasons.count("zero_variance") == further
        learned = reader.rows(
            "SELECT DISTINCT a.group_id FROM samples s JOIN attempts a ON a.id = s.attempt_id"
        )
        telling = [g.id for row in reader.rounds() for g in reader.compared(row["round"]) if g.differs]
        assert {row["group_id"] for row in learned} == set(telling)
