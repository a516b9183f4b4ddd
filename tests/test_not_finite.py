"""Numbers that are not finite: they move no weights, are published by nobody, and are told of."""

import math
import struct
from pathlib import Path

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from test_learning_grpo import learner_of, samples_of

from actors.learning.policy_losses import banded_weights, kl_estimate, ratio_of, surrogate, truncated_weights
from experiments.stored_weights import require_finite
from memory.artefacts import fetch_model
from memory.finite import not_finite
from protocols.errors import SettingError, TaskspaceError
from protocols.logprobs import all_known, marked

ANY = st.floats(-1e4, 0.0, width=32)


@given(ANY, ANY, st.floats(-5, 5, width=32))
def test_no_log_ratio_makes_a_loss_or_a_gradient_that_is_not_finite(new: float, old: float, advantage: float):
    logprob = torch.tensor([new], requires_grad=True)
    other = torch.tensor([old])
    found = surrogate(logprob, other, torch.tensor([advantage]), 0.2, 0.2, 3.0).objective
    free = surrogate(logprob, other, torch.tensor([advantage]), None, None).objective
    kl = kl_estimate(logprob, other, "k3")
    (found + free + kl).sum().backward()
    for numbers in (found, free, kl, logprob.grad, ratio_of(logprob, other)):
        assert torch.isfinite(numbers).all()
    assert torch.isfinite(truncated_weights(logprob, other, 2.0)).all()
    assert torch.isfinite(banded_weights(logprob, other, 2.0)).all()


@pytest.mark.parametrize("denominator", ["recomputed", "rollout", "policy"])
def test_a_token_that_an_engine_rules_out_breaks_no_weights(tmp_path: Path, denominator: str):
    learner = learner_of(fetch_model("tiny-random"), tmp_path, grpo={"denominator": denominator})
    first, *others = samples_of(fetch_model("tiny-random"))
    odd = msgspec.structs.replace(first, logprobs=(-9999.0, *first.logprobs[1:]))
    update = learner.learn([odd, *others], 1, 1, "closed-rl")
    assert all(torch.isfinite(parameter).all() for parameter in learner.model.parameters())
    assert all(map(math.isfinite, (*update.losses, *update.grad_norms)))
    assert not not_finite(tmp_path / update.path)


def test_a_gradient_that_is_not_finite_moves_nothing(tmp_path: Path):
    learner = learner_of(fetch_model("tiny-random"), tmp_path, grpo={"denominator": "rollout"})
    before = [parameter.clone() for parameter in learner.model.parameters()]
    samples = [
        msgspec.structs.replace(one, logprobs=(math.nan,) * len(one.logprobs))
        for one in samples_of(fetch_model("tiny-random"))
    ]
    with pytest.raises(TaskspaceError, match=r"(Loss|Gradient norm) is nan at step 1 of version 1"):
        learner.learn(samples, 1, 1, "closed-rl")
    assert all(map(torch.equal, before, learner.model.parameters()))
    learner.optimiser.add([[torch.full_like(p, math.inf) for p in learner.optimiser.parameters]])
    assert not math.isfinite(learner.optimiser.step(1e-3))
    assert all(map(torch.equal, before, learner.model.parameters()))


def test_weights_that_are_not_finite_are_not_published(tmp_path: Path):
    learner = learner_of(fetch_model("tiny-random"), tmp_path, learning_rate=1e-9)
    with torch.no_grad():
        learner.model.model.norm.weight[0] = math.nan
    with pytest.raises(TaskspaceError, match=r"not finite|Loss is nan|norm is nan"):
        learner.learn(samples_of(fetch_model("tiny-random")), 1, 1, "closed-rl")
    assert learner.published(1) is None


def test_an_id_that_the_model_does_not_know_is_named(tmp_path: Path):
    learner = learner_of(fetch_model("tiny-random"), tmp_path)
    first, *others = samples_of(fetch_model("tiny-random"))
    odd = msgspec.structs.replace(first, token_ids=(*first.token_ids[:-1], 10**6))
    with pytest.raises(TaskspaceError, match=r"holds token id 1000000, but the model has \d+ tokens"):
        learner.learn([odd, *others], 1, 1, "closed-rl")


def test_what_is_no_log_probability_is_marked():
    given_ = [-0.5, 1e-7, 0.0, 0.5, -9999.0, -math.inf, math.inf, math.nan]
    assert [value for value in marked(given_) if not math.isnan(value)] == [-0.5, 0.0, 0.0]
    assert all_known(given_[:3]) and not any(all_known([value]) for value in given_[3:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_weights_on_disk_are_looked_at(tmp_path: Path, dtype: torch.dtype, odd: float):
    whole = {"a": torch.randn(7, 5).to(dtype), "b": torch.arange(4), "c": torch.zeros(0, dtype=dtype)}
    save_file(
        {**whole, "large": torch.full((3,), torch.finfo(dtype).max, dtype=dtype)}, tmp_path / "m.safetensors"
    )
    assert not_finite(tmp_path) == []
    whole["a"][3, 2] = odd
    save_file(whole, tmp_path / "m.safetensors")
    assert not_finite(tmp_path) == ["a"]
    with pytest.raises(SettingError, match=r"--version 3: its weights are not finite \(a\)"):
        require_finite(3, tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, struct.pack("<Q", 9) + b'{"a": 1}.', b"\x02" + bytes(7) + b"[]"]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(TaskspaceError, match=r"m\.safetensors cannot be read as safetensors"):
        not_finite(tmp_path)
