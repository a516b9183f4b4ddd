"""Settings come from presets and overrides, and whatever is wrong says so in one line."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from experiments import config
from protocols.errors import SettingError
from protocols.settings import RunSettings

KEYS = sorted(key for key, _ in config.keys())  # noqa: SIM118  (a function, not a dictionary)


def refusal(preset: str, *overrides: str) -> str:
    with pytest.raises(SettingError) as caught:
        config.load(preset, list(overrides))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", config.presets())
def test_every_preset_loads_and_names_itself(name: str) -> None:
    assert config.load(name).preset == name


def test_presets_are_the_documented_ones() -> None:
    assert {"quickstart", "smoke", "laptop"} <= set(config.presets())


def test_overrides_win_over_the_preset_and_are_yaml() -> None:
    settings = config.load(
        "smoke",
        ["rounds=7", "learner.learning_rate=1e-3", "zwc.names=[mean, max]", "model.revision=null"],
    )
    assert settings.rounds == 7
    assert settings.learner.learning_rate == 1e-3
    assert settings.zwc.names == ("mean", "max")
    assert settings.model.revision is None
    assert settings.engine.kind == config.load("smoke").engine.kind


def test_later_overrides_win() -> None:
    assert config.load("smoke", ["rounds=7", "rounds=9"]).rounds == 9


def test_a_file_is_a_preset_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("rounds: 9\nsolver: {group_size: 2}\n")
    settings = config.load(path)
    assert (settings.preset, settings.rounds, settings.solver.group_size) == ("mine", 9, 2)


def test_saved_settings_are_complete_and_read_back_equal(tmp_path: Path) -> None:
    settings = config.load("quickstart", ["seed=5", "runtime.resources={engine: {num_gpus: 1}}"])
    config.save(settings, tmp_path / "config.yaml")
    assert config.load_file(tmp_path / "config.yaml") == settings
    flat = yaml.safe_load((tmp_path / "config.yaml").read_text())
    for key in KEYS:
        here = flat
        for part in key.split("."):
            here = here[part]


@given(st.sampled_from(KEYS), st.data())
def test_a_misspelt_key_is_refused_and_the_right_one_suggested(key: str, data: st.DataObject) -> None:
    last = key.rsplit(".", 1)[-1]
    if len(last) < 5:  # too short to tell a slip from another word
        return
    drop = data.draw(st.integers(1, len(last) - 1))
    wrong = key[: len(key) - len(last)] + last[:drop] + last[drop + 1 :]
    if wrong in KEYS:
        return
    message = refusal("smoke", f"{wrong}=1")
    assert repr(wrong) in message and "did you mean" in message


def test_a_forgotten_section_is_suggested() -> None:
    assert "'solver.group_size'" in refusal("smoke", "group_size=3")


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("learner.learning_rate=5", ["learner.learning_rate", "5", "0 < value <= 1", "--set"]),
        ("solver.group_size=0", ["solver.group_size", "0", "1 <= value <= 1024"]),
        ("solver.sampling.top_p=0", ["solver.sampling.top_p", "0 < value <= 1"]),
        ("max_staleness=-1", ["max_staleness", "0 <= value <= 1000"]),
        ("engine.kind=vlm", ["engine.kind", "'vlm'", "'transformers'"]),
        ("rounds=many", ["rounds", "'many'", "integer"]),
        ("zwc.names=3", ["zwc.names", "3"]),
        ("rounds.x=3", ["rounds", "single value"]),
        ("rounds", ["key=value"]),
        ("rounds={", ["not YAML"]),
        ("runtime.resources={engine: {num_gpus: x}}", ["runtime.resources", "'x'", "number"]),
    ],
)
def test_bad_values_name_key_value_bound_and_remedy(override: str, parts: list[str]) -> None:
    message = refusal("smoke", override)
    for part in parts:
        assert part in message


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_override_is_taken_or_refused_in_one_line(key: str, value: str) -> None:
    try:
        config.load("smoke", [f"{key}={value}"])
    except SettingError as error:
        assert str(error)


def test_unknown_preset_suggests_the_nearest_and_lists_all() -> None:
    message = refusal("quikstart")
    assert "did you mean 'quickstart'" in message and "smoke" in message


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "rounds: 1\n  bad: 2\n", "just words"])
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert str(path) in refusal(str(path))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(str(tmp_path / "none.yaml"))


def test_resuming_takes_more_rounds_and_refuses_another_experiment() -> None:
    old = config.load("smoke")
    config.require_resumable(old, config.load("smoke", ["rounds=9", "runtime.kind=inline"]), "runs/x")
    config.require_resumable(old, config.load("smoke", ["learner.ranks=2"]), "runs/x")
    with pytest.raises(SettingError) as caught:
        config.require_resumable(
            old, config.load("smoke", ["seed=4", "learner.recipe=open-sft", "rounds=9"]), "runs/x"
        )
    message = str(caught.value)
    assert "runs/x" in message and "seed (1 -> 4)" in message
    assert "learner.recipe ('closed-sft' -> 'open-sft')" in message
    assert "rounds" not in message


def test_differing_is_empty_for_equal_settings() -> None:
    assert config.differing(RunSettings(), RunSettings()) == []


def test_a_runs_own_settings_are_read_under_the_names_they_had() -> None:
    found = config.resolve({"curator": {"buffer_size": 7, "buffer_p": 0.25, "kappa": 1.5, "per_task_cap": 2}})
    buffer = found.curator.buffer
    assert (buffer.size, buffer.p, buffer.kappa, found.curator.per_task_cap) == (7, 0.25, 1.5, 2)
    both = config.resolve({"curator": {"buffer_size": 7, "buffer": {"size": 9}}})
    assert both.curator.buffer.size == 9


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp/x", "a/b", "..", ".hidden", "a\\b", "x\ny", ""])
def test_a_preset_names_no_place(name: str) -> None:
    with pytest.raises(SettingError, match="preset"):
        config.resolve({"preset": name})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("solver: &s {solver: *s}", "no value"),
        ("rounds: 3\nrounds: 5", "'rounds' is there twice"),
        ("solver: {group_size: 2}\nrounds: 1\nsolver: {}", "'solver' is there twice"),
        ("rounds: " + "9" * 5000, "no value"),
        ("a: \x00", "special characters"),
        ('preset: "a\\x9b"', "control character"),
        ('preset: "a\\0"', "control character"),
    ],
)
def test_yaml_that_is_none_is_told_in_its_own_words(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=why):
        config.load(path)


@pytest.mark.parametrize("override", ["solver=&s {a: *s}", "zwc.names=&s [*s]"])
def test_a_value_that_holds_itself_is_refused(override: str) -> None:
    with pytest.raises(SettingError, match="--set"):
        config.load("smoke", [override])
