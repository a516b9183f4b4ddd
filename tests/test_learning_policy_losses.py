"""Advantages and the parts of the policy-gradient loss: by hand, by property, and against autograd."""

import math
from unittest.mock import MagicMock

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from actors.learning.advantages import group_advantages, tells_nothing
from actors.learning.losses import linear_logprobs
from actors.learning.policy_losses import (
    banded_weights,
    kl_estimate,
    mixed_reference,
    surrogate,
    token_shares,
    truncated_weights,
)
from actors.learning.policy_metrics import PolicyMetrics

REWARDS = st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=2, max_size=12)


def test_advantages_by_hand() -> None:
    # mean 0.5, sample standard deviation sqrt(4 * 0.25 / 3)
    unit = 0.5 / (math.sqrt(1 / 3) + 1e-6)
    assert group_advantages([1.0, 0.0, 0.0, 1.0]) == pytest.approx([unit, -unit, -unit, unit])
    assert group_advantages([1.0, 0.0, 0.0, 1.0], normalise=False) == [0.5, -0.5, -0.5, 0.5]
    assert group_advantages([1.0, 0.0, 0.0, 0.0], normalise=False, negative=0.0) == [0.75, 0.0, 0.0, 0.0]
    assert group_advantages([1.0]) == [0.0] and group_advantages([]) == []


@settings(deadline=None)
@given(REWARDS, st.booleans())
def test_advantages_sum_to_zero_and_follow_their_rewards(rewards: list[float], normalise: bool) -> None:
    found = group_advantages(rewards, normalise)
    assert sum(found) == pytest.approx(0, abs=1e-6)
    assert tells_nothing(rewards) == (max(map(abs, found)) < 1e-9)
    turned = group_advantages(rewards[::-1], normalise)
    assert turned[::-1] == pytest.approx(found)  # order does not matter
    by_reward = dict(zip(rewards, found))
    assert found == pytest.approx([by_reward[reward] for reward in rewards])  # equal for equal rewards


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "clipped"),
    [
        (1.1, 1.0, 1.1, False),
        (1.5, 1.0, 1.2, True),  # far enough up
        (0.5, 1.0, 0.5, False),  # too low: pulled back with its full weight
        (0.5, -1.0, -0.8, True),  # far enough down
        (1.5, -1.0, -1.5, False),
        (5.0, -1.0, -3.0, True),  # dual clip
    ],
)
def test_clipping_by_hand(ratio: float, advantage: float, objective: float, clipped: bool) -> None:
    old = torch.tensor([-1.0])
    new = (old + math.log(ratio)).requires_grad_()
    found = surrogate(new, old, torch.tensor([advantage]), 0.2, 0.2, dual_clip=3.0)
    assert found.objective.item() == pytest.approx(objective, rel=1e-5)
    assert found.clipped.item() is clipped
    found.objective.sum().backward()
    assert new.grad is not None
    assert (new.grad.item() == 0) is clipped


VALUES = st.lists(st.tuples(st.floats(-4, -0.1), st.floats(-2, 2)), min_size=1, max_size=8)


@settings(deadline=None)
@given(VALUES)
def test_at_ratio_one_the_gradient_is_the_policy_gradient(drawn: list[tuple[float, float]]) -> None:
    logprobs = torch.tensor([value for value, _ in drawn], requires_grad=True)
    advantages = torch.tensor([advantage for _, advantage in drawn])
    found = surrogate(logprobs, logprobs.detach(), advantages, 0.2, 0.2, 3.0)
    torch.testing.assert_close(found.objective, advantages)
    found.objective.sum().backward()
    torch.testing.assert_close(logprobs.grad, advantages)
    assert not found.clipped.any()


@settings(deadline=None)
@given(VALUES, st.floats(-3, 3))
def test_without_limits_nothing_is_clipped(drawn: list[tuple[float, float]], shift: float) -> None:
    old = torch.tensor([value for value, _ in drawn])
    advantages = torch.tensor([advantage for _, advantage in drawn])
    found = surrogate(old + shift, old, advantages, None, None)
    torch.testing.assert_close(found.objective, math.exp(shift) * advantages, rtol=1e-4, atol=1e-6)
    assert not found.clipped.any()


def test_kl_estimates_by_hand_and_on_average() -> None:
    policy, reference = torch.tensor([0.5, 0.25, 0.25]).log(), torch.tensor([0.25, 0.25, 0.5]).log()
    d = reference - policy
    assert kl_estimate(policy, reference, "k1").tolist() == pytest.approx((-d).tolist())
    assert kl_estimate(policy, reference, "k2").tolist() == pytest.approx((d * d / 2).tolist())
    assert kl_estimate(policy, reference, "k3").tolist() == pytest.approx((d.exp() - d - 1).tolist())
    exact = float((policy.exp() * (policy - reference)).sum())
    for kind in ("k1", "k3"):  # unbiased: their mean under the policy is the divergence
        assert float((policy.exp() * kl_estimate(policy, reference, kind)).sum()) == pytest.approx(exact)
    with pytest.raises(ValueError, match="choose one of k1, k2, k3"):
        kl_estimate(policy, reference, "k4")


def test_a_mixed_reference_lies_between() -> None:
    reference, policy = torch.tensor([0.1]).log(), torch.tensor([0.5]).log()
    assert mixed_reference(reference, policy, 0.25).exp().item() == pytest.approx(0.75 * 0.1 + 0.25 * 0.5)
    assert mixed_reference(reference, policy, 0.0).equal(reference)
    assert mixed_reference(reference, policy, 1.0).equal(policy)


def test_importance_weights_are_capped() -> None:
    learner, engine = torch.tensor([0.5, 0.9]).log(), torch.tensor([0.25, 0.1]).log()
    assert truncated_weights(learner, engine, 4.0).tolist() == pytest.approx([2.0, 4.0])


def test_tokens_outside_the_band_are_left_out() -> None:
    learner, engine = torch.tensor([0.5, 0.9, 0.1, 0.4]).log(), torch.tensor([0.25, 0.1, 0.5, 0.4]).log()
    assert banded_weights(learner, engine, 4.0).tolist() == pytest.approx([2.0, 0.0, 0.0, 1.0])


def test_the_effective_sample_size_is_of_all_micro_batches_together() -> None:
    metrics = PolicyMetrics()
    for ratio in (1.0, 3.0):
        logprobs, zero = torch.tensor([ratio]).log(), torch.zeros(1)
        metrics.add(logprobs, zero, zero, torch.ones(1), zero.bool(), zero, None)
    assert metrics.means()["sample_size"] == pytest.approx(16 / 20)  # (1 + 3)^2 / (2 * (1 + 9))


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_shares_by_their_meaning(lengths: list[int]) -> None:
    mean = token_shares(lengths, "sequence_mean", 0)
    assert [share * length for share, length in zip(mean, lengths)] == pytest.approx(
        [1 / len(lengths)] * len(lengths)
    )
    assert sum(s * n for s, n in zip(token_shares(lengths, "token_mean", 0), lengths)) == pytest.approx(1)
    assert token_shares(lengths, "constant", 100) == pytest.approx([1 / (100 * len(lengths))] * len(lengths))
    with pytest.raises(ValueError, match="choose one of"):
        token_shares(lengths, "mean", 1)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 9), chunk=st.integers(1, 10), seed=st.integers(0, 2**31))
def test_chunked_logprobs_have_torchs_values_and_gradients(rows: int, chunk: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 5, generator=draw, requires_grad=True)
    weight = torch.randn(7, 5, generator=draw, requires_grad=True)
    labels = torch.randint(0, 7, (rows,), generator=draw)
    logs = (hidden @ weight.T).log_softmax(-1)
    expected = logs.gather(1, labels[:, None])[:, 0]
    found, entropies = linear_logprobs(hidden, weight, labels, chunk)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(entropies, torch.distributions.Categorical(logits=logs).entropy())
    mine = torch.autograd.grad(found.square().sum(), (hidden, weight))
    theirs = torch.autograd.grad(expected.square().sum(), (hidden, weight))
    for one, other in zip(mine, theirs):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["grpo", "bnpo", "dr_grpo"])
@pytest.mark.parametrize("kl_weight", [0.0, 0.1])
def test_the_loss_is_trls(kind: str, kl_weight: float) -> None:
    """Value and gradient on the same tensors. TRL names its aggregations after methods."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    draw = torch.Generator().manual_seed(7)
    lengths, width = [3, 5, 1, 4], 5
    mask = torch.tensor([[float(i < n) for i in range(width)] for n in lengths])
    new = (-torch.rand(4, width, generator=draw) * 3).requires_grad_()
    old, reference = (new.detach() + torch.randn(4, width, generator=draw) * 0.4 for _ in range(2))
    advantages = torch.tensor(group_advantages([1.0, 0.0, 0.0, 1.0]))

    trainer = MagicMock(
        loss_type=kind, beta=kl_weight, epsilon_low=0.2, epsilon_high=0.3, importance_sampling_level="token",
        top_entropy_quantile=1.0, off_policy_mask_threshold=None, aux_loss_enabled=False, use_vllm=False,
        current_gradient_accumulation_steps=1, max_completion_length=48, _entropy_bonus_enabled=False,
    )  # fmt: skip
    trainer.args.use_bias_correction_kl, trainer.args.delta = False, None
    trainer.accelerator.gather = lambda values: values
    trainer._get_per_token_logps_and_entropies.return_value = (new, torch.zeros_like(new), None)
    blank = torch.zeros(4, width, dtype=torch.long)
    theirs = GRPOTrainer._compute_loss(trainer, None, {
        "prompt_ids": blank, "prompt_mask": blank, "completion_ids": blank, "completion_mask": mask,
        "advantages": advantages, "old_per_token_logps": old, "ref_per_token_logps": reference,
    })  # fmt: skip

    rows = [row for row, length in enumerate(lengths) for _ in range(length)]
    kept = mask.bool()
    objective = surrogate(new[kept], old[kept], advantages[rows], 0.2, 0.3).objective
    aggregation = {"grpo": "sequence_mean", "bnpo": "token_mean", "dr_grpo": "constant"}[kind]
    shares = torch.tensor(token_shares(lengths, aggregation, 48))[rows]
    mine = (shares * (kl_weight * kl_estimate(new[kept], reference[kept], "k3") - objective)).sum()
    assert mine.item() == pytest.approx(theirs.item(), abs=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(mine, new)[0], torch.autograd.grad(theirs, new)[0], atol=1e-5, rtol=0
    )
