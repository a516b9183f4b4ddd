"""Losses as pure functions. Shapes: N = labelled positions, V = vocabulary.

Does not cover: which positions are labelled (`actors.learning.packing`).
"""

import torch
import torch.nn.functional as F

_CHUNK_CPU = 128  # rows whose logits stay in the cache
_CHUNK_CUDA_LOGITS = 1 << 27  # of one chunk: 0.5 GiB in float32, and rows enough to fill the matrix units


def chunk_of(weight: torch.Tensor) -> int:
    """Rows whose logits are computed at a time. `weight` [V, D] is the output embedding.

    Every chunk reads the whole embedding, and where it is learned also reads and writes its gradient. A GPU
    needs several hundred rows before that is less than the arithmetic.
    """
    return max(_CHUNK_CPU, _CHUNK_CUDA_LOGITS // len(weight)) if weight.is_cuda else _CHUNK_CPU


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


def linear_sft_loss(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    total: float,
    chunk: int | None = None,
) -> torch.Tensor:
    """`sft_loss(hidden @ weight.T, ...)` without ever holding all logits.

    Logits are computed for `chunk` rows at a time and turned into their gradient at once, so that memory
    is O(chunk * V) instead of O(N * V) and the logits are read while they are in the cache; see `chunk_of`.

    Args:
        hidden: [N, D]. weight: [V, D], the output embedding. labels, weights: [N]. total: scalar.

    Returns:
        a scalar, float32.
    """
    loss: torch.Tensor = _LinearSftLoss.apply(
        hidden, weight, labels, weights, total, chunk or chunk_of(weight)
    )
    return loss


class _LinearSftLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, labels, weights, total, chunk):
        learn_hidden, learn_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if learn_hidden else None
        grad_weight = torch.zeros_like(weight) if learn_weight else None
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        scales = weights.float() / total
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            probabilities = F.linear(hidden[rows], weight).softmax(-1, dtype=torch.float32)
            target = labels[rows, None]
            # p underflows to 0 only where the loss would be above 100 nats; the clamp keeps it finite.
            chosen = probabilities.gather(1, target).clamp_min(1e-45)
            loss -= (chosen.log()[:, 0] * scales[rows]).sum()
            # d loss / d logits = (p - onehot(label)) * scale
            probabilities.scatter_add_(1, target, torch.full_like(chosen, -1.0))
            grad = probabilities.mul_(scales[rows, None]).to(hidden.dtype)
            if grad_hidden is not None:
                torch.mm(grad, weight, out=grad_hidden[rows])
            if grad_weight is not None:
                grad_weight.addmm_(grad.t(), hidden[rows])
        ctx.save_for_backward(grad_hidden, grad_weight)
        return loss

    @staticmethod
    def backward(ctx, grad):
        grad_hidden, grad_weight = ctx.saved_tensors
        scaled = (None if g is None else g * grad.to(g.dtype) for g in (grad_hidden, grad_weight))
        return (*scaled, None, None, None, None)


def linear_logprobs(
    hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, chunk: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`token_logprobs(hidden @ weight.T, labels)` and the entropies, without ever holding all logits.

    For losses that are not linear in the log-probabilities; logits are computed again for the gradient.

    Args:
        hidden: [N, D]. weight: [V, D], the output embedding. labels: [N].

    Returns:
        [N] float32 log-probabilities, and [N] float32 entropies in nats, which carry no gradient.
    """
    found: tuple[torch.Tensor, torch.Tensor] = _LinearLogprobs.apply(
        hidden, weight, labels, chunk or chunk_of(weight)
    )
    return found


class _LinearLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, labels, chunk):
        logprobs = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        entropies = torch.empty_like(logprobs)
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            logs = F.linear(hidden[rows], weight).log_softmax(-1, dtype=torch.float32)
            logprobs[rows] = logs.gather(1, labels[rows, None])[:, 0]
            entropies[rows] = -(logs.exp() * logs).sum(-1)
        ctx.save_for_backward(hidden, weight, labels)
        ctx.chunk = chunk
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(ctx, grad, _):
        hidden, weight, labels = ctx.saved_tensors
        learn_hidden, learn_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if learn_hidden else None
        grad_weight = torch.zeros_like(weight) if learn_weight else None
        for start in range(0, len(hidden), ctx.chunk):
            rows = slice(start, start + ctx.chunk)
            # d logprob / d logits = onehot(label) - p
            slope = F.linear(hidden[rows], weight).softmax(-1, dtype=torch.float32).neg_()
            slope.scatter_add_(1, labels[rows, None], torch.ones_like(slope[:, :1]))
            slope = slope.mul_(grad[rows, None]).to(hidden.dtype)
            if grad_hidden is not None:
                torch.mm(slope, weight, out=grad_hidden[rows])
            if grad_weight is not None:
                grad_weight.addmm_(slope.t(), hidden[rows])
        return grad_hidden, grad_weight, None, None
