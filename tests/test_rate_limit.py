"""The client's own rate limit, on a clock of the test's."""

from hypothesis import given
from hypothesis import strategies as st

from actors.engines.rate_limit import MINUTE, RateLimit

GAPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 50)), min_size=1, max_size=60)


@given(GAPS, st.integers(0, 5), st.integers(0, 60))
def test_no_minute_holds_more_than_the_limits(asks, requests: int, tokens: int) -> None:
    limit, now, begun = RateLimit(requests, tokens), 0.0, []
    for gap, size in asks:
        now += gap
        spending = limit.reserve(size, now)
        assert spending.at >= max([now, *(at for at, _ in begun[-1:])])  # never early, never out of turn
        begun.append((spending.at, size))
    for end, _ in begun:
        window = [size for at, size in begun if end - MINUTE < at <= end]
        assert not requests or len(window) <= requests
        assert not tokens or sum(window) <= tokens or len(window) == 1  # what is too large goes alone


@given(GAPS, st.integers(1, 5), st.integers(1, 60))
def test_nobody_waits_without_need(asks, requests: int, tokens: int) -> None:
    """A moment earlier than it was let through, each request would have been one too many."""
    limit, now, begun = RateLimit(requests, tokens), 0.0, []
    for gap, size in asks:
        now += gap
        at = limit.reserve(size, now).at
        if at > max([now, *(before for before, _ in begun[-1:])]):
            window = [before for before in begun if before[0] > at - MINUTE - 0.5]
            assert len(window) + 1 > requests or sum(s for _, s in window) + size > tokens
        begun.append((at, size))


def test_without_limits_nothing_waits_and_nothing_is_remembered() -> None:
    limit = RateLimit(0, 0)
    assert [limit.reserve(10**9, 5.0).at for _ in range(3)] == [5.0] * 3
    assert not limit._spent


def test_tokens_that_were_not_needed_are_free_again() -> None:
    limit = RateLimit(0, 100)
    first = limit.reserve(90, 0.0)
    assert limit.reserve(20, 1.0).at == 60.0
    limit = RateLimit(0, 100)
    first = limit.reserve(90, 0.0)
    first.tokens = 10
    assert limit.reserve(20, 1.0).at == 1.0
