"""The mixed-precision optimiser against torch's AdamW."""

import copy

import pytest
import torch
from torch import nn

from actors.learning.lanes import Lanes
from actors.learning.mixed import MixedAdamW
from protocols.errors import TaskspaceError


def _net(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 3)).to(dtype)


def _loss(net: nn.Module, seed: int) -> torch.Tensor:
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(seed)).to(next(net.parameters()).dtype)
    return (net(x).float() ** 2).sum()


def _add(optimiser: MixedAdamW, *losses: torch.Tensor) -> None:
    """Gradients of micro-batches that are computed at once."""
    found = [torch.autograd.grad(loss, optimiser.parameters, allow_unused=True) for loss in losses]
    optimiser.add(found)


@pytest.mark.parametrize(("micro_batches", "at_once"), [(1, 1), (2, 1), (2, 2), (5, 2)])
def test_float32_steps_are_torchs_own(micro_batches: int, at_once: int) -> None:
    mine, theirs = _net(), _net()
    optimiser = MixedAdamW(mine, (0.9, 0.95), weight_decay=0.1, grad_clip=0.5)
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    vectors = [p for p in theirs.parameters() if p.ndim == 1]
    reference = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=0.01,
        betas=(0.9, 0.95),
    )
    for seed in range(4):
        for part in range(micro_batches):
            _loss(theirs, 10 * seed + part).backward()
        losses = [_loss(mine, 10 * seed + part) for part in range(micro_batches)]
        for start in range(0, micro_batches, at_once):
            _add(optimiser, *losses[start : start + at_once])
        norm = optimiser.step(0.01)
        assert norm == pytest.approx(float(nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)), rel=1e-5)
        reference.step()
        reference.zero_grad()
    for a, b in zip(mine.parameters(), theirs.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_steps_below_bfloat16s_resolution_add_up_in_the_masters() -> None:
    net = nn.Linear(1, 1, bias=False, dtype=torch.bfloat16)
    net.weight.data.fill_(1.0)
    optimiser = MixedAdamW(net, (0.9, 0.95), 0.0, 1e9)
    for _ in range(100):
        _add(optimiser, net(torch.ones(1, 1, dtype=torch.bfloat16)).sum())
        optimiser.step(1e-4)  # bfloat16 has a step of 0.0039 below 1: each of these alone would be lost
    assert net.weight.item() == pytest.approx(0.99, abs=0.004) and net.weight.item() < 1.0


def test_without_a_gradient_momentum_moves_nothing() -> None:
    net = _net()
    optimiser = MixedAdamW(net, (0.9, 0.95), weight_decay=0.1, grad_clip=1.0)
    _add(optimiser, _loss(net, 1))
    assert optimiser.step(0.01) > 0
    before = copy.deepcopy(optimiser.state_dict())
    _add(optimiser, (net(torch.ones(2, 5)) * 0.0).sum())
    assert optimiser.step(0.01) == 0.0
    after = optimiser.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_frozen_parameters_stay_as_they_are() -> None:
    net = _net(torch.bfloat16)
    net[0].weight.requires_grad_(False)
    before = copy.deepcopy(net[0].weight)
    optimiser = MixedAdamW(net, (0.9, 0.95), 0.1, 1.0)
    _add(optimiser, _loss(net, 1))
    optimiser.step(0.1)
    assert torch.equal(net[0].weight, before)
    assert "0.weight" not in optimiser.shapes() and "2.weight" in optimiser.shapes()


@pytest.mark.parametrize("steps", [0, 3])
def test_a_restored_state_goes_on_exactly(steps: int) -> None:
    net = _net(torch.bfloat16)
    optimiser = MixedAdamW(net, (0.9, 0.95), 0.1, 1.0)
    for seed in range(steps):
        _add(optimiser, _loss(net, seed))
        optimiser.step(0.01)
    other = _net(torch.bfloat16)
    restored = MixedAdamW(other, (0.9, 0.95), 0.1, 1.0)
    _add(restored, _loss(other, 77))
    restored.step(0.5)  # something to overwrite
    restored.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for a, b in zip(net.parameters(), other.parameters()):
        assert torch.equal(a, b)
    for model, adamw in ((net, optimiser), (other, restored)):
        _add(adamw, _loss(model, 99))
        adamw.step(0.01)
    for a, b in zip(net.parameters(), other.parameters()):
        assert torch.equal(a, b)


def test_another_models_state_is_refused_with_both_sizes() -> None:
    state = MixedAdamW(_net(), (0.9, 0.95), 0.0, 1.0).state_dict()
    other = MixedAdamW(nn.Linear(5, 4), (0.9, 0.95), 0.0, 1.0)
    with pytest.raises(TaskspaceError, match="20 parameters here, 32 in the state"):
        other.load_state_dict(state)


def _large() -> nn.Module:
    """Matrices larger and smaller than a block, and a layer that gets no gradient."""
    torch.manual_seed(0)
    layers = nn.Linear(700, 400), nn.LayerNorm(400), nn.Linear(400, 40), nn.Linear(8, 8)
    return nn.Sequential(*layers).bfloat16()


@pytest.mark.parametrize("rounds", [1, 3])
def test_steps_have_the_same_bits_however_many_lanes_share_them(rounds: int) -> None:
    states = []
    for threads in (1, 2, 3):
        net = _large()
        optimiser = MixedAdamW(net, (0.9, 0.95), 0.1, 0.5, Lanes(threads))
        for step in range(2):
            for part in range(rounds):
                x = torch.randn(6, 700, generator=torch.Generator().manual_seed(10 * step + part)).bfloat16()
                _add(optimiser, *((net[:3](x + lane).float() ** 2).sum() for lane in range(2)))
            assert optimiser.step(0.01) > 0
        states.append(optimiser.state_dict())
    for state in states[1:]:
        assert all(torch.equal(value, state[name]) for name, value in states[0].items())
    assert not torch.equal(
        states[0]["master.0"], MixedAdamW(_large(), (0.9, 0.95), 0.1, 0.5).groups[0].master
    )


def test_gradients_in_bfloat16_are_added_up_in_float32() -> None:
    net = nn.Linear(1, 1, bias=False, dtype=torch.bfloat16)
    optimiser = MixedAdamW(net, (0.9, 0.95), 0.0, 1e9)
    many = [[torch.full((1, 1), value, dtype=torch.bfloat16)] for value in (256.0, 1.0, 1.0, 1.0)]
    optimiser.add(many[:2])
    optimiser.add(many[2:])
    assert optimiser.step(0.0) == 259.0  # bfloat16 has 256 and 258 here
