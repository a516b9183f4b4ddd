"""An episode and a round as things that happen in time. Pure functions; `ui.replays` draws them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from memory.episodes import Episode
from ui.queries_episode import Moment, Times

LONGEST_WAIT = 3.0  # seconds of a wait between two parts that are played; more of it is only told
GLANCE = 1.0  # seconds given to what took no time of its own, so that it is seen to come
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
    judging, playing = seen.verdict.seconds, float(seen.group["seconds"])
    # Groups are admitted with their verdicts, in one transaction: curating has no time of its own.
    begun = at.played - judging - playing
    found: list[Part] = []

    def add(role: str, seconds: float, waited: float | None) -> None:
        end = found[-1].begins + found[-1].seconds if found else 0.0
        pause = min(max(waited or 0.0, 0.0), LONGEST_WAIT) if found else 0.0
        found.append(Part(role, end + pause, seconds, waited if found else None))

    if at.proposed is not None:
        add("proposer", at.proposing or GLANCE, None)
    add("solver", playing, None if at.proposed is None else begun - at.proposed)
    add("verifier", max(judging, GLANCE), 0.0)
    add("curator", GLANCE, 0.0)
    if at.learned is not None:
        learning = at.learning or GLANCE
        add("learner", learning, at.learned - learning - at.played)
    return found


def length(found: Sequence[Part]) -> float:
    """Seconds of a whole replay at the original pace."""
    return found[-1].begins + found[-1].seconds if found else 0.0


class Seen(NamedTuple):
    """A round at one moment."""

    counts: dict[str, int]  # proposals, rejected, groups, attempts, verified so far
    working: list[dict[str, Any]]  # stages that are under way: role, stage, share done, seconds
    newest: list[Moment]  # newest first


def span(moments: Sequence[Moment], stages: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """When a round began and ended, in UNIX seconds; (0, 0) for one in which nothing has happened."""
    begun = [moment.at for moment in moments] + [stage["started"] for stage in stages]
    ended = [moment.at for moment in moments] + [stage["started"] + stage["seconds"] for stage in stages]
    return (min(begun), max(ended)) if begun else (0.0, 0.0)


def seen_at(moments: Sequence[Moment], stages: Sequence[dict[str, Any]], now: float) -> Seen:
    """What had happened in a round by `now`, in UNIX seconds, and who was at work then."""
    past = [moment for moment in moments if moment.at <= now]
    counts: Counter[str] = Counter(
        dict.fromkeys(("proposals", "rejected", "groups", "attempts", "verified"), 0)
    )
    for moment in past:
        counts.update(moment.counts)
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
