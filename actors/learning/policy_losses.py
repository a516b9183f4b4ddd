"""The parts of a policy-gradient loss, as pure functions. N = response tokens of a mini-batch, end to end.

    loss = sum over tokens of  share * (-objective + kl_weight * kl)

`share` says how tokens are averaged and is known before anything is computed, so that micro-batches add up to
the loss of their mini-batch however it was cut. Not here: advantages (`advantages`), log-probabilities
(`losses.linear_logprobs`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

#: Of a log-ratio, both ways: no clipping lets e^20 through, and no sum of such ratios overflows. Engines say
#: -9999 of a token that they rule out.
LARGEST = 20.0


def ratio_of(logprobs: torch.Tensor, denominators: torch.Tensor) -> torch.Tensor:
    """exp(logprob - denominator), [N], finite whatever the two are; beyond `LARGEST` no gradient flows."""
    return torch.exp((logprobs - denominators).clamp(-LARGEST, LARGEST))


@dataclass(frozen=True)
class Surrogate:
    """Objective of every token, and where clipping stopped the gradient."""

    objective: torch.Tensor  # [N]
    clipped: torch.Tensor  # [N] bool


def surrogate(
    logprobs: torch.Tensor,
    denominators: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float | None = 0.2,
    clip_high: float | None = 0.2,
    dual_clip: float | None = None,
) -> Surrogate:
    """min(r * A, clip(r, 1 - low, 1 + high) * A) with r = exp(logprob - denominator).

    Source: PPO (arXiv 1707.06347), equation 7; apart limits: DAPO (arXiv 2503.14476); dual clip, which bounds
    the objective from below by c * A where A < 0: Ye et al. (arXiv 1912.09729), equation 5.

    Args:
        logprobs: [N] of the policy that learns; gradients flow through these only.
        denominators: [N] log-probabilities that the ratio is taken against.
        advantages: [N], every token with its sequence's.
        clip_low, clip_high: None for no limit on that side.
        dual_clip: c > 1; None for none.
    """
    ratio = ratio_of(logprobs, denominators.detach())
    plain = ratio * advantages
    low = None if clip_low is None else 1 - clip_low
    high = None if clip_high is None else 1 + clip_high
    limited = plain if low is None and high is None else ratio.clamp(low, high) * advantages
    objective = torch.minimum(plain, limited)
    clipped = limited < plain
    if dual_clip is not None:
        floor = dual_clip * advantages
        bounded = (advantages < 0) & (objective < floor)
        objective = torch.where(bounded, floor, objective)
        clipped = clipped | bounded
    return Surrogate(objective, clipped)


def kl_estimate(logprobs: torch.Tensor, reference: torch.Tensor, kind: str) -> torch.Tensor:
    """Estimate of KL(policy || reference) from each sampled token.

    With d = reference - logprob:  k1 = -d,  k2 = d^2 / 2,  k3 = exp(d) - d - 1.
    Source: J. Schulman, "Approximating KL divergence" (2020); GRPO uses k3.

    Args:
        logprobs, reference: [N].

    Returns:
        [N].

    Raises:
        ValueError: the kind is unknown.
    """
    apart = reference.detach() - logprobs
    if kind == "k1":
        return -apart
    if kind == "k2":
        return apart.square() / 2
    if kind == "k3":
        return torch.exp(apart.clamp(max=LARGEST)) - apart - 1
    raise ValueError(f"KL estimate: {kind!r} is unknown; choose one of k1, k2, k3")


def mixed_reference(reference: torch.Tensor, policy: torch.Tensor, share: float) -> torch.Tensor:
    """log((1 - share) * p_reference + share * p_policy): a reference that moves part of the way along.

    Args:
        reference, policy: [N] log-probabilities; no gradient flows through either.
        share: in [0, 1].
    """
    if share == 0:
        return reference.detach()
    if share == 1:
        return policy.detach()
    logs = torch.tensor([1 - share, share], device=reference.device).log()
    return torch.logaddexp(reference.detach() + logs[0], policy.detach() + logs[1])


def truncated_weights(learner: torch.Tensor, engine: torch.Tensor, cap: float) -> torch.Tensor:
    """min(p_learner / p_engine, cap): corrects for an engine that samples from slightly other probabilities,
    and for answers of older versions.

    Source: truncated importance sampling (Yao et al. 2025, "Your efficient RL framework secretly brings you
    off-policy RL training").

    Args:
        learner, engine: [N] log-probabilities of the same tokens on the same prompt, of the weights before
            the update and of those that answered.

    Returns:
        [N], without gradient.
    """
    return ratio_of(learner.detach(), engine).clamp(max=cap)


def banded_weights(learner: torch.Tensor, engine: torch.Tensor, band: float) -> torch.Tensor:
    """p_learner / p_engine where it lies within [1 / band, band], else 0: what the learner would hardly have
    said, or far sooner, is left out instead of being weighed.

    Source: masked importance sampling as in IcePop (Ling Team 2025, "Every Step Evolves").

    Args:
        learner, engine: [N] log-probabilities of the same tokens, of the weights before the update and of
            those that answered; they differ by the engine's arithmetic, and by versions where answers are
            stale.

    Returns:
        [N], without gradient.
    """
    weights = ratio_of(learner.detach(), engine)
    return torch.where((weights <= band) & (weights >= 1 / band), weights, 0.0)


def token_shares(lengths: Sequence[int], aggregation: str, constant: int) -> list[float]:
    """What one token of each sequence counts in the loss of a mini-batch.

        sequence_mean  1 / (B * length)     every sequence counts the same: GRPO (arXiv 2402.03300)
        token_mean     1 / sum of lengths   every token counts the same: DAPO (arXiv 2503.14476)
        constant       1 / (B * constant)   no length bias: Dr. GRPO (arXiv 2503.20783)

    Args:
        lengths: (B,) response tokens of the mini-batch's sequences.
        constant: tokens that `constant` divides by, e.g. the longest response allowed.

    Returns:
        (B,).

    Raises:
        ValueError: the aggregation is unknown.
    """
    count = len(lengths)
    if aggregation == "sequence_mean":
        return [1 / (count * length) for length in lengths]
    if aggregation == "token_mean":
        return [1 / sum(lengths)] * count
    if aggregation == "constant":
        return [1 / (count * constant)] * count
    raise ValueError(
        f"aggregation: {aggregation!r} is unknown; choose one of sequence_mean, token_mean, constant"
    )
