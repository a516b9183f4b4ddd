"""From logits to tokens: inverse-CDF sampling, one uniform number per row from the request's own generator.

A row's number depends on its request's seed and on how many tokens it has, never on its neighbours.
"""

import numpy as np
import torch
from torch import Tensor

_ALMOST_ONE = 1 - 2**-22  # keeps u * total below total in float32


def generator_of(seed: int) -> np.random.Generator:
    """The stream of one request. Philox is counter-based: nearby seeds give unrelated streams."""
    return np.random.Generator(np.random.Philox(key=seed))


def sample(
    logits: Tensor, uniforms: list[float], temperatures: list[float], top_ps: list[float]
) -> tuple[list[int], list[float]]:
    """Draw one token per row.

    Args:
        logits: [rows, vocabulary], any float type.
        uniforms: [rows] in [0, 1).
        temperatures: [rows]; 0 = greedy.
        top_ps: [rows] in (0, 1]; the smallest set of likeliest tokens whose probability reaches it.

    Returns:
        Token ids, and the log-probability (nats) of each under the distribution it was drawn from;
        for greedy rows, under temperature 1.
    """
    device = logits.device
    scaled = logits.to(torch.float32, copy=True)
    heats = [t if t > 0 else 1.0 for t in temperatures]
    if len(set(heats)) > 1:
        scaled.div_(torch.tensor(heats, device=device)[:, None])
    elif heats[0] != 1:
        scaled.div_(heats[0])
    # exp(logit - max) stays unnormalised: the division by its sum is done once per row, not per token.
    weights = scaled.sub_(scaled.amax(-1, keepdim=True)).exp_()
    nucleus = [row for row, (p, t) in enumerate(zip(top_ps, temperatures, strict=True)) if p < 1 and t > 0]
    if nucleus:
        rows = torch.tensor(nucleus, device=device)
        weights[rows] = _truncate(
            weights[rows], torch.tensor([top_ps[row] for row in nucleus], device=device)
        )
    cumulative = weights.cumsum(-1)
    total = cumulative[:, -1:]
    u = torch.tensor(uniforms, dtype=torch.float32, device=device).clamp_(max=_ALMOST_ONE)[:, None]
    chosen = torch.searchsorted(cumulative, u * total, right=True)
    greedy = [row for row, t in enumerate(temperatures) if t == 0]
    if greedy:
        rows = torch.tensor(greedy, device=device)
        chosen[rows] = weights[rows].argmax(-1, keepdim=True)
    logprobs = (weights.gather(-1, chosen) / total).log()
    return chosen[:, 0].tolist(), logprobs[:, 0].tolist()


def _truncate(weights: Tensor, top_ps: Tensor) -> Tensor:
    """Zero outside the nucleus. A token stays if the likelier ones before it do not reach top_p yet."""
    ordered, order = weights.sort(-1, descending=True)
    sums = ordered.cumsum(-1)  # one after the other: by any number of threads they are the same bits
    ordered = ordered.masked_fill(sums - ordered >= top_ps[:, None] * sums[:, -1:], 0.0)
    return torch.zeros_like(weights).scatter_(-1, order, ordered)
