"""What a task space tells: by hand, against networkx, and through the command."""

import json
from pathlib import Path

import networkx as nx
import pytest
from command import refused, taskspace
from demo_run import make_demo_run
from hypothesis import given, settings
from store_records import a_group, a_task
from test_space import runs

from memory import space_questions
from memory.reader import RunReader
from memory.space import TaskSpace
from protocols.records import Step


def a_space() -> tuple[TaskSpace, dict[str, str]]:
    """task: wrong (improved: right, wrong, unjudged), right (diverged: wrong, right), and one more task."""
    space, task, other = TaskSpace(), a_task(0), a_task(1)
    space.add_task(task)
    space.add_task(other)
    first = a_group(task, round=1, rewards=(0.0, 1.0))
    wrong, right = first[0].attempts
    improved = a_group(task, round=2, rewards=(1.0, 0.0, None), revises=wrong, step=Step.IMPROVE)
    diverged = a_group(task, round=3, position=1, rewards=(0.0, 1.0), revises=right, step=Step.DIVERGE)
    for judged in (first, improved, diverged, a_group(other, round=3, rewards=(0.0,))):
        space.add_group(*judged)
    return space, {"task": task.id, "wrong": wrong.id, "right": right.id, "fixed": improved[0].attempts[0].id}


def test_by_hand() -> None:
    space, names = a_space()
    assert space_questions.fertile(space.graph, 2) == [(names["task"], 7), (names["wrong"], 3)]
    nothing = {"corrected": 0, "broken": 0, "kept": 0, "missed": 0}
    assert space_questions.revisions(space.graph) == [
        {"step": "diverge", "depth": 1, **nothing, "broken": 1, "kept": 1},
        {"step": "improve", "depth": 1, **nothing, "corrected": 1, "missed": 1},
    ]
    assert space_questions.branching(space.graph) == {
        "task": {"started": 2, "groups": 1.0, "revised": 1.0},
        "attempt": {"started": 2, "groups": 1.0, "revised": 2 / 8},
    }
    rows = space_questions.starts(space.graph)
    assert [row["groups"] for row in rows] == [1, 1, 2]
    assert [row["origin_round"] for row in rows] == [None, 1.0, 1.0]
    assert [row["depth"] for row in rows] == [0.0, 1.0, 0.5]
    assert [(row["distinct"], row["relative"]) for row in rows] == [(1, 1.0), (2, 2.0), (4, 2.0)]


@given(runs())
@settings(max_examples=30, deadline=None)
def test_descendants_and_revisions_are_all_counted(run) -> None:
    tasks, batches = run
    space = TaskSpace()
    for task in tasks:
        space.add_task(task)
    for group, verdicts in (judged for batch in batches for judged in batch):
        space.add_group(group, verdicts)
    counts = dict(space_questions.fertile(space.graph, len(space.graph)))
    assert counts == {n: len(nx.descendants(space.graph, n)) for n in space.graph if space.graph[n]}
    judged = sum(
        space.graph.nodes[a]["reward"] is not None and space.graph.nodes[b]["reward"] is not None
        for a, b, kind in space.graph.edges(data="kind")
        if kind in ("improve", "diverge")
    )
    told = space_questions.revisions(space.graph)
    assert sum(row[name] for row in told for name in ("corrected", "broken", "kept", "missed")) == judged


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_run(tmp_path_factory.mktemp("runs") / "demo")


def test_the_command_gives_an_overview_lineages_and_files(run_dir: Path, tmp_path: Path) -> None:
    text = taskspace("space", run_dir, cwd=tmp_path).stdout
    assert all(title in text for title in ("Growth", "Where groups started", "What revisions changed"))
    told = json.loads(taskspace("space", run_dir, "--json", cwd=tmp_path).stdout)
    with RunReader(run_dir) as reader:
        space = reader.space()
        attempts = [node for node, one in space.nodes() if one["kind"] == "attempt"]
        deepest = max(attempts, key=lambda node: space.graph.nodes[node]["depth"])
        updates = {row["version"]: row["path"] for row in reader.updates()}
    assert told["growth"][-1]["attempts"] == sum(n["kind"] == "attempt" for _, n in space.nodes())
    way = json.loads(taskspace("space", run_dir, "--lineage", deepest, "--json", cwd=tmp_path).stdout)
    assert [one["id"] for one in way] == space.lineage(deepest)
    assert way[-1]["weights"] == updates.get(way[-1]["policy_version"])
    below = json.loads(
        taskspace("space", run_dir, "--descendants", way[0]["id"], "--json", cwd=tmp_path).stdout
    )
    assert {one["id"] for one in below} == set(space.descendants(way[0]["id"]))
    for name, read in (("s.graphml", nx.read_graphml), ("s.json", _linked)):
        taskspace("space", run_dir, "--export", name, cwd=tmp_path)
        found = read(tmp_path / name)
        assert set(found.edges) == set(space.graph.edges) and set(found) == set(space.graph)
        assert found.nodes[deepest]["x"] == pytest.approx(space.layout()[deepest][0])


def _linked(path: Path) -> nx.DiGraph:
    return nx.node_link_graph(json.loads(path.read_text()), edges="edges")


def test_wrong_questions_are_one_line(run_dir: Path, tmp_path: Path) -> None:
    assert "no such task or attempt" in refused("space", run_dir, "--lineage", "zzz", cwd=tmp_path)
    assert "nodes begin so" in refused("space", run_dir, "--descendants", "", cwd=tmp_path)
    assert ".graphml or .json" in refused("space", run_dir, "--export", "s.png", cwd=tmp_path)
    assert "choose one" in refused("space", run_dir, "--lineage", "a", "--descendants", "b", cwd=tmp_path)
