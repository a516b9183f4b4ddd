"""The ladder's table and interval."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.ladders.internalise import bootstrap, table
from protocols.errors import SettingError


def run(recipe, seed, after):
    return {
        "recipe": recipe, "seed": seed, "closed_book_before": 0.0, "closed_book_after": after,
        "open_book_before": None, "proposals": 4, "proposed_tasks": 2, "attempts": 9, "verified": 3,
        "proposal_noise": {"known": 2, "wrong": 1, "share": 0.5}, "tokens_trained": 10, "seconds": 1.4,
        "peak_memory_mb": 99.6,
    }  # fmt: skip


def test_every_run_has_a_row_and_every_recipe_its_mean_beside_the_published_number():
    text = table([run("closed-sft", 1, 0.8), run("closed-sft", 2, 1.0), run("open-sft", 1, 0.0)])
    rows = [line for line in text.splitlines() if line.startswith("| closed-sft | 1 |")]
    assert rows == ["| closed-sft | 1 | 0.000 | 0.800 | - | 4 | 2 | 1 of 2 | 9 | 3 | 10 | 1 | 100 |"]
    assert "| closed-sft | 0.900 | 0.800 to 1.000 | 0.396 |" in text
    assert "| open-sft | 0.000 | 0.000 to 0.000 | 0.000 |" in text


def test_runs_that_measured_nothing_have_a_row_without_numbers():
    unmeasured = {**run("closed-sft", 2, None), "closed_book_before": None}
    del unmeasured["open_book_before"]
    text = table([run("closed-sft", 1, 0.8), unmeasured])
    assert "| closed-sft | 2 | - | - | - |" in text and "| closed-sft | 0.800 | 0.800 to 0.800 |" in text
    assert "| closed-sft | - | - to - | 0.396 |" in table([unmeasured])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_the_interval_holds_the_mean_and_stays_within_the_values(values):
    low, high = bootstrap(values)
    mean = sum(values) / len(values)
    assert min(values) - 1e-9 <= low <= mean + 1e-9 and mean - 1e-9 <= high <= max(values) + 1e-9


def test_an_unknown_recipe_is_refused_before_anything_runs(tmp_path):
    from experiments.ladders.internalise import play

    with pytest.raises(SettingError, match="magic"):
        play("smoke", ["magic"], [1], [], tmp_path, True)
    assert not list(tmp_path.iterdir())
