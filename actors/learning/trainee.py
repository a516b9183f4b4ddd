"""A model in training: weights and optimiser, their steps, and the versions that they are published as.

What a step is taken on is the algorithm's business (`sft`, `grpo`). It runs without Ray, in any process; the
learner actor is a thin shell. With several ranks every process runs this same program (`ranks`).

Parts: `policy` (the model), `mixed` and `sharding` (the optimiser alone, and in shards), `lora` (adapters),
`publishing` and `states` (files).
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoTokenizer

from actors import heap
from actors.engines.base import Weights
from actors.engines.direct import Sender
from actors.learning import publishing, states
from actors.learning.lanes import Lanes
from actors.learning.lora import add_adapters
from actors.learning.mixed import Gradients, MixedAdamW
from actors.learning.packing import Example
from actors.learning.policy import Policy, read_model
from actors.learning.ranks import Ranks
from actors.learning.schedule import learning_rates
from actors.learning.sharding import ShardedAdamW, shard, whole
from actors.precision import dtype_on
from memory import checkpoints
from protocols.cores import usable_cores
from protocols.errors import TaskspaceError
from protocols.learner_settings import LearnerSettings
from protocols.records import Baseline, Sample, Update
from protocols.seeds import seed_of

# Any text does, as long as its probabilities move when the weights do.
PROBE_TEXT = "```python\nimport zwc\n\ndef solve(values):\n    return zwc.sorted(values)\n```"
_PROBE_IDS = 32
_BETWEEN = -1  # version of weights that are being trained

Progress = Callable[[int, int, float], None]
Batch = TypeVar("Batch")
Row = TypeVar("Row", bound=Example)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Steps:
    """What the optimiser steps of one update went through."""

    losses: tuple[float, ...]
    grad_norms: tuple[float, ...]
    learning_rates: tuple[float, ...]


class Trainee:
    """A causal model under AdamW, all of it or its adapters; see `protocols.learner_settings`."""

    def __init__(
        self,
        model_path: Path,
        settings: LearnerSettings,
        run_dir: Path,
        seed: int,
        *,
        ranks: Ranks | None = None,
        model_name: str | None = None,
    ) -> None:
        """`model_name`: what adapters say they belong to; the folder's own name by default."""
        self.settings = settings
        self.run_dir = Path(run_dir)
        self.seed = seed
        self.ranks = ranks or Ranks()
        self.version = 0
        self.model_path = Path(model_path)  # where the current version's weights lie
        self._base = Path(model_path)
        self._name = model_name or self._base.name
        self.checksum: str | None = None
        self._counters = {"updates": 0, "steps": 0, "samples": 0, "response_tokens": 0, "tokens": 0}
        self._seconds = 0.0
        if self.ranks.first:
            checkpoints.sweep(self.run_dir)
        self.device = device_of(settings.device, self.ranks.rank)
        self.dtype = dtype_on(self.device, settings.dtype)
        self.threads = settings.threads or max(1, usable_cores() // self.ranks.size)
        torch.set_num_threads(self.threads)
        heap.keep_freed_memory()
        self.tokenizer = AutoTokenizer.from_pretrained(model_path, trust_remote_code=False)
        self._load(self._base)

    @property
    def model(self) -> Any:
        return self.policy.model

    def _read(self, folder: Path) -> Any:
        # Shards go to the device block by block: a model that needs several would not fit on it whole.
        device = self.device if self.ranks.size == 1 else torch.device("cpu")
        return read_model(folder, device, self.dtype)

    def _load(self, folder: Path) -> None:
        settings = self.settings
        model = read_model(folder, torch.device("cpu"), self.dtype)
        self.adapters: Any = None
        if settings.lora.rank:
            self.adapters = add_adapters(model, settings.lora, seed_of("adapters", self.seed), self._name)
        elif not settings.train_embeddings:
            for embedding in (model.get_input_embeddings(), model.get_output_embeddings()):
                embedding.requires_grad_(False)
        for frozen in model.parameters():
            if not frozen.requires_grad:  # a copy of its own, or it would keep the whole file in memory
                frozen.data = frozen.data.clone()
        if settings.activation_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if self.ranks.size == 1:
            model.to(self.device)
        self.policy = Policy(model, model.device).train()
        if self.ranks.first:
            self.policy.check_packing(self._probe_ids(), self.model_path)
        over = settings.betas, settings.weight_decay, settings.grad_clip
        self.optimiser: states.Optimiser
        alone = self.ranks.size == 1 and self.device.type == "cpu" and not changes(model)
        self.lanes = Lanes(self.threads, settings.lanes if alone else 1)
        if self.ranks.size == 1:
            self.optimiser = MixedAdamW(model, *over, self.lanes)
        else:
            self.policy = self._sharded(self.policy)
            self.optimiser = ShardedAdamW(self.policy, *over)

    def _sharded(self, policy: Policy) -> Policy:
        policy.device = self.device
        return shard(policy, self.ranks.size, self.dtype)

    def _take_steps(
        self,
        batches: Sequence[Batch],
        accumulate: Callable[[Batch], float],
        version: int,
        round: int,
        progress: Progress | None,
    ) -> Steps:
        """One optimiser step for each batch; `accumulate` adds up its gradients and returns its loss, both as
        far as this rank computes them.

        Raises:
            TaskspaceError: a loss or the norm of its gradients is not finite, or a GPU's memory is full.
        """
        peak = self.settings.learning_rate * self.settings.decay ** (round - 1)
        rates = learning_rates(len(batches), peak, self.settings.schedule, self.settings.warmup)
        self.optimiser.forget()
        self.version = _BETWEEN  # should this fail half-way, whoever asks next has to resume first
        torch.manual_seed(seed_of("dropout", self.seed, version, self.ranks.rank))
        losses: list[float] = []
        norms: list[float] = []
        for batch, rate in zip(batches, rates):
            try:
                (loss,) = self.ranks.total([accumulate(batch)])
            except torch.OutOfMemoryError as full:
                raise TaskspaceError(
                    f"GPU memory is full at step {len(losses) + 1} of version {version} "
                    f"({str(full).partition('.')[0]}); lower learner.micro_tokens, set "
                    "learner.activation_checkpointing, or use a larger GPU."
                ) from full
            if not math.isfinite(loss):
                raise TaskspaceError(
                    f"Loss is {loss} at step {len(losses) + 1} of version {version}; "
                    "lower learner.learning_rate."
                )
            norm = self.optimiser.step(rate)
            if not math.isfinite(norm):
                raise TaskspaceError(
                    f"Gradient norm is {norm} at step {len(losses) + 1} of version {version}; it moved no "
                    "weights. Lower learner.learning_rate, or look for odd log-probabilities in the answers."
                )
            norms.append(norm)
            losses.append(loss)
            if progress is not None:
                progress(len(losses), len(batches), loss)
        self.version = version
        return Steps(tuple(losses), tuple(norms), tuple(rates))

    def _require_known(self, samples: Sequence[Sample]) -> None:
        """Raises:
        TaskspaceError: a sample holds token ids that the model has no embedding for.
        """
        size = self.model.get_input_embeddings().num_embeddings
        for sample in samples:
            if (largest := max(sample.token_ids, default=0)) >= size:
                raise TaskspaceError(
                    f"Answer {sample.attempt_id} holds token id {largest}, but the model has {size} tokens: "
                    "another one gave it; learn from this model's answers, or those of its tokenizer."
                )

    def _parts(self, batch: Sequence[Row]) -> list[tuple[list[Row], bool]]:
        """The micro-batches that this rank computes; False for one that counts nothing."""
        return self.ranks.parts(batch, self.settings.micro_tokens, self.lanes.count)

    def _each(self, parts: Sequence[tuple[list[Row], bool]], compute: Callable[..., Found]) -> list[Found]:
        """`compute(part, counts)` for each micro-batch, in order, with the policy whole."""
        return self.lanes.each(lambda part: self.policy(lambda: compute(*part)), parts)

    def _learn_each(
        self,
        parts: Sequence[tuple[list[Row], bool]],
        compute: Callable[[list[Row], bool], tuple[torch.Tensor, Found]],
    ) -> list[tuple[float, Found]]:
        """Add up the gradients of each micro-batch's loss.

        Args:
            compute: a loss, and whatever else is found on the way to it, which carries no gradient.

        Returns:
            losses and what else was found, in the order of the micro-batches.
        """
        optimiser = self.optimiser
        if isinstance(optimiser, ShardedAdamW):
            told = []
            for index, part in enumerate(parts, 1):
                loss, found = self.policy(lambda: compute(*part))  # noqa: B023
                optimiser.exchange(index == len(parts))  # the ranks tell each other after the last one
                loss.backward()
                told.append((float(loss.detach()), found))
            return told

        def learned(part: list[Row], counts: bool) -> tuple[Gradients, tuple[float, Found]]:
            loss, found = compute(part, counts)
            gradients = torch.autograd.grad(loss, optimiser.parameters, allow_unused=True)
            return gradients, (float(loss.detach()), found)

        told = []
        for start in range(0, len(parts), self.lanes.count):
            computed = self._each(parts[start : start + self.lanes.count], learned)
            optimiser.add([gradients for gradients, _ in computed])
            told += [losses for _, losses in computed]
        return told

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

    def _publish(self, update: Update) -> Update:
        update = publishing.publish(
            self.run_dir,
            update,
            self.policy,
            self.adapters,
            self.tokenizer,
            self.optimiser,
            self.plain_state(),
            self.dtype,
            self.ranks,
        )
        if self.ranks.first:
            checkpoints.prune(self.run_dir, self.settings.keep_states, self.settings.keep_versions)
        self.model_path = checkpoints.path_of(self.run_dir, self.version)
        self.checksum = update.checksum
        heap.give_back()
        return update

    def published(self, version: int) -> Update | None:
        """The update that made a version which is whole on disk; None if there is none."""
        return publishing.published(self.run_dir, version)

    def weights(self) -> Weights:
        """The current version's weights, with a log-probability probe for whoever loads them."""
        ids = self._probe_ids()
        (probe,) = self.lanes.each(self.policy.logprobs, [ids])  # of all ranks
        if self.checksum is None and self.ranks.first:
            self.checksum = checkpoints.weights_checksum(self.model_path)
        return Weights(
            version=self.version,
            path=str(self.model_path),
            checksum=self.checksum,
            probe_ids=ids,
            probe_logprobs=tuple(probe),
            adapter=self.adapters is not None and self.version != 0,
        )

    def send(self, sender: Sender | None) -> None:
        """Give the current weights to the engines that wait for them; every rank calls it, the first one with
        a sender. They are those of the version's folder, bit by bit."""
        named = {name: p.detach() for name, p in self.model.named_parameters()}
        tensors = ((name, whole(tensor).to(self.dtype)) for name, tensor in named.items())
        if sender is not None:
            sender.send({name: tuple(tensor.shape) for name, tensor in named.items()}, tensors)
        else:
            deque(tensors, maxlen=0)  # the others help to bring each one together

    def plain_state(self) -> dict[str, Any]:
        """What the learner goes on from besides weights and moments: counters, parameter shapes."""
        return {
            "version": self.version,
            "seed": self.seed,
            "seconds": self._seconds,
            "counters": self._counters,
            "shapes": self.optimiser.shapes(),
        }

    def accept_plain_state(self, plain: dict[str, Any]) -> None:
        self.version = plain["version"]
        self._seconds = plain["seconds"]
        self._counters = dict(plain["counters"])

    def _require_fit(self, plain: dict[str, Any]) -> None:
        """Raises:
        TaskspaceError: the state is another model's or run's; both sides are in the message.
        """
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

    def resume(self, version: int) -> None:
        """Go on exactly from a published checkpoint of this run; version 0 is the model as it came.

        Raises:
            TaskspaceError: there is no such checkpoint, its state was pruned, or it does not fit.
        """
        self.checksum = None
        if version == 0:
            self._load(self._base)
            self.version, self.model_path = 0, self._base
            self._counters, self._seconds = dict.fromkeys(self._counters, 0), 0.0
            return
        folder, plain = publishing.read_plain(self.run_dir, version)
        self._require_fit(plain)
        states.read(self.optimiser, folder, plain["shapes"])
        self.accept_plain_state(plain)
        self.model_path = folder.parent

    def metrics(self) -> dict[str, float]:
        """Totals since the run began."""
        return {**self._counters, "seconds": self._seconds}

    def _probe_ids(self) -> tuple[int, ...]:
        ids = self.tokenizer(PROBE_TEXT, add_special_tokens=False)["input_ids"]
        return tuple(ids[:_PROBE_IDS])


def changes(model: Any) -> bool:
    """Whether a forward pass in training changes what the next one starts from, so that two threads must not
    compute at once: random numbers come from one stream of all threads (dropout, jitter), and some rotary
    embeddings set their frequencies by the longest sequence so far."""

    def told(config: Any) -> bool:
        if not isinstance(config, dict):
            return False
        for key, value in config.items():
            drawn = (
                ("drop" in str(key) or "jitter" in str(key)) and isinstance(value, int | float) and value > 0
            )
            moving = key in ("rope_type", "type") and value in ("dynamic", "longrope")
            if drawn or moving or told(value):
                return True
        return False

    modules = (module for module in model.modules() if isinstance(module, torch.nn.Dropout))
    return told(model.config.to_dict()) or any(module.p > 0 for module in modules)


def device_of(name: str, rank: int = 0) -> torch.device:
    """The device that the setting names; of several GPUs that a process sees, its rank's."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (seen := torch.cuda.device_count()) > 1:
        return torch.device("cuda", rank % seen)
    return torch.device(name)
