"""Reinforcement learning on groups of answers: GRPO, every choice a switch (`learner_settings.GrpoSettings`).

    samples ──▶ trajectories ──▶ mini-batches of groups ──▶ packed micro-batches ──▶ steps ──▶ checkpoint

Only sampled tokens are learned: an opening that was given belongs to the prompt here, and no end of turn is
added. A sample's weight is its advantage: as it comes, or against the baselines that the learner holds.
Does not cover: which groups are learned and what their advantages are (the curator), the formulas
(`policy_losses`, `baselines`), the weights themselves (`trainee`).
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from actors.engines.chat import encode_prompt
from actors.learning import policy_losses
from actors.learning.baselines import baselines_of, weighed
from actors.learning.embedding import embedder_of
from actors.learning.lora import without_adapters
from actors.learning.losses import linear_logprobs
from actors.learning.packing import pack
from actors.learning.policy import Policy
from actors.learning.policy_metrics import PolicyMetrics
from actors.learning.ranks import Ranks
from actors.learning.reference import reference_folder
from actors.learning.staleness import staleness
from actors.learning.trainee import Progress, Trainee
from actors.learning.trajectories import Tokens, Trajectory, diversified, laid_out, mini_batches
from protocols.errors import TaskspaceError
from protocols.learner_settings import LearnerSettings
from protocols.records import Baseline, Role, Sample, Update

Measured = tuple[Any, ...]
"""What `PolicyMetrics.add` takes, of one micro-batch."""


class GrpoLearner(Trainee):
    """Group-relative policy optimisation.

    Probabilities are those of the distribution that was sampled from, of `temperature` for answers and of
    `proposing` for proposals.
    """

    def __init__(
        self,
        model_path: Path,
        settings: LearnerSettings,
        run_dir: Path,
        seed: int,
        temperature: float = 1.0,
        proposing: float = 1.0,
        *,
        ranks: Ranks | None = None,
        model_name: str | None = None,
    ) -> None:
        super().__init__(model_path, settings, run_dir, seed, ranks=ranks, model_name=model_name)
        self._embedder = embedder_of(settings.grpo, self.device)
        # Greedy rollouts have no distribution of their own.
        self.temperatures = {Role.SOLVER: temperature or 1.0, Role.PROPOSER: proposing or 1.0}
        self.baselines: dict[str, Baseline] = {}  # of the run so far

    def learn(
        self,
        samples: Sequence[Sample],
        version: int,
        round: int,
        recipe: str,
        progress: Progress | None = None,
    ) -> Update:
        """Take `epochs * mini_batches` steps on the groups and publish the weights as `version`.

        Args:
            samples: weights are advantages, unless a baseline other than the group's is set: then they are
                taken from the samples' rewards, and the update says against what. Groups by `group_id`.
            progress: told (steps done, steps, loss) after every optimiser step.

        Raises:
            TaskspaceError: there is nothing to learn, a loss is not finite, or the disk is full.
        """
        started = time.perf_counter()
        if not samples:
            raise TaskspaceError(
                f"No experience to learn from in round {round} ({recipe}): no group has answers to compare; "
                "collect more groups (solver.groups_per_round), or larger ones (solver.group_size)."
            )
        self._require_known(samples)
        switches, baselines = self.settings.grpo, {}
        if switches.baseline != "group":
            before = self.baselines if switches.baseline == "running" else {}
            self.baselines = baselines = baselines_of(samples, before)
            samples = weighed(samples, baselines, switches.normalise, switches.negative)
        trajectories, spread = self._diversified([self._trajectory(sample) for sample in samples])
        batches = self._mini_batches(trajectories, version)
        began = time.perf_counter()
        denominators = self._denominators(trajectories, len(batches))
        references = self._references(trajectories, version)
        metrics = PolicyMetrics()
        seconds = {"seconds_logprobs": time.perf_counter() - began}

        def accumulate(batch: Sequence[Trajectory]) -> float:
            return self._accumulate(batch, denominators, references, metrics)

        began = time.perf_counter()
        steps = self._take_steps(batches, accumulate, version, round, progress)
        seconds["seconds_steps"] = time.perf_counter() - began
        metrics.over(self.ranks)
        measured = metrics.means() | _mean_rewards(samples) | staleness(samples, version) | spread | seconds
        return self._finish(trajectories, steps, version, round, recipe, started, measured, baselines)

    def plain_state(self) -> dict[str, Any]:
        return {**super().plain_state(), "baselines": msgspec.to_builtins(self.baselines)}

    def accept_plain_state(self, plain: dict[str, Any]) -> None:
        super().accept_plain_state(plain)
        self.baselines = msgspec.convert(plain.get("baselines", {}), dict[str, Baseline])

    def resume(self, version: int) -> None:
        self.baselines = {}
        super().resume(version)

    def _trajectory(self, sample: Sample) -> Trajectory:
        prompt, _ = encode_prompt(self.tokenizer, sample.prompt)
        given = sample.prefilled
        return Trajectory(
            prompt=(*prompt, *sample.token_ids[:given]),
            response=sample.token_ids[given:],
            advantage=sample.weight,
            engine=sample.logprobs,
            group=sample.group_id,
            attempt=sample.attempt_id,
            temperature=self.temperatures[sample.role],
        )

    def _diversified(self, given: list[Trajectory]) -> tuple[list[Trajectory], dict[str, float]]:
        """Advantages times how far an answer is from its group, where that counts; and how far it is.

        An answer's embedding is that of its text where there is an embedder, else the mean of the policy's
        last hidden states where it predicts its tokens.
        """
        wanted = self.settings.grpo.diversity
        if wanted == "off":
            return given, {}
        found: Tokens = {}
        if self._embedder is not None:
            texts = self.tokenizer.batch_decode([list(t.response) for t in given], skip_special_tokens=True)
            (embeddings,) = self.lanes.each(self._embedder.embed, [texts])
            found = dict(zip(map(id, given), embeddings))
        else:
            shapes = [(self.model.config.hidden_size,)] * len(given)
            found = self._measured(given, shapes, self._mean_states)
        return diversified(given, found, wanted == "scaled")

    def _mini_batches(self, trajectories: Sequence[Trajectory], version: int) -> list[list[Trajectory]]:
        """For every epoch the groups in an order of its own, in (at most) `mini_batches` equal parts."""
        parts, epochs = self.settings.grpo.mini_batches, self.settings.epochs
        return mini_batches(trajectories, parts, epochs, (self.seed, version))

    def _denominators(self, trajectories: Sequence[Trajectory], steps: int) -> Tokens | None:
        """What ratios are taken against; None for the policy itself, where the ratio is exactly 1."""
        against = self.settings.grpo.denominator
        if against == "rollout":
            return {id(t): torch.tensor(t.engine, device=self.device) for t in trajectories}
        return self._logprobs_now(trajectories) if against == "recomputed" and steps > 1 else None

    def _references(self, trajectories: Sequence[Trajectory], version: int) -> Tokens | None:
        """Log-probabilities that the divergence is measured from; None where it does not count."""
        switches = self.settings.grpo
        if not switches.kl_weight:
            return None
        references = self._logprobs_of_reference(trajectories, version)
        if not switches.reference_mix:
            return references
        now = self._logprobs_now(trajectories)
        mix = switches.reference_mix
        return {key: policy_losses.mixed_reference(references[key], now[key], mix) for key in references}

    def _logprobs_of_reference(self, trajectories: Sequence[Trajectory], version: int) -> Tokens:
        if self.adapters is not None:  # the model that they are added to is the reference, and never moves
            with without_adapters(self.model):
                return self._logprobs_now(trajectories)
        switches = self.settings.grpo
        folder = reference_folder(
            self.run_dir,
            self._base,
            version - 1,
            switches.reference_every,
            switches.reference_step,
            self._read,
            self.model,
            self.ranks,
        )
        reference = self._read(folder).requires_grad_(False)
        policy, self.policy = self.policy, Policy(reference, reference.device)
        if self.ranks.size > 1:
            self.policy = self._sharded(self.policy)
        try:
            return self._logprobs_now(trajectories)
        finally:
            self.policy = policy

    def _logprobs_now(self, trajectories: Sequence[Trajectory]) -> Tokens:
        shapes = [(len(t.response),) for t in trajectories]
        return self._measured(trajectories, shapes, lambda part: self._logprobs_of(part)[0])

    def _measured(
        self,
        trajectories: Sequence[Trajectory],
        shapes: Sequence[tuple[int, ...]],
        compute: Callable[[Sequence[Trajectory]], torch.Tensor],
    ) -> Tokens:
        """What `compute` says of each trajectory, its part by part on all ranks, without gradients.

        Args:
            shapes: of what it says of each; of a part it gives those end to end.
        """
        place_of = {id(t): place for place, t in enumerate(trajectories)}
        found: Tokens = {}
        with self.policy.measuring():
            parts = self._parts(trajectories)
            for (part, counts), values in zip(
                parts, self._each(parts, lambda part, _: compute(part).flatten())
            ):
                places = [place_of[id(t)] for t in part]
                pieces = values.split([math.prod(shapes[place]) for place in places])
                found |= dict(zip(places, pieces)) if counts else {}
        everything = self.ranks.exchanged(found, shapes, self.device)
        return {id(t): value for t, value in zip(trajectories, everything)}

    def _mean_states(self, part: Sequence[Trajectory]) -> torch.Tensor:
        """[answers of the part, D]: means of the last hidden states that predict an answer's tokens."""
        hidden = self.policy.hidden(pack(part).to(self.device)).float()
        return torch.stack([piece.mean(0) for piece in hidden.split([len(t.response) for t in part])])

    def _logprobs_of(self, part: Sequence[Trajectory]) -> tuple[torch.Tensor, torch.Tensor]:
        """[N] log-probabilities and entropies of the part's response tokens, end to end."""
        packed = pack(part).to(self.device)
        hidden = self.policy.hidden(packed)
        temperatures = {t.temperature for t in part}
        if len(temperatures) > 1:
            repeats = torch.tensor([len(t.response) for t in part], device=self.device)
            each = torch.tensor([t.temperature for t in part], device=self.device).repeat_interleave(repeats)
            hidden = (hidden.float() / each[:, None]).to(hidden.dtype)
        elif temperatures != {1.0}:
            hidden = hidden / temperatures.pop()
        return linear_logprobs(hidden, self.policy.head(), packed.labels)

    def _accumulate(
        self,
        batch: Sequence[Trajectory],
        denominators: Tokens | None,
        references: Tokens | None,
        metrics: PolicyMetrics,
    ) -> float:
        """Add up a mini-batch's gradients; returns its loss, both as far as this rank computes them.

        What has no advantage has no gradient, unless it is held to a reference: it is only measured.
        """
        switches = self.settings.grpo
        lengths = [len(t.response) for t in batch]
        counted = policy_losses.token_shares(lengths, switches.aggregation, switches.constant_tokens)
        share_of = dict(zip(map(id, batch), counted))
        moving = [t for t in batch if t.advantage or references is not None]
        still = [t for t in batch if not t.advantage and references is None]

        def loss_of(part: Sequence[Trajectory], counts: bool) -> tuple[torch.Tensor, Measured | None]:
            shares = [share_of[id(t)] if counts else 0.0 for t in part]
            loss, measured = self._loss(part, shares, denominators, references)
            return loss, measured if counts else None

        found = self._learn_each(self._parts(moving), loss_of)
        with torch.no_grad():
            found += [(float(loss), told) for loss, told in self._each(self._parts(still), loss_of)]
        for _, measured in found:
            if measured is not None:
                metrics.add(*measured)
        return sum(loss for loss, _ in found)

    def _loss(
        self,
        part: Sequence[Trajectory],
        shares: Sequence[float],
        denominators: Tokens | None,
        references: Tokens | None,
    ) -> tuple[torch.Tensor, Measured]:
        """Of a micro-batch, and what is told of it; `shares`: of each of its sequences."""
        switches = self.settings.grpo
        logprobs, entropies = self._logprobs_of(part)
        repeats = torch.tensor([len(t.response) for t in part], device=self.device)
        advantages, share = (
            torch.tensor(values, device=self.device).repeat_interleave(repeats)
            for values in ([t.advantage for t in part], list(shares))
        )
        old = logprobs.detach() if denominators is None else laid_out(denominators, part)
        engine = torch.tensor([value for t in part for value in t.engine], device=self.device)
        found = policy_losses.surrogate(
            logprobs, old, advantages, switches.clip_low, switches.clip_high, switches.dual_clip
        )
        objective = found.objective
        if switches.engine_cap is not None:
            objective = objective * policy_losses.truncated_weights(old, engine, switches.engine_cap)
        elif switches.engine_band is not None:
            objective = objective * policy_losses.banded_weights(old, engine, switches.engine_band)
        kl = None
        if references is not None:
            kl = policy_losses.kl_estimate(logprobs, laid_out(references, part), switches.kl_estimate)
            objective = objective - switches.kl_weight * kl
        known = None if kl is None else kl.detach()
        measured = (logprobs.detach(), old, engine, advantages, found.clipped, entropies, known)
        return -(share * objective).sum(), measured


def _mean_rewards(samples: Sequence[Sample]) -> dict[str, float]:
    """Mean reward of what is learned from, for each role that has any."""
    names = {Role.SOLVER: "reward", Role.PROPOSER: "proposer_reward"}
    found: dict[str, list[float]] = {}
    for sample in samples:
        found.setdefault(names[sample.role], []).append(sample.reward)
    return {name: sum(rewards) / len(rewards) for name, rewards in found.items()}
