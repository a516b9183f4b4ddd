"""Baselines by role and kind of task: what a reward is worth beside the other rewards of its like.

Source: Task-Relative REINFORCE++ of Absolute Zero (arXiv 2505.03335, section 3.3): A = (r - mean) / std,
with a mean and a standard deviation for each role and type of task. There they are those of the update's
batch, as in its authors' code; they may also be those of the run so far, which are the steadier ones where a
batch holds few samples. Not here: advantages within a group (`advantages`).
"""

import statistics
from collections.abc import Mapping, Sequence

import msgspec

from actors.learning.advantages import EPSILON
from protocols.records import Baseline, Sample


def key_of(sample: Sample) -> str:
    """Which baseline a sample belongs to, such as `solver/single`; all proposals share one."""
    return f"{sample.role}/{sample.kind}" if sample.kind else str(sample.role)


def baseline_of(rewards: Sequence[float]) -> Baseline:
    """Raises:
    ValueError: there are none.
    """
    if not rewards:
        raise ValueError("a baseline needs at least one reward")
    mean = statistics.fmean(rewards)
    squares = sum((reward - mean) ** 2 for reward in rewards)
    return Baseline(count=len(rewards), mean=mean, squares=squares)


def together(one: Baseline, other: Baseline) -> Baseline:
    """The baseline of both's rewards (Chan, Golub and LeVeque 1979, the pairwise update)."""
    count = one.count + other.count
    apart = other.mean - one.mean
    return Baseline(
        count=count,
        mean=one.mean + apart * other.count / count,
        squares=one.squares + other.squares + apart**2 * one.count * other.count / count,
    )


def baselines_of(samples: Sequence[Sample], before: Mapping[str, Baseline]) -> dict[str, Baseline]:
    """`before` with the samples' rewards added; advantages are taken against these."""
    rewards: dict[str, list[float]] = {}
    for sample in samples:
        rewards.setdefault(key_of(sample), []).append(sample.reward)
    found = dict(before)
    for key, values in rewards.items():
        here = baseline_of(values)
        found[key] = together(found[key], here) if key in found else here
    return found


def weighed(
    samples: Sequence[Sample],
    baselines: Mapping[str, Baseline],
    normalise: bool = True,
    negative: float = 1.0,
) -> list[Sample]:
    """The samples with their advantage as weight; switches as in `advantages.group_advantages`."""
    found = []
    for sample in samples:
        baseline = baselines[key_of(sample)]
        advantage = sample.reward - baseline.mean
        if normalise:
            advantage /= baseline.std + EPSILON
        advantage *= negative if advantage < 0 else 1.0
        found.append(msgspec.structs.replace(sample, weight=advantage))
    return found
