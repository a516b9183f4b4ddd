"""Whether a run stands still, and whose turn it is: told from its newest stages."""

from collections import Counter
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
    """A role whose turn it is, and of which nothing has been seen for longer than is its habit.

    Args:
        seen: of `alerts.evidence`.
        now: UNIX seconds.
    """
    if seen["last"] is None or complete(seen):
        return None
    role = whose_turn(seen)
    longest = max((row["seconds"] for row in seen["stages"] if _works(row, role)), default=0.0)
    patience = max(STALL_LEAST_S, STALL_TIMES * longest)
    silent = now - seen["last"]
    if silent <= patience:
        return None
    section, key = _DEADLINES[role][0].split(".")
    deadline = (seen["config"].get(section) or {}).get(key, _DEADLINES[role][1])
    habit = f"its longest stage so far took {_long(longest)}" if longest else "it has not done anything yet"
    return Alert(
        kind="stalled role",
        what="The run stands still.",
        where=f"the {role}, whose turn it is: nothing for {_long(silent)}; {habit}",
        since=seen["last"],
        do=f"A call that hangs is ended and asked again after {section}.{key} ({deadline:g} s). If nothing "
        "moves then, stop the run with Ctrl-C and go on with `taskspace run --resume RUN`.",
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


def whose_turn(seen: Row) -> str:
    """The role that the rounds under way wait for, by what they have played and judged.

    What was played and is not judged is the verifier's; what was planned and is not played, and the
    measurement after an update, is the solver's; a round without a plan is the proposer's.
    """
    if not seen["open"]:
        return "proposer"
    played: Counter[int] = Counter()
    judged: Counter[int] = Counter()
    learned = set()
    for row in seen["stages"]:
        groups = row["numbers"].get("groups", 0)
        played[row["round"]] += groups if (row["role"], row["stage"]) == ("solver", "play") else 0
        judged[row["round"]] += groups if (row["role"], row["stage"]) == ("verifier", "judge") else 0
        if row["role"] == "learner" and not row["stage"].startswith("wait"):
            learned.add(row["round"])
    rounds = {row["round"]: row["planned"] for row in seen["open"]}
    if any(played[round] > judged[round] for round in rounds):
        return "verifier"
    if any(played[round] < planned for round, planned in rounds.items()):
        return "solver"
    return "solver" if rounds.keys() <= learned else "learner"


def _works(row: Row, role: str) -> bool:
    return row["role"] == role and not row["stage"].startswith("wait for ")


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
