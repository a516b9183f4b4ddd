"""Stored time, passed once more: how long to wait between steps of an episode, and how to say when they were.

Not here: when they were (`memory.moments`).
"""

import time
from collections.abc import Callable

#: Longest pause between two steps, in seconds: what waited longer is said, not waited for.
LONGEST_S = 10.0


class Clock:
    """Waits as long as it took then, over `speed`; with a speed of 0 not at all.

    Args:
        sleep: waits so many seconds.
    """

    def __init__(self, speed: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._speed, self._sleep = speed, sleep
        self._now: float | None = None

    def wait_until(self, moment: float) -> None:
        """A moment that is past already is not waited for; the clock goes on from it."""
        before, self._now = self._now, moment
        if before is not None and self._speed and moment > before:
            self._sleep(min(LONGEST_S, (moment - before) / self._speed))


def offset(seconds: float) -> str:
    """`+3.2 s`, `+4 min 10 s`, `+2 h 5 min`: since the episode began."""
    if seconds < 60:
        return f"+{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"+{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"+{hours} h {minutes} min"
