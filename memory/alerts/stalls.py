"""Whether a role stands still, or the run has ended: told from the newest stages and the rounds under way."""

from collections.abc import Mapping
from typing import Any

from memory.alerts.alert import Alert

Row = Mapping[str, Any]

STALL_LEAST_S = 120.0
"""Nothing for so long is no stall yet: to load a model, or to start a role again, takes up to two minutes."""
STALL_TIMES = 4.0
"""How much longer than its longest stage so far a role may take: rounds grow, but not fourfold at once."""

_DEADLINES = {
    "solver": ("engine.deadline_s", 600.0),
    "verifier": ("verifier.deadline_s", 300.0),
    "learner": ("learner.deadline_s", 3600.0),
    "proposer": ("proposer.deadline_s", 600.0),
}


def stalled(seen: Row, now: float) -> Alert | None:
    """A role that owes something, and has owed it for longer than is its habit; others may go on meanwhile.

    Args:
        seen: of `alerts.evidence`.
        now: UNIX seconds.
    """
    if seen["last"] is None or complete(seen):
        return None
    for role, since in owing(seen).items():
        name, default = _DEADLINES[role]
        section, key = name.split(".")
        deadline = (seen["config"].get(section) or {}).get(key, default)
        longest = max((row["seconds"] for row in seen["stages"] if _works(row, role)), default=0.0)
        # Of a role that has done nothing yet no habit is known: it has until its deadline.
        patience = max(STALL_LEAST_S, STALL_TIMES * longest if longest else deadline)
        if now - since > patience:
            return _told(role, since, now - since, longest, f"{name} ({deadline:g} s)")
    return None


def _told(role: str, since: float, silent: float, longest: float, deadline: str) -> Alert:
    habit = f"its longest stage so far took {_long(longest)}" if longest else "it has not done anything yet"
    return Alert(
        kind="stalled role",
        what="A role stands still.",
        where=f"the {role}, whose turn it is: nothing for {_long(silent)}; {habit}",
        since=since,
        do=f"A call that hangs is ended and asked again after {deadline}. If nothing moves then, stop "
        "the run with Ctrl-C and go on with `taskspace run --resume RUN`.",
    )


def ended_early(seen: Row, writer: str) -> Alert | None:
    """Nobody writes the run any more, and rounds are missing."""
    if writer != "gone" or complete(seen) or seen["last"] is None:
        return None
    return Alert(
        kind="ended early",
        what="The run ended before its last round.",
        where=f"{seen['finished']} of {seen['config']['rounds']} rounds are finished, and no process on this "
        "machine writes it",
        since=seen["last"],
        do="Go on with `taskspace run --resume RUN`, unless it was stopped on purpose.",
    )


def complete(seen: Row) -> bool:
    """Whether all rounds are finished, or nobody knows how many there are to be."""
    rounds = seen["config"].get("rounds")
    return not isinstance(rounds, int) or seen["finished"] >= rounds


def owing(seen: Row) -> dict[str, float]:
    """The roles that the rounds under way wait for, and since when (UNIX seconds).

    What was played and is not judged is the verifier's. What was planned and is not played is the solver's,
    and so is the measurement once a round has been learned. A round that is judged whole is the learner's, if
    it is the oldest. With no round under way, the next one's proposals are waited for, or a measurement.
    """
    work = [row for row in seen["stages"] if not row["stage"].startswith("wait for ")]
    ended: dict[str, float] = {}
    for row in work:
        ended[row["role"]] = max(_end(row), ended.get(row["role"], 0.0))
    if not seen["open"]:
        return {"solver" if work and work[-1]["role"] in ("solver", "verifier") else "proposer": seen["last"]}
    rounds = {row["round"] for row in seen["open"]}
    plays = sorted(_end(row) for row in work if row["round"] in rounds and row["stage"] == "play")
    judged = sum(row["round"] in rounds and row["stage"] == "judge" for row in work)
    answered = max(ended.get("solver", 0.0), ended.get("verifier", 0.0))
    found = {}
    if len(plays) > judged:
        found["verifier"] = max(plays[judged], ended.get("verifier", 0.0))
    oldest = seen["open"][0]
    unplayed = [row["started"] for row in seen["open"] if row["admitted"] < row["planned"]]
    if unplayed and not found:
        found["solver"] = max(answered, *unplayed)
    elif oldest["learned"]:
        found["solver"] = max(answered, ended.get("learner", 0.0))
    if oldest["admitted"] >= oldest["planned"] and not oldest["learned"]:
        # While it is learned, the rounds after it may be played: their answers say nothing of the learner.
        whole = [_end(row) for row in work if row["round"] == oldest["round"] and row["role"] == "verifier"]
        found["learner"] = max([*whole, oldest["started"], ended.get("learner", 0.0)])
    return found


def _end(row: Row) -> float:
    return float(row["started"] + row["seconds"] + row["numbers"].get("waited", 0.0))


def _works(row: Row, role: str) -> bool:
    return row["role"] == role and not row["stage"].startswith("wait for ")


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
