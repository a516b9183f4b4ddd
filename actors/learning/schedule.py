"""Learning rates of one update: a linear warm-up, then constant, linear or cosine.

Every round's update is a schedule of its own; `learner.decay` lowers its peak from round to round.
"""

import math
from typing import Literal


def learning_rates(
    steps: int, peak: float, schedule: Literal["constant", "linear", "cosine"], warmup: float
) -> list[float]:
    """The learning rate of each of `steps` optimiser steps.

    Warm-up takes ceil(warmup * steps) steps, from peak / w up to the peak in equal steps. What follows
    falls from the peak towards 0 (which the step after the last would reach), or stays.
    """
    warm = min(steps, math.ceil(warmup * steps))
    rates = [peak * ((step + 1) / warm) for step in range(warm)]
    rest = steps - warm
    for step in range(rest):
        done = step / rest
        falling = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}
        rates.append(peak * falling[schedule])
    return rates
