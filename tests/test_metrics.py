"""pass@k and bootstrap intervals."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.metrics import bootstrap, mean_pass_at_k, pass_at_k


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_pass_at_k_is_the_share_of_all_choices_with_a_right_one(
    right: list[bool], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(right)))
    chosen = [any(choice) for choice in combinations(right, k)]
    assert pass_at_k(len(right), sum(right), k) == pytest.approx(sum(chosen) / len(chosen))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0)])
def test_impossible_counts_are_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="needs 0 <= c <= n"):
        pass_at_k(n, c, k)


def test_the_mean_is_over_tasks_that_were_judged() -> None:
    found = mean_pass_at_k([[1.0, 0.0], [0.0, 0.0, 0.0], []], [1, 2, 4])
    assert found == {1: pytest.approx(0.25), 2: pytest.approx(0.5)}
    assert mean_pass_at_k([], [1]) == {}


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=30))
def test_an_interval_holds_the_mean_and_repeats_itself(values: list[float]) -> None:
    low, high = bootstrap(values)
    assert min(values) <= low <= sum(values) / len(values) <= high <= max(values)
    assert bootstrap(values) == (low, high)
    wide, narrow = bootstrap(values, 0.99), bootstrap(values, 0.5)
    assert wide[0] <= narrow[0] and narrow[1] <= wide[1]
