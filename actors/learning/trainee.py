"""A model in training: weights and optimiser, their steps, and the versions that they are published as.

What a step is taken on is the algorithm's business (`sft`, `grpo`). It runs without Ray, in any process; the
learner actor is a thin shell. Does not cover: several devices.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from actors import heap
from actors.engines.base import Weights
from actors.learning import attention
from actors.learning.losses import token_logprobs
from actors.learning.mixed import MixedAdamW
from actors.learning.packing import Example, Packed, pack
from actors.learning.schedule import learning_rates
from memory import checkpoints
from protocols.errors import SettingError, TaskspaceError
from protocols.learner_settings import LearnerSettings
from protocols.records import Baseline, Update

# Any text does, as long as its probabilities move when the weights do.
PROBE_TEXT = "```python\nimport zwc\n\ndef solve(values):\n    return zwc.sorted(values)\n```"
_PROBE_IDS = 32
_UPDATE = "update.json"  # beside the weights: it outlives the pruned state
_TENSORS = "tensors.pt"  # torch's own format streams from memory; safetensors would copy everything first
_PACKING_TOLERANCE = 0.1  # nats in the mean; two bfloat16 computations of one model differ by up to 0.03
_BETWEEN = -1  # version of weights that are being trained

Progress = Callable[[int, int, float], None]
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Steps:
    """What the optimiser steps of one update went through."""

    losses: tuple[float, ...]
    grad_norms: tuple[float, ...]
    learning_rates: tuple[float, ...]


class Trainee:
    """All parameters of a causal model, under AdamW; see `protocols.learner_settings`."""

    def __init__(self, model_path: Path, settings: LearnerSettings, run_dir: Path, seed: int) -> None:
        self.settings = settings
        self.run_dir = Path(run_dir)
        self.seed = seed
        self.version = 0
        self.model_path = Path(model_path)  # where the current version's weights lie
        self._base = Path(model_path)
        self.checksum: str | None = None
        self._counters = {"updates": 0, "steps": 0, "samples": 0, "response_tokens": 0, "tokens": 0}
        self._seconds = 0.0
        self._swept = checkpoints.sweep(self.run_dir)
        self.device = _device(settings.device)
        torch.set_num_threads(settings.threads or len(os.sched_getaffinity(0)))
        heap.keep_freed_memory()
        self.tokenizer = AutoTokenizer.from_pretrained(model_path)
        self._load(self._base)

    def _read(self, folder: Path) -> Any:
        with _quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.bfloat16, attn_implementation=attention.NAME
            )
        return model.to(self.device)

    def _load(self, folder: Path) -> None:
        self.model = self._read(folder)
        self.model.train()
        if not self.settings.train_embeddings:
            for embedding in (self.model.get_input_embeddings(), self.model.get_output_embeddings()):
                embedding.requires_grad_(False)
        for frozen in self.model.parameters():
            if not frozen.requires_grad:  # a copy of its own, or it would keep the whole file in memory
                frozen.data = frozen.data.clone()
        self._check_packing()
        settings = self.settings
        self.optimiser = MixedAdamW(self.model, settings.betas, settings.weight_decay, settings.grad_clip)

    def _take_steps(
        self,
        batches: Sequence[Batch],
        accumulate: Callable[[Batch], float],
        version: int,
        round: int,
        progress: Progress | None,
    ) -> Steps:
        """One optimiser step for each batch; `accumulate` adds up its gradients and returns its loss.

        Raises:
            TaskspaceError: a loss is not finite, or a GPU's memory is full.
        """
        peak = self.settings.learning_rate * self.settings.decay ** (round - 1)
        rates = learning_rates(len(batches), peak, self.settings.schedule, self.settings.warmup)
        self.version = _BETWEEN  # should this fail half-way, whoever asks next has to resume first
        losses: list[float] = []
        norms: list[float] = []
        for batch, rate in zip(batches, rates):
            try:
                loss = accumulate(batch)
            except torch.OutOfMemoryError as full:
                raise TaskspaceError(
                    f"GPU memory is full at step {len(losses) + 1} of version {version} "
                    f"({str(full).partition('.')[0]}); lower learner.micro_tokens, or use a larger GPU."
                ) from full
            if not math.isfinite(loss):
                raise TaskspaceError(
                    f"Loss is {loss} at step {len(losses) + 1} of version {version}; "
                    "lower learner.learning_rate."
                )
            norms.append(self.optimiser.step(rate))
            losses.append(loss)
            if progress is not None:
                progress(len(losses), len(batches), loss)
        self.version = version
        return Steps(tuple(losses), tuple(norms), tuple(rates))

    def _finish(
        self,
        examples: Sequence[Example],
        steps: Steps,
        version: int,
        round: int,
        recipe: str,
        started: float,
        metrics: dict[str, float] | None = None,
        baselines: dict[str, Baseline] | None = None,
    ) -> Update:
        """Count the update, and publish its weights. `started` is on the performance counter."""
        epochs = self.settings.epochs
        update = Update(
            version=version,
            round=round,
            recipe=recipe,
            samples=len(examples),
            tokens=epochs * sum(len(example.response) for example in examples),
            steps=len(steps.losses),
            losses=steps.losses,
            grad_norms=steps.grad_norms,
            learning_rates=steps.learning_rates,
            seconds=time.perf_counter() - started,
            path=checkpoints.relative_path(version),
            checksum="",
            metrics=metrics or {},
            baselines=baselines or {},
        )
        for key, count in (
            ("updates", 1),
            ("steps", update.steps),
            ("samples", update.samples),
            ("response_tokens", update.tokens),
            ("tokens", epochs * sum(map(len, examples))),
        ):
            self._counters[key] += count
        self._seconds += update.seconds
        return self._publish(update)

    def published(self, version: int) -> Update | None:
        """The update that made a version which is whole on disk; None if there is none."""
        record = checkpoints.path_of(self.run_dir, version) / _UPDATE
        return msgspec.json.decode(record.read_bytes(), type=Update) if record.is_file() else None

    def weights(self) -> Weights:
        """The current version's weights, with a log-probability probe for whoever loads them."""
        ids = self._probe_ids()
        return Weights(
            version=self.version,
            path=str(self.model_path),
            checksum=self.checksum or checkpoints.weights_checksum(self.model_path),
            probe_ids=ids,
            probe_logprobs=tuple(self.logprobs(ids)),
        )

    @torch.no_grad()
    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """Log-probability of each id after the first, given those before it."""
        row = Example(prompt=tuple(ids[:1]), response=tuple(ids[1:]))
        packed = pack([row]).to(self.device)
        logits = F.linear(self._hidden(packed).float(), self._head().float())
        return token_logprobs(logits, packed.labels).tolist()

    def state_dict(self) -> dict[str, Any]:
        """`tensors` (master weights and optimiser) and `plain` (counters, parameter shapes)."""
        return {
            "tensors": self.optimiser.state_dict(),
            "plain": {
                "version": self.version,
                "seed": self.seed,
                "seconds": self._seconds,
                "counters": self._counters,
                "shapes": self.optimiser.shapes(),
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises:
        TaskspaceError: the state is another model's or run's; both sides are in the message.
        """
        plain = state["plain"]
        here, there = self.optimiser.shapes(), plain["shapes"]
        if here != there:
            name = next(name for name in {**here, **there} if here.get(name) != there.get(name))
            raise TaskspaceError(
                f"Learner state does not fit: parameter {name} is {here.get(name, 'not trained')} here and "
                f"{there.get(name, 'not trained')} in the state; resume with the run's own settings."
            )
        if plain["seed"] != self.seed:
            raise TaskspaceError(
                f"Learner state does not fit: seed {self.seed} here, {plain['seed']} in the state."
            )
        self.optimiser.load_state_dict(state["tensors"])
        self.version = plain["version"]
        self._seconds = plain["seconds"]
        self._counters = dict(plain["counters"])

    def resume(self, version: int) -> None:
        """Go on exactly from a published checkpoint of this run; version 0 is the model as it came.

        Raises:
            TaskspaceError: there is no such checkpoint, its state was pruned, or it does not fit.
        """
        if version == 0:
            self._load(self._base)
            self.version, self.model_path, self.checksum = 0, self._base, None
            self._counters, self._seconds = dict.fromkeys(self._counters, 0), 0.0
            return
        folder = checkpoints.path_of(self.run_dir, version)
        state = folder / checkpoints.STATE
        if not state.is_dir():
            stated = [v for v in checkpoints.versions(self.run_dir) if checkpoints.has_state(self.run_dir, v)]
            raise TaskspaceError(
                f"Cannot resume from version {version}: no learner state in {folder}; "
                f"versions with one: {', '.join(map(str, stated)) or 'none'}."
            )
        self.load_state_dict(
            {
                "tensors": torch.load(state / _TENSORS, map_location="cpu", mmap=True, weights_only=True),
                "plain": msgspec.json.decode((state / "plain.json").read_bytes()),
            }
        )
        self.model_path = folder
        self.checksum = checkpoints.weights_checksum(folder)

    def metrics(self) -> dict[str, float]:
        """Totals since the run began."""
        return {**self._counters, "seconds": self._seconds}

    def _hidden(self, packed: Packed) -> torch.Tensor:
        """[N, D]: last hidden states, only where there is a label."""
        hidden = self.model.base_model(
            input_ids=packed.ids[None],
            position_ids=packed.positions[None],
            use_cache=False,
            layout=attention.Layout(packed.opening, packed.lengths, self.device),
        ).last_hidden_state[0]
        return hidden.index_select(0, packed.places)

    def _head(self) -> torch.Tensor:
        """[V, D]: the output embedding."""
        weight: torch.Tensor = self.model.get_output_embeddings().weight
        return weight

    @torch.no_grad()
    def _check_packing(self) -> None:
        """Compare packed rows with the model's own forward pass: some models do more than attention and an
        output product (windows, scaled or capped logits), and would silently learn something else."""
        ids = self._probe_ids()
        self.model.set_attn_implementation("sdpa")
        own = self.model(input_ids=torch.tensor([ids], device=self.device), use_cache=False).logits[0, :-1]
        self.model.set_attn_implementation(attention.NAME)
        there = token_logprobs(own, torch.tensor(ids[1:], device=self.device)).tolist()
        here = self.logprobs(ids)
        mean = sum(abs(a - b) for a, b in zip(here, there)) / len(here)
        if not mean <= _PACKING_TOLERANCE:
            raise SettingError(
                f"Model {self.model_path} cannot be learned from packed rows: log-probabilities differ by "
                f"{mean:.3f} nats from its own forward pass; choose a plain causal model (model.name)."
            )

    def _probe_ids(self) -> tuple[int, ...]:
        ids = self.tokenizer(PROBE_TEXT, add_special_tokens=False)["input_ids"]
        return tuple(ids[:_PROBE_IDS])

    def _publish(self, update: Update) -> Update:
        """Write the checkpoint; returns the update with the checksum of what was written."""
        state = self.state_dict()
        tensors = state["tensors"]
        needed = sum(t.numel() * t.element_size() for t in tensors.values())
        needed += sum(p.numel() * p.element_size() for p in self.model.parameters())
        with checkpoints.publishing(self.run_dir, self.version, needed) as folder:
            with _quiet():
                self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            inner = folder / checkpoints.STATE
            inner.mkdir()
            _save(tensors, inner / _TENSORS)
            (inner / "plain.json").write_bytes(msgspec.json.encode(state["plain"]))
            update = msgspec.structs.replace(update, checksum=checkpoints.weights_checksum(folder))
            (folder / _UPDATE).write_bytes(msgspec.json.encode(update))
        checkpoints.prune(self.run_dir, self.settings.keep_states, self.settings.keep_versions)
        self.model_path = checkpoints.path_of(self.run_dir, self.version)
        self.checksum = update.checksum
        heap.give_back()
        return update


def _save(tensors: dict[str, torch.Tensor], file: Path) -> None:
    """Without check sums: nothing reads them where the file is mapped, and computing them takes several times
    as long as writing."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(tensors, file)
    finally:
        torch.serialization.set_crc32_options(before)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars, which are the command line's business."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
