"""Figures say what the store says, hold no markup of a model's, and stay drawable when a run is large."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from demo_run import MARK, DemoRun, make_demo_run

from memory.reader import RunReader
from memory.space_map import SpaceMap
from ui import (
    charts,
    charts_learning,
    charts_live,
    graph,
    knowledge,
    marks,
    queries,
    queries_learning,
    queries_live,
    theme,
)

#: The markup that we put into figures ourselves.
OURS = re.compile(r"<br>|<b>(task|attempt)</b>|</?extra>")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunReader]:
    with RunReader(make_demo_run(tmp_path_factory.mktemp("demo"), rounds=3)) as reader:
        yield reader


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunReader]:
    folder = make_demo_run(tmp_path_factory.mktemp("hostile"), rounds=1, topics=4, hostile=True)
    with RunReader(folder) as reader:
        yield reader


def figures(reader: RunReader) -> dict[str, go.Figure]:
    evaluations = reader.evaluations()
    space = SpaceMap().catch_up(reader)
    picture = marks.draw(space, reader, marks.Scope())
    attempt = reader.attempt(reader.episodes(limit=1, purpose="collect")[0]["id"])
    tree = queries.revisions(reader, attempt.task.id)
    made = {
        "growth": charts.growth(queries.growth(reader)),
        "accuracy": charts.accuracy(charts.with_bounds(evaluations)),
        "timeline": charts.timeline(queries.stages(reader)),
        "fates": charts.fates(queries.proposals(reader)),
        "steps": charts.steps(reader.updates()),
        "times": charts.times(queries.stage_times(reader)),
        "queues": charts_live.queues(queries_live.queues(queries_live.recent_stages(reader, None))),
        "space growth": charts_live.space_growth(queries_live.space_growth(reader)),
        "knowledge": charts_learning.knowledge(
            knowledge.retention(queries_learning.cells(reader, "function", "closed"))
        ),
        "solved": charts_learning.solved(queries_learning.solved(reader)),
        "changes": charts_learning.changes(queries_learning.changes(reader.updates())),
        "logprobs": charts.logprobs(attempt.attempt.logprobs, attempt.attempt.token_ids),
        "tree": charts.revision_tree(tree, attempt.attempt.id),
    }
    for colour in graph.COLOURS:
        made[f"space by {colour}"] = graph.figure(picture, colour, [0, len(picture.marks) - 1])
    return made


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def test_no_figure_holds_markup_of_a_model(hostile: RunReader) -> None:
    marked = 0
    for name, made in figures(hostile).items():
        for text in strings(made.to_dict()["data"]):
            assert "<" not in OURS.sub("", text), (name, text[:200])
            assert "\x1b" not in text and "\u202e" not in text
            marked += MARK in text
    assert marked > 5  # hostile texts did reach the figures


def test_growth_ends_at_what_the_overview_counts(demo: RunReader) -> None:
    curve, numbers = queries.growth(demo), demo.overview()
    assert curve[-1]["attempts"] == numbers["attempts"] > 0
    assert curve[-1]["verified"] == numbers["verified"] > 0
    assert curve[-1]["tasks"] == numbers["tasks"]
    for before, after in pairwise(curve):
        assert all(before[name] <= after[name] for name in ("at", "tasks", "attempts", "verified"))


def test_roles_tell_pace_and_share(demo: RunReader) -> None:
    found = {row["role"]: row for row in queries.roles(queries.stages(demo, limit=10_000))}
    assert set(found) == {"proposer", "solver", "verifier", "learner", "arena"}
    numbers = demo.overview()
    pace = float(found["solver"]["pace"].split(" attempts/s")[0])
    plays = [row["seconds"] for row in demo.stages() if row["stage"] == "play"]
    assert pace == pytest.approx(numbers["attempts"] / sum(plays), abs=0.06)
    assert all(0 < row["busy"] <= 1 for row in found.values())


def test_fates_count_every_proposal_once(demo: RunReader) -> None:
    rows = queries.proposals(demo)
    numbers = demo.overview()
    assert sum(row["n"] for row in rows) == numbers["proposals"]
    assert sum(row["n"] for row in rows if row["fate"] == "rejected") == numbers["proposals_rejected"]


def test_the_tree_draws_every_attempt_of_the_task_once(demo: RunReader) -> None:
    task = demo.attempt(demo.episodes(limit=1, step="improve")[0]["id"]).task
    rows = queries.revisions(demo, task.id)
    made = charts.revision_tree(rows, rows[0]["id"])
    points = made.data[-1]
    assert sorted(points.customdata) == sorted(row["id"] for row in rows)
    assert len({(x, y) for x, y in zip(points.x, points.y)}) == len(rows)
    depth = dict(zip(points.customdata, points.x))
    for row in rows:
        if row["parent"] is not None:
            assert depth[row["id"]] == depth[row["parent"]] + 1
        else:
            assert depth[row["id"]] == 1


def test_places_stay_while_a_run_grows(tmp_path: Path) -> None:
    with DemoRun(tmp_path, topics=3, groups_per_round=8) as run:
        run.play_round()
        with RunReader(tmp_path) as reader:
            before = dict(reader.space().layout())
        run.play_round()
        with RunReader(tmp_path) as reader:
            after = reader.space().layout()
    assert len(after) > len(before)
    assert all(after[name] == place for name, place in before.items())


def test_steps_of_a_long_run_are_thinned_and_keep_their_places() -> None:
    rows = [
        {"version": v, "steps": 500, "losses": [float(v)] * 500, "grad_norms": [1.0] * 500}
        | {"learning_rates": [1e-4] * 500}
        for v in range(1, 41)
    ]
    made = charts.steps(rows)
    loss = made.data[0]
    drawn = [(x, y) for x, y in zip(loss.x, loss.y) if x is not None]
    assert 2_000 < len(drawn) <= charts.MOST_STEPS + len(rows)
    assert all(y == x // 500 + 1 for x, y in drawn)
    assert [shape.x0 for shape in made.layout.shapes][:2] == [499.5, 999.5] and len(made.layout.shapes) == 39
    assert len([x for x in charts.steps(rows[:2]).data[0].x if x is not None]) == 1_000


def test_colours_of_roles_stay_put() -> None:
    assert theme.legend_order(["verifier", "zebra", "proposer", "ant"], theme.ROLES) == [
        "proposer",
        "verifier",
        "ant",
        "zebra",
    ]
    assert len({*theme.ROLES.values()}) == len(theme.ROLES)
