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
    opening, *others = (example.prompt[:-1] for example in examples)
    for other in others:
        opening = opening[: _shared(opening, other)]
    return len(opening)


def rows(examples: Sequence[Example]) -> int:
    """T of the row that these examples make."""
    return sum(map(len, examples)) - common_opening(examples) * (len(examples) - 1)


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
    """Cut a batch into micro-batches of at most `micro_tokens` rows each (a longer sequence stands alone).

    Answers to one prompt stay together, so that the prompt is computed once for all of them; otherwise
    neighbours in length do, because attention pads to the longest.
    """
    parts: list[list[Row]] = []
    opening: tuple[int, ...] = ()
    tokens = 0  # of the last part's sequences, each counted whole
    for example in sorted(examples, key=lambda e: (len(e.prompt), e.prompt, len(e))):
        shared = _shared(opening, example.prompt[:-1])
        # Another prompt in a part that shares more than their common opening: those rows would come back.
        lost = (len(opening) - shared) * (len(parts[-1]) - 1) if parts else 0
        if parts and lost <= shared and tokens + len(example) - shared * len(parts[-1]) <= micro_tokens:
            parts[-1].append(example)
            opening, tokens = opening[:shared], tokens + len(example)
        else:
            parts.append([example])
            opening, tokens = example.prompt[:-1], len(example)
    return parts


def divided(examples: Sequence[Row], micro_tokens: int, workers: int) -> list[list[Row]]:
    """Micro-batches of at most `micro_tokens` rows each (a longer sequence stands alone) that keep so many
    workers equally busy: as many for each, where there are enough sequences, and about equally many rows.

    No more of them than have to be, and the smallest bound on their rows that gives so few.
    """
    parts = split(examples, micro_tokens)
    if workers == 1:
        return parts
    wanted = -(-len(parts) // workers) * workers
    low, high = 0, micro_tokens  # too small a bound, and one that will do
    while high - low > 1:
        bound = (low + high) // 2
        finer = split(examples, bound)
        if len(finer) <= wanted:
            high, parts = bound, finer
        else:
            low = bound
    return sorted(
        cut_further(parts, wanted), key=rows, reverse=True
    )  # what is computed at once is of one size


def cut_further(parts: Sequence[list[Row]], wanted: int) -> list[list[Row]]:
    """At least `wanted` micro-batches where there are enough sequences: the one with the most rows is halved
    until there are. What shares a prompt still lies together as far as that goes."""
    parts = list(parts)
    while len(parts) < wanted:
        largest = max((part for part in parts if len(part) > 1), key=rows, default=None)
        if largest is None:
            break
        at, half = parts.index(largest), len(largest) // 2
        parts[at : at + 1] = [largest[:half], largest[half:]]
    return parts


def _shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens both begin with."""
    if one == other:
        return len(one)
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
