"""Weights and optimiser in shards, one for each rank: PyTorch's FSDP2, and AdamW over what it leaves here.

A transformer block is whole on a rank only while it computes. Parameters that are trained lie here in float32
and are brought together in the dtype that the model computes in; gradients come back as float32 SUMS over the
ranks, because losses are divided by totals of the whole mini-batch already.

Does not cover: which rank computes what (`ranks`), a single process (`mixed`).
"""

import math
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from actors.learning.policy import Policy


def shard(policy: Policy, ranks: int, dtype: torch.dtype) -> Policy:
    """Shard every transformer block and what is around them, in place. All ranks call it at once."""
    mesh = init_device_mesh(policy.device.type, (ranks,))
    precision = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for module in (*_blocks(policy.model), policy):
        for parameter in module.parameters():
            if parameter.requires_grad and not isinstance(parameter, DTensor):
                parameter.data = parameter.data.float()
        fully_shard(module, mesh=mesh, mp_policy=precision)
    for module in policy.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # or NCCL, and only NCCL, is asked to scale
    return policy


def _blocks(model: Any) -> list[nn.Module]:
    """The layers that transformers itself never splits."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    return [module for module in model.modules() if type(module).__name__ in names]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A parameter from its shards; every rank has to ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: torch.Tensor) -> torch.Tensor:
    """A rank's own part of a parameter."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


class ShardedAdamW:
    """AdamW over the trainable parameters of a sharded policy; the same rule as `mixed.MixedAdamW`."""

    def __init__(
        self, policy: Policy, betas: tuple[float, float], weight_decay: float, grad_clip: float
    ) -> None:
        self.policy = policy
        self.named = {name: p for name, p in policy.model.named_parameters() if p.requires_grad}
        self.grad_clip = grad_clip
        matrices = [p for p in self.named.values() if p.ndim > 1]
        vectors = [p for p in self.named.values() if p.ndim <= 1]  # norms and biases never decay
        groups = [(matrices, weight_decay), (vectors, 0.0)]
        self.adamw = torch.optim.AdamW(
            [{"params": group, "weight_decay": decay} for group, decay in groups if group],
            betas=betas,
            fused=True,
        )

    def exchange(self, now: bool) -> None:
        """Whether the next backward pass adds the ranks' gradients up; until then each keeps its own."""
        self.policy.set_requires_gradient_sync(now)  # type: ignore[operator]

    def forget(self) -> None:
        """Gradients of a step that was never taken."""
        self.adamw.zero_grad()

    def step(self, learning_rate: float) -> float:
        """One update from the gradients added up since the last; returns their norm before clipping. Without
        any gradient, or where the norm is not finite, nothing is done."""
        self.policy.reshard()  # type: ignore[operator]  # a pass without gradients leaves the root whole
        gradients = [p.grad for p in self.named.values() if p.grad is not None]
        if not gradients:
            return 0.0
        norm = whole(nn.utils.get_total_norm(gradients))
        if float(norm) == 0.0 or not math.isfinite(float(norm)):
            self.adamw.zero_grad()
            return float(norm)
        for parameter in self.named.values():
            if parameter.grad is None:  # a part that nothing went through fades like the others
                parameter.grad = torch.zeros_like(parameter)
        nn.utils.clip_grads_with_norm_(list(self.named.values()), self.grad_clip, norm)
        for group in self.adamw.param_groups:
            group["lr"] = learning_rate
        self.adamw.step()
        self.adamw.zero_grad()
        return float(norm)

    def shapes(self) -> dict[str, list[int]]:
        return {name: list(p.shape) for name, p in self.named.items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """`master.NAME` and, once a step was made, `exp_avg.NAME`, `exp_avg_sq.NAME` and `step`."""
        self.policy.reshard()  # type: ignore[operator]
        state = {f"master.{name}": p.detach() for name, p in self.named.items()}
        for name, parameter in self.named.items():
            for key, value in self.adamw.state.get(parameter, {}).items():
                state["step" if key == "step" else f"{key}.{name}"] = value.detach()
        return state

    def blank_state(self, stepped: bool) -> dict[str, torch.Tensor]:
        """Where a state is read into, before `accept`; keys as in `state_dict`."""
        self.adamw.state.clear()
        if stepped:
            for parameter in self.named.values():
                moments = {key: torch.zeros_like(parameter.detach()) for key in ("exp_avg", "exp_avg_sq")}
                self.adamw.state[parameter] = {"step": torch.zeros(()), **moments}
        return self.state_dict()

    def accept(self, state: dict[str, torch.Tensor]) -> None:
        """What `blank_state` gave has been filled."""
        for parameter, kept in self.adamw.state.items():
            kept["step"] = state["step"].to(parameter.device, copy=True)
