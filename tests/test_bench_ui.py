"""The benchmark of the screen: its stores are whole runs, its goals decide, wrong options are refused."""

import json
from pathlib import Path

import pytest
from command import refused, taskspace

from experiments.benchmarks import ui
from experiments.benchmarks.ui_browser import missing
from experiments.benchmarks.ui_runs import ROUNDS, Filled
from memory.reader import RunReader


def test_a_store_is_a_whole_run_and_grows(tmp_path: Path) -> None:
    filled = Filled(tmp_path, 2000)
    with RunReader(tmp_path) as reader:
        numbers = reader.overview()
        assert numbers["attempts"] == filled.attempts == 2000 and numbers["tasks"] == 20
        assert numbers["rounds_finished"] == numbers["updates"] == numbers["evaluations"] == ROUNDS
        filled.grow(3)
        assert reader.overview()["attempts"] == 2024
    filled.close()


def test_goals_hold_up_to_the_size_they_are_set_for() -> None:
    good = {"1000 open_space_s": 0.9, "100000 open_space_first_s": 2.9, "100000 click_space_s": 0.9}
    assert ui._passed({**good, "1000000 open_space_s": 9.0, "100000 open_live_s": 9.0})
    for name, seconds in (
        ("100000 open_space_s", 3.1),
        ("100000 open_space_first_s", 3.1),
        ("1000 click_space_s", 1.1),
        ("100000 click_space_node_s", 1.1),
    ):
        assert not ui._passed({**good, name: seconds})


def test_wrong_sizes_are_refused(tmp_path: Path) -> None:
    assert "only for ui" in refused("bench", "store", "--sizes", "1000", cwd=tmp_path)
    assert "only for ui" in refused("bench", "space", "--minutes", "1", cwd=tmp_path)
    assert "not numbers of attempts" in refused("bench", "ui", "--sizes", "1000,many", cwd=tmp_path)
    assert "not numbers of attempts" in refused("bench", "ui", "--sizes", "10", cwd=tmp_path)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_small_benchmark_opens_and_clicks(tmp_path: Path) -> None:
    if missing():
        pytest.skip(str(missing()))
    done = taskspace(
        *("bench", "ui", "--sizes", "1000,2000", "--minutes", "0.05", "--repeats", "1", "--json"),
        cwd=tmp_path,
        timeout=560,
        TMPDIR=str(tmp_path),
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["ui"]
    for size in (1000, 2000):
        for name in ("open_space_first_s", "open_live_s", "click_space_node_s", "click_episode_row_s"):
            assert found[f"{size} {name}"] > 0
    assert found["2000 open_space_s ratio"] > 0 and found["watched_pages_opened"] >= 1
    assert not list(tmp_path.glob("taskspace-bench-*"))
