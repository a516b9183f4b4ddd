"""When each step of a stored episode happened, so that it can be played again in the original's time.

    proposed ─▶ asked ─▶ answered ─▶ judged ─▶ admitted ─▶ learned

Stored are the moments of admission and learning, and how long generation took. What lies between comes from
the verifier's stage of that batch; answers of one attempt share its time by their tokens. UNIX seconds.
"""

import itertools
import time
from collections.abc import Callable

from memory.episodes import Episode
from memory.reader import RunReader
from protocols.records import Record

#: Longest pause between two steps, in seconds: what waited longer is said, not waited for.
LONGEST_S = 10.0


class Moments(Record):
    """Of one episode, in UNIX seconds."""

    proposed: float | None
    answers: tuple[tuple[float, float], ...]  # (asked, answered) for each answer
    judged: float
    admitted: float
    learned: float | None  # by the last update that it trained

    @property
    def began(self) -> float:
        return self.answers[0][0] if self.proposed is None else min(self.proposed, self.answers[0][0])


def moments(reader: RunReader, episode: Episode) -> Moments:
    """Raises:
    StoreError: the database cannot be read.
    """
    group, attempt = episode.group, episode.attempt
    admitted = group["created"]
    stage = reader.row(
        "SELECT started, seconds FROM stages WHERE round = ? AND role = 'verifier' AND stage = 'judge'"
        " AND started <= ? ORDER BY started DESC LIMIT 1",
        [group["round"], admitted],
    )
    played = stage["started"] if stage else admitted - episode.verdict.seconds
    judged = min(admitted, played + (stage["seconds"] if stage else episode.verdict.seconds))
    tokens = [max(1, one.tokens) for one in attempt.exchanges] or [1]
    ends = itertools.accumulate(group["seconds"] * count / sum(tokens) for count in tokens)
    edges = [played - group["seconds"], *(played - group["seconds"] + end for end in ends)]
    versions = [update["version"] for update in episode.updates]
    learned = reader.value(
        f"SELECT max(created) FROM updates WHERE version IN ({', '.join('?' * len(versions))})", versions
    )
    return Moments(
        proposed=episode.proposal["created"] if episode.proposal else None,
        answers=tuple(itertools.pairwise(edges)),
        judged=judged,
        admitted=admitted,
        learned=learned,
    )


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
