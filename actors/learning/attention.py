"""Attention over a packed row: an opening shared by all sequences, then the rest of each.

Registered with transformers under the name `packed`, so that any causal model of the library can compute
packed rows. Does not cover sliding windows shorter than a sequence: such a model is refused.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface

from protocols.errors import SettingError

NAME = "packed"
_SMALL = 256 * 512  # scores of one head and sequence; beyond, holding them all costs too much memory


class Layout:
    """Where the sequences of a packed row lie: P opening rows, then B rests of up to L rows.

    `rows` [B * L]: the row of each place of the padded batch; padding repeats the rest's last row.
    `back` [T - P]: the padded place of each row after the opening.
    Both are None where all rests are equally long: then nothing is padded.
    `mask` [L, P + L]: a rest's row i may look at the opening and at its own rows up to i. Padding lies
    to the right, where no real row looks, so one mask serves all sequences.
    `opening_mask` [P, P]: the opening looks at itself.

    On a GPU the masks are names only: its flash kernel takes no mask, but it knows this triangle. With a mask
    that is spelled out and grouped heads, torch falls back to computing all scores.
    """

    def __init__(self, opening: int, lengths: tuple[int, ...], device: torch.device | None = None) -> None:
        self.opening, self.lengths = opening, lengths
        self.longest = longest = max(lengths)
        self.rows, self.back = (None, None) if min(lengths) == longest else self._padding(device)
        if device is not None and device.type == "cuda":
            self.mask: torch.Tensor = causal_lower_right(longest, opening + longest)
            self.opening_mask: torch.Tensor = causal_lower_right(opening, opening)
            return
        own = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
        self.mask = F.pad(own, (opening, 0), value=True)
        self.opening_mask = torch.ones(opening, opening, dtype=torch.bool, device=device).tril()

    def _padding(self, device: torch.device | None) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = torch.tensor(self.lengths)[:, None]  # [B, 1]
        starts = self.opening + lengths.cumsum(0) - lengths
        places = torch.arange(self.longest)[None]  # [1, L]
        rows = (starts + places.minimum(lengths - 1)).flatten()
        back = (places < lengths).flatten().nonzero()[:, 0]
        return rows.to(device), back.to(device)


def packed_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    *,
    layout: Layout,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """query [1, H, T, D], key and value [1, K, T, D] -> [1, T, H, D]."""
    opening, longest, batch = layout.opening, layout.longest, len(layout.lengths)
    if sliding_window is not None and sliding_window < opening + longest:
        raise SettingError(
            f"The model looks back {sliding_window} tokens only, but a sequence has {opening + longest}; "
            "choose a model with full attention."
        )
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # [T, heads, D]

    def padded(x: torch.Tensor) -> torch.Tensor:  # [T, heads, D] -> [B, heads, L, D]
        rests = x[opening:] if layout.rows is None else x.index_select(0, layout.rows)
        return rests.unflatten(0, (batch, longest)).transpose(1, 2)

    def with_opening(x: torch.Tensor) -> torch.Tensor:  # [T, heads, D] -> [B, heads, P + L, D]
        shared = x[:opening].transpose(0, 1).expand(batch, -1, -1, -1)
        return torch.cat((shared, padded(x)), dim=2)

    rests = _attend(padded(q), with_opening(k), with_opening(v), layout.mask, scaling)
    out = rests.transpose(1, 2).flatten(0, 1)  # [B * L, H, D]
    if layout.back is not None:
        out = out.index_select(0, layout.back)  # [T - P, H, D]
    if opening:
        q, k, v = query[:, :, :opening], key[:, :, :opening], value[:, :, :opening]
        first = _attend(q, k, v, layout.opening_mask, scaling)
        out = torch.cat((first[0].transpose(0, 1), out))
    return out[None], None


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    small = q.device.type == "cpu" and mask.numel() <= _SMALL
    return (_small_attention if small else _large_attention)(q, k, v, mask, scaling)


def _small_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Plain softmax(q k^T) v, the query heads that share a key head as rows of one matrix product.

    q [B, H, L, D], k and v [B, K, S, D], mask [L, S] -> [B, H, L, D]. On short sequences this is several
    times faster on a CPU than torch's flash kernel, whose backward pass works on single heads.
    """
    batch, heads, length, width = q.shape
    shared = heads // k.shape[1]
    bias = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, float("-inf")).repeat(shared, 1)
    scores = torch.baddbmm(
        bias,
        q.reshape(-1, shared * length, width),
        k.flatten(0, 1).transpose(1, 2),
        alpha=width**-0.5 if scaling is None else scaling,
    )
    return torch.bmm(scores.softmax(-1), v.flatten(0, 1)).view(batch, heads, length, width)


def _large_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """The same through torch's kernels, which never hold all scores at once."""
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
    )


AttentionInterface.register(NAME, packed_attention)
