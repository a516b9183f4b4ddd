"""What an update of reinforcement learning went through, as means over its tokens."""

from collections import Counter

import torch

from actors.learning.policy_losses import ratio_of
from actors.learning.ranks import Ranks

_SUMS = (
    "entropy",
    "ratio",
    "squares",
    "up",
    "down",
    "clipped_up",
    "clipped_down",
    "gap",
    "advantage",
    "kl",
    "tokens",
    "with_kl",
)


class PolicyMetrics:
    """Adds up micro-batches; `means` is over all tokens of the update.

    entropy             nats of the policy's distribution at each token
    kl                  estimate of the divergence from the reference, where one is used
    ratio               policy against denominator
    sample_size         (sum w)^2 / (N sum w^2) of the ratios, in (0, 1]: Kish's effective sample size
    clipped_positive    share of the tokens with positive advantage whose gradient was stopped
    clipped_negative    share of the tokens with negative advantage whose gradient was stopped
    rollout_gap         mean |log-probability at the denominator - at the rollout|: with one prompt in both
                        places the mismatch of engine and learner, otherwise also what the book was worth
    advantage           mean absolute advantage
    """

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()

    def add(
        self,
        logprobs: torch.Tensor,
        denominators: torch.Tensor,
        engine: torch.Tensor,
        advantages: torch.Tensor,
        clipped: torch.Tensor,
        entropies: torch.Tensor,
        kl: torch.Tensor | None,
    ) -> None:
        """One micro-batch; all [N]."""
        ratios = ratio_of(logprobs, denominators).double()
        up, down = advantages > 0, advantages < 0
        for name, values in (
            ("entropy", entropies),
            ("ratio", ratios),
            ("squares", ratios.square()),
            ("up", up),
            ("down", down),
            ("clipped_up", clipped & up),
            ("clipped_down", clipped & down),
            ("gap", (denominators - engine).abs()),
            ("advantage", advantages.abs()),
            ("kl", torch.zeros(()) if kl is None else kl.detach()),
        ):
            self._sums[name] += float(values.double().sum())  # type: ignore[assignment]
        self._sums["tokens"] += len(logprobs)
        self._sums["with_kl"] += kl is not None

    def over(self, ranks: Ranks) -> None:
        """Sums over all ranks from here on; every rank calls it."""
        totals = ranks.total([float(self._sums[name]) for name in _SUMS])
        self._sums = Counter(dict(zip(_SUMS, totals)))

    def means(self) -> dict[str, float]:
        sums = self._sums
        tokens = max(sums["tokens"], 1)
        found = {
            "entropy": sums["entropy"] / tokens,
            "ratio": sums["ratio"] / tokens,
            "sample_size": sums["ratio"] ** 2 / (tokens * sums["squares"]) if sums["squares"] else 0.0,
            "clipped_positive": sums["clipped_up"] / max(sums["up"], 1),
            "clipped_negative": sums["clipped_down"] / max(sums["down"], 1),
            "rollout_gap": sums["gap"] / tokens,
            "advantage": sums["advantage"] / tokens,
        }
        return found | ({"kl": sums["kl"] / tokens} if sums["with_kl"] else {})
