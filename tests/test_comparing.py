"""Intervals and paired tests: against numbers worked out by hand, and against SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from memory.comparing import holm, mcnemar, over_seeds, paired


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 5) == 2 / 32
    assert mcnemar(1, 5) == 2 * (1 + 6) / 64
    assert mcnemar(3, 3) == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    theirs = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(theirs, abs=1e-9) == mcnemar(c, b)


def test_paired_counts_only_shared_tasks() -> None:
    first = {"a": 0.0, "b": 0.0, "c": 1.0, "d": 1.0, "only here": 1.0}
    second = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0, "only there": 0.0}
    found = paired(first, second)
    assert found is not None
    assert (found.tasks, found.first, found.second, found.difference) == (4, 0.5, 0.75, 0.25)
    assert (found.first_better, found.second_better) == (1, 2)
    assert found.p == 1.0 and found.test == "McNemar, exact"
    assert found.low < 0.25 < found.high
    assert found == paired(first, second)  # nothing of it is luck
    assert paired({"a": 1.0}, {"b": 1.0}) is None


def test_the_bootstrap_is_scipys() -> None:
    rng = np.random.default_rng(3)
    gains = rng.choice([-1.0, 0.0, 1.0], 60, p=[0.1, 0.5, 0.4])
    found = paired({str(i): 0.0 for i in range(60)}, {str(i): float(g) for i, g in enumerate(gains)})
    assert found is not None
    theirs = stats.bootstrap((gains,), np.mean, method="percentile", n_resamples=10_000, rng=rng)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_signs_are_scipys_permutation_test() -> None:
    rng = np.random.default_rng(5)
    first = {str(i): float(x) for i, x in enumerate(rng.random(40))}
    second = {name: min(1.0, x + float(rng.normal(0.06, 0.2))) for name, x in first.items()}
    found = paired(first, second)
    assert found is not None and found.test == "signs, drawn"
    gains = np.array([second[name] - first[name] for name in sorted(first)])
    theirs = stats.permutation_test((gains,), np.sum, permutation_type="samples", n_resamples=20_000, rng=rng)
    assert found.p == pytest.approx(theirs.pvalue, abs=0.02)


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_over_seeds_is_students_interval() -> None:
    means = [0.891, 0.75, 0.812]
    theirs = stats.ttest_1samp(means, 0).confidence_interval()
    assert over_seeds(means) == pytest.approx((theirs.low, theirs.high))
    assert over_seeds([0.5]) is None


def test_means_that_differ_by_rounding_do_not_differ() -> None:
    first, second = {"a": 0.3, "b": 0.5, "c": 0.7}, {"a": 0.1 + 0.2, "b": 0.5, "c": 0.7}
    found, same = paired(first, second), paired(first, first)
    assert found is not None and same is not None
    assert (found.first_better, found.second_better, found.p) == (0, 0, 1.0)
    assert (found.low, found.high, found.test) == (same.low, same.high, same.test)
