"""When each step of a stored episode happened.

    proposed ─▶ asked ─▶ answered ─▶ judged ─▶ admitted ─▶ learned

Stored are the moments of admission and learning, and how long generation took. What lies between comes from
the verifier's stage of that batch; answers of one attempt share its time by their tokens. UNIX seconds.
"""

import itertools

from memory.episodes import Episode
from memory.reader import RunReader
from protocols.records import Record


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
