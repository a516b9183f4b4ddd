"""From rewards to what they are worth: learnability of a start, reward of a proposer.

Pure functions over a group's returns. Infrastructure errors have no reward and are left out before.
Not here: advantages and losses (`actors.learning`).
"""

from collections.abc import Sequence

_UNIT = 2.0**-44  # of a return
#: A proposer's reward from the solve rate p in [0, 1], by name, with where it comes from.
PROPOSER_REWARDS = {
    "none": "proposers are not rewarded",
    "one_minus_p": "1 - p, and 0 when nobody solved it: Absolute Zero (arXiv 2505.03335)",
    "min_p": "min(p, 1 - p), the distance to the nearer certainty: R-Zero (arXiv 2508.05004)",
    "four_p_one_minus_p": "4p(1 - p), the variance of a coin with p, scaled to [0, 1]",
}


def learnability(rewards: Sequence[float]) -> float:
    """How much the attempts at one start differ: population variance of the group's returns.

    Source: ExIt (arXiv 2509.04575), group return variance as learning potential; for returns of 0 and 1 with
    mean p it is p(1 - p). The returns are the scaled ones, in [0, 1]; their variance lies in [0, 1/4].

    Starts are ranked by it, so returns are counted in whole units of `_UNIT`: the same ones are worth as much
    in any order, as are p and 1 - p, and a return's last bits, which are the processor's, do not count.

    Args:
        rewards: (G,) returns in [0, 1].

    Returns:
        0.0 for an empty group: nothing is known to be learnable there.

    Raises:
        ValueError: a return lies outside [0, 1].
    """
    _check(rewards)
    if not rewards:
        return 0.0
    units = [round(reward / _UNIT) for reward in rewards]
    total, squares, count = sum(units), sum(unit * unit for unit in units), len(units)
    return (count * squares - total * total) / (count / _UNIT) ** 2


def gain(reward: float, before: float) -> float:
    """How much of what was missing an improvement gained: max(0, (r - r') / (1 - r')).

    Source: ExIt (arXiv 2509.04575), page 16. Where nothing was missing (r' = 1) the paper defines nothing;
    there it is 0.0, as nothing can be gained.

    Args:
        reward, before: of the answer and of the one that it improves, in [0, 1].
    """
    _check([reward, before])
    return max(0.0, (reward - before) / (1.0 - before)) if before < 1.0 else 0.0


def chain_reward(first: float, last: float, kind: str, bonus: float) -> float:
    """What an attempt that improved its own answer is worth: its last reward, or by how much it is above the
    first one (`gain`); and `bonus` times that.

    Source: ExIt (arXiv 2509.04575), page 2, names both; the bonus is SCoRe's (arXiv 2409.12917, equation 5).
    """
    _check([first, last])
    return (last if kind == "last" else last - first) + bonus * (last - first)


def proposer_reward(kind: str, solve_rate: float) -> float:
    """Reward of the proposer of a task that solvers solve at this rate; see `PROPOSER_REWARDS`.

    Raises:
        ValueError: the kind is unknown, or the rate lies outside [0, 1].
    """
    _check([solve_rate])
    p = solve_rate
    if kind == "none":
        return 0.0
    if kind == "one_minus_p":
        return 1.0 - p if p > 0 else 0.0
    if kind == "min_p":
        return min(p, 1.0 - p)
    if kind == "four_p_one_minus_p":
        return 4.0 * p * (1.0 - p)
    raise ValueError(f"proposer reward: {kind!r} is unknown; choose one of {', '.join(PROPOSER_REWARDS)}")


def _check(values: Sequence[float]) -> None:
    for value in values:
        if not 0.0 <= value <= 1.0:  # also false for NaN
            raise ValueError(f"returns and solve rates lie in [0, 1], got {value!r}")
