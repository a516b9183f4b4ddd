"""Arithmetic of a decoder, and what GPUs can do of it: model FLOPs utilisation.

Source: PaLM (arXiv 2204.02311, appendix B): 6 FLOPs for each parameter of a matrix product and token (2
forward, 4 backward), and attention's own products beside them. Embedding look-ups count nothing. Differently
from there, the output product is counted where it is computed, at answers' tokens only, and attention as
causal: half.
"""

from typing import Any

#: Dense bfloat16 FLOPs a second, by a part of the device's name. Source: vendor's data sheets (SXM boards).
PEAKS = {"H100": 989e12, "H200": 989e12, "B200": 2250e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}


def peak_of(device: str) -> float | None:
    """FLOPs a second of a device; None where it is not known."""
    return next((peak for name, peak in PEAKS.items() if name in device), None)


def body_parameters(config: Any) -> int:
    """Parameters in matrix products of all layers of a Llama-like model, embeddings and head left out."""
    heads, width = config.num_attention_heads, config.hidden_size
    size = getattr(config, "head_dim", None) or width // heads
    attention = 2 * width * heads * size + 2 * width * config.num_key_value_heads * size
    return config.num_hidden_layers * (attention + 3 * width * config.intermediate_size)


def training_flops(config: Any, rows: int, labels: int, lengths: list[int], adapters: bool) -> float:
    """Of one optimiser step, without anything computed twice.

    Args:
        rows: tokens that go through the layers; labels: those whose next token is predicted.
        lengths: of the sequences, in tokens.
        adapters: frozen matrices have no gradient of their own: 4 FLOPs in place of 6. Those of the adapters
            are left out, so the result is slightly too small.
    """
    each = 4 if adapters else 6
    head = config.vocab_size * config.hidden_size
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    # Scores and their product with the values: 2 products of 2 FLOPs, 3 times with the backward pass, and
    # half of that.
    attention = 6 * config.num_hidden_layers * heads * size * sum(length**2 for length in lengths)
    return each * (body_parameters(config) * rows + head * labels) + attention
