"""Figures about attempts at tasks: pass@k, and intervals that say how sure a mean is.

Pure functions. Does not cover: what counts as right (the grader).
"""

import math
from collections.abc import Sequence

from protocols.seeds import rng_of

RESAMPLES = 4_000


def pass_at_k(attempts: int, right: int, k: int) -> float:
    """Chance that at least one of k attempts is right, estimated without bias from n >= k of them.

    1 - C(n - c, k) / C(n, k). Source: Chen et al. 2021 (arXiv 2107.03374), equation 1.

    Args:
        attempts: n. right: c, of them.

    Raises:
        ValueError: not 0 <= c <= n, or not 1 <= k <= n.
    """
    if not 0 <= right <= attempts or not 1 <= k <= attempts:
        raise ValueError(
            f"pass@{k} of {right} right in {attempts} attempts: needs 0 <= c <= n and 1 <= k <= n"
        )
    return 1.0 - math.comb(attempts - right, k) / math.comb(attempts, k)


def mean_pass_at_k(tasks: Sequence[Sequence[float]], ks: Sequence[int]) -> dict[int, float]:
    """pass@k averaged over tasks, for every k that each task has enough attempts for.

    Args:
        tasks: rewards of each task's judged attempts; an attempt is right if its reward is 1. Tasks without
            any judged attempt are passed over.
    """
    counted = [(len(rewards), sum(r == 1.0 for r in rewards)) for rewards in tasks if rewards]
    most = min((n for n, _ in counted), default=0)
    return {k: sum(pass_at_k(n, c, k) for n, c in counted) / len(counted) for k in ks if 1 <= k <= most}


def bootstrap(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of at least one value; the same for the same values."""
    rng = rng_of("bootstrap", list(values))
    drawn = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    tail = (1 - level) / 2
    return drawn[int(tail * RESAMPLES)], drawn[min(RESAMPLES - 1, int((1 - tail) * RESAMPLES))]
