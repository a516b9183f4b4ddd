"""The whole loop by reinforcement learning, on a scripted engine and a tiny model."""

import json
from pathlib import Path

import msgspec
import pytest
from loop_driver import small_run

from actors.arena import Arena
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
            if recipe == "closed-rl":
                assert metrics["ratio"] == 1.0 and metrics["clipped_negative"] == 0.0
        learned = reader.rows(
            "SELECT s.version, s.weight, a.reward, a.group_id, g.round FROM samples s"
            " JOIN attempts a ON a.id = s.attempt_id JOIN groups g ON g.id = a.group_id"
        )
        assert all(row["version"] == row["round"] for row in learned)  # only under the policy that played it
        assert any(row["weight"] < 0 for row in learned)
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
