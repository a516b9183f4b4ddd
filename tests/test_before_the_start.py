"""Surroundings and input that cannot work, or nearly: one line before the start, or they just work."""

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command import environment, refused, taskspace
from demo_run import make_demo_run
from hypothesis import given
from hypothesis import strategies as st

from actors import joining
from experiments import config, preflight, terminal
from experiments.benchmarks import contenders
from experiments.commands import machine
from experiments.commands import runs as commands
from memory.reader import RunReader
from protocols import plain_yaml
from protocols.clock import Began
from protocols.errors import SettingError
from protocols.settings import RuntimeSettings

PLAIN = environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")


def test_a_run_that_has_nothing_to_train_on(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"problem": "1 + 1?", "answer": "2"}\n')
    given = ["domain=math", "proposer.per_round=0", "math.train=one.jsonl", "math.test=[one.jsonl]"]
    sets = [part for text in (*given, "evaluation.kind=all") for part in ("--set", text)]
    told = refused("run", "smoke", *sets, cwd=tmp_path)
    assert "domain math: it has no training task (those that are held out are left out)" in told
    assert not list((tmp_path / "runs").glob("*")) if (tmp_path / "runs").exists() else True


@pytest.mark.parametrize("text", ['"\\boxed{"', '"\\frac{1}{2}"', '"\\alpha"', "'\\boxed{'", "\\boxed{"])
def test_a_backslash_in_double_quotes_is_no_other_sign_in_silence(text: str, tmp_path: Path) -> None:
    if not text.startswith('"'):
        assert config.merged({}, [f"math.opening={text}"]) == {"math": {"opening": "\\boxed{"}}
        return
    file = tmp_path / "run.yaml"
    file.write_text(f"math:\n  opening: {text}\n")
    with pytest.raises(SettingError, match=r"--set math.opening: a control character .* single quotes"):
        config.merged({}, [f"math.opening={text}"])
    with pytest.raises(SettingError, match=r"run.yaml: math: opening: a control character .* single quotes"):
        config.values_of(file)


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20))
def test_other_texts_in_quotes_stay_as_they_are(text: str) -> None:
    quoted = json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    assert plain_yaml.load(quoted) == text


@given(st.text(max_size=40))
def test_a_terminal_without_utf8_shows_every_text(text: str) -> None:
    terminal.set_up()
    shown = text.encode("ascii", "taskspace.ascii").decode("ascii")
    assert text.isascii() <= (shown == text)
    assert "─│…é".encode("ascii", "taskspace.ascii") == b"-|...\\xe9"


def test_commands_in_a_terminal_without_utf8(tmp_path: Path) -> None:
    make_demo_run(tmp_path / "demo", rounds=1, hostile=True)
    for command in (["replay", "demo"], ["space", "demo"], ["report", "demo", "--markdown", "-"]):
        ended = taskspace(
            *command, cwd=tmp_path, **{k: PLAIN[k] for k in ("LC_ALL", "PYTHONUTF8", "PYTHONCOERCECLOCALE")}
        )
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr and ended.stdout.isascii()


HALF = "\ud800"


@pytest.mark.parametrize(
    "strange",
    [
        {"prompt": f"b{HALF}?"},
        {"prompt": [{"role": HALF, "content": "b"}]},
        {"task": HALF},
        {"info": {"group_id": HALF}},
        {"info": {"topics": [HALF], "category": "x"}},
        {"info": {"history": [{"attempt_id": HALF, "response": "a", "reward": 1}]}},
    ],
)
def test_half_a_character_costs_its_line_only(tmp_path: Path, strange: dict[str, Any]) -> None:
    lines = [
        {"prompt": p, "completion": c, "reward": 1}
        for p, c in (("a?", "one"), ("b?", "two"), ("c?", "three"))
    ]
    lines[1] |= strange
    file = tmp_path / "theirs.jsonl"
    file.write_text("\n\n".join(json.dumps(line) for line in lines) + "\n")
    ended = taskspace("import", file, "--out", tmp_path / "made", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "theirs.jsonl line 3: left out, \\ud800 is half of a character" in ended.stderr
    with RunReader(tmp_path / "made") as reader:
        assert reader.overview()["attempts"] == 2


def test_what_a_model_said_is_kept_whatever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "theirs.jsonl"
    file.write_text(json.dumps({"prompt": "a?", "completion": f"t{HALF}wo", "reward": 1}) + "\n")
    assert taskspace("import", file, "--out", tmp_path / "made", cwd=tmp_path).returncode == 0
    with RunReader(tmp_path / "made") as reader:
        assert [e["response"] for e in reader.episodes(limit=None)] == ["t\\ud800wo"]


def test_a_clock_set_back_makes_no_negative_times(monkeypatch: pytest.MonkeyPatch) -> None:
    began = Began()
    monkeypatch.setattr(time, "time", lambda: began.at - 3600.0)
    assert 0 <= began.seconds < 60


@pytest.mark.parametrize("error", [Exception, RuntimeError, TimeoutError, AssertionError, KeyError])
def test_a_ray_that_does_not_start_in_time_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    ray = joining.quiet_ray()

    def start(**_: Any) -> None:
        raise error("The current node timed out during startup.\nSome of its processes failed.")

    monkeypatch.setattr(ray, "init", start)
    with pytest.raises(
        SettingError, match=r"runtime.kind: Ray cannot start here \(.*timed out during startup"
    ) as told:
        joining.connect(RuntimeSettings(kind="ray"))
    assert "\n" not in str(told.value) and "runtime.kind=inline" in str(told.value)
    assert "ray" in sys.modules


RL = ["learner.recipe=open-rl", "learner.grpo.engine_cap=null", "solver.sampling.top_p=0.9"]


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        (["learner.grpo.denominator=rollout"], "learner.grpo.denominator=recomputed"),
        (["learner.grpo.engine_cap=2"], "learner.grpo.engine_cap=null"),
        (["learner.grpo.engine_band=2"], "learner.grpo.engine_band=null"),
        (["learner.grpo.denominator=recomputed"], ""),
        (["learner.grpo.denominator=rollout", "solver.sampling.top_p=1"], ""),
        (["learner.recipe=closed-sft", "learner.grpo.denominator=rollout"], ""),
    ],
)
def test_ratios_to_a_nucleus_are_refused(more: list[str], remedy: str) -> None:
    settings = config.load("smoke", [*RL, *more])
    if not remedy:
        preflight.check_ratios(settings)
        return
    with pytest.raises(SettingError, match=rf"solver.sampling.top_p: 0.9 .*top_p=1, or --set {remedy}"):
        preflight.check_ratios(settings)


def test_benchmarks_against_trl_without_it_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trl" else found(name))
    for module in ("grpo", "learner"):
        with pytest.raises(SettingError, match=rf"bench {module}: TRL is not installed; pip install"):
            contenders.apart(f"experiments.benchmarks.{module}", "trl", {})
    assert not {"grpo", "learner"} & set(machine._all_that_run_here())
    assert "bench: grpo is left out, TRL is not installed" in capsys.readouterr().err


def test_a_run_to_remember_may_be_named(tmp_path: Path) -> None:
    make_demo_run(tmp_path / "runs" / "mine", rounds=1)
    runs_dir = tmp_path / "runs"
    assert commands._named(Path("mine"), runs_dir) == runs_dir / "mine"
    assert commands._named(runs_dir / "mine", Path("elsewhere")) == runs_dir / "mine"
    assert commands._named(Path("none"), runs_dir) == Path("none") and commands._named(None, runs_dir) is None
    told = refused("eval", "tiny-random", "--memory", "none", cwd=tmp_path)
    assert "--memory none: no run.db there; give a run's folder, or its name" in told
