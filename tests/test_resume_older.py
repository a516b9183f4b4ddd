"""Runs begun by an earlier version, or on another processor, go on with their own tasks: ids are data."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loop_driver import small_run
from test_resume import check_whole, content, crash_after, read

from actors.arena import Arena
from actors.choosing import base_tasks
from actors.recognising import as_stored, asked_alike, gone_on_with
from experiments import branch, config, relearning
from experiments.ladders import counterfactual
from memory.artefacts import fetch_model
from memory.codec import from_json, to_json
from protocols.domain import make_domain
from protocols.errors import SettingError, StoreError
from protocols.records import Split, Task
from protocols.settings import RunSettings

OWN = "SELECT id FROM tasks WHERE origin <> 'proposed'"


def older(run_dir: Path) -> dict[str, str]:
    """Make it a run whose tasks have ids of an earlier version, and last bits of another processor.

    Returns:
        the ids: as they were -> as they are now.
    """
    with closing(sqlite3.connect(run_dir / "run.db")) as db:
        names = {id: f"old{id[3:]}" for (id,) in db.execute(OWN).fetchall()}
        for id, name in names.items():
            (payload,) = db.execute("SELECT payload_json FROM tasks WHERE id = ?", [id]).fetchone()
            rounded = to_json(nudged(from_json(payload)))
            db.execute("UPDATE tasks SET id = ?, payload_json = ? WHERE id = ?", [name, rounded, id])
            db.execute("UPDATE groups SET task_id = ? WHERE task_id = ?", [name, id])
            db.execute("UPDATE rounds SET plan_json = replace(plan_json, ?, ?)", [id, name])
            db.execute("UPDATE buffer SET start_json = replace(start_json, ?, ?)", [id, name])
        db.commit()
    return names


def nudged(payload: dict[str, Any]) -> dict[str, Any]:
    cases = [{**case, "expected": next_to(case["expected"])} for case in payload["cases"]]
    return {**payload, "cases": cases}


def next_to(value: Any) -> Any:
    if isinstance(value, list):
        return [next_to(v) for v in value]
    return math.nextafter(value, math.inf) if isinstance(value, float) else value


def go_on(run_dir: Path, settings: RunSettings) -> None:
    run_dir.mkdir(exist_ok=True)
    assert Arena(settings, run_dir, fetch_model("tiny-random"), lambda kind, facts: None).run()


def started(run_dir: Path) -> list[tuple[Any, ...]]:
    return read(run_dir, "SELECT round, purpose, position, task_id FROM groups ORDER BY 1, 2, 3")


@pytest.mark.parametrize("told", [4, 9, 14])
def test_a_run_with_other_ids_plays_what_it_had_planned_and_measures_what_it_measured(
    told: int, tmp_path: Path
) -> None:
    settings, whole, run_dir = small_run(), tmp_path / "whole", tmp_path / "run"
    go_on(whole, settings)
    run_dir.mkdir()
    assert crash_after(run_dir, settings, told)
    names = older(run_dir)
    assert len(names) == 12 + 4
    go_on(run_dir, settings)
    check_whole(run_dir)
    assert {id for (id,) in read(run_dir, OWN)} == set(names.values())
    base = [row for row in started(whole) if row[3] in names]
    assert [(*row[:3], names[row[3]]) for row in base] == [r for r in started(run_dir) if r[3][:3] == "old"]
    assert [row[:2] for row in content(run_dir)["evaluations"]] == [
        row[:2] for row in content(whole)["evaluations"]
    ]


def test_what_was_planned_is_played_though_it_is_drawn_no_longer(tmp_path: Path) -> None:
    settings, run_dir = small_run(rounds=1), tmp_path / "run"
    run_dir.mkdir()
    assert crash_after(run_dir, settings, 4)
    with closing(sqlite3.connect(run_dir / "run.db")) as db:
        text = (
            "UPDATE texts SET body = 'Another one: ' || body WHERE id IN (SELECT statement_text FROM tasks)"
        )
        db.execute(text)
        db.commit()
    older(run_dir)
    go_on(run_dir, settings)
    planned = "SELECT json_array_length(plan_json) FROM rounds"
    assert read(run_dir, planned) == read(run_dir, "SELECT count(*) FROM groups WHERE purpose = 'collect'")


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return make_domain(small_run()).tasks(Split.TRAIN, "single")


def renamed(tasks: list[Task]) -> list[Task]:
    return [msgspec.structs.replace(task, id=f"old{task.id}", payload=nudged(task.payload)) for task in tasks]


def drawn_otherwise(task: Task) -> Task:
    return msgspec.structs.replace(task, id=f"other{task.id}", statement=f"Once more: {task.statement}")


def test_a_run_whose_settings_are_unchanged_keeps_its_tasks_however_few_are_known(tasks: list[Task]) -> None:
    """An earlier version may have drawn most of them differently, or all, or another number of them."""
    others = [drawn_otherwise(task) for task in tasks]
    for stored in (others, [*others[1:], tasks[0]], others[:-1], others[:1]):
        assert gone_on_with(tasks, stored, unchanged=True) == stored
    grown = [*renamed(tasks), *others]  # more of them were asked for meanwhile, and then fewer again
    assert gone_on_with(tasks, grown, unchanged=True) == grown[: len(tasks)]


def test_settings_that_shape_tasks_are_told_from_others() -> None:
    begun = small_run().model_dump(mode="json")
    assert asked_alike(begun, small_run(rounds=9, seed=4).model_dump(mode="json"))
    for section, key, value in (
        ("zwc", "tasks_per_function", 9),
        ("zwc", "multi_share", 0.5),
        ("evaluation", "tasks", 77),
    ):
        now = small_run().model_dump(mode="json")
        now[section][key] = value
        assert not asked_alike(begun, now)
        del begun[section][key]  # of a version that did not know it
        assert asked_alike(begun, now)
        begun = small_run().model_dump(mode="json")


def test_a_task_is_known_by_what_it_asks(tasks: list[Task]) -> None:
    stored = renamed(tasks)
    assert as_stored(tasks, stored) == stored == as_stored(tasks, stored[::-1])
    assert as_stored(stored, stored) == stored
    assert as_stored(tasks, []) == tasks
    cases = [case["args"] for case in tasks[0].payload["cases"]]
    assert [case["args"] for case in tasks[4].payload["cases"]] != cases
    both = msgspec.structs.replace(tasks[0], id="second", payload=tasks[4].payload)
    assert as_stored([both], stored) == [both]  # the same words about other data


def test_where_an_earlier_version_drew_some_tasks_otherwise_the_run_keeps_its_own(tasks: list[Task]) -> None:
    stored = [*map(drawn_otherwise, tasks[:2]), *renamed(tasks[2:])]
    assert gone_on_with(tasks, stored) == stored
    with pytest.raises(StoreError, match=r"^3 of 12 tasks .* are drawn differently since an earlier version"):
        gone_on_with(tasks, stored[:-1])


def test_a_setting_that_asks_for_more_tasks_adds_them(tasks: list[Task]) -> None:
    assert gone_on_with(tasks, tasks[:4]) == tasks
    assert gone_on_with(tasks, renamed(tasks[:4])) == renamed(tasks[:4]) + tasks[4:]


def test_base_tasks_can_be_asked_for_by_the_ids_that_the_run_knows(tasks: list[Task]) -> None:
    stored = renamed(tasks)
    settings = small_run(curator={"base_tasks": [stored[3].id]})
    domain = make_domain(settings)
    assert base_tasks(domain, settings, lambda made: as_stored(made, stored)) == [stored[3]]
    with pytest.raises(SettingError, match="is no training task of zwc"):
        base_tasks(domain, settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """An older run that is complete, and the ids of its tasks."""
    settings = small_run(learner={"threads": 1, "device": "cpu", "batch_size": 4, "keep_states": 9})
    run_dir = tmp_path_factory.mktemp("finished") / "source"
    go_on(run_dir, settings)
    config.save(settings, run_dir / "config.yaml")
    return run_dir, set(older(run_dir).values())


def test_a_branch_of_an_older_run_plays_its_tasks(finished: tuple[Path, set[str]], tmp_path: Path) -> None:
    source, names = finished
    made = branch.make(branch.plan(source, 1, ["rounds=3"], tmp_path, None))
    go_on(made.run_dir, made.settings)
    check_whole(made.run_dir)
    assert {id for (id,) in read(made.run_dir, OWN)} == names
    assert read(made.run_dir, "SELECT count(*) FROM rounds WHERE finished IS NOT NULL") == [(3,)]


def test_what_learns_from_an_older_run_is_measured_on_its_tasks(finished: tuple[Path, set[str]]) -> None:
    source, names = finished
    made = relearning.prepare(source)
    counterfactual.finish(made, quiet=True)
    assert {id for (id,) in read(made.run_dir, OWN)} == names
    measured = "SELECT DISTINCT task_id FROM groups WHERE purpose = 'evaluate' ORDER BY 1"
    assert read(made.run_dir, measured) == read(source, measured) != []
