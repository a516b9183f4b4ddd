"""Sampled answers as they are learned from: in groups, in mini-batches, and weighed by how they differ.

Does not cover: their losses (`policy_losses`), and what computes anything of them (`grpo`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from actors.learning.diversity import diversity_factors
from actors.learning.packing import Example
from protocols.seeds import rng_of


@dataclass(frozen=True)
class Trajectory(Example):
    """One sampled answer on the prompt of the update."""

    advantage: float = 0.0
    engine: tuple[float, ...] = ()  # log-probabilities of `response` at the rollout, on the rollout's prompt
    group: str = ""
    attempt: str = ""
    temperature: float = 1.0  # of the distribution that `response` was sampled from


Tokens = dict[int, torch.Tensor]
"""Values of a trajectory's response tokens, by `id` of the trajectory."""


def by_group(trajectories: Sequence[Trajectory]) -> list[list[Trajectory]]:
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory.group, []).append(trajectory)
    return list(groups.values())


def mini_batches(
    trajectories: Sequence[Trajectory], most: int, epochs: int, seed: tuple[object, ...]
) -> list[list[Trajectory]]:
    """For every epoch the groups in an order of its own, in (at most) `most` equal parts."""
    groups = by_group(trajectories)
    parts = min(most, len(groups))
    made = []
    for epoch in range(epochs):
        order = list(groups)
        rng_of("mini-batches", *seed, epoch).shuffle(order)
        for part in range(parts):
            made.append([t for group in order[part::parts] for t in group])
    return made


def diversified(
    given: Sequence[Trajectory], embeddings: Tokens, from_least: bool
) -> tuple[list[Trajectory], dict[str, float]]:
    """Advantages times how far an answer is from its group; and how far answers are in the mean.

    Args:
        embeddings: [D] of each answer; of an attempt with several answers their mean stands for it.
        from_least: see `diversity.diversity_factors`.
    """
    factors: dict[int, float] = {}
    distances = []
    for group in by_group(given):
        of_attempt: dict[str, list[torch.Tensor]] = {}
        for t in group:
            of_attempt.setdefault(t.attempt, []).append(embeddings[id(t)])
        points = torch.stack([torch.stack(each).mean(0) for each in of_attempt.values()])
        each, distance = diversity_factors(points, from_least)
        factor_of = dict(zip(of_attempt, each.tolist()))
        factors |= {id(t): factor_of[t.attempt] for t in group}
        distances.append(distance)
    weighted = [replace(t, advantage=t.advantage * factors[id(t)]) for t in given]
    return weighted, {
        "diversity": sum(distances) / len(distances),
        "diversity_factor": sum(factors.values()) / len(factors),
    }


def laid_out(values: Tokens, part: Sequence[Example]) -> torch.Tensor:
    """[N]: the values of the part's response tokens, end to end."""
    return torch.cat([values[id(example)] for example in part])
