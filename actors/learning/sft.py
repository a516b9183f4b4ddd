"""Supervised learning of verified answers, and the publishing of the weights that come out.

    samples ──▶ examples (ids, end of turn) ──▶ batches ──▶ packed micro-batches ──▶ steps ──▶ checkpoint

The learner owns the weights. It runs without Ray, in any process; the learner actor is a thin shell.
Does not cover: which samples are learned (the curator), reinforcement learning, several devices.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from actors.engines.base import Weights
from actors.learning import attention, heap
from actors.learning.batches import batches_of, example_of
from actors.learning.losses import linear_sft_loss, token_logprobs
from actors.learning.mixed import MixedAdamW
from actors.learning.packing import Example, Packed, pack, split
from actors.learning.schedule import learning_rates
from memory import checkpoints
from protocols.errors import SettingError, TaskspaceError
from protocols.records import Sample, Update
from protocols.settings import LearnerSettings

# Any text does, as long as its probabilities move when the weights do.
PROBE_TEXT = "```python\nimport zwc\n\ndef solve(values):\n    return zwc.sorted(values)\n```"
_PROBE_IDS = 32
_UPDATE = "update.json"  # beside the weights: it outlives the pruned state
_TENSORS = "tensors.pt"  # torch's own format streams from memory; safetensors would copy everything first
_PACKING_TOLERANCE = 0.1  # nats in the mean; two bfloat16 computations of one model differ by up to 0.03
_BETWEEN = -1  # version of weights that are being trained

Progress = Callable[[int, int, float], None]


class SftLearner:
    """Full-parameter supervised fine-tuning with AdamW; see `protocols.settings.LearnerSettings`."""

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

    def _load(self, folder: Path) -> None:
        with _quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.bfloat16, attn_implementation=attention.NAME
            )
        self.model = model.to(self.device)
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

    def learn(
        self,
        samples: Sequence[Sample],
        version: int,
        round: int,
        recipe: str,
        progress: Progress | None = None,
    ) -> Update:
        """Train `settings.epochs` passes over the samples and publish the weights as `version`.

        Args:
            progress: told (steps done, steps, loss) after every optimiser step.

        Raises:
            TaskspaceError: there is nothing to learn, a loss is not finite, or the disk is full.
        """
        started = time.perf_counter()
        if not samples:
            raise TaskspaceError(
                f"No experience to learn from in round {round} ({recipe}): no answer was verified; "
                "collect more groups (solver.groups_per_round) or choose easier functions."
            )
        examples = [example_of(self.tokenizer, sample) for sample in samples]
        batches = batches_of(examples, self.settings.epochs, self.settings.batch_size, (self.seed, version))
        peak = self.settings.learning_rate * self.settings.decay ** (round - 1)
        rates = learning_rates(len(batches), peak, self.settings.schedule, self.settings.warmup)
        self.version = _BETWEEN  # should this fail half-way, whoever asks next has to resume first
        losses: list[float] = []
        norms: list[float] = []
        for batch, rate in zip(batches, rates):
            loss = self._accumulate(batch)
            if not torch.isfinite(torch.tensor(loss)):
                raise TaskspaceError(
                    f"Loss is {loss} at step {len(losses) + 1} of version {version}; "
                    "lower learner.learning_rate."
                )
            norms.append(self.optimiser.step(rate))
            losses.append(loss)
            if progress is not None:
                progress(len(losses), len(batches), loss)
        self.version = version
        tokens = self.settings.epochs * sum(len(example.response) for example in examples)
        for key, count in (
            ("updates", 1),
            ("steps", len(losses)),
            ("samples", len(samples)),
            ("response_tokens", tokens),
            ("tokens", self.settings.epochs * sum(map(len, examples))),
        ):
            self._counters[key] += count
        seconds = time.perf_counter() - started
        self._seconds += seconds
        update = Update(
            version=version,
            round=round,
            recipe=recipe,
            samples=len(samples),
            tokens=tokens,
            steps=len(losses),
            losses=tuple(losses),
            grad_norms=tuple(norms),
            learning_rates=tuple(rates),
            seconds=seconds,
            path=checkpoints.relative_path(version),
            checksum="",
        )
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

    def _accumulate(self, batch: Sequence[Example]) -> float:
        """Add up the batch's gradients; returns its loss."""
        total = sum(example.weight * len(example.response) for example in batch)
        loss = 0.0
        for part in split(batch, self.settings.micro_tokens):
            packed = pack(part).to(self.device)
            piece = linear_sft_loss(self._hidden(packed), self._head(), packed.labels, packed.weights, total)
            piece.backward()
            loss += float(piece.detach())
        return loss

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
            torch.save(tensors, inner / _TENSORS)
            (inner / "plain.json").write_bytes(msgspec.json.encode(state["plain"]))
            update = msgspec.structs.replace(update, checksum=checkpoints.weights_checksum(folder))
            (folder / _UPDATE).write_bytes(msgspec.json.encode(update))
        checkpoints.prune(self.run_dir, self.settings.keep_states)
        self.model_path = checkpoints.path_of(self.run_dir, self.version)
        self.checksum = update.checksum
        heap.give_back()
        return update


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
