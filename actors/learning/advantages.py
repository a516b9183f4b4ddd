"""From a group's rewards to advantages: how much better than its siblings an attempt was.

Pure functions over the judged attempts of one group (the same start, the same policy version). Not here:
what a token's advantage does to the weights (`actors.learning.policy_losses`).
"""

import statistics
from collections.abc import Sequence

#: Added to standard deviations, which may be 0.
EPSILON = 1e-6


def group_advantages(
    rewards: Sequence[float], normalise: bool = True, negative: float = 1.0, epsilon: float = EPSILON
) -> list[float]:
    """A_i = (r_i - mean(r)) / (std(r) + epsilon), the group-relative advantage of GRPO.

    Source: DeepSeekMath (arXiv 2402.03300), section 4.1; std is the sample's (n - 1), and epsilon 1e-6, as in
    SE-Bench's training code. Without `normalise` the division is left out: Dr. GRPO (arXiv 2503.20783).

    Args:
        rewards: (G,) of one group.
        negative: factor on negative advantages; 1 keeps them, 0 drops them (SE-Bench's ablation of what
            pushes tentative associations away again).

    Returns:
        (G,); all 0.0 where the rewards are equal, and for a group of one. Their sum is 0 if `negative` is 1.
    """
    if len(rewards) < 2:
        return [0.0] * len(rewards)
    mean = statistics.fmean(rewards)
    scale = statistics.stdev(rewards) + epsilon if normalise else 1.0
    centred = [(reward - mean) / scale for reward in rewards]
    return [advantage * (negative if advantage < 0 else 1.0) for advantage in centred]


def tells_nothing(rewards: Sequence[float]) -> bool:
    """Whether all rewards are equal: such a group has no advantages, whatever it cost."""
    return len(set(rewards)) < 2
