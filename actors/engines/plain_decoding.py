"""Decoding with transformers' own cache and attention, for models that do not fit `decoding`.

Same calls as `decoding.SharedPrefixDecoder`, far slower: the prefix is computed for every row and each step
copies the cache. Rows are added only when none are left, because transformers' caches cannot grow by rows.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from actors.engines.decoding import holes


class PlainDecoder:
    grows = False

    def __init__(self, model: Any, prefix: list[int], capacity: int, longest: int, answer: int) -> None:
        self._model = model
        self._prefix = prefix
        self._last = torch.tensor([-1], device=model.device)
        self._cache: Any = None
        self._mask = torch.zeros(0, 0, dtype=torch.long, device=model.device)

    @property
    def rows(self) -> int:
        return len(self._mask)

    def add(self, suffixes: list[list[int]], copies: list[int]) -> Tensor:
        if self.rows:
            raise RuntimeError("PlainDecoder takes new rows only when it has none")
        rows = [
            self._prefix + suffix
            for suffix, times in zip(suffixes, copies, strict=True)
            for _ in range(times)
        ]
        width = max(map(len, rows))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=self._model.device)
        self._mask = torch.tensor(
            [[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self._model.device
        )
        self._cache = DynamicCache(config=self._model.config)
        return self._forward(ids, (self._mask.cumsum(-1) - 1).clamp(min=0))

    def step(self, ids: list[int]) -> Tensor:
        positions = self._mask.sum(-1, keepdim=True)
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], -1)
        return self._forward(torch.tensor(ids, device=self._model.device)[:, None], positions)

    def remove(self, gone: list[int]) -> None:
        order = list(range(self.rows))
        for source, target in holes(self.rows, gone):
            order[target] = order[source]
        kept = torch.tensor(order[: self.rows - len(gone)], dtype=torch.long, device=self._model.device)
        if len(kept):
            self._cache.batch_select_indices(kept)
        self._mask = self._mask[kept]

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        logits: Tensor = self._model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=self._last,
        ).logits[:, -1]
        return logits
