"""How sure a figure is, and whether two differ: intervals and paired tests over tasks.

Pure functions of plain numbers; the same numbers always give the same answer. Rewards are paired by task:
each task's mean reward under one run against its mean reward under another.
Does not cover: which runs, versions and tasks are compared (`memory.comparing`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from protocols.seeds import rng_of, seed_of

RESAMPLES = 4_000
EXACT = 16  # up to so many pairs that differ, all their 2^n signs are tried
FLIPS = 20_000  # beyond, so many are drawn
_CHUNK = 2_000_000  # signs held in memory at once


class Paired(NamedTuple):
    """Of two runs on the same tasks, the first minus the second."""

    tasks: int  # that both were measured on
    difference: float  # of their mean rewards
    low: float  # its 95 % paired bootstrap interval
    high: float
    better: int  # tasks with a higher reward under the first
    worse: int
    p: float  # two-sided: how likely so large a difference is if runs are exchangeable in each task
    test: str  # "McNemar" or "sign flips"


def bootstrap(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of at least one value; the same for the same values."""
    rng = rng_of("bootstrap", list(values))
    drawn = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    tail = (1 - level) / 2
    return drawn[int(tail * RESAMPLES)], drawn[min(RESAMPLES - 1, int((1 - tail) * RESAMPLES))]


def mcnemar(better: int, worse: int) -> float:
    """Exact two-sided p of McNemar's test: how likely so uneven a split of the tasks that differ is.

    Twice the smaller tail of Binomial(better + worse, 1/2), at most 1. Source: McNemar 1947, exact form.

    Args:
        better: tasks that only the first run got right. worse: that only the second did.
    """
    n, fewer = better + worse, min(better, worse)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    # Integers as long as need be: 2^n overflows a float from n = 1,024 on.
    return min(1.0, (2 * tail * 10**18 // 2**n) / 10**18) if n else 1.0


def sign_flips(differences: Sequence[float]) -> float:
    """Two-sided p of the mean of paired differences when each might as well have had the other sign.

    All signs are tried for up to `EXACT` differences other than 0, else `FLIPS` of them are drawn (and the
    one that was seen counts too, so that p is never 0). For differences of one size it is McNemar's test.
    """
    sizes = np.abs(np.array([d for d in differences if d], dtype=float))
    if not len(sizes):
        return 1.0
    seen = abs(sum(differences)) * (1 - 1e-12)  # sums of the same numbers differ by rounding
    if len(sizes) <= EXACT:
        numbers = np.arange(2 ** len(sizes), dtype=np.uint32)
        signs = 1.0 - 2.0 * ((numbers[:, None] >> np.arange(len(sizes), dtype=np.uint32)) & 1)
        return float(np.mean(np.abs(signs @ sizes) >= seen))
    rng = np.random.default_rng(seed_of("sign flips", [float(d) for d in differences]))
    rows, extreme, left = max(1, _CHUNK // len(sizes)), 0, FLIPS
    while left:
        count = min(rows, left)
        signs = 1.0 - 2.0 * rng.integers(0, 2, (count, len(sizes)))
        extreme += int(np.sum(np.abs(signs @ sizes) >= seen))
        left -= count
    return (extreme + 1) / (FLIPS + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted for how many were asked for at once, in their order (Holm 1979).

    The chance of any false alarm among all comparisons stays below the level at which these are read.
    """
    adjusted = [1.0] * len(ps)
    highest = 0.0
    for place, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[i]))
        adjusted[i] = highest
    return adjusted


def paired(first: Mapping[str, float], second: Mapping[str, float]) -> Paired | None:
    """Two runs on the tasks that both were measured on; None where there is no such task.

    McNemar's exact test where every reward is 0 or 1, else sign flips.

    Args:
        first, second: mean reward in 0 .. 1 by task.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    differences = [first[task] - second[task] for task in shared]
    better, worse = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    binary = all(values[task] in (0.0, 1.0) for values in (first, second) for task in shared)
    low, high = bootstrap(differences)
    return Paired(
        tasks=len(shared),
        difference=sum(differences) / len(shared),
        low=low,
        high=high,
        better=better,
        worse=worse,
        p=mcnemar(better, worse) if binary else sign_flips(differences),
        test="McNemar" if binary else "sign flips",
    )
