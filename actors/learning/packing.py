"""From samples to micro-batches without padding: sequences laid end to end, their common opening once.

All chats open with the same tokens (the template's system turn), and with causal attention those tokens'
states are the same in every sequence. A micro-batch therefore holds the common opening once, followed by
what is left of each sequence, all in one row:

    [ opening | rest of sequence 0 | rest of sequence 1 | ... ]      T rows of every matrix product

A rest attends to the opening and to itself. Gradients of the opening add up over the sequences, so loss
and gradients are those of separate sequences, computed with fewer rows.

Letters: T = tokens in the row, P = opening, B = sequences, L = longest rest, N = labelled positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch


@dataclass(frozen=True)
class Example:
    """One sequence to learn: prompt ids, then response ids (end of turn included), and its weight."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    weight: float = 1.0

    @property
    def ids(self) -> tuple[int, ...]:
        return self.prompt + self.response

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


Row = TypeVar("Row", bound=Example)


@dataclass(frozen=True)
class Packed:
    """One micro-batch."""

    ids: torch.Tensor  # [T]
    positions: torch.Tensor  # [T] position of each token in its own sequence
    opening: int  # P
    lengths: tuple[int, ...]  # B lengths of the rests; P + sum(lengths) == T
    places: torch.Tensor  # [N] rows whose next token is a label
    labels: torch.Tensor  # [N]
    weights: torch.Tensor  # [N] float32
    tokens: int  # tokens of all sequences, each counted whole

    def to(self, device: torch.device) -> "Packed":
        moved = {
            name: getattr(self, name).to(device)
            for name in ("ids", "positions", "places", "labels", "weights")
        }
        return Packed(opening=self.opening, lengths=self.lengths, tokens=self.tokens, **moved)


def common_opening(examples: Sequence[Example]) -> int:
    """Prompt tokens that all sequences open with; at least one token of each prompt is left over, so that
    every label is predicted from a row of its own."""
    shared = 0
    for column in zip(*(example.prompt[:-1] for example in examples)):
        if len(set(column)) > 1:
            break
        shared += 1
    return shared


def pack(examples: Sequence[Example]) -> Packed:
    """Lay examples end to end, their common opening once."""
    opening = common_opening(examples)
    ids = list(examples[0].ids[:opening])
    positions = list(range(opening))
    places: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    for example in examples:
        offset = len(ids) - opening  # row = offset + position
        ids += example.ids[opening:]
        positions += range(opening, len(example))
        first = len(example.prompt)
        places += range(offset + first - 1, offset + len(example) - 1)
        labels += example.response
        weights += [example.weight] * len(example.response)
    return Packed(
        ids=torch.tensor(ids),
        positions=torch.tensor(positions),
        opening=opening,
        lengths=tuple(len(example) - opening for example in examples),
        places=torch.tensor(places, dtype=torch.long),
        labels=torch.tensor(labels, dtype=torch.long),
        weights=torch.tensor(weights),
        tokens=sum(len(example) for example in examples),
    )


def split(examples: Sequence[Row], micro_tokens: int) -> list[list[Row]]:
    """Cut a batch into micro-batches of at most `micro_tokens` tokens (a longer sequence stands alone),
    neighbours in length together, because attention pads to the longest."""
    parts: list[list[Row]] = []
    room = 0
    for example in sorted(examples, key=len):
        if not parts or len(example) > room:
            parts.append([])
            room = micro_tokens
        parts[-1].append(example)
        room -= len(example)
    return parts
