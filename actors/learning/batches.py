"""From samples to the batches of an update.

Does not cover: how a batch is computed (`actors.learning.packing`).
"""

from collections.abc import Sequence
from typing import Any

from actors.engines.chat import encode_prompt, end_of_turn_id
from actors.learning.packing import Example
from protocols.records import Sample
from protocols.seeds import rng_of


def example_of(tokenizer: Any, sample: Sample) -> Example:
    """Prompt ids as the engines encode them, response ids as produced, and the end of the turn.

    Generation usually stops at a stop string; the end of the turn is added so that the model learns to
    stop there by itself. The sample's ids hold the whole response, so an opening of its prompt is not
    encoded again.
    """
    prompt, _ = encode_prompt(tokenizer, sample.prompt)
    response = tuple(sample.token_ids)
    end = end_of_turn_id(tokenizer)
    if response[-1:] != (end,):
        response += (end,)
    return Example(tuple(prompt), response, sample.weight)


def batches_of(
    examples: Sequence[Example], epochs: int, size: int, seed: tuple[object, ...]
) -> list[list[Example]]:
    """One batch per optimiser step: every epoch in an order of its own, the same for the same seed."""
    batches: list[list[Example]] = []
    for epoch in range(epochs):
        order = list(examples)
        rng_of("batches", *seed, epoch).shuffle(order)
        batches += [order[start : start + size] for start in range(0, len(order), size)]
    return batches
