"""Losses as pure functions. Shapes: N = labelled positions, V = vocabulary.

Does not cover: which positions are labelled (`actors.learning.packing`).
"""

import torch
import torch.nn.functional as F


def token_logprobs(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Log-probability of each label, computed in float32.

    Args:
        logits: [N, V], any float type.
        labels: [N] ids.

    Returns:
        [N] float32.
    """
    return -F.cross_entropy(logits.float(), labels, reduction="none")


def weighted_token_mean(
    values: torch.Tensor, weights: torch.Tensor, total: float | None = None
) -> torch.Tensor:
    """sum(w * v) / sum(w): a mean over tokens, each counted with its sample's weight.

    Args:
        values: [N].
        weights: [N], not negative.
        total: the denominator, where these are one part of a larger batch: parts that share a
            denominator add up to the batch's loss, however it was cut.

    Returns:
        a scalar.
    """
    return (values * weights).sum() / (weights.sum() if total is None else total)


def sft_loss(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, total: float | None = None
) -> torch.Tensor:
    """Token-mean cross-entropy, weighted: -sum(w * log p(label)) / sum(w).

    Args:
        logits: [N, V]. labels: [N]. weights: [N]. total: see `weighted_token_mean`.

    Returns:
        a scalar, float32.
    """
    return weighted_token_mean(-token_logprobs(logits, labels), weights, total)
