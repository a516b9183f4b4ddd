"""YAML by the rules of 1.2: words stay words, and stored settings come back as they were."""

import datetime
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from experiments import config
from protocols import plain_yaml
from protocols.settings import RunSettings

#: What 1.1 makes something else of.
TEXTS = [
    "yes",
    "no",
    "on",
    "off",
    "y",
    "N",
    "1:30",
    "1:30:00.5",
    "2026-11-30",
    "1_000",
    "=",
    "0b101",
    "0x",
    "1e",
    ".",
]
NUMBERS = {
    "010": 10, "0o17": 15, "0xff": 255, "-7": -7, "+3": 3, "1e-5": 1e-5, "1E5": 1e5, ".5": 0.5, "5.": 5.0,
    "-1.5e+3": -1500.0, ".inf": math.inf, "-.INF": -math.inf, "true": True, "FALSE": False,
    "null": None, "~": None, "": None,
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_words(text: str) -> None:
    assert plain_yaml.load(text) == text
    assert plain_yaml.load(f"[a, {text}]") == ["a", text]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_numbers(text: str) -> None:
    found = plain_yaml.load(text)
    assert found == NUMBERS[text] and type(found) is type(NUMBERS[text])


def test_a_number_that_is_none() -> None:
    assert math.isnan(plain_yaml.load(".nan")) and plain_yaml.load("nan") == "nan"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_what_was_stored_comes_back(values: dict) -> None:
    """Stored settings were written by rules of 1.1. Texts that only 1.2 takes for numbers, such as 1e5, are
    the exception: no setting has such a text."""
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    assert plain_yaml.load(text) == yaml.safe_load(text) or any(c.isdecimal() for c in text)


def test_the_default_settings_come_back(tmp_path) -> None:
    settings = RunSettings()
    config.save(settings, tmp_path / "config.yaml")
    assert config.load_file(tmp_path / "config.yaml") == settings


@pytest.mark.parametrize("value", ["yes", "1:30", "2026-11-30"])
def test_a_name_on_the_command_line_is_a_text(value: str) -> None:
    assert config.merged({}, [f"model.name={value}"]) == {"model": {"name": value}}
    assert not isinstance(yaml.safe_load(value), str) or isinstance(yaml.safe_load(value), datetime.date)


@pytest.mark.parametrize(
    "text", ["1" * 5000, "!!int abc", "!!bool x", '"\\UFFFFFFFF"', "!!float ''", "[" * 2000]
)
def test_what_is_no_value_is_an_error_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        plain_yaml.load(text)
