"""Compare and Runs: with ladders, with runs that cannot be read, with a hundred of them."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_run import HOSTILE, MARK, make_demo_run
from pages import Show, texts

from memory.profiles import compared, profile
from memory.reader import RunReader
from ui import charts_compare, runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for name, seed in (("demo", 1), ("ladder/closed-sft-seed1", 1), ("ladder/closed-sft-seed2", 2)):
        make_demo_run(root / name, rounds=2, seed=seed, topics=4, groups_per_round=8)
    make_demo_run(root / "deep" / "exit" / "exit-seed1", rounds=1, topics=2, groups_per_round=8)
    make_demo_run(root / "hostile", rounds=1, topics=4, groups_per_round=8, hostile=True)
    (root / "ladder" / "notes").mkdir()
    return root


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    yield Show(monkeypatch)


def spoil(run: Path, how: str) -> None:
    """Make a run one that cannot be read."""
    database = run / "run.db"
    if how == "damaged":
        whole = database.read_bytes()
        database.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    elif how == "newer":
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 9999")
        connection.close()
    elif how == "void":
        database.write_bytes(b"")
    else:
        database.unlink()


# --- finding ---


def test_runs_of_ladders_are_found_and_the_newest_stands_first(folder: Path) -> None:
    found = runs.find_runs(folder)
    assert set(found) == {
        "demo",
        "ladder/closed-sft-seed1",
        "ladder/closed-sft-seed2",
        "deep/exit/exit-seed1",
        "hostile",
    }
    assert next(iter(found)) == "hostile"
    times = [runs.written(path) for path in found.values()]
    assert times == sorted(times, reverse=True)


def test_folders_inside_runs_and_hidden_ones_are_not_looked_into(tmp_path: Path) -> None:
    for name in ("run", "run/checkpoints/inner", ".hidden/inner", "a/b/c/too-deep"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.db").touch()
    assert set(runs.find_runs(tmp_path)) == {"run"}


# --- compare ---


def test_compare_asks_for_runs_first(folder: Path, show: Show) -> None:
    app = show(folder, "compare", "demo")
    assert "Choose the runs to compare." in texts(app)
    assert set(app.multiselect[0].options) == set(runs.find_runs(folder))


def test_compare_shows_intervals_and_paired_tests(folder: Path, show: Show) -> None:
    chosen = ["ladder/closed-sft-seed1", "ladder/closed-sft-seed2"]
    app = show(folder, "compare", "demo", runs=chosen, curve="loss", over="tokens")
    assert app.multiselect[0].value == chosen
    assert app.subheader[0].value.startswith("Mean loss")
    assert len(app.get("plotly_chart")) == 1
    rows = app.dataframe[0].value
    held_out = {}
    for name in chosen:
        with RunReader(folder / name) as reader:
            held_out[name] = profile(reader).held_out
    told = compared(held_out, chosen[0])[chosen[1]]
    assert told is not None and told.against is not None
    second = rows.iloc[1]
    assert second["accuracy"] == 100 * told.accuracy and second["tasks"] == 8
    assert second["difference"] == f"{100 * told.against.difference:+.1f} points"
    assert second["p"] == f"{told.against.p:.4f}" and second["test"] == "McNemar, exact"
    settings = app.dataframe[1].value
    assert list(settings["key"]) == ["seed"]
    assert settings.iloc[0].to_list() == ["seed", "1", "2"]


def test_compare_takes_the_reference_from_the_address(folder: Path, show: Show) -> None:
    chosen = ["demo", "ladder/closed-sft-seed2"]
    app = show(folder, "compare", runs=chosen, reference=chosen[1])
    rows = app.dataframe[0].value.set_index("name")
    assert rows["difference"].notna().to_dict() == {"demo": True, chosen[1]: False}


def test_compare_puts_seeds_together(folder: Path, show: Show) -> None:
    chosen = ["ladder/closed-sft-seed1", "ladder/closed-sft-seed2", "deep/exit/exit-seed1"]
    app = show(folder, "compare", runs=chosen, seeds="true")
    rows = app.dataframe[0].value
    # The demo's settings are all the same but for the seed.
    assert list(rows["runs"]) == [3] and " to " in rows["spread"][0]  # Student's interval over the three


def test_compare_goes_on_without_runs_that_cannot_be_read(tmp_path: Path, show: Show) -> None:
    for name in ("good", "bad"):
        make_demo_run(tmp_path / name, rounds=1, topics=2, groups_per_round=8)
    spoil(tmp_path / "bad", "newer")
    app = show(tmp_path, "compare", runs=["good", "bad", "gone <b>"])
    assert "Some of these runs cannot be read now." in texts(app) and "upgrade taskspace" in texts(app)
    assert "Not every run of this address is here." in texts(app) and "gone <b>" in texts(app)
    assert list(app.dataframe[0].value["name"]) == ["good"]
    app = show(tmp_path, "compare", runs="bad")
    assert not app.dataframe


def test_compare_draws_bands_over_seeds(folder: Path) -> None:
    with RunReader(folder / "ladder" / "closed-sft-seed1") as reader:
        first = profile(reader).curves["closed book"]
    with RunReader(folder / "ladder" / "closed-sft-seed2") as reader:
        second = profile(reader).curves["closed book"]
    figure = charts_compare.curves({"both <b>": [first, second]}, "version", True)
    band, line = figure.data
    assert list(line.x) == [0, 1, 2]
    assert list(line.y) == [(a.value + b.value) / 2 for a, b in zip(first, second)]
    assert list(band.y[:3]) == [max(a.value, b.value) for a, b in zip(first, second)]
    assert line.name == "both &lt;b&gt;"
    apart = charts_compare.curves({"both": [first, second]}, "tokens", True)
    assert len(apart.data) == 2 and [trace.showlegend for trace in apart.data] == [True, False]


# --- the overview ---


def test_the_overview_lists_runs_newest_first(folder: Path, show: Show) -> None:
    app = show(folder, "runs", "demo")
    rows = app.dataframe[0].value
    assert list(rows["run"]) == list(runs.find_runs(folder))
    demo = rows.set_index("run").loc["demo"]
    with RunReader(folder / "demo") as reader:
        numbers = reader.overview()
        closed = [row["accuracy"] for row in reader.evaluations() if row["book"] == "closed"]
    assert (demo["attempts"], demo["version"], demo["round"]) == (numbers["attempts"], 2, "2 of 4")
    assert (demo["before"], demo["after"]) == (100 * closed[0], 100 * closed[-1])
    assert "problem" not in rows


def test_the_overview_searches_by_name(folder: Path, show: Show) -> None:
    app = show(folder, "runs", "demo", find="seed2 LADDER")
    assert list(app.dataframe[0].value["run"]) == ["ladder/closed-sft-seed2"]
    app = show(folder, "runs", "demo", find="no such <b>")
    assert "No run has such a name." in texts(app)


def test_the_overview_needs_no_chosen_run(folder: Path, show: Show) -> None:
    assert len(show(folder, "runs", "nowhere").dataframe[0].value) == 5


@pytest.mark.parametrize("how", ["damaged", "newer", "void"])
def test_the_overview_says_which_runs_cannot_be_read(tmp_path: Path, show: Show, how: str) -> None:
    for name in ("good", "bad"):
        make_demo_run(tmp_path / name, rounds=1, topics=2, groups_per_round=8)
    spoil(tmp_path / "bad", how)
    rows = show(tmp_path, "runs", "good").dataframe[0].value.set_index("run")
    assert str(tmp_path / "bad")[-20:] in rows["problem"]["bad"] and not rows["problem"]["good"]
    assert rows["attempts"]["good"] == 32


def test_a_hundred_runs_are_listed_fast_and_read_once(tmp_path: Path, show: Show) -> None:
    first = make_demo_run(tmp_path / "run-000", rounds=1, topics=2, groups_per_round=8)
    for i in range(1, 100):
        shutil.copytree(first, tmp_path / f"run-{i:03}")
    show(tmp_path, "runs", "run-000")
    begun = time.monotonic()
    app = show(tmp_path, "runs", "run-000")
    assert time.monotonic() - begun < 3  # the second time nothing is opened but the chosen run
    assert len(app.dataframe[0].value) == 100
    assert len(app.sidebar.selectbox[0].options) == 100


# --- every page about a run that goes away, or is replaced ---


@pytest.mark.parametrize("page", ["data", "compare", "runs"])
@pytest.mark.parametrize("how", ["damaged", "newer", "void"])
def test_new_pages_are_calm_about_runs_that_cannot_be_read(
    tmp_path: Path, show: Show, page: str, how: str
) -> None:
    make_demo_run(tmp_path / "bad", rounds=1, topics=2, groups_per_round=8)
    spoil(tmp_path / "bad", how)
    app = show(tmp_path, page, "bad", runs="bad", sql="SELECT 1")
    assert str(tmp_path / "bad")[-20:] in texts(app)


@pytest.mark.parametrize("page", ["live", "space", "episode", "learning", "data", "compare", "runs"])
def test_a_run_that_is_deleted_while_it_is_looked_at(tmp_path: Path, show: Show, page: str) -> None:
    for name in ("stays", "goes"):
        make_demo_run(tmp_path / name, rounds=1, topics=2, groups_per_round=8)
    app = show(tmp_path, page, "goes", runs="goes", sql="SELECT 1")
    shutil.rmtree(tmp_path / "goes")
    app.run()
    assert not app.exception and not app.error
    assert "goes" in texts(app) or page == "runs"
    # Another one takes its place, and is shown.
    make_demo_run(tmp_path / "goes", rounds=1, topics=3, groups_per_round=8)
    app.run()
    assert not app.exception and not app.error
    assert "This run cannot be shown now." not in texts(app)


@pytest.mark.parametrize("page", ["live", "space", "episode", "learning", "data", "compare", "runs"])
def test_a_locked_run_is_told_in_a_sentence_on_every_page(
    tmp_path: Path, show: Show, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr("memory.opening._BUSY_S", 0.05)
    make_demo_run(tmp_path / "locked", rounds=1, topics=2, groups_per_round=8)
    connection = sqlite3.connect(tmp_path / "locked" / "run.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("UPDATE counter SET version = version + 1")  # takes the lock, and keeps it
    try:
        assert "lock" in texts(show(tmp_path, page, "locked", runs="locked", sql="SELECT 1")).replace(
            "locked/run.db", ""
        )
    finally:
        connection.close()
    app = show(tmp_path, page, "locked", runs="locked", sql="SELECT 1")
    assert "cannot be" not in texts(app)


@pytest.mark.parametrize("page", ["compare", "runs"])
def test_hostile_names_and_settings_stay_text(tmp_path: Path, show: Show, page: str) -> None:
    name = f"<img src=x onerror=alert(1)> :red[{MARK}] **b**"
    make_demo_run(tmp_path / name.replace("/", ""), rounds=1, topics=2, groups_per_round=8, hostile=True)
    make_demo_run(tmp_path / "other", rounds=1, topics=2, groups_per_round=8)
    app = show(tmp_path, page, runs=[name, "other"])
    assert MARK in texts(app)
    if page == "compare":
        assert HOSTILE[0][:40] in texts(app).replace('""', '"').replace("\\", "")
    for element in [*app.markdown, *app.caption, *app.info, *app.title, *app.subheader]:
        assert MARK not in str(element.value) and "<img" not in str(element.value)
