"""The task space from afar says what the graph says, as of any round, in parts that add up."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from demo_run import DemoRun, make_demo_run

from memory.reader import RunReader
from memory.space import STEPS
from memory.space_map import SpaceMap
from protocols.errors import StoreError


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunReader]:
    with RunReader(make_demo_run(tmp_path_factory.mktemp("demo"), rounds=3)) as reader:
        yield reader


def same(found: float, wanted: float | None) -> bool:
    return bool(np.isnan(found)) if wanted is None else abs(found - wanted) < 1e-12


def test_tasks_have_the_numbers_of_the_graph(demo: RunReader) -> None:
    space, grown = demo.space(), SpaceMap().catch_up(demo)
    tasks, places = grown.tasks(), space.layout()
    graph = {name: node for name, node in space.nodes() if node["kind"] == "task"}
    assert list(graph) == grown.ids and len(graph) > 100
    for number, (name, node) in enumerate(graph.items()):
        assert (tasks.x[number], tasks.y[number]) == places[name]
        assert grown.origins[tasks.origin[number]] == node["origin"]
        assert grown.statuses[number] == node["status"] and tasks.round[number] == node["round"]
        assert tasks.attempts[number] == node["attempts"] and tasks.verified[number] == node["verified"]
        assert same(tasks.rate[number], node["solve_rate"])
        assert tasks.visits[number] == len(node["visits"])
        measured = [visit.learnability for visit in node["visits"] if visit.learnability is not None]
        assert same(tasks.learnability[number], measured[-1] if measured else None)
    assert grown.attempts == sum(node["kind"] == "attempt" for _, node in space.nodes())


def test_a_round_back_is_what_the_run_was_then(tmp_path: Path) -> None:
    with DemoRun(tmp_path, topics=4, groups_per_round=16) as run:
        run.play_round()
        with RunReader(tmp_path) as reader:
            before = SpaceMap().catch_up(reader)
        run.play_round()
        with RunReader(tmp_path) as reader:
            after = SpaceMap().catch_up(reader)
    then, now = before.tasks(), after.tasks(1)
    count = len(before.ids)
    assert after.ids[:count] == before.ids and len(after.ids) > count
    assert not now.tasks[count:].any() and then.tasks.all()
    for name in ("x", "y", "visits", "attempts", "verified", "rate", "learnability", "version", "step"):
        np.testing.assert_array_equal(getattr(now, name)[:count], getattr(then, name), err_msg=name)
    assert after.tasks().attempts.sum() > now.attempts.sum() == then.attempts.sum()


def test_it_grows_by_what_is_new_and_reads_nothing_twice(tmp_path: Path) -> None:
    with DemoRun(tmp_path, topics=3, groups_per_round=8) as run:
        kept = SpaceMap()
        for _ in range(3):
            run.play_round()
            with RunReader(tmp_path) as reader:
                kept.catch_up(reader)
                kept.catch_up(reader)  # nothing is new
                fresh = SpaceMap().catch_up(reader)
            assert (kept.ids, kept.statuses, kept.parents) == (fresh.ids, fresh.statuses, fresh.parents)
            assert (kept.attempts, kept.rounds, kept.first_round) == (fresh.attempts, fresh.rounds, 0)
            for name, column in vars(kept.tasks()).items():
                np.testing.assert_array_equal(column, getattr(fresh.tasks(), name), err_msg=name)


def test_reading_that_fails_half_way_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunReader(make_demo_run(tmp_path, rounds=1)) as reader:
        kept = SpaceMap()
        original = RunReader.tuples

        def broken(self: RunReader, sql: str, parameters: object = ()) -> object:
            if "FROM groups" in sql:
                raise StoreError("locked")
            return original(self, sql, parameters)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(RunReader, "tuples", broken)
            with pytest.raises(StoreError):
                kept.catch_up(reader)
        kept.catch_up(reader)
        fresh = SpaceMap().catch_up(reader)
        assert kept.ids == fresh.ids and kept.attempts == fresh.attempts


@pytest.mark.parametrize("upto", [0, 1, 2, 3])
def test_parts_add_up_to_their_tasks(demo: RunReader, upto: int) -> None:
    grown = SpaceMap().catch_up(demo)
    tasks = grown.tasks(upto)
    topics, by_topic = grown.by_topic(tasks)
    for parts in (grown.by_patch(tasks), by_topic):
        for name in ("attempts", "verified", "visits", "tasks"):
            assert getattr(parts, name).sum() == getattr(tasks, name).sum(), name
    assert sorted(topics) == sorted({mine[0] for mine in grown.topics})
    for number, topic in enumerate(topics):
        mine = [n for n, about in enumerate(grown.topics) if about[0] == topic and tasks.tasks[n]]
        tried = sum(tasks.attempts[n] for n in mine)
        wanted = sum(tasks.verified[n] for n in mine) / tried if tried else None
        assert same(by_topic.rate[number], wanted)
        measured = [tasks.learnability[n] for n in mine if not np.isnan(tasks.learnability[n])]
        assert same(by_topic.learnability[number], float(np.mean(measured)) if measured else None)
        assert same(by_topic.round[number], max((float(tasks.round[n]) for n in mine), default=None))


def test_the_step_of_a_task_is_the_most_frequent_one(demo: RunReader) -> None:
    grown = SpaceMap().catch_up(demo)
    tasks = grown.tasks()
    for number in range(0, len(grown.ids), 7):
        counted = [0] * len(STEPS)
        for group in demo.groups(limit=None, task_id=grown.ids[number], purpose="collect"):
            goes_on = group["parent_attempt_id"] is not None and group["step"] == "initial"
            counted[STEPS.index("next turn" if goes_on else group["step"])] += 1
        assert tasks.step[number] == (counted.index(max(counted)) if any(counted) else -1)


def test_an_empty_run_has_an_empty_map(tmp_path: Path) -> None:
    from memory.store import Store

    with Store.create(tmp_path / "run.db", {}, {}):
        pass
    with RunReader(tmp_path) as reader:
        grown = SpaceMap().catch_up(reader)
    assert grown.ids == [] and len(grown.tasks().x) == 0 and len(grown.by_patch(grown.tasks()).x) == 0
