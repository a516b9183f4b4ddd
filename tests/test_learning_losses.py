"""Losses against hand-computed numbers and torch's own; schedules."""

import math

import hypothesis.strategies as st
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

from actors.learning.losses import linear_sft_loss, sft_loss, token_logprobs, weighted_token_mean
from actors.learning.schedule import learning_rates


def test_token_logprobs_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    found = token_logprobs(logits, torch.tensor([0, 1]))
    assert found.tolist() == pytest.approx([math.log(1 / 2), math.log(1 / 4)])


def test_a_sample_counts_by_its_weight_and_each_of_its_tokens() -> None:
    # -log p = log 2, log 4, log 4/3; weights 1, 1, 2: (log 2 + log 4 + 2 log 4/3) / 4
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0], [math.log(3.0), 0.0]])
    loss = sft_loss(logits, torch.tensor([0, 1, 0]), torch.tensor([1.0, 1.0, 2.0]))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4) + 2 * math.log(4 / 3)) / 4)


def test_parts_with_a_common_total_add_up() -> None:
    values, weights = torch.tensor([1.0, 5.0, 2.0]), torch.tensor([1.0, 0.5, 2.0])
    whole = weighted_token_mean(values, weights)
    parts = [weighted_token_mean(values[s], weights[s], 3.5) for s in (slice(0, 1), slice(1, 3))]
    assert whole.item() == pytest.approx((1 + 2.5 + 4) / 3.5)
    assert sum(parts).item() == pytest.approx(whole.item())


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 9), chunk=st.integers(1, 10), seed=st.integers(0, 2**31))
def test_the_chunked_loss_has_torchs_value_and_gradients(rows: int, chunk: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, 5, generator=draw, requires_grad=True)
    weight = torch.randn(7, 5, generator=draw, requires_grad=True)
    labels = torch.randint(0, 7, (rows,), generator=draw)
    weights = torch.rand(rows, generator=draw) + 0.1
    total = float(weights.sum()) * 1.5
    expected = (F.cross_entropy(hidden @ weight.T, labels, reduction="none") * weights).sum() / total
    found = linear_sft_loss(hidden, weight, labels, weights, total, chunk)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for mine, theirs in zip(
        torch.autograd.grad(3 * found, (hidden, weight)), torch.autograd.grad(3 * expected, (hidden, weight))
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_the_chunked_loss_stays_finite_where_a_label_is_hopeless() -> None:
    hidden = torch.tensor([[200.0, -200.0]], requires_grad=True)
    weight = torch.eye(2)
    loss = linear_sft_loss(hidden, weight, torch.tensor([1]), torch.ones(1), 1.0)
    (gradient,) = torch.autograd.grad(loss, hidden)
    assert math.isfinite(loss.item()) and loss.item() > 80
    assert gradient.tolist() == [[1.0, -1.0]]


def test_frozen_embeddings_get_no_gradient() -> None:
    hidden, weight = torch.randn(3, 4, requires_grad=True), torch.randn(6, 4)
    linear_sft_loss(hidden, weight, torch.tensor([0, 1, 2]), torch.ones(3), 3.0).backward()
    assert hidden.grad is not None and weight.grad is None


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 1.0, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
    ],
)
def test_schedules_by_hand(schedule: str, expected: list[float]) -> None:
    assert learning_rates(6, 1.0, schedule, 0.3) == pytest.approx(expected)  # type: ignore[arg-type]


@given(steps=st.integers(1, 50), warmup=st.floats(0, 1))
def test_every_step_learns_and_none_above_the_peak(steps: int, warmup: float) -> None:
    for schedule in ("constant", "linear", "cosine"):
        rates = learning_rates(steps, 2e-4, schedule, warmup)  # type: ignore[arg-type]
        assert len(rates) == steps and all(0 < rate <= 2e-4 for rate in rates)
        assert max(rates) == 2e-4
