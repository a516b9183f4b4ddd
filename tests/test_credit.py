"""Learnability and proposer rewards, by hand and by property."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.credit import PROPOSER_REWARDS, learnability, proposer_reward

returns = st.lists(st.floats(0, 1), min_size=1, max_size=32)


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([], 0.0),
        ([0.3], 0.0),
        ([1, 1, 1, 1], 0.0),
        ([0, 1], 0.25),
        ([0, 0, 0, 1], 3 / 16),
        ([1] + [0] * 7, 7 / 64),  # ExIt's groups of 8: 0, 7/64, 12/64, 15/64, 16/64
        ([1] * 2 + [0] * 6, 12 / 64),
        ([0.0, 0.5, 1.0], 1 / 6),
    ],
)
def test_learnability_by_hand(rewards, expected):
    assert learnability(rewards) == pytest.approx(expected, abs=1e-15)


@given(returns)
def test_learnability_is_the_population_variance(rewards):
    found = learnability(rewards)
    assert math.isclose(found, statistics.pvariance(rewards), abs_tol=1e-12)
    assert 0.0 <= found <= 0.25 + 1e-12
    assert math.isclose(found, learnability([1 - reward for reward in rewards]), abs_tol=1e-12)


@pytest.mark.parametrize("wrong", [[-0.1, 0.5], [1.1], [float("nan")], [float("inf")]])
def test_returns_outside_the_scale_are_refused(wrong):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        learnability(wrong)


@pytest.mark.parametrize(
    ("kind", "by_rate"),
    [
        ("none", {0.0: 0.0, 0.25: 0.0, 1.0: 0.0}),
        ("one_minus_p", {0.0: 0.0, 0.25: 0.75, 1.0: 0.0}),
        ("min_p", {0.0: 0.0, 0.25: 0.25, 0.5: 0.5, 0.75: 0.25, 1.0: 0.0}),
        ("four_p_one_minus_p", {0.0: 0.0, 0.25: 0.75, 0.5: 1.0, 1.0: 0.0}),
    ],
)
def test_proposer_rewards_by_hand(kind, by_rate):
    for rate, expected in by_rate.items():
        assert proposer_reward(kind, rate) == expected


@given(st.sampled_from(sorted(PROPOSER_REWARDS)), st.floats(0, 1))
def test_proposer_rewards_stay_in_bounds_and_vanish_at_certainty(kind, rate):
    assert 0.0 <= proposer_reward(kind, rate) <= 1.0
    assert proposer_reward(kind, 0.0) == proposer_reward(kind, 1.0) == 0.0


@given(st.integers(0, 16), st.integers(1, 16))
def test_four_p_is_four_times_the_learnability_of_zeros_and_ones(solved, failed):
    rewards = [1.0] * solved + [0.0] * failed
    rate = solved / len(rewards)
    assert math.isclose(proposer_reward("four_p_one_minus_p", rate), 4 * learnability(rewards), abs_tol=1e-12)


def test_wrong_proposer_rewards_are_named():
    with pytest.raises(ValueError, match="'best' is unknown; choose one of none, one_minus_p"):
        proposer_reward("best", 0.5)
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 1.5"):
        proposer_reward("none", 1.5)


def test_settings_offer_exactly_these_rewards():
    from typing import get_args

    from protocols.settings import ProposerSettings

    assert get_args(ProposerSettings.model_fields["reward"].annotation) == tuple(PROPOSER_REWARDS)


@given(returns, st.randoms(use_true_random=False))
def test_learnability_is_the_same_in_any_order(rewards, rng):
    assert learnability(rng.sample(rewards, len(rewards))) == learnability(rewards)


@given(st.lists(st.sampled_from([0.1, 0.3, 1 / 3, 0.7, 1.0]), min_size=1, max_size=9))
def test_learnability_has_no_last_bits_of_its_returns(rewards):
    assert learnability([math.nextafter(reward, 0.0) for reward in rewards]) == learnability(rewards)


@given(st.integers(0, 30), st.integers(1, 30))
def test_learnability_of_a_rate_and_of_its_opposite_is_the_same(solved, failed):
    rewards = [1.0] * solved + [0.0] * failed
    assert learnability(rewards) == learnability([1 - reward for reward in rewards])
    assert learnability([0.1] * (solved + failed)) == 0.0
