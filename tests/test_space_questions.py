"""What a task space tells: by hand, against networkx, and through the command."""

import itertools
import json
import math
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from command import refused, taskspace
from demo_run import make_demo_run
from hypothesis import given, settings
from hypothesis import strategies as st
from store_records import a_group, a_task
from test_learning_embedding import bert  # noqa: F401  (a fixture)
from test_space import runs

from actors.learning.embedding import Embedder
from experiments import space as asking
from memory import space_positions, space_questions
from memory.reader import RunReader
from memory.space import TaskSpace
from protocols.errors import ArtefactError
from protocols.records import Origin, Step


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
    assert [row["from_attempts"] for row in rows] == [0, 1, 1]
    assert [row["origin_round"] for row in rows] == [None, 1.0, 1.0]
    assert [row["depth"] for row in rows] == [0.0, 1.0, 0.5]
    assert [row["answer_depth"] for row in rows] == [None, 0.0, 0.0]
    assert [(row["distinct"], row["relative"]) for row in rows] == [(1, 0.5), (2, 1.0), (4, 2.0)]


def test_a_start_counts_once_however_often_it_is_played() -> None:
    space, _ = a_space()
    task = a_task(0)
    space.add_group(*a_group(task, round=4, rewards=(1.0,)))
    assert space_questions.starts(space.graph)[-1]["distinct"] == 4
    proposed = a_task(7, origin=Origin.PROPOSED, parent_id=task.id)
    space.add_task(proposed)
    space.add_group(*a_group(proposed, round=5, rewards=(1.0,)))
    last = space_questions.starts(space.graph)[-1]
    assert (last["distinct"], last["relative"]) == (5, 2.5)  # over the two base tasks
    space.add_task(a_task(1), status="rejected")
    assert space_questions.starts(space.graph)[-1]["relative"] == 5.0


def test_distances_of_starts_by_hand() -> None:
    found = space_questions.apart([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    assert found["cosine"] == pytest.approx((1 + 0 + 1) / 3)
    assert found["l2"] == pytest.approx(2 * 5**0.5 / 3)
    assert space_questions.apart([[1.0, 2.0]]) == {"cosine": 0.0, "l2": 0.0}
    with pytest.raises(ValueError, match="embedding 1 "):
        space_questions.apart([[1.0, 0.0], [0.0, 0.0]])


@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3).filter(any), min_size=2, max_size=9),
)
def test_distances_of_starts_are_those_of_all_pairs(points) -> None:
    found, pairs = space_questions.apart(points), list(itertools.combinations(np.array(points, float), 2))
    cosines = [1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]
    assert found["cosine"] == pytest.approx(np.mean(cosines), abs=1e-9)
    assert found["l2"] == pytest.approx(np.mean([np.linalg.norm(a - b) for a, b in pairs]))


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
        updates = {row["version"]: row for row in reader.updates()}
    assert told["growth"][-1]["attempts"] == sum(n["kind"] == "attempt" for _, n in space.nodes())
    way = json.loads(taskspace("space", run_dir, "--lineage", deepest, "--json", cwd=tmp_path).stdout)
    assert [one["id"] for one in way] == space.lineage(deepest)
    made = updates[way[-1]["policy_version"]]
    assert (way[-1]["weights"], way[-1]["learned"], way[-1]["recipe"]) == (
        made["path"],
        made["round"],
        made["recipe"],
    )
    below = json.loads(
        taskspace("space", run_dir, "--descendants", way[0]["id"], "--json", cwd=tmp_path).stdout
    )
    assert {one["id"] for one in below} == set(space.descendants(way[0]["id"]))
    for question in asking.QUESTIONS:
        assert (
            json.loads(taskspace("space", run_dir, question, "--json", cwd=tmp_path).stdout) == told[question]
        )


def test_files_hold_the_whole_graph(run_dir: Path, tmp_path: Path) -> None:
    told = json.loads(taskspace("space", run_dir, "positions", "--json", cwd=tmp_path).stdout)
    with RunReader(run_dir) as reader:
        space = reader.space()
    assert set(told) == set(space.graph) and len(set(map(tuple, told.values()))) > 100
    places = space.layout()
    for name in ("s.graphml", "s.json"):
        taskspace("space", run_dir, "--export", name, cwd=tmp_path)
        linked = name.endswith(".json")
        found = _linked(tmp_path / name) if linked else nx.read_graphml(tmp_path / name)
        assert dict(found.edges) == dict(space.graph.edges) and set(found) == set(space.graph)
        for node, attributes in space.nodes():
            wanted = attributes | dict(zip(("x", "y"), places[node]))
            wanted |= dict(zip(("embedding_x", "embedding_y"), told[node]))
            if linked:
                assert found.nodes[node] == json.loads(json.dumps(wanted))
                continue
            read = {key: json.loads(v) if key in _LISTS else v for key, v in found.nodes[node].items()}
            assert read == {
                key: json.loads(json.dumps(value)) for key, value in wanted.items() if value is not None
            }


def _mean_cosine(points: np.ndarray) -> float:
    pairs = itertools.combinations(points / np.linalg.norm(points, axis=1, keepdims=True), 2)
    return float(np.mean([1 - one @ other for one, other in pairs]))


_LISTS = ("topics", "visits", "buffer")


def _linked(path: Path) -> nx.DiGraph:
    return nx.node_link_graph(json.loads(path.read_text()), edges="edges")


@pytest.mark.parametrize("copies", [1, 200])  # few texts are computed densely, many sparsely
def test_positions_tell_texts_on_different_things_apart(copies: int) -> None:
    said = {f"a{i}": f"the mean of a list of numbers {i % 7}" for i in range(3 * copies)}
    said |= {f"b{i}": f"def sort(x): return sorted(x, key={i % 5})" for i in range(3 * copies)}
    found = space_positions.by_words(said)
    assert found == space_positions.by_words(said) and list(found) == list(said)
    left = [found[name][0] for name in said if name.startswith("a")]
    right = [found[name][0] for name in said if name.startswith("b")]
    assert max(left) < min(right) or max(right) < min(left)
    assert sum(left + right) == pytest.approx(0, abs=1e-6)


def test_positions_by_embeddings_are_principal_components() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 6)) * [9, 4, 1, 1, 1, 1]
    found = space_positions.by_embeddings({str(i): point for i, point in enumerate(points)})
    centred = points - points.mean(0)
    _, _, directions = np.linalg.svd(centred)
    for axis in (0, 1):
        along = np.array([place[axis] for place in found.values()])
        assert abs(along @ (centred @ directions[axis])) == pytest.approx(along @ along)


@pytest.mark.parametrize("said", [{}, {"a": "one"}, {"a": "one", "b": "one"}, {"a": "", "b": ""}])
def test_where_nothing_differs_everything_is_in_one_place(said: dict[str, str]) -> None:
    assert space_positions.by_words(said) == dict.fromkeys(said, (0.0, 0.0))
    assert space_positions.by_embeddings({name: [1.0, 2.0] for name in said}) == dict.fromkeys(said, (0, 0))


def test_distances_by_words_are_those_of_all_pairs() -> None:
    said = ["mean of 3 numbers", "mean of 5 numbers", "sort the words", "", "mean of 3 numbers"]
    counted = [Counter(one.split()) + Counter(itertools.pairwise(one.split())) for one in said]

    def cosine(one: Counter, other: Counter) -> float:
        lengths = math.sqrt(sum(n * n for n in one.values()) * sum(n * n for n in other.values()))
        return sum(n * other[word] for word, n in one.items()) / lengths if lengths else 0.0

    wanted = [
        sum(1 - cosine(a, b) for a, b in itertools.combinations(counted[:n], 2)) / max(1, math.comb(n, 2))
        for n in range(1, 6)
    ]
    assert space_positions.distances_by_words(said, [1, 2, 3, 4, 5]) == pytest.approx(wanted)
    assert space_positions.distances_by_words(said, [2, 2, 5]) == pytest.approx(
        [wanted[1], wanted[1], wanted[4]]
    )


def test_embeddings_of_a_model_place_nodes_and_tell_how_far_starts_lie_apart(
    run_dir: Path,
    bert: Path,  # noqa: F811
) -> None:
    with RunReader(run_dir) as reader:
        space = reader.space()
        found = asking.distances(reader, str(bert))
        said = set()
        for group in reader.groups(limit=None, purpose="collect"):
            start = reader.group(group["id"])[0].start
            said |= {(start.task_id, turn.response) for turn in start.history[-1:]}
        placed = asking.positions(space, reader, run_dir, str(bert))
        texts = space_positions.texts(reader)
    assert found["starts"] == len(said) > 10
    points = Embedder(bert).embed([text for _, text in said]).double().numpy()
    assert found["cosine"] == pytest.approx(_mean_cosine(points), abs=1e-5)
    assert set(placed) == set(space.graph)
    by_text = {texts[node]: place for node, place in placed.items()}
    assert all(by_text[texts[node]] == pytest.approx(place, abs=1e-3) for node, place in placed.items())


def test_a_file_that_holds_no_positions_is_named(tmp_path: Path) -> None:
    space, names = a_space()
    asking.placed(space, tmp_path)
    for broken in ("{", "[]", json.dumps({names["task"]: [1]})):
        (tmp_path / asking.POSITIONS).write_text(broken)
        with pytest.raises(ArtefactError, match=r"positions\.json: not the positions .* remove it"):
            asking.placed(space, tmp_path)


def test_wrong_questions_are_one_line(run_dir: Path, tmp_path: Path) -> None:
    assert "no such task or attempt" in refused("space", run_dir, "--lineage", "zzz", cwd=tmp_path)
    assert "nodes begin so" in refused("space", run_dir, "--descendants", "", cwd=tmp_path)
    assert ".graphml or .json" in refused("space", run_dir, "--export", "s.png", cwd=tmp_path)
    assert "unknown; choose one of overview, growth" in refused("space", run_dir, "depths", cwd=tmp_path)
    assert "embed texts" in refused("space", run_dir, "starts", "--embedder", "minilm", cwd=tmp_path)
    assert "choose one" in refused("space", run_dir, "starts", "--lineage", "a", cwd=tmp_path)
    assert "choose one" in refused("space", run_dir, "--lineage", "a", "--descendants", "b", cwd=tmp_path)
