"""Mixed precision without casts: a model in low precision, its float32 master weights in flat vectors.

The model computes with bfloat16 weights that are views into one flat vector. A step reads the micro-batches'
gradients as they came, adds them up in float32, and takes AdamW's step, block by block, while a block lies in
the cache:

    gradients of each micro-batch ──▶ sum ──▶ norm of all blocks
                                      sum ──▶ clip ──▶ AdamW (torch's fused kernel) ──▶ bfloat16 weights

Autocast would cast every weight in every matrix product instead.

Does not cover: several processes (`sharding`), loss scaling (bfloat16 has the range of float32).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from actors.learning.lanes import Lanes
from protocols.errors import TaskspaceError

Gradients = Sequence[torch.Tensor | None]
"""A micro-batch's, one for each of the optimiser's `parameters`; None where nothing went through."""

_BLOCK = 1 << 18  # elements: 1 MB of gradients, and as much of weights and of each moment
_MOMENTS = ("exp_avg", "exp_avg_sq")
_ADAM_EPSILON = 1e-8  # torch.optim.AdamW's default
_EPSILON = 1e-6  # of torch.nn.utils.clip_grad_norm_

Found = TypeVar("Found")


class FlatGroup:
    """Parameters of one kind as one vector: `low` (what the model computes with), `master`, AdamW's moments.

    With a float32 model the first two are the same memory.
    """

    def __init__(self, named: list[tuple[str, nn.Parameter]], weight_decay: float) -> None:
        self.shapes = {name: tuple(parameter.shape) for name, parameter in named}
        self.weight_decay = weight_decay
        first = named[0][1]
        self.ends = [0]
        for _, parameter in named:
            self.ends.append(self.ends[-1] + parameter.numel())
        self.low = torch.empty(self.ends[-1], dtype=first.dtype, device=first.device)
        for (_, parameter), start, stop in zip(named, self.ends, self.ends[1:]):
            view = self.low[start:stop].view(parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
        self.master = self.low if self.low.dtype == torch.float32 else self.low.float()
        self.moments: dict[str, torch.Tensor] = {}  # none before the first step
        self.sum: torch.Tensor | None = None  # of earlier micro-batches of this step

    def publish(self) -> None:
        """Bring the master weights into the model."""
        if self.low.data_ptr() != self.master.data_ptr():
            self.low.copy_(self.master)

    def pieces(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Views of a flat vector, by parameter."""
        parts = vector.split([math.prod(shape) for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts)}


@dataclass(frozen=True)
class _Block:
    """Elements `start` to `stop` of a group's vectors, and whose they are: (place among all parameters,
    elements of that parameter)."""

    group: FlatGroup
    start: int
    stop: int
    pieces: tuple[tuple[int, slice], ...]

    def of(self, vector: torch.Tensor) -> torch.Tensor:
        return vector[self.start : self.stop]

    def gradient(self, gradients: Gradients) -> torch.Tensor | None:
        """[stop - start]: this block's part of a micro-batch's gradients; None where nothing went through."""
        found = [(gradients[place], piece) for place, piece in self.pieces]
        if all(gradient is None for gradient, _ in found):
            return None
        parts = [
            self.group.master.new_zeros(piece.stop - piece.start)
            if gradient is None
            else gradient.reshape(-1)[piece]
            for gradient, piece in found
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class MixedAdamW:
    """AdamW over the trainable parameters of a model, kept in flat float32 vectors."""

    def __init__(
        self,
        model: nn.Module,
        betas: tuple[float, float],
        weight_decay: float,
        grad_clip: float,
        lanes: Lanes | None = None,
    ) -> None:
        """`lanes`: threads that share a step's blocks."""
        trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [(name, p) for name, p in trainable if p.ndim > 1]
        vectors = [(name, p) for name, p in trainable if p.ndim <= 1]  # norms and biases never decay
        self.parameters = [p for _, p in (*matrices, *vectors)]
        kinds = [(matrices, weight_decay), (vectors, 0.0)]
        self.groups = [FlatGroup(named, decay) for named, decay in kinds if named]
        self.betas, self.grad_clip = betas, grad_clip
        self._steps = torch.zeros(())
        # A GPU has no cache to stay in, little memory, and calls that cost more than a block's arithmetic.
        self._in_blocks = all(group.master.device.type == "cpu" for group in self.groups)
        self._found: list[Gradients] = []  # of micro-batches that are not in the groups' sums yet
        self._begun = False  # whether the sums hold this step's earlier micro-batches
        self._lanes = lanes or Lanes(1)
        blocks = self._blocks()
        share = -(-len(blocks) // self._lanes.count)
        self._shares = [blocks[start : start + share] for start in range(0, len(blocks), share)]

    def _blocks(self) -> list[_Block]:
        blocks: list[_Block] = []
        place = 0
        for group in self.groups:
            most = _BLOCK if self._in_blocks else group.ends[-1]
            start = stop = 0
            pieces: list[tuple[int, slice]] = []
            for begin, end in zip(group.ends, group.ends[1:]):
                while stop < end:
                    until = min(end, start + most)
                    pieces.append((place, slice(stop - begin, until - begin)))
                    stop = until
                    if stop == start + most:
                        blocks.append(_Block(group, start, stop, tuple(pieces)))
                        start, pieces = stop, []
                place += 1
            if pieces:
                blocks.append(_Block(group, start, stop, tuple(pieces)))
        return blocks

    @torch.no_grad()
    def add(self, found: Sequence[Gradients]) -> None:
        """Gradients of micro-batches that are part of the next step, in the order of addition."""
        if self._found:
            self._fold()
        self._found = list(found)
        if not self._in_blocks:
            self._fold()

    def forget(self) -> None:
        """Gradients of a step that was never taken."""
        self._found, self._begun = [], False

    def _fold(self) -> None:
        """Take the newest gradients into the sums."""
        for group in self.groups:
            if group.sum is None:
                group.sum = torch.empty_like(group.master)

        if not self._begun:
            first, *self._found = self._found

            def begin(block: _Block) -> None:
                part, total = block.gradient(first), block.of(block.group.sum)  # type: ignore[arg-type]
                total.zero_() if part is None else total.copy_(part)

            self._each_block(begin)
            self._begun = True
        self._each_block(self._total)
        self._found = []

    def _total(self, block: _Block) -> torch.Tensor:
        """[stop - start] float32: the block's gradient. Sums that were begun are returned themselves, with
        what was not in them yet."""
        total = block.of(block.group.sum) if self._begun and block.group.sum is not None else None
        for gradients in self._found:
            part = block.gradient(gradients)
            if part is not None:
                total = part.to(torch.float32, copy=True) if total is None else total.add_(part)
        return block.group.master.new_zeros(block.stop - block.start) if total is None else total

    def _each_block(self, compute: Callable[[_Block], Found]) -> list[Found]:
        """What `compute` says of each block, in order."""
        shares = self._lanes.each(lambda share: [compute(block) for block in share], self._shares)
        return [value for share in shares for value in share]

    @torch.no_grad()
    def step(self, learning_rate: float) -> float:
        """One update from the gradients added up since the last; returns their norm before clipping. With one
        that is not finite, nothing is done.

        Without any gradient nothing is done: Adam would go on in the direction of its momentum, and hardly
        more slowly, since its second moments fade as well. Groups whose rewards are all equal, as most are
        where a policy is good or bad at everything, would move the weights by what others taught before.
        """
        norms = self._each_block(lambda block: torch.linalg.vector_norm(self._total(block)))
        norm = float(torch.stack(norms).double().norm())
        if self._begun:
            self._found = []  # they are in the sums now
        if norm != 0.0 and math.isfinite(norm):
            self._move(learning_rate, min(1.0, self.grad_clip / (norm + _EPSILON)))
        self.forget()
        return norm

    def _move(self, learning_rate: float, factor: float) -> None:
        """AdamW's step along the gradients times a factor."""
        for group in self.groups:
            group.moments = group.moments or {name: torch.zeros_like(group.master) for name in _MOMENTS}
        self._steps += 1

        def move(block: _Block) -> None:
            group, gradient = block.group, self._total(block)
            if factor < 1.0:
                gradient.mul_(factor)
            master = block.of(group.master)
            mean, square = (block.of(group.moments[name]) for name in _MOMENTS)
            torch._fused_adamw_(
                [master],
                [gradient],
                [mean],
                [square],
                [],
                [self._steps.to(master.device)],
                lr=learning_rate,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=group.weight_decay,
                eps=_ADAM_EPSILON,
                amsgrad=False,
                maximize=False,
            )
            if group.low is not group.master:
                block.of(group.low).copy_(master)

        self._each_block(move)

    def shapes(self) -> dict[str, list[int]]:
        return {name: list(shape) for group in self.groups for name, shape in group.shapes.items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Flat tensors: `master.i`, and once a step was made `exp_avg.i`, `exp_avg_sq.i`, `step.i`."""
        state = {f"master.{i}": group.master for i, group in enumerate(self.groups)}
        for i, group in enumerate(self.groups):
            if group.moments:
                state |= {f"{key}.{i}": value for key, value in group.moments.items()}
                state[f"step.{i}"] = self._steps.clone()
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
        self._steps = torch.zeros(())  # before the first step there is nothing but the weights
        for i, group in enumerate(self.groups):
            group.master.copy_(state[f"master.{i}"])
            moments = {key: state[f"{key}.{i}"] for key in _MOMENTS if f"{key}.{i}" in state}
            group.moments = {key: m.to(group.master.device, copy=True) for key, m in moments.items()}
            if f"step.{i}" in state:
                self._steps = state[f"step.{i}"].to("cpu", copy=True)
            group.publish()
        self.forget()

    def blank_state(self, stepped: bool) -> dict[str, torch.Tensor]:
        """Where a state by parameter name is read into, before `accept`: `master.NAME` and, where a step was
        made, `exp_avg.NAME`, `exp_avg_sq.NAME` and `step`."""
        targets: dict[str, torch.Tensor] = {}
        for group in self.groups:
            group.moments = {key: torch.zeros_like(group.master) for key in _MOMENTS} if stepped else {}
            for key, vector in {"master": group.master, **group.moments}.items():
                targets |= {f"{key}.{name}": piece for name, piece in group.pieces(vector).items()}
        return targets | ({"step": torch.zeros(())} if stepped else {})

    def accept(self, state: dict[str, torch.Tensor]) -> None:
        """What `blank_state` gave has been filled."""
        self._steps = state["step"].to("cpu", copy=True) if "step" in state else torch.zeros(())
        for group in self.groups:
            group.publish()
        self.forget()
