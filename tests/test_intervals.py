"""Wilson's interval: against its definition, and against numbers in print."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.intervals import wilson


@given(st.integers(1, 500), st.data(), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_its_ends_are_the_shares_that_the_found_one_is_just_compatible_with(
    count: int, data: st.DataObject, level: float
) -> None:
    right = data.draw(st.integers(0, count))
    low, high = wilson(right / count, count, level)
    assert 0 <= low <= right / count <= high <= 1
    z = NormalDist().inv_cdf((1 + level) / 2)
    for end in (low, high):  # |found - p| = z sqrt(p (1 - p) / n), the equation that it solves
        if 0 < end < 1:
            assert abs(right / count - end) == pytest.approx(z * (end * (1 - end) / count) ** 0.5, abs=1e-9)


def test_numbers_in_print() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    for right, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        assert wilson(right / count, count) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@pytest.mark.parametrize(("share", "count", "level"), [(1.1, 3, 0.95), (0.5, 0, 0.95), (0.5, 3, 1.0)])
def test_impossible_arguments_are_refused(share: float, count: float, level: float) -> None:
    with pytest.raises(ValueError, match="needs 0 <= share <= 1"):
        wilson(share, count, level)
