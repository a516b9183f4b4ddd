"""How sure an accuracy is, and whether two of them differ: pure functions over each task's mean reward.

Tasks are the sample: several attempts at one task tell less than as many tasks, so they count as one. Does
not cover: which tasks were measured, and what counts as right.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from protocols.records import Record
from protocols.seeds import seed_of

RESAMPLES = 10_000
_AT_ONCE = 2_000_000  # numbers drawn at a time: 16 MB


class Paired(Record):
    """Two accuracies on the same tasks: `difference` is the second one less the first one.

    The interval is a percentile bootstrap over tasks. `p` is of the two-sided test that the sign of each
    task's difference is chance: McNemar's exact test where every difference is -1, 0 or 1, and otherwise the
    same test by randomly drawn signs.
    """

    tasks: int  # measured in both
    first: float
    second: float
    difference: float
    low: float
    high: float
    first_better: int  # tasks
    second_better: int
    p: float
    test: str  # "McNemar, exact" or "signs, drawn"


def mcnemar(first_better: int, second_better: int) -> float:
    """Two-sided p of McNemar's exact test: the tasks on which two differ are throws of a fair coin."""
    thrown = first_better + second_better
    tail = sum(math.comb(thrown, k) for k in range(min(first_better, second_better) + 1))
    return min(1.0, 2 * tail / 2**thrown)


def paired(first: Mapping[str, float], second: Mapping[str, float], level: float = 0.95) -> Paired | None:
    """Compare mean rewards by task id over the tasks that both have; None when there is none.

    The same for the same values: what is drawn is drawn with a seed made of them.
    """
    tasks = sorted(first.keys() & second.keys())
    if not tasks:
        return None
    one, two = np.array([first[t] for t in tasks]), np.array([second[t] for t in tasks])
    gains = np.round(two - one, 12) + 0.0  # no difference is 0, and not the last bit of two means
    low, high = _bootstrap(gains, level)
    whole = bool(np.isin(gains, (-1.0, 0.0, 1.0)).all())
    worse, better = int((gains < 0).sum()), int((gains > 0).sum())
    return Paired(
        tasks=len(tasks),
        first=float(one.mean()),
        second=float(two.mean()),
        difference=float(gains.mean()),
        low=low,
        high=high,
        first_better=worse,
        second_better=better,
        p=mcnemar(worse, better) if whole else _signs(gains),
        test="McNemar, exact" if whole else "signs, drawn",
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's correction: p values of several tests, so that together they mislead as rarely as one."""
    adjusted, most = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        most = max(most, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = most
    return adjusted


def over_seeds(means: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of the mean over runs that differ by their seed; None for fewer than two."""
    if len(means) < 2:
        return None
    from scipy.special import stdtrit

    mean = sum(means) / len(means)
    deviation = math.sqrt(sum((m - mean) ** 2 for m in means) / (len(means) - 1))
    half = float(stdtrit(len(means) - 1, (1 + level) / 2)) * deviation / math.sqrt(len(means))
    return mean - half, mean + half


def _bootstrap(values: np.ndarray, level: float) -> tuple[float, float]:
    """Percentile interval of the mean of resampled `values` (float64, one a task)."""
    rng = np.random.default_rng(seed_of("bootstrap", values.tolist()))
    n = len(values)
    rows = max(1, _AT_ONCE // n)
    means = [
        values[rng.integers(0, n, (min(rows, RESAMPLES - done), n))].mean(axis=1)
        for done in range(0, RESAMPLES, rows)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _signs(gains: np.ndarray) -> float:
    """Share of random signs under which the gains sum to as much as they do, in either direction."""
    rng = np.random.default_rng(seed_of("signs", gains.tolist()))
    found, n = abs(gains.sum()), len(gains)
    rows, as_far = max(1, _AT_ONCE // n), 0
    for done in range(0, RESAMPLES, rows):
        signs = rng.integers(0, 2, (min(rows, RESAMPLES - done), n)) * 2.0 - 1.0
        as_far += int((abs(signs @ gains) >= found - 1e-12).sum())
    return (as_far + 1) / (RESAMPLES + 1)  # the signs that were found are one of the draws
