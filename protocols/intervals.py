"""Intervals that say how sure a mean is. Pure functions.

`bootstrap` needs every task's mean and takes time; `wilson` needs two numbers and none.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from protocols.seeds import rng_of

RESAMPLES = 4_000


def bootstrap(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of at least one value; the same for the same values."""
    rng = rng_of("bootstrap", [round(value, 12) + 0.0 for value in values])  # last bits are the processor's
    drawn = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    tail = (1 - level) / 2
    return drawn[int(tail * RESAMPLES)], drawn[min(RESAMPLES - 1, int((1 - tail) * RESAMPLES))]


def wilson(share: float, count: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share in [0, 1] that was found among `count` independent trials.

    Of several attempts at one task, count the task once: they tend to end alike, and an interval over
    attempts would be too narrow. Rewards between 0 and 1 vary less than right and wrong, so that for their
    mean the interval is on the wide side. Source: E. B. Wilson, JASA 22 (1927).

    Args:
        share: in [0, 1]. count: above 0. level: of confidence, in (0, 1).

    Raises:
        ValueError: an argument is out of its bounds.
    """
    if not 0 <= share <= 1 or not count > 0 or not 0 < level < 1:
        raise ValueError(
            f"wilson({share}, {count}, {level}): needs 0 <= share <= 1, count > 0 and 0 < level < 1"
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    # Rounding must not push an end past the share itself.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
