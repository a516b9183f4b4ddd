"""A causal model as the learner computes with it: packed rows in, hidden states and log-probabilities out.

Does not cover: adapters (`lora`), shards (`sharding`), and how the model learns (`trainee`).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from actors.learning import attention
from actors.learning.losses import token_logprobs
from actors.learning.packing import Example, Packed, pack
from protocols.errors import SettingError

_PACKING_TOLERANCE = 0.1  # nats in the mean; two bfloat16 computations of one model differ by up to 0.03

Found = TypeVar("Found")


def read_model(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A Hugging Face folder's model, with packed attention."""
    with quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation=attention.NAME, trust_remote_code=False
        )
    return model.to(device)


class Policy(nn.Module):
    """A model whose forward pass is any computation with it.

        loss = policy(lambda: loss_of(policy.hidden(packed), policy.head()))

    Whatever uses parameters runs within such a call: of a sharded model they are whole there and nowhere
    else, and a loss that takes the head's weights as they are needs them as much as the layers do.
    """

    def __init__(self, model: Any, device: torch.device) -> None:
        super().__init__()
        self.model = model
        self.device = device

    def forward(self, compute: Callable[[], Found]) -> Found:
        return compute()

    def hidden(self, packed: Packed) -> torch.Tensor:
        """[N, D]: last hidden states, only where there is a label."""
        hidden = self.model.base_model(
            input_ids=packed.ids[None],
            position_ids=packed.positions[None],
            use_cache=False,
            layout=attention.Layout(packed.opening, packed.lengths, self.device),
        ).last_hidden_state[0]
        return hidden.index_select(0, packed.places)

    def head(self) -> torch.Tensor:
        """[V, D]: the output embedding."""
        weight: torch.Tensor = self.model.get_output_embeddings().weight
        return weight

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """Without gradients and without what is random in training."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(training)

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """Log-probability of each id after the first, given those before it."""
        packed = pack([Example(prompt=tuple(ids[:1]), response=tuple(ids[1:]))]).to(self.device)

        def compute() -> torch.Tensor:
            logits = F.linear(self.hidden(packed).float(), self.head().float())
            return token_logprobs(logits, packed.labels)

        with self.measuring():
            return self(compute).tolist()

    def check_packing(self, ids: Sequence[int], name: object) -> None:
        """Compare packed rows with the model's own forward pass: some models do more than attention and an
        output product (windows, scaled or capped logits), and would silently learn something else.

        Raises:
            SettingError: they differ; `name` says which model it is.
        """
        self.model.set_attn_implementation("sdpa")
        with self.measuring():
            row = torch.tensor([list(ids)], device=self.device)
            own = self.model(input_ids=row, use_cache=False).logits[0, :-1]
        self.model.set_attn_implementation(attention.NAME)
        there = token_logprobs(own, torch.tensor(ids[1:], device=self.device)).tolist()
        here = self.logprobs(ids)
        mean = sum(abs(a - b) for a, b in zip(here, there)) / len(here)
        if not mean <= _PACKING_TOLERANCE:
            raise SettingError(
                f"Model {name} cannot be learned from packed rows: log-probabilities differ by "
                f"{mean:.3f} nats from its own forward pass; choose a plain causal model (model.name)."
            )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars, which are the command line's business."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
