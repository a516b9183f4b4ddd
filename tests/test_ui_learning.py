"""Learning: bands, what is known and forgotten, what updates measured; choices are kept by the address."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_run import make_demo_run
from hypothesis import given
from hypothesis import strategies as st
from test_ui_pages import Show, texts

from memory.reader import RunReader
from protocols.intervals import wilson
from ui import charts, charts_learning, knowledge, queries, queries_learning


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


def curve(name: str, shares: list[float], tasks: int = 20) -> list[dict]:
    return [{"name": name, "version": v, "tasks": tasks, "share": s} for v, s in enumerate(shares)]


def test_what_was_known_and_is_not_is_forgotten() -> None:
    cells = [
        *curve("kept", [0.0, 0.9, 0.8]),
        *curve("lost", [0.0, 0.9, 0.1]),
        *curve("back", [0.6, 0.2, 0.7]),
        *curve("never", [0.0, 0.4, 0.3]),
        *curve("doubtful", [0.0, 0.6, 0.4], tasks=5),
    ]
    rows = {row["name"]: row for row in knowledge.retention(cells)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "kept": "known",
        "lost": "forgotten",
        "back": "known",
        "never": "never known",
        "doubtful": "forgotten",
    }
    lost = rows["lost"]
    assert (lost["first"], lost["at"], lost["lapses"], lost["sure"]) == (1, 1, [2], True)
    assert lost["lost"] == pytest.approx(0.8) and (lost["low"], lost["high"]) == wilson(0.1, 20)
    assert rows["back"]["lapses"] == [1] and rows["never"]["lapses"] == [] and not rows["doubtful"]["sure"]
    names = [row["name"] for row in knowledge.ordered(list(rows.values()), "forgotten")]
    assert names[:2] == ["lost", "doubtful"]
    assert knowledge.ordered(list(rows.values()), "weakest")[0]["name"] == "lost"
    made = charts_learning.knowledge([rows["lost"], rows["kept"]])
    assert [list(line) for line in made.data[0].text] == [["", "", "×"], ["", "", ""]]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_forgetting_is_never_negative_and_known_follows_the_newest(shares: list[float]) -> None:
    (row,) = knowledge.retention(curve("one", shares))
    assert row["lost"] == max(shares) - shares[-1] >= 0
    assert (row["state"] == "known") == (shares[-1] >= knowledge.KNOWN)
    assert row["low"] <= row["now"] <= row["high"]


def test_the_map_agrees_with_the_measurements_of_the_store(reader: RunReader) -> None:
    cells = queries_learning.cells(reader, "function", "closed")
    counted = {(c["version"], c["name"]): c["share"] for c in cells}
    infra = {
        (row["policy_version"], topic)
        for row in reader.episodes(limit=None, purpose="evaluate", infra_error=True)
        for topic in row["topics"]
    }
    compared = 0
    for row in reader.evaluations():
        for topic, share in row["by_topic"].items():
            if row["book"] == "closed" and (row["policy_version"], topic) not in infra:
                assert counted[row["policy_version"], topic] == pytest.approx(share)
                compared += 1
    assert compared > 40
    whole = {c["version"]: c["share"] for c in queries_learning.cells(reader, "domain", "closed")}
    closed = {r["policy_version"]: r["accuracy"] for r in reader.evaluations() if r["book"] == "closed"}
    assert whole == {version: pytest.approx(share) for version, share in closed.items()}
    assert {c["name"] for c in queries_learning.cells(reader, "kind", "open")} == {"single"}


def test_bands_hold_their_curves(reader: RunReader) -> None:
    rows = charts.with_bounds(reader.evaluations())
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in rows)
    solved = queries_learning.solved(reader)
    assert sum(row["attempts"] for row in solved) == reader.overview()["attempts"]
    assert all(row["low"] <= row["rate"] <= row["high"] for row in solved)
    made = charts_learning.solved(solved)
    assert sum(trace.fill == "toself" for trace in made.data) == len({row["step"] for row in solved}) == 3
    changes = queries_learning.changes(reader.updates())
    assert all(row["loss_low"] <= row["loss"] <= row["loss_high"] for row in changes)


def test_panels_are_of_what_was_measured(reader: RunReader) -> None:
    changes = queries_learning.changes(reader.updates())
    names = {trace.name for trace in charts_learning.changes(changes).data if trace.name}
    assert names == {"loss", "gradient norm"}
    measured = [{**row, "entropy": 0.5, "kl": 0.1, "clipped_positive": 0.0} for row in changes]
    names = {trace.name for trace in charts_learning.changes(measured).data if trace.name}
    assert {"entropy", "divergence from the reference", "clipped, positive advantage"} <= names
    assert "clipped, negative advantage" not in names


def test_waits_are_hatched_in_the_stack_of_times(reader: RunReader) -> None:
    made = charts.times(queries.stage_times(reader))
    shapes = {trace.name: trace.marker.pattern.shape for trace in made.data}
    assert shapes["verifier"] == "" and shapes["verifier waits"] == "/"


def test_the_page_tells_what_is_known(demo: Path, show: Show) -> None:
    app = show(demo, "learning", "demo")
    assert "12 known, 0 forgotten, 0 never known, of 12" in texts(app)
    assert "measured by recipes of reinforcement learning only" in texts(app)
    assert sum("the numbers" in box.label for box in app.expander) == 6


def test_a_function_that_was_lost_is_marked(tmp_path: Path, show: Show) -> None:
    make_demo_run(tmp_path / "run", rounds=3, topics=3)
    with sqlite3.connect(tmp_path / "run" / "run.db") as db:
        db.execute(
            "UPDATE groups SET mean_reward = (round < 3), verified = (round < 3), infra_errors = 0 "
            "WHERE purpose = 'evaluate' AND task_id IN "
            "(SELECT id FROM tasks WHERE topics_json = '[\"zwc.kopado\"]')"
        )
    app = show(tmp_path, "learning", "run", order="forgotten")
    assert "2 known, 1 forgotten, 0 never known, of 3" in texts(app)
    table = next(frame.value for frame in app.dataframe if "state" in frame.value)
    assert (table["name"][0], table["state"][0], table["lost"][0]) == ("zwc.kopado", "forgotten", 1.0)


def test_the_address_restores_every_choice(demo: Path, show: Show) -> None:
    app = show(demo, "learning", "demo", book="open", by="kind", order="name")
    assert [control.value for control in app.segmented_control] == ["open", "kind", "name"]
    assert "of 1" in texts(app)
    app.segmented_control[1].set_value("function").run()
    assert not app.exception and app.segmented_control[1].value == "function" and "of 12" in texts(app)
    assert show(demo, "learning", "demo", by="<b>").segmented_control[1].value == "function"


def test_reinforcement_learning_shows_its_curves(tmp_path: Path, show: Show) -> None:
    make_demo_run(tmp_path / "run", rounds=2)
    change = {"entropy": 1.25, "kl": 0.02, "clipped_positive": 0.1, "rollout_gap": 0.01, "staleness": 1.0}
    with sqlite3.connect(tmp_path / "run" / "run.db") as db:
        db.execute("UPDATE updates SET metrics_json = ?", [json.dumps(change)])
    app = show(tmp_path, "learning", "run")
    assert "measured by recipes" not in texts(app)
    table = next(frame.value for frame in app.dataframe if "loss_low" in frame.value)
    assert list(table["entropy"]) == [1.25, 1.25] and list(table["staleness"]) == [1.0, 1.0]


@pytest.mark.parametrize("asked", ["2", "99"])
def test_the_address_puts_a_version_first(demo: Path, show: Show, asked: str) -> None:
    page = show(demo, "learning", version=asked)
    known = asked == "2"
    assert (page.subheader[0].value == "Version 2") is known
    assert ("This run has no such version." in texts(page)) is not known
