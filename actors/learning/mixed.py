"""Mixed precision without casts: a model in low precision, its float32 master weights in flat vectors.

The model computes with bfloat16 weights that are views into one flat vector; gradients are added up in
float32; AdamW (torch's fused kernel) runs over two long float32 vectors (with and without weight decay)
instead of hundreds of tensors; one copy brings the result back. Autocast would cast every weight in every
matrix product instead.

Does not cover: several devices, and loss scaling (bfloat16 has float32's range and needs none).
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from protocols.errors import TaskspaceError


class FlatGroup:
    """Parameters of one kind as one vector: `low` (what the model computes with), `master` and its gradient.

    With a float32 model the two are the same memory.
    """

    def __init__(self, named: list[tuple[str, nn.Parameter]]) -> None:
        self.shapes = {name: tuple(parameter.shape) for name, parameter in named}
        first = named[0][1]
        size = sum(parameter.numel() for _, parameter in named)
        self.low = torch.empty(size, dtype=first.dtype, device=first.device)
        gradient = torch.zeros(size, dtype=torch.float32, device=first.device)
        start = 0
        for _, parameter in named:
            stop = start + parameter.numel()
            view = self.low[start:stop].view(parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
            parameter.register_post_accumulate_grad_hook(_adding(gradient[start:stop].view(parameter.shape)))
            start = stop
        self.master = nn.Parameter(self.low if self.low.dtype == torch.float32 else self.low.float())
        self.master.grad = gradient

    @torch.no_grad()
    def publish(self) -> None:
        """Bring the master weights into the model."""
        if self.low.data_ptr() != self.master.data_ptr():
            self.low.copy_(self.master)


def _adding(total: torch.Tensor) -> Any:
    """Gradients are added up in float32 and freed at once, layer by layer, while backward goes on."""

    def add(parameter: torch.Tensor) -> None:
        if parameter.grad is not None:
            total.add_(parameter.grad)
            parameter.grad = None

    return add


class MixedAdamW:
    """AdamW over the trainable parameters of a model, kept in flat float32 vectors."""

    def __init__(
        self, model: nn.Module, betas: tuple[float, float], weight_decay: float, grad_clip: float
    ) -> None:
        trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [(name, p) for name, p in trainable if p.ndim > 1]
        vectors = [(name, p) for name, p in trainable if p.ndim <= 1]  # norms and biases never decay
        self.groups = [FlatGroup(named) for named in (matrices, vectors) if named]
        decays = [weight_decay if named is matrices else 0.0 for named in (matrices, vectors) if named]
        self.grad_clip = grad_clip
        self.adamw = torch.optim.AdamW(
            [{"params": [g.master], "weight_decay": decay} for g, decay in zip(self.groups, decays)],
            betas=betas,
            fused=True,
        )

    @property
    def masters(self) -> Iterable[nn.Parameter]:
        return [group.master for group in self.groups]

    def step(self, learning_rate: float) -> float:
        """One update from the gradients added up since the last; returns their norm before clipping.

        Without any gradient nothing is done: Adam would go on in the direction of its momentum, and hardly
        more slowly, since its second moments fade as well. Groups whose rewards are all equal, as most are
        where a policy is good or bad at everything, would move the weights by what others taught before.
        """
        norm = float(nn.utils.clip_grad_norm_(self.masters, self.grad_clip))  # a GPU is waited for once
        if norm == 0.0:
            return 0.0
        for group in self.adamw.param_groups:
            group["lr"] = learning_rate
        self.adamw.step()
        for flat in self.groups:
            flat.publish()
            flat.master.grad.zero_()  # type: ignore[union-attr]
        return norm

    def shapes(self) -> dict[str, list[int]]:
        return {name: list(shape) for group in self.groups for name, shape in group.shapes.items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Flat tensors: `master.i`, and once a step was made `exp_avg.i`, `exp_avg_sq.i`, `step.i`."""
        state = {f"master.{i}": group.master.detach() for i, group in enumerate(self.groups)}
        for i, group in enumerate(self.groups):
            for key, value in self.adamw.state.get(group.master, {}).items():
                state[f"{key}.{i}"] = value.detach()
        return state

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Raises:
        TaskspaceError: the state belongs to other parameters; both sizes are in the message.
        """
        for i, group in enumerate(self.groups):
            found = state.get(f"master.{i}")
            if found is None or found.shape != group.master.shape:
                raise TaskspaceError(
                    f"Optimiser state does not fit: group {i} has {group.master.numel()} parameters here, "
                    f"{'none' if found is None else found.numel()} in the state; resume with the settings "
                    "and model that the run began with."
                )
        for i, group in enumerate(self.groups):
            group.master.copy_(state[f"master.{i}"])
            kept = {
                key: state[f"{key}.{i}"].to(group.master.device, copy=True)
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{key}.{i}" in state
            }
            self.adamw.state.pop(group.master, None)
            if kept:  # before the first step there is nothing but the weights
                self.adamw.state[group.master] = kept
            group.publish()
