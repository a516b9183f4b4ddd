"""Text generation with transformers models and a decoding loop of our own.

    requests ─ encode ─▶ families (same opening) ─▶ rows ─ step, sample ─▶ completions
                                                     ▲         │ finished rows leave,
                                                     └─────────┘ waiting ones take their places

What it adds to `model.generate`: the prompt part that a family shares is computed and stored once; equal
prompts (a group) are computed once; every request has its own limit, stop strings, temperature and random
stream; ids and log-probabilities come back as sampled. Parts: `chat` (ids), `decoding` (cache and
attention), `sampling`, `stopping`, `weights` (loading and checking).

Does not cover: several devices, quantised weights, speculative decoding.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors import heap
from actors.engines import weights as weight_loading
from actors.engines.base import Completion, Request, Weights
from actors.engines.chat import encode_prompt, end_of_turn_id
from actors.engines.decoding import ATTENTION, SharedPrefixDecoder, holes, supports
from actors.engines.plain_decoding import PlainDecoder
from actors.engines.sampling import generator_of, sample
from actors.engines.stopping import StopWatch
from actors.engines.threads import EngineThreads
from actors.precision import dtype_on, named
from protocols.cores import usable_cores
from protocols.engine_settings import EngineSettings
from protocols.errors import DeadlineError, EngineError

KV_BYTES_CPU = 384 << 20  # keys and values of the rows; a 135M engine then takes about 1.3 GB in all
KV_SHARE_CUDA = 0.5  # of the memory that is free after loading
FAMILY_TOKENS = 64  # requests that agree in this many first tokens are decoded together ...
FAMILY_SIZE = 16  # ... if they are at least so many; a small batch is slower than a short shared prefix


@dataclass(eq=False)
class _Row:
    """One request on its way."""

    position: int  # in the call's requests
    request: Request
    prompt: list[int]
    prefill: list[int]
    limit: int
    random: np.random.Generator
    sampled: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    @property
    def given(self) -> list[int]:
        return self.prompt + self.prefill


class TransformersEngine:
    """See `actors.engines.base.Engine`. `progress` is told how many tokens came since its last call."""

    name = "transformers"

    def __init__(self, model_path: Path, settings: EngineSettings) -> None:
        """Raises:
        EngineError: no such device, or the folder holds no causal language model.
        """
        self.version = 0
        self.why = "transformers: works with every causal language model"
        self._settings = settings
        self._base = Path(model_path)  # what adapters are added to
        self.device = _device(settings.device)
        fixed = settings.threads or (usable_cores() if self.device.type == "cuda" else 0)
        self._threads = EngineThreads(fixed, self._sample_logits)
        self._threads.begin()
        self.model, self.tokenizer = weight_loading.load_model(
            model_path, self.device, dtype_on(self.device, settings.dtype)
        )
        self.why += f"; in {named(self.model.dtype)}"
        self._ends = _end_ids(self.model, self.tokenizer)
        self._watch = StopWatch(self.tokenizer)
        self._decoder: type[SharedPrefixDecoder] | type[PlainDecoder] = self._choose_decoder()
        self._kv_bytes = KV_BYTES_CPU
        if self.device.type == "cuda":
            self._kv_bytes = int(torch.cuda.mem_get_info(self.device)[0] * KV_SHARE_CUDA)
        self._totals = {
            "tokens": 0.0,
            "seconds": 0.0,
            "batches": 0.0,
            "prompt_tokens": 0.0,
            "shared_tokens": 0.0,
        }

    # ---- the engine's four calls ----

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[Completion]:
        began = time.monotonic()
        self._threads.begin()
        rows = self._encode(requests)
        for family in _families([row for row in rows if row.limit > 0]):
            self._play(family, began + self._settings.deadline_s, progress)
        self._totals["seconds"] += time.monotonic() - began
        self._totals["tokens"] += sum(len(row.sampled) for row in rows)
        self._totals["batches"] += 1
        heap.give_back()
        return [self._completion(row) for row in rows]

    @torch.inference_mode()
    def load(self, weights: Weights) -> None:
        self._threads.begin()
        self.version = -1  # nobody's, until the new weights stand and are checked
        if weights.adapter:
            weight_loading.add_adapter(self.model, self._base, Path(weights.path), weights.checksum)
        else:
            weight_loading.replace_weights(self.model, Path(weights.path), weights.checksum)
        weight_loading.check_probe(
            lambda ids: weight_loading.sequence_logprobs(self.model, ids),
            weights,
            self._settings.probe_tolerance,
        )
        self.version = weights.version

    def metrics(self) -> dict[str, float]:
        return dict(self._totals)

    def close(self) -> None:
        del self.model
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # ---- one family of requests ----

    def _play(self, waiting: list[_Row], deadline: float, progress: Callable[[int], None] | None) -> None:
        waiting = sorted(waiting, key=lambda row: (-len(row.given), row.given, row.position))
        shared = _common_prefix([row.given for row in waiting])
        longest = len(waiting[0].given) - shared
        answer = max(row.limit for row in waiting)
        capacity = min(self._settings.batch_size, len(waiting), self._most_rows(longest + answer))
        decoder = self._decoder(self.model, waiting[0].given[:shared], capacity, longest, answer)
        refill = max(1, capacity // 8)  # a few at a time: a prefill costs about as much as a step
        self._totals["prompt_tokens"] += sum(len(row.given) for row in waiting)
        self._totals["shared_tokens"] += shared * (len(waiting) - 1)
        rows: list[_Row] = []
        while waiting or rows:
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"engine {self.name}: {len(waiting) + len(rows)} answers unfinished after "
                    f"{self._settings.deadline_s:.0f} s; raise engine.deadline_s or ask for less at a time"
                )
            self._threads.set()
            free = capacity - len(rows)
            if not rows or (decoder.grows and waiting and free >= min(refill, len(waiting))):
                new, waiting = waiting[:free], waiting[free:]
                suffixes: dict[tuple[int, ...], int] = {}
                for row in new:
                    suffix = tuple(row.given[shared:])
                    suffixes[suffix] = suffixes.get(suffix, 0) + 1
                logits = decoder.add([list(suffix) for suffix in suffixes], list(suffixes.values()))
                first = len(rows)
                rows += new
            else:
                logits, first = decoder.step([row.sampled[-1] for row in rows]), 0
            gone = self._absorb(rows, first, logits)
            if progress:
                progress(len(rows) - first)
            if gone:
                for source, target in holes(len(rows), gone):
                    rows[target] = rows[source]
                decoder.remove(gone)
                del rows[len(rows) - len(gone) :]

    def _absorb(self, rows: list[_Row], first: int, logits: torch.Tensor) -> list[int]:
        """Sample one token for each of rows[first:]; returns which rows are finished."""
        active = rows[first:]
        ids, logprobs = sample(
            logits,
            [row.random.random() for row in active],
            [row.request.sampling.temperature for row in active],
            [row.request.sampling.top_p for row in active],
        )
        gone = []
        for index, (row, token, logprob) in enumerate(zip(active, ids, logprobs, strict=True), first):
            row.sampled.append(token)
            row.logprobs.append(logprob)
            if len(row.sampled) == row.limit or self._stopped(row):
                gone.append(index)
        return gone

    def _stopped(self, row: _Row) -> bool:
        return row.sampled[-1] in self._ends or self._watch.stopped(
            row.sampled, row.request.prompt.prefill, row.request.stop
        )

    # ---- requests in, completions out ----

    def _encode(self, requests: Sequence[Request]) -> list[_Row]:
        context = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        known: dict[Any, tuple[list[int], list[int]]] = {}
        rows = []
        for position, request in enumerate(requests):
            key = (request.prompt.prefill, *((m.role, m.content) for m in request.prompt.messages))
            if key not in known:
                known[key] = encode_prompt(self.tokenizer, request.prompt)
            prompt, prefill = known[key]
            # One prompt that is too long costs its own answers, not the run: its rows are never played.
            limit = min(request.sampling.max_tokens, context - len(prompt) - len(prefill)) if prompt else 0
            rows.append(_Row(position, request, prompt, prefill, limit, generator_of(request.seed)))
        return rows

    def _completion(self, row: _Row) -> Completion:
        ended = bool(row.sampled) and row.sampled[-1] in self._ends
        said = row.sampled[:-1] if ended else row.sampled
        prefill = row.request.prompt.prefill
        text = self._watch.decode(row.prefill + said)
        if not text.startswith(prefill):  # tokenizers that do not give back what they were given
            text = prefill + self._watch.decode(said)
        return Completion(
            request_id=row.request.id,
            text=text,
            token_ids=(*row.prefill, *row.sampled),
            logprobs=tuple(row.logprobs),
            prefilled=len(row.prefill),
            prompt_tokens=len(row.prompt),
            finish=self._finish(row),
        )

    def _finish(self, row: _Row) -> str:
        if row.limit < 1:
            return "no_room"
        return "stop" if self._stopped(row) else "length"

    # ---- this machine and this model ----

    def _most_rows(self, columns: int) -> int:
        config = self.model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        per_row = 2 * config.num_hidden_layers * heads * size * self.model.dtype.itemsize * columns
        return max(1, self._kv_bytes // per_row)

    @torch.inference_mode()
    def _sample_logits(self) -> list[torch.Tensor]:
        """Logits of a few steps of usual shapes: a prefix, a prompt, and a token of few and of many rows."""
        count = min(96, (getattr(self.model.config, "max_position_embeddings", None) or 96) - 1)
        ids = [(7 * i + 11) % min(self.model.config.vocab_size, 5000) for i in range(count)]
        prefix, prompt = ids[: count * 2 // 3], ids[count * 2 // 3 :]
        found = []
        for rows in sorted({1, 8, min(self._settings.batch_size, self._most_rows(count))}):
            decoder = self._decoder(self.model, prefix, rows, len(prompt), 1)
            found += [decoder.add([prompt], [rows]), decoder.step([ids[row % count] for row in range(rows)])]
        return found

    @torch.inference_mode()
    def _choose_decoder(self) -> type[SharedPrefixDecoder] | type[PlainDecoder]:
        """The shared-prefix decoder if it computes what the model computes on its own, else the plain one."""
        if not supports(self.model.config):
            self.why += "; plain decoding, since its attention is not plain causal everywhere"
            return PlainDecoder
        usual = self.model.config._attn_implementation
        ids = [(7 * i + 11) % min(self.model.config.vocab_size, 5000) for i in range(24)]
        expected = self.model(input_ids=torch.tensor([ids], device=self.device)).logits[0, -1].float()
        try:
            self.model.set_attn_implementation(ATTENTION)
            decoder = SharedPrefixDecoder(self.model, ids[:8], 2, 15, 1)
            decoder.add([ids[8:13], ids[8:23]], [1, 1])
            found = decoder.step([0, ids[23]])[1].float()
            error = (found.log_softmax(-1).exp() - expected.log_softmax(-1).exp()).abs().max().item()
            cause = f"it differs by {error:.3f}"
        except Exception as refused:  # any architecture may come here; the plain way is always there
            error, cause = float("inf"), f"{type(refused).__name__}: {str(refused)[:80]}"
        if error > 0.05:
            self.model.set_attn_implementation(usual)
            self.why += f"; plain decoding, since this model does not fit shared-prefix decoding ({cause})"
            return PlainDecoder
        return SharedPrefixDecoder


def _families(rows: list[_Row]) -> list[list[_Row]]:
    """Requests that are worth decoding together because they begin alike; the rest in one more family."""
    by_opening: dict[tuple[int, ...], list[_Row]] = {}
    for row in rows:
        by_opening.setdefault(tuple(row.given[:FAMILY_TOKENS]), []).append(row)
    large = [family for family in by_opening.values() if len(family) >= FAMILY_SIZE]
    rest = [row for family in by_opening.values() if len(family) < FAMILY_SIZE for row in family]
    return [*large, rest] if rest else large


def _common_prefix(sequences: list[list[int]]) -> int:
    """Ids that all begin with, leaving at least one id of each."""
    first, last = min(sequences), max(sequences)  # the two that differ earliest
    most = min(map(len, sequences)) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)


def _device(wanted: str) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineError("engine.device is cuda, but torch sees no CUDA device here; use cpu or auto")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _end_ids(model: Any, tokenizer: Any) -> set[int]:
    """All ids that end a turn: the tokenizer's, and those that the model's own generation settings name."""
    named = model.generation_config.eos_token_id
    return {end_of_turn_id(tokenizer), *([named] if isinstance(named, int) else named or [])}
