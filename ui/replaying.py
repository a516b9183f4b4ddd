"""An episode and a round as things that happen in time. Pure functions; `ui.replays` draws them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from memory.episodes import Episode
from ui.queries_episode import Happening, Times

LONGEST_WAIT = 3.0  # seconds of a wait between two parts that are played; more of it is only told
GLANCE = 0.5  # seconds given to what took less, so that it is seen to come
_LINES = 14  # newest moments of a round that are listed


class Part(NamedTuple):
    """What one role did in an episode."""

    role: str
    begins: float  # seconds since the replay's beginning, at the original pace
    seconds: float  # how long it took
    waited: float | None  # seconds that the episode lay still before it; None where not known

    def share(self, now: float) -> float:
        """How much of it is done, 0 .. 1."""
        if now >= self.begins + self.seconds:
            return 1.0
        return max(0.0, (now - self.begins) / self.seconds) if self.seconds else 0.0


def parts(seen: Episode, at: Times) -> list[Part]:
    """The roles of an episode in their order, each after the one before.

    The group's answers were written together and took as long together; so did all proposals of a stage.
    Waits in between are cut to `LONGEST_WAIT`.
    """
    found: list[Part] = []

    def add(role: str, seconds: float, waited: float | None) -> None:
        end = found[-1].begins + found[-1].seconds if found else 0.0
        pause = min(max(waited or 0.0, 0.0), LONGEST_WAIT) if found else 0.0
        found.append(Part(role, end + pause, max(seconds, GLANCE), waited if found else None))

    moments = at.moments
    asked, answered = moments.answers[0][0], moments.answers[-1][1]
    proposed = moments.proposed if seen.task.origin == "proposed" else None
    if proposed is not None:
        add("proposer", at.proposing or 0.0, None)
    add("solver", answered - asked, None if proposed is None else asked - proposed)
    add("verifier", moments.judged - answered, 0.0)
    add("curator", moments.admitted - moments.judged, 0.0)
    if moments.learned is not None:
        learning = at.learning or 0.0
        add("learner", learning, moments.learned - learning - moments.admitted)
    return found


def length(found: Sequence[Part]) -> float:
    """Seconds of a whole replay at the original pace."""
    return found[-1].begins + found[-1].seconds if found else 0.0


class Seen(NamedTuple):
    """A round at one moment."""

    counts: dict[str, int]  # proposals, rejected, groups, attempts, verified so far
    working: list[dict[str, Any]]  # stages that are under way: role, stage, share done, seconds
    newest: list[Happening]  # newest first


def span(happened: Sequence[Happening], stages: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """When a round began and ended, in UNIX seconds; (0, 0) for one in which nothing has happened."""
    begun = [one.at for one in happened] + [stage["started"] for stage in stages]
    ended = [one.at for one in happened] + [stage["started"] + stage["seconds"] for stage in stages]
    return (min(begun), max(ended)) if begun else (0.0, 0.0)


def seen_at(happened: Sequence[Happening], stages: Sequence[dict[str, Any]], now: float) -> Seen:
    """What had happened in a round by `now`, in UNIX seconds, and who was at work then."""
    past = [one for one in happened if one.at <= now]
    counts: Counter[str] = Counter(
        dict.fromkeys(("proposals", "rejected", "groups", "attempts", "verified"), 0)
    )
    for one in past:
        counts.update(one.counts)
    working = [
        {
            "role": stage["role"],
            "stage": stage["stage"],
            "done": (now - stage["started"]) / stage["seconds"],
            "seconds": stage["seconds"],
        }
        for stage in stages
        if stage["seconds"] > 0 and stage["started"] <= now < stage["started"] + stage["seconds"]
    ]
    return Seen(dict(counts), working, past[: -_LINES - 1 : -1])
