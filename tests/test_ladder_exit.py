"""The ExIt ladder: rows as data, scales, playing from one start, reading, table and plots."""

import json
from pathlib import Path

import pytest
import yaml
from command import refused
from loop_driver import small_run

from experiments import config
from experiments.ladders.exit import dry, playing, plots, reading, scales
from experiments.ladders.exit.rows import ROWS, folder_of
from experiments.ladders.exit.table import table
from memory.reader import RunReader
from protocols.errors import SettingError

PLAYED = ["improve", "single"]


@pytest.fixture(scope="module")
def small_scale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ladder on a tiny random model and scripted answers."""
    settings = small_run(proposer={"per_round": 0}).model_dump(mode="json")
    settings["evaluation"] |= {"every": 0, "before": False, "tasks": 2}
    settings["curator"]["buffer"] = {"least": 2}
    settings["solver"].pop("chain")
    settings["learner"] = {"threads": 1, "device": "cpu"}
    domain = {
        "settings": {"rounds": 3, "solver": {"groups_per_round": 4}},
        "start": {"rounds": 1, "learner": {"recipe": "closed-sft"}},
        "measured": {
            "steps": 2,
            "samples": 2,
            "kind": "single",
            "tasks": 2,
            "sampling": {"temperature": 0.6},
        },
        "rows": {"improve": {"curator": {"buffer": {"p": 0.8}}}},
    }
    device = {"count": 1, "tflops": 1, "generating": 0.5, "learning": 0.5}
    path = tmp_path_factory.mktemp("scale") / "small.yaml"
    path.write_text(yaml.safe_dump({"settings": settings, "domains": {"zwc": domain}, "device": device}))
    return path


@pytest.fixture(scope="module")
def played(small_scale: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    scale = scales.load(str(small_scale), "zwc")
    assert playing.play(scale, playing.chosen(PLAYED), [1], [], folder, True) == []
    return folder


def test_every_row_starts_where_the_run_before_them_ended(played: Path) -> None:
    assert {path.name for path in played.iterdir()} == {
        "base-seed1.json", "start-seed1", "grpo-seed1", "improve-seed1", "single-seed1",
    }  # fmt: skip
    model = config.load_file(played / "improve-seed1" / "config.yaml").model.name
    assert Path(model).parent == (played / "start-seed1" / "checkpoints").resolve()


def test_a_single_task_is_the_one_that_most_was_learned_from(played: Path) -> None:
    chosen = config.load_file(played / "single-seed1" / "config.yaml").curator.base_tasks
    with RunReader(played / "grpo-seed1") as reader:
        first = reader.rows(
            "SELECT task_id, learnability FROM groups WHERE round = 1 AND purpose = 'collect'"
        )
    worth = {row["task_id"]: row["learnability"] for row in first}
    assert len(chosen) == 1 and worth[chosen[0]] == max(worth.values())
    with RunReader(played / "single-seed1") as reader:
        assert {g["task_id"] for g in reader.groups(None, purpose="collect")} == set(chosen)


def test_figures_are_those_of_the_store(played: Path) -> None:
    run = reading.figures(folder_of(played, "improve", 1), "improve", 1)
    with RunReader(folder_of(played, "improve", 1)) as reader:
        groups = reader.groups(None, purpose="collect")
        base = {t["id"] for t in reader.tasks(None, split="train")}
    last = [g for g in groups if g["round"] == 3]
    assert run.reward[-1] == (3, pytest.approx(sum(g["mean_reward"] for g in last) / len(last)))
    assert run.distinct[-1][1] == pytest.approx(len({g["start_id"] for g in groups}) / len(base))
    assert run.depth[0] == (1, 0.0) and max(value for _, value in run.depth) > 0
    assert all(origin < number for number, origin in run.origin) and 0 < run.replayed < 1
    assert [one.steps for one in run.steps] == [0, 1, 2]
    assert run.steps[0].net == 0 and all(one.majority.mean <= one.best.mean for one in run.steps)


def test_played_rows_are_not_played_again(small_scale: Path, played: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in played.glob("*/run.db")}
    scale = scales.load(str(small_scale), "zwc")
    assert playing.play(scale, playing.chosen(PLAYED), [1], [], played, True) == []
    assert {path: path.stat().st_mtime_ns for path in played.glob("*/run.db")} == before


def test_the_table_puts_published_figures_beside_ours_and_plots_are_drawn(
    played: Path, tmp_path: Path
) -> None:
    base, found = reading.base(played, [1]), reading.of_rows(played, list(ROWS.values()), [1])
    assert list(found) == ["grpo", "improve", "single"]
    text = table("math", base, found)
    lines = text.splitlines()
    assert lines[2].startswith("| method | seeds | k = 0 | k = 1 | k = 2 | published")
    assert any(line.startswith("| before | 1 | ") and line.endswith("| 17.4 % | -0.4 |") for line in lines)
    assert any(line.startswith("| + improve | 1 | ") and line.endswith("| 19.6 % | +1.2 |") for line in lines)
    (single,) = [line for line in lines if line.startswith("| single | 1 |")]
    assert single.split(" | ")[10] == f"{found['single'][0].metrics['diversity_factor']:.2f}"
    names = {file.name for file in plots.draw(base, found, tmp_path)}
    assert names == {
        f"{n}.svg" for n in ("steps", "net", "depth", "origin", "distinct", "distance", "reward")
    }


@pytest.mark.parametrize("domain", ["zwc", "math"])
def test_every_row_of_the_laptop_scale_has_valid_settings(domain: str, tmp_path: Path) -> None:
    scale = scales.load("laptop", domain)
    for row in ROWS.values():
        settings = scales.settings_of(scale, row, 5, [], tmp_path)
        assert (settings.seed, settings.learner.recipe, settings.domain) == (5, row.recipe, domain)


def test_published_hyper_parameters_stand_in_the_paper_scale(tmp_path: Path) -> None:
    def of(domain: str, row: str):
        return scales.settings_of(scales.load("paper", domain), ROWS[row], 0, [], tmp_path)

    for name in ("curriculum", "improve", "diverge", "exit"):
        made = of("math", name)
        buffer = made.curator.buffer
        assert (buffer.size, buffer.least, buffer.p, made.learner.learning_rate) == (512, 128, 0.5, 1e-6)
        assert (made.solver.groups_per_round, made.solver.group_size, made.rounds) == (128, 8, 100)
    assert of("math", "exit").learner.grpo.aggregation == "sequence_mean"
    assert [of("tools", n).learner.learning_rate for n in ("grpo", "improve", "exit")] == [1e-6, 5e-7, 1e-6]
    assert [of("tools", n).curator.buffer.size for n in ("curriculum", "improve")] == [320, 640]
    assert [of("tools", n).curator.buffer.p for n in ("curriculum", "improve")] == [0.2, 0.5]
    assert [of("tools", n).curator.buffer.diverge for n in ("diverge", "exit")] == [0.2, 0.5]
    assert [of("mle", n).curator.buffer.size for n in ("curriculum", "improve", "diverge", "exit")] == [
        3,
        24,
        32,
        24,
    ]
    assert [of("mle", n).curator.buffer.least for n in ("curriculum", "improve", "diverge", "exit")] == [
        3,
        8,
        8,
        3,
    ]
    assert of("mle", "grpo").learner.grpo.reference_step == 0.5


def test_the_dry_run_estimates_every_row_without_weights() -> None:
    text = dry.report(scales.load("laptop", "zwc"), playing.chosen(["paper", "baselines"]), [])
    assert all(f"| {name} | " in text for name in ROWS)
    assert "0.13 billion parameters" in text


def test_wrong_choices_are_refused_in_one_line(tmp_path: Path) -> None:
    assert "choose among the parts paper, baselines" in refused(
        "ladder", "exit", "--rows", "nope", cwd=tmp_path
    )
    assert "choose one of zwc, math" in refused("ladder", "exit", "--domain", "nope", cwd=tmp_path)
    assert "choose one of laptop, paper" in refused("ladder", "exit", "--scale", "nope", cwd=tmp_path)
    with pytest.raises(SettingError, match="is no training task of zwc"):
        from actors.curator import Curator

        Curator(small_run(curator={"base_tasks": ["nope"]}), str(tmp_path)).open()


def test_a_row_that_fails_costs_itself_and_those_that_need_it(small_scale: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(small_scale.read_text())
    values["domains"]["zwc"] |= {"start": None, "rows": {"grpo": {"model": {"name": "./missing"}}}}
    path = tmp_path / "failing.yaml"
    path.write_text(yaml.safe_dump(values))
    failed = playing.play(
        scales.load(str(path), "zwc"), playing.chosen(["single"]), [1], [], tmp_path / "r", True
    )
    assert len(failed) == 2 and "missing" in failed[0] and "needs grpo" in failed[1]
    assert json.loads((tmp_path / "r" / "base-seed1.json").read_text())["steps"]
