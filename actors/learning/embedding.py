"""Sentence embeddings: what an answer says as a vector, by a small model of its own.

The rule is the one on the card of all-MiniLM-L6-v2, as for most models of sentence-transformers: the mean of
the last hidden states over the tokens of the attention mask, scaled to length 1. A text is cut at the number
of tokens that the model was made for (256 in all-MiniLM-L6-v2), so only the beginning of a long one counts.
The same texts on the same machine give the same vectors.

Does not cover: the policy's hidden states (`grpo`), what embeddings are for (`diversity`), other poolings.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer

from memory.embedder_sources import fetch_embedder
from memory.model_sources import quiet
from protocols.errors import ArtefactError
from protocols.learner_settings import GrpoSettings

BATCH = 32  # texts computed at once
LONGEST = 512  # tokens, where a model does not say


def embedder_of(settings: GrpoSettings, device: torch.device | str) -> "Embedder | None":
    """The model that embeds answers; None where the policy does, or nothing has to.

    Raises:
        ArtefactError: it cannot be had, or is not of a kind that this module knows.
    """
    name = settings.embedding
    return None if name is None else Embedder(fetch_embedder(name), device)


class Embedder:
    """A BERT-like model from a Hugging Face folder, in float32.

    Raises:
        ArtefactError: the folder holds no such model, or one with another pooling.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        pooling = _json(folder / "1_Pooling" / "config.json")
        if not pooling.get("pooling_mode_mean_tokens", True):
            raise ArtefactError(
                f"Embedder {folder}: its 1_Pooling/config.json asks for another pooling than the mean over "
                "tokens; choose another learner.grpo.embedder."
            )
        try:
            with quiet():
                self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
                self._model = (
                    AutoModel.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
                    .to(self.device)
                    .eval()
                )
        except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
            cause = str(error).strip().partition("\n")[0][:160]
            raise ArtefactError(
                f"Embedder {folder}: transformers cannot load it ({cause}); choose another "
                "learner.grpo.embedder, a Hugging Face folder with weights, tokenizer and no code of its own."
            ) from error
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token or self._tokenizer.unk_token
        made_for = _json(folder / "sentence_bert_config.json").get("max_seq_length")
        room = getattr(self._model.config, "max_position_embeddings", None)
        self.longest = min(n for n in (made_for or LONGEST, room, self._tokenizer.model_max_length) if n)

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """[N, D], each of length 1, in order. Texts of about the same length are computed together."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found: list[torch.Tensor] = [torch.empty(0)] * len(texts)
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            inputs = self._tokenizer(
                [texts[index] for index in chosen],
                padding=True,
                truncation=True,
                max_length=self.longest,
                return_tensors="pt",
            ).to(self.device)
            hidden = self._model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            means = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            for index, vector in zip(chosen, F.normalize(means, dim=1)):
                found[index] = vector
        return torch.stack(found)


def _json(file: Path) -> dict[str, Any]:
    """What a file of sentence-transformers says; empty without it."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
