"""Live: what it tells is what the store holds, alerts come and go, and the address restores the choice."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_run import DemoRun, make_demo_run
from loop_driver import small_run
from test_ui_pages import Show, texts

from actors.arena import Arena
from memory import opening, space_questions
from memory.alerts import alerts, evidence
from memory.artefacts import fetch_model
from memory.reader import RunReader
from ui import queries, queries_live


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_demo_run(folder / "demo", rounds=4)
    return folder


@pytest.fixture
def reader(demo: Path) -> Iterator[RunReader]:
    with RunReader(demo / "demo") as opened:
        yield opened


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    return Show(monkeypatch)


def test_growth_by_round_is_what_the_graph_says(reader: RunReader) -> None:
    graph = reader.space().graph
    wanted = {row["round"]: row for row in space_questions.growth(graph)}
    starts = {row["round"]: row["distinct"] for row in space_questions.starts(graph)}
    rows = queries_live.space_growth(reader)
    assert [row["round"] for row in rows] == sorted(wanted) and max(row["deepest"] for row in rows) > 0
    for row in rows:
        told = wanted[row["round"]]
        assert (row["tasks"], row["attempts"], row["deepest"]) == (
            told["tasks"], told["attempts"], told["depth_max"],
        )  # fmt: skip
        assert row["depth"] == pytest.approx(told["depth_mean"])
        assert row["distinct"] == starts.get(row["round"], 0)


def test_throughput_is_over_the_time_of_the_run(reader: RunReader) -> None:
    recent = queries_live.recent_stages(reader, None)
    work = queries_live.working(recent)
    assert len(work) < len(recent)  # waits are no work
    span = work[-1]["started"] + work[-1]["seconds"] - work[0]["started"]
    numbers = reader.overview()
    paces = queries_live.throughput(recent)
    assert paces["solver"]["answers/s"] == pytest.approx(numbers["attempts"] / span)
    assert paces["verifier"]["programs/s"] == paces["solver"]["answers/s"]
    assert paces["proposer"]["proposals/s"] == pytest.approx(numbers["proposals"] / span)
    assert set(paces["learner"]) == {"answers/s", "tokens/s"} and "arena" not in paces
    assert queries_live.throughput([]) == {}


def test_a_span_takes_what_ended_in_it(reader: RunReader) -> None:
    every = queries_live.recent_stages(reader, None)
    newest = max(row["started"] + row["seconds"] for row in every)
    some = queries_live.recent_stages(reader, 90.0)
    assert 0 < len(some) < len(every) and some == every[-len(some) :]
    assert all(row["started"] + row["seconds"] >= newest - 90 for row in some)


def test_waits_are_added_up_by_whom_and_why(reader: RunReader) -> None:
    (row,) = queries_live.waits(queries_live.recent_stages(reader, None))
    assert (row["who"], row["whom"], row["why"]) == ("verifier", "solver", "nothing is to be judged")
    assert row["seconds"] == pytest.approx(4 * 31.0) and row["round"] == 4
    spent = {row["role"]: row["busy"] for row in queries.roles(queries.stages(reader))}
    assert spent["verifier"] < 0.2  # its waits are not counted


def test_rounds_are_told_from_the_groups(reader: RunReader) -> None:
    found = {row["round"]: row for row in queries_live.rounds(reader, limit=3)}
    assert list(found) == [4, 3, 2]
    for row in reader.rounds():
        if row["round"] in found:
            told = found[row["round"]]
            assert told["played"] == row["groups"] == told["planned"] == 48
            assert told["verified"] == pytest.approx(
                row["verified"] / (row["attempts"] - row["infra_errors"])
            )
            assert (told["proposals"], told["rejected"]) == (row["proposals"], row["proposals_rejected"])
    assert queries_live.staleness(reader) == {"oldest": 3, "newest": 3, "learned": None}


def test_a_real_run_notes_its_queues(tmp_path: Path) -> None:
    settings = small_run(rounds=1, solver={"group_size": 2, "groups_per_round": 6, "batch_groups": 2})
    Arena(settings, tmp_path, fetch_model("tiny-random"), lambda kind, facts: None).run()
    with RunReader(tmp_path) as reader:
        stages = queries_live.recent_stages(reader, None)
        rows = queries_live.queues(stages)
        paces = queries_live.throughput(stages)
        alarms = alerts(evidence(reader), opening.writer(tmp_path), time.time())
    assert len(rows) == sum(row["stage"] in ("play", "judge") for row in stages) > 4
    assert {"tokens/s", "proposals/s"} <= set(paces["proposer"]) and "programs/s" in paces["verifier"]
    assert not alarms
    assert {name for row in rows for name in row} == {"at", *queries_live.QUEUES}
    assert all(0 <= row["playing"] <= settings.solver.in_flight for row in rows)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert all(row["at"] <= time.time() for row in rows)


def test_the_page_tells_all_of_it(demo: Path, show: Show) -> None:
    app = show(demo, "live", "demo")
    told = texts(app)
    for word in ("answers/s", "programs/s", "groups/s", "nothing is to be judged", "wait for a verifier"):
        assert word in told
    assert not app.warning
    assert "192 distinct starts" in [metric.delta for metric in app.metric]
    assert "answers of v3" in [metric.delta for metric in app.metric]
    # Whoever sees no figure finds its numbers in a table.
    assert sum("the numbers" in box.label for box in app.expander) == 6


def test_the_address_restores_the_span(demo: Path, show: Show) -> None:
    app = show(demo, "live", "demo", span="10 min")
    assert app.segmented_control[0].value == "10 min"
    app.segmented_control[0].set_value("1 h").run()
    assert not app.exception and app.segmented_control[0].value == "1 h"
    assert show(demo, "live", "demo", span="nonsense").segmented_control[0].value == "all"


def test_alerts_come_and_go_with_the_run(tmp_path: Path, show: Show) -> None:
    with DemoRun(tmp_path / "run", topics=3, groups_per_round=8) as run:
        run.play_round()
        run.clock = time.time()
        run._event("arena", "goes on")
        app = show(tmp_path, "live", "run")
        assert not app.warning
        with run.store.batch():
            run.store.db.execute("UPDATE groups SET infra_errors = 1")
        app.run()
        assert [box.value for box in app.warning] == ["Answers get no verdict, because the sandbox fails."]
        assert "taskspace doctor" in texts(app) and "since" in texts(app)
        with run.store.batch():
            run.store.db.execute("UPDATE groups SET infra_errors = 0")
        app.run()
        assert not app.warning


def test_a_run_that_stands_still_is_told_although_nothing_is_written(
    tmp_path: Path, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DemoRun(tmp_path / "run", topics=3, groups_per_round=8) as run:
        run.play_round()
        run.clock = time.time()
        run._event("arena", "goes on")
        app = show(tmp_path, "live", "run")
        assert not app.warning
        later = time.time() + 3600
        monkeypatch.setattr("time.time", lambda: later)
        app.run()
        assert [box.value for box in app.warning] == ["A role stands still."]
        assert "the proposer, whose turn it is" in texts(app)
    monkeypatch.undo()
    app = Show(monkeypatch)(tmp_path, "live", "run")
    assert [box.value for box in app.warning] == ["The run ended before its last round."]
