"""Supervised learning of verified answers.

    samples ──▶ examples (ids, end of turn) ──▶ batches ──▶ packed micro-batches ──▶ steps ──▶ checkpoint

Does not cover: which samples are learned (the curator), the weights themselves (`trainee`).
"""

import math
import time
from collections.abc import Sequence

import torch

from actors.learning.batches import batches_of, example_of
from actors.learning.losses import linear_sft_loss
from actors.learning.packing import Example, pack
from actors.learning.staleness import staleness
from actors.learning.trainee import Progress, Trainee
from protocols.errors import TaskspaceError
from protocols.records import Sample, Update


class SftLearner(Trainee):
    """Fine-tuning on samples, each counted with its weight."""

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
        self._require_known(samples)
        examples = [example_of(self.tokenizer, sample) for sample in samples]
        settings = self.settings
        batches = batches_of(examples, settings.epochs, settings.batch_size, (self.seed, version))
        steps = self._take_steps(batches, self._accumulate, version, round, progress)
        return self._finish(examples, steps, version, round, recipe, started, staleness(samples, version))

    def _accumulate(self, batch: Sequence[Example]) -> float:
        """Add up the batch's gradients; returns its loss, both as far as this rank computes them."""
        total = sum(example.weight * len(example.response) for example in batch)

        def loss_of(part: Sequence[Example], counts: bool) -> tuple[torch.Tensor, None]:
            return self._loss(part, total if counts else math.inf), None

        return sum(loss for loss, _ in self._learn_each(self._parts(batch), loss_of))

    def _loss(self, part: Sequence[Example], total: float) -> torch.Tensor:
        """Of a part of a batch whose weights add up to `total`; with an infinite one it counts nothing."""
        packed = pack(part).to(self.device)
        hidden, head = self.policy.hidden(packed), self.policy.head()
        return linear_sft_loss(hidden, head, packed.labels, packed.weights, total)
