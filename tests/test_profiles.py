"""Runs held against each other: profiles against the store, tests against counting, settings that differ."""

from pathlib import Path

import pytest
from demo_run import make_demo_run

from memory.profiles import alike, compared, differences, profile, together
from memory.reader import RunReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        make_demo_run(root / f"demo-{seed}", rounds=2, seed=seed, topics=4, groups_per_round=8)
    return root


def test_a_profile_says_what_the_store_says(folder: Path) -> None:
    with RunReader(folder / "demo-1") as reader:
        found = profile(reader)
        closed = [row for row in reader.evaluations() if row["book"] == "closed"]
        updates, rounds = reader.updates(), reader.rounds()
        # Attempt by attempt, where the profile adds up groups.
        judged = reader.rows(
            "SELECT g.task_id, avg(a.reward) AS reward FROM attempts a JOIN groups g ON g.id = a.group_id"
            " WHERE g.purpose = 'evaluate' AND g.book = 'closed' AND g.round = 2 AND a.reward IS NOT NULL"
            " GROUP BY g.task_id"
        )
    assert found.config["seed"] == 1 and found.version == 2
    assert [(p.version, p.round, p.value) for p in found.curves["closed book"]] == [
        (row["policy_version"], row["round"], row["accuracy"]) for row in closed
    ]
    assert [p.tokens for p in found.curves["closed book"]] == [
        0,
        updates[0]["tokens"],
        updates[0]["tokens"] + updates[1]["tokens"],
    ]
    assert [p.value for p in found.curves["loss"]] == pytest.approx(
        [sum(u["losses"]) / len(u["losses"]) for u in updates]
    )
    assert [(p.round, p.version, p.value) for p in found.curves["reward"]] == [
        (row["round"], row["policy_version"], row["mean_reward"]) for row in rounds
    ]
    assert found.held_out == {row["task_id"]: row["reward"] for row in judged}
    assert sum(found.held_out.values()) / len(found.held_out) == pytest.approx(closed[-1]["accuracy"])


def test_an_empty_run_has_an_empty_profile(tmp_path: Path) -> None:
    from memory.store import Store

    with Store.create(tmp_path / "run.db", {"seed": 1}, {}):
        pass
    with RunReader(tmp_path) as reader:
        found = profile(reader)
    assert found.held_out == {} and found.version is None
    assert not any(found.curves.values())


def test_compared_pairs_by_task() -> None:
    base = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    better = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    apart = {"x": 1.0}
    found = compared({"base": base, "better": better, "apart": apart, "none": {}}, "base")
    assert list(found) == ["base", "better", "apart", "none"]
    assert found["base"] and found["base"].accuracy == 0.25 and found["base"].against is None
    test = found["better"] and found["better"].against
    assert test and (test.difference, test.second_better, test.first_better, test.p) == (0.75, 3, 0, 0.25)
    assert found["better"] and found["better"].p_adjusted == 0.25  # one comparison: nothing to adjust
    assert found["apart"] and found["apart"].against is None and found["apart"].tasks == 1
    assert found["none"] is None


def test_together_averages_over_runs_task_by_task() -> None:
    assert together([{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 0.0, "c": 1.0}]) == {"a": 0.5, "b": 0.0}
    assert together([]) == {}


def test_differences_are_keys_that_differ() -> None:
    first = {"seed": 1, "learner": {"recipe": "closed-sft", "epochs": 2}, "zwc": {}}
    second = {"seed": 1, "learner": {"recipe": "open-sft", "epochs": 2}, "extra": [1]}
    assert differences({"one": first, "two": second}) == [
        {"key": "extra", "one": None, "two": "[1]"},
        {"key": "learner.recipe", "one": '"closed-sft"', "two": '"open-sft"'},
        {"key": "zwc", "one": "{}", "two": None},
    ]
    assert differences({"one": first, "same": first}) == []


def test_alike_are_runs_that_differ_in_their_seed_only() -> None:
    configs = {
        "a-1": {"seed": 1, "recipe": "a"},
        "b-1": {"seed": 1, "recipe": "b"},
        "a-2": {"seed": 2, "recipe": "a"},
        "c-1": {"seed": 1, "recipe": "a", "model": "runs/b-seed1/checkpoints/v0001"},
        "c-2": {"seed": 2, "recipe": "a", "model": "runs/b-seed2/checkpoints/v0001"},
    }
    assert alike(configs) == {"a-1": ["a-1", "a-2"], "b-1": ["b-1"], "c-1": ["c-1", "c-2"]}
    ladder = {f"sebench/open-sft-seed{i}": {"seed": i} for i in (1, 2)}
    assert alike(ladder) == {"sebench/open-sft": list(ladder)}
    assert list(alike({"open-sft": {"seed": 1, "other": 1}, "open-sft-seed1": {"seed": 1}})) == [
        "open-sft",
        "open-sft-seed1",
    ]
