"""The task space: the same graph from the store and from admission, and places that never move."""

import itertools
import math
import tempfile
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_records import Judged, a_group, a_task

from memory.layout import PATCH, REACH, Layout, sunflower
from memory.reader import RunReader
from memory.space import TaskSpace
from memory.store import Store, TaskChange
from protocols.records import Book, Origin, Purpose, Split, Step, Task


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Task], list[list[Judged]]]:
    """Tasks (some proposed from others, some held out) and batches of groups that may revise earlier ones."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 5))):
        parent = draw(st.none() | st.sampled_from(tasks)) if tasks else None
        split = draw(st.sampled_from(Split)) if parent is None else Split.TRAIN
        origin = Origin.SEED if parent is None else Origin.PROPOSED
        topics = draw(st.sampled_from([(), ("a",), ("b", "a")]))
        parent_id = parent.id if parent else None
        tasks.append(a_task(number, origin=origin, split=split, topics=topics, parent_id=parent_id))
    batches: list[list[Judged]] = []
    attempts = []
    for round in range(draw(st.integers(0, 4))):
        batch = []
        for position in range(draw(st.integers(1, 3))):
            rewards = draw(st.lists(st.sampled_from([None, 0.0, 0.5, 1.0]), min_size=1, max_size=3))
            evaluated = draw(st.integers(0, 4)) == 0
            revised = draw(st.none() | st.sampled_from(attempts)) if attempts and not evaluated else None
            task, attempt = revised or (draw(st.sampled_from(tasks)), None)
            evaluated = evaluated or task.split is Split.TEST
            step = draw(st.sampled_from([Step.IMPROVE, Step.DIVERGE])) if attempt else Step.INITIAL
            purpose = Purpose.EVALUATE if evaluated else Purpose.COLLECT
            judged = a_group(task, round, position, rewards, attempt, step, purpose, policy_version=round)
            batch.append(judged)
            if purpose is Purpose.COLLECT:
                attempts += [(task, attempt) for attempt in judged[0].attempts]
        batches.append(batch)
    return tasks, batches


def parts(space: TaskSpace) -> tuple:
    return dict(space.graph.nodes(data=True)), list(space.graph.edges(data=True)), space.layout()


@given(runs())
@settings(max_examples=40, deadline=None)
def test_the_store_and_admission_give_the_same_graph(run):
    tasks, batches = run
    space, followed = TaskSpace(), TaskSpace()
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "run.db", {}, {}) as store:
        store.add_tasks(tasks)
        for task in tasks:
            space.add_task(task)
        for number, batch in enumerate(batches):
            rejected = tasks[number % len(tasks)]
            store.admit_groups(batch, tasks=[TaskChange(task=rejected, status="rejected")])
            space.add_task(rejected, status="rejected")
            for group, verdicts in batch:
                space.add_group(group, verdicts)
                space.add_group(group, verdicts)  # repeated work changes nothing
            with RunReader(store.path) as reader:
                followed.catch_up(reader)
                assert followed.catch_up(reader) == 0
        with RunReader(store.path) as reader:
            followed.catch_up(reader)
            assert parts(reader.space()) == parts(space) == parts(followed)
            collected = reader.overview()
        growth = space.growth()
        assert (growth[-1]["attempts"] if growth else 0) == collected["attempts"]
        assert (
            sum(row["initial"] + row["improve"] + row["diverge"] for row in growth) == collected["attempts"]
        )
    assert not space.graph or nx.is_forest(space.graph)
    for node, attributes in space.nodes():
        way = space.lineage(node)
        steps = [space.graph.edges[edge]["kind"] for edge in itertools.pairwise(way)]
        kinds = {"proposed"} if attributes["kind"] == "task" else {"improve", "diverge"}
        assert attributes["depth"] == sum(step in kinds for step in steps)
        assert node in space.descendants(way[0]) or node == way[0]


def small_space() -> tuple[TaskSpace, Task, Judged, Judged]:
    space, task = TaskSpace(), a_task()
    space.add_task(task)
    first = a_group(task, round=1, rewards=(0.0, 1.0, None))
    better = a_group(task, round=2, rewards=(1.0, 1.0), revises=first[0].attempts[0], step=Step.IMPROVE)
    space.add_group(*first)
    space.add_group(*better)
    return space, task, first, better


def test_a_small_space_by_hand():
    space, task, first, better = small_space()
    attributes = space.graph.nodes[task.id]
    assert (attributes["attempts"], attributes["verified"], attributes["infra_errors"]) == (4, 3, 1)
    assert attributes["solve_rate"] == 0.75
    assert attributes["visits"] == [(1, 0, 0.5, 0.25)]
    revised, improved = first[0].attempts[0].id, better[0].attempts[1].id
    assert space.graph.nodes[revised]["visits"] == [(2, 0, 1.0, 0.0)]
    assert space.graph.edges[revised, improved] == {"kind": "improve"}
    assert space.lineage(improved) == [task.id, revised, improved]
    assert space.descendants(revised) == [attempt.id for attempt in better[0].attempts]
    assert space.growth() == [
        {
            "round": 0,
            "tasks": 1,
            "attempts": 0,
            "initial": 0,
            "improve": 0,
            "diverge": 0,
            "depth_mean": 0,
            "depth_max": 0,
        },
        {
            "round": 1,
            "tasks": 1,
            "attempts": 3,
            "initial": 3,
            "improve": 0,
            "diverge": 0,
            "depth_mean": 0,
            "depth_max": 0,
        },
        {
            "round": 2,
            "tasks": 1,
            "attempts": 5,
            "initial": 0,
            "improve": 2,
            "diverge": 0,
            "depth_mean": 1,
            "depth_max": 1,
        },
    ]


def test_unknown_nodes_are_errors():
    space, *_ = small_space()
    for ask in (space.lineage, space.descendants):
        with pytest.raises(KeyError):
            ask("nobody")
    with pytest.raises(KeyError):
        space.add_group(*a_group(a_task(9), book=Book.CLOSED))


@given(st.lists(st.sampled_from("abc"), max_size=120), st.integers(0, 120))
def test_nodes_that_have_a_place_keep_it(topics, cut):
    layout = Layout()
    seen = {}
    for number, topic in enumerate(topics):
        layout.add_task(f"task{number}", topic)
        layout.add_attempt(f"attempt{number}", f"task{number // 2}")
        if number == cut:
            seen = dict(layout.positions)
    assert {name: layout.positions[name] for name in seen} == seen


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])


def test_points_of_a_sunflower_are_one_and_a_half_apart():
    points = [sunflower(index) for index in range(600)]
    assert min(distance(*pair) for pair in itertools.combinations(points, 2)) > 1.5


def test_patches_do_not_overlap_and_attempts_stay_with_their_task():
    layout = Layout()
    for number in range(PATCH * 12):
        layout.add_task(f"{number}", f"topic{number % 5}")
    tasks = dict(layout.positions)
    assert min(distance(*pair) for pair in itertools.combinations(tasks.values(), 2)) > 1.5
    for number in range(500):
        layout.add_attempt(f"attempt{number}", "7")
    fan = [layout.positions[f"attempt{number}"] for number in range(500)]
    assert max(distance(place, tasks["7"]) for place in fan) < REACH
    assert len(set(fan)) == 500
