"""Key-value cache and attention for decoding many rows that share a prefix.

    prefix   [1, heads, P, d]        computed once, stored once, read once per step for all rows together
    rows     [R, heads, columns, d]  what each row has of its own: prompt rest, prefill, sampled tokens

Rows end in the same column, so that a step writes one column; each begins where its own tokens begin.
Attention to the prefix and to the row's own columns are two calls whose results are joined by their
log-sum-exp, which is exact: softmax over the union is the weighted mean of both. Grouped query heads are
folded into the query axis, so keys and values are never repeated.

Does not cover: models with sliding windows, recurrent layers or other attention than plain causal;
`supports` says so, and `actors.engines.plain_decoding` serves those.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, Cache

ATTENTION = "taskspace_shared_prefix"
PREFILL_TOKENS = 2048  # prompt tokens computed at a time: large enough for full speed, small activations
SLACK = 32  # columns beyond the longest row: how often stale columns are squeezed out


def supports(config: Any) -> bool:
    """Whether every layer is plain causal attention with keys and values of one head size."""
    layers = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        set(layers) == {"full_attention"}
        and not getattr(config, "sliding_window", None)
        and not getattr(config, "attn_logit_softcapping", None)
        and hasattr(config, "num_attention_heads")
    )


class SharedPrefixDecoder:
    """Rows being decoded. Row numbers are 0 .. rows-1; `remove` moves the last rows into the holes.

    Args:
        prefix: ids that all rows begin with; may be empty.
        capacity: most rows at a time.
        longest: most ids that any row will be added with, after the prefix.
        answer: most ids that any row will sample.
    """

    grows = True  # `add` works while there are rows

    def __init__(self, model: Any, prefix: list[int], capacity: int, longest: int, answer: int) -> None:
        self._model = model
        self._cache = _RowsCache(model, capacity, longest, longest + answer + SLACK)
        self._prefix = len(prefix)
        # An index, not `logits_to_keep=1`: the slice that makes would have the output matrix copied per row.
        self._last = torch.tensor([-1], device=model.device)
        if prefix:
            self._forward(torch.tensor([prefix]), torch.arange(len(prefix))[None], None)
            self._cache.seal_prefix()

    @property
    def rows(self) -> int:
        return self._cache.rows

    def add(self, suffixes: list[list[int]], copies: list[int]) -> Tensor:
        """Append rows: `copies[i]` rows that begin with `suffixes[i]` (at least one id).

        Returns:
            Logits of the next token, [sum(copies), vocabulary], rows in the order given.
        """
        found = []
        for first, last in _chunks([len(suffix) for suffix in suffixes]):
            part, times = suffixes[first:last], copies[first:last]
            width = max(map(len, part))
            pads = torch.tensor([width - len(suffix) for suffix in part])
            ids = torch.tensor([[0] * (width - len(suffix)) + suffix for suffix in part])
            columns = torch.arange(width)
            causal = columns[:, None] >= columns
            real = columns >= pads[:, None]
            # A pad attends to itself: softmax over nothing would be NaN.
            own = (causal & real[:, None, :]) | torch.eye(width, dtype=torch.bool)
            mask = torch.cat([torch.ones(len(part), width, self._prefix, dtype=torch.bool), own], -1)[:, None]
            positions = (columns - pads[:, None]).clamp(min=0) + self._prefix
            self._cache.expect_prompts([len(suffix) for suffix in part], times)
            logits = self._forward(ids, positions, mask)
            self._cache.admit()
            found.append(logits.repeat_interleave(torch.tensor(times, device=logits.device), 0))
        return torch.cat(found)

    def step(self, ids: list[int]) -> Tensor:
        """One more id for every row; returns the logits of the next one, [rows, vocabulary]."""
        starts = self._cache.expect_step()
        positions = self._prefix + self._cache.high - 1 - starts
        mask = None
        if len(set(starts.tolist())) > 1:
            columns = torch.arange(self._cache.low, self._cache.high)
            mask = (columns >= starts[:, None])[:, None, None, :]
        return self._forward(torch.tensor(ids)[:, None], positions[:, None], mask)

    def remove(self, gone: list[int]) -> None:
        self._cache.move(holes(self.rows, gone), self.rows - len(gone))

    def _forward(self, ids: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        device = self._model.device
        if mask is not None:
            mask = mask.to(device)
            if self._cache.deciding == "step":  # the kernels add masks, so build the sum once for all layers
                mask = torch.zeros(mask.shape, dtype=self._model.dtype, device=device).masked_fill_(
                    ~mask, -torch.inf
                )
        logits: Tensor = self._model(
            input_ids=ids.to(device),
            position_ids=positions.to(device),
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=self._last,
            rows_cache=self._cache,
        ).logits[:, -1]
        return logits


def holes(rows: int, gone: list[int]) -> list[tuple[int, int]]:
    """Moves (from, to) that close the holes `gone` leaves among 0 .. rows-1, last rows first."""
    left = rows - len(gone)
    lost = set(gone)
    movers = [row for row in range(left, rows) if row not in lost]
    return list(zip(movers, sorted(row for row in gone if row < left), strict=True))


def _chunks(lengths: list[int]) -> list[tuple[int, int]]:
    """Cut a list of prompts so that each part, padded to its longest, stays below PREFILL_TOKENS."""
    parts, first, width = [], 0, 0
    for index, length in enumerate(lengths):
        width = max(width, length)
        if index > first and width * (index - first + 1) > PREFILL_TOKENS:
            parts.append((first, index))
            first, width = index, length
    return [*parts, (first, len(lengths))]


class _RowsCache(Cache):
    """What the model's layers write to and read from; see the module's head for the layout."""

    def __init__(self, model: Any, capacity: int, longest: int, columns: int) -> None:
        super().__init__(layers=[])
        config = model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        # Zeros, not empty: masked columns have weight 0, and 0 times a stray NaN is NaN.
        # Untouched pages cost no memory.
        self._keys, self._values = (
            [
                torch.zeros(capacity, heads, columns, size, dtype=model.dtype, device=model.device)
                for _ in range(config.num_hidden_layers)
            ]
            for _ in range(2)
        )
        self.prefix: list[tuple[Tensor, Tensor]] = []
        self.rows = 0
        self.low = self.high = longest  # columns in use: low .. high-1
        self._longest, self._columns = longest, columns
        self._starts = torch.zeros(0, dtype=torch.long)
        self._fresh: list[tuple[Tensor, Tensor]] = []
        self.deciding = "prefix"
        self._lengths: list[int] = []
        self._source = torch.zeros(0, dtype=torch.long)

    # -- called by the decoder --

    def seal_prefix(self) -> None:
        self.prefix, self._fresh = self._fresh, []

    def expect_prompts(self, lengths: list[int], copies: list[int]) -> None:
        self.deciding = "prompts"
        self._source = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(copies))
        self._lengths = lengths

    def admit(self) -> None:
        """The rows of the last prompts count from now on."""
        starts = self.high - torch.tensor(self._lengths)[self._source]
        self._starts = torch.cat([self._starts, starts])
        self.rows += len(starts)
        self.low = int(self._starts.min())

    def expect_step(self) -> Tensor:
        """Open a column; returns where each row starts, [rows]."""
        self.deciding = "step"
        self.low = int(self._starts.min())
        if self.high == self._columns:
            self._squeeze()
        self.high += 1
        return self._starts

    def move(self, moves: list[tuple[int, int]], left: int) -> None:
        if moves:
            sources, targets = (torch.tensor(side) for side in zip(*moves, strict=True))
            for kept in (*self._keys, *self._values):
                for source, target in moves:  # a row's columns only: far less than the whole buffer
                    kept[target, :, self.low : self.high] = kept[source, :, self.low : self.high]
            self._starts[targets] = self._starts[sources]
        self.rows = left
        self._starts = self._starts[:left].clone()

    def _squeeze(self) -> None:
        """Shift everything left over columns that no row uses any more."""
        by = min(self.low, self.high - self._longest)
        for kept in (*self._keys, *self._values):
            kept[: self.rows, :, : self.high - by] = kept[: self.rows, :, by : self.high].clone()
        self._starts -= by
        self.low -= by
        self.high -= by

    # -- called by the model --

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        """Keep new keys and values, [rows, heads, tokens, size]; returns those to attend to."""
        if self.deciding == "prefix":
            self._fresh.append((key_states, value_states))
            return key_states, value_states
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        if self.deciding == "step":
            keys[: self.rows, :, self.high - 1] = key_states[:, :, 0]
            values[: self.rows, :, self.high - 1] = value_states[:, :, 0]
            return (
                keys[: self.rows, :, self.low : self.high],
                values[: self.rows, :, self.low : self.high],
            )
        width, last = key_states.shape[2], self.rows + len(self._source)
        source = self._source.to(key_states.device)
        keys[self.rows : last, :, self.high - width : self.high] = key_states[source]
        values[self.rows : last, :, self.high - width : self.high] = value_states[source]
        if not self.prefix:
            return key_states, value_states
        shared = [state.expand(len(key_states), -1, -1, -1) for state in self.prefix[layer_idx]]
        return torch.cat([shared[0], key_states], 2), torch.cat([shared[1], value_states], 2)


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    rows_cache: _RowsCache | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """query [n, H, tokens, d], key and value [n, h, tokens, d], H a multiple of h -> [n, tokens, H, d]."""
    if rows_cache is None or rows_cache.deciding != "step":
        causal = attention_mask is None and query.shape[2] > 1
        out = scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, is_causal=causal, scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip
        return out.transpose(1, 2), None
    rows, heads, _one, size = query.shape
    kv_heads = key.shape[1]
    group = heads // kv_heads
    folded = query.reshape(rows, kv_heads, group, size)
    if not rows_cache.prefix:
        out = scaled_dot_product_attention(folded, key, value, attn_mask=attention_mask, scale=scaling)
        return out.reshape(rows, 1, heads, size), None
    own, own_lse = _with_lse(folded, key, value, attention_mask, scaling)
    prefix_key, prefix_value = rows_cache.prefix[module.layer_idx]
    together = folded.transpose(0, 1).reshape(1, kv_heads, rows * group, size)
    shared, shared_lse = _with_lse(together, prefix_key, prefix_value, None, scaling)
    shared = shared.reshape(kv_heads, rows, group, size).transpose(0, 1)
    shared_lse = shared_lse.reshape(kv_heads, rows, group).transpose(0, 1)
    share = torch.sigmoid(shared_lse - own_lse)[..., None]  # of the prefix in the joint softmax
    out = torch.lerp(own.float(), shared.float(), share).to(query.dtype)
    return out.reshape(rows, 1, heads, size), None


def _with_lse(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> tuple[Tensor, Tensor]:
    """Attention and the log-sum-exp of its scores, [n, h, q, d] and [n, h, q]."""
    if query.device.type == "cpu":
        if mask is not None:
            mask = mask.expand(-1, -1, query.shape[2], -1)
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, False, attn_mask=mask, scale=scaling
        )
        return out, lse
    scores = torch.matmul(query, key.transpose(2, 3)).float()
    scores = scores * (scaling if scaling is not None else query.shape[-1] ** -0.5)
    if mask is not None:
        scores = scores + mask
    lse = scores.logsumexp(-1)
    return torch.matmul((scores - lse[..., None]).exp().to(value.dtype), value), lse


AttentionInterface.register(ATTENTION, _attention)
