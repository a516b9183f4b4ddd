"""A client's own rate limit: when the next request may begin, so that no minute holds too many.

Pure bookkeeping on whatever clock the caller has; it never sleeps. A sliding window instead of the usual
bucket, because a bucket that starts full lets almost twice its rate through in the first minute.
"""

from collections import deque
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(eq=False)
class Spending:
    """One request: when it may begin, and its tokens, which may be set right once they are known."""

    at: float
    tokens: int


class RateLimit:
    """At most `requests` and `tokens` in any 60 seconds; 0 = no limit. First come, first served.

    A request with more tokens than a minute may hold goes alone.
    """

    def __init__(self, requests: int, tokens: int) -> None:
        self._requests = requests
        self._tokens = tokens
        self._spent: deque[Spending] = deque()  # in the order of `at`

    def reserve(self, tokens: int, now: float) -> Spending:
        """Make room for a request: the earliest time, `now` (seconds) or later, at which it fits."""
        if not self._requests and not self._tokens:
            return Spending(now, tokens)
        while self._spent and self._spent[0].at + MINUTE <= now:
            self._spent.popleft()
        at = max(now, self._spent[-1].at) if self._spent else now
        count, held = len(self._spent), sum(one.tokens for one in self._spent)
        for oldest in self._spent:
            gone = oldest.at + MINUTE
            if gone > at and not self._over(count + 1, held + tokens):
                break
            at, count, held = max(at, gone), count - 1, held - oldest.tokens
        spending = Spending(at, tokens)
        self._spent.append(spending)
        return spending

    def _over(self, requests: int, tokens: int) -> bool:
        return bool(
            (self._requests and requests > self._requests) or (self._tokens and tokens > self._tokens)
        )
