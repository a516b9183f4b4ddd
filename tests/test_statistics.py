"""Intervals and paired tests: against scipy, against counting by hand, and by their properties."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from memory import statistics
from memory.statistics import bootstrap, holm, mcnemar, paired, sign_flips

counts = st.integers(0, 60)
differences = st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9)
rewards = st.dictionaries(st.sampled_from("abcdefghijkl"), st.sampled_from([0.0, 0.5, 1.0]), max_size=12)


@given(counts, counts)
def test_mcnemar_is_the_exact_binomial_test(better: int, worse: int) -> None:
    expected = stats.binomtest(better, better + worse, 0.5).pvalue if better + worse else 1.0
    assert mcnemar(better, worse) == pytest.approx(expected, abs=1e-12)
    assert mcnemar(better, worse) == mcnemar(worse, better)


def test_mcnemar_by_hand() -> None:
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(3, 1) == pytest.approx(2 * (1 + 4) / 16)
    assert mcnemar(2, 2) == 1.0
    assert 0 <= mcnemar(4_000, 1_000) < 1e-9  # 2^5000 is no float


@given(differences)
def test_sign_flips_are_counted_one_by_one(values: list[float]) -> None:
    there = [abs(v) for v in values if v]
    sums = [
        abs(sum(s * v for s, v in zip(signs, there)))
        for signs in itertools.product((-1, 1), repeat=len(there))
    ]
    expected = sum(found >= abs(sum(values)) - 1e-9 for found in sums) / len(sums)
    assert sign_flips(values) == pytest.approx(expected)


@given(counts.filter(lambda n: n <= 8), counts.filter(lambda n: n <= 8))
def test_sign_flips_of_one_size_are_mcnemar(better: int, worse: int) -> None:
    assert sign_flips([1.0] * better + [-1.0] * worse) == pytest.approx(mcnemar(better, worse))


def test_drawn_sign_flips_agree_with_the_exact_test() -> None:
    many = [1.0] * 14 + [-1.0] * 6 + [0.0] * 30
    assert len([d for d in many if d]) > statistics.EXACT
    assert sign_flips(many) == pytest.approx(mcnemar(14, 6), abs=0.01)
    assert sign_flips(many) == sign_flips(many)
    assert 0 < sign_flips([1.0] * 200) < 1e-3


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_makes_a_p_smaller_nor_changes_the_order(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= a <= 1 for p, a in zip(ps, adjusted))
    assert all(adjusted[i] <= adjusted[j] for i in range(len(ps)) for j in range(len(ps)) if ps[i] < ps[j])


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.2]) == [0.2] and holm([]) == []


@settings(max_examples=25, deadline=None)
@given(rewards, rewards)
def test_paired_turns_round_with_its_runs(first: dict[str, float], second: dict[str, float]) -> None:
    there, back = paired(first, second), paired(second, first)
    if not first.keys() & second.keys():
        assert there is None and back is None
        return
    assert there is not None and back is not None
    assert there.tasks == len(first.keys() & second.keys()) == back.tasks
    assert there.difference == pytest.approx(-back.difference)
    assert (there.better, there.worse) == (back.worse, back.better)
    assert there.p == pytest.approx(back.p)
    assert there.low <= there.difference + 1e-9 and there.difference <= there.high + 1e-9
    same = paired(first, first)
    assert same is not None and (same.difference, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_paired_by_hand() -> None:
    first = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0, "only first": 1.0}
    second = {"a": 0.0, "b": 0.0, "c": 1.0, "d": 0.0, "only second": 0.0}
    found = paired(first, second)
    assert found is not None
    assert (found.tasks, found.difference, found.better, found.worse) == (4, 0.5, 2, 0)
    assert (found.p, found.test) == (0.5, "McNemar")
    assert (found.low, found.high) == bootstrap([1.0, 1.0, 0.0, 0.0])
    part = paired(first | {"a": 0.5}, second)
    assert part is not None and part.test == "sign flips"
