"""A ladder without playing it: every row resolved, its objects built, memory and time estimated.

The model is built without memory for its weights (torch's meta device), from the `architecture` in the
scale's file, else from its folder. Estimates are upper bounds: every answer as long as it may be.
Does not cover: whether the machine at hand is large enough (`experiments.preflight`).
"""

import json
from collections.abc import Sequence
from typing import Any

from experiments import preflight
from protocols.domain import Domain, make_domain
from protocols.iteration import start_of
from protocols.recipes import recipe
from protocols.records import Prompt, Record, Split
from protocols.settings import RunSettings

CHARACTERS_A_TOKEN = 3.0  # of English and code with invented names; only for prompts, where no tokenizer is
LEARNER_BYTES = 16  # a parameter: fp32 weights, gradients, two moments
ENGINE_BYTES = 2  # a parameter: bfloat16


class Estimate(Record):
    """Of one row: counts are upper bounds."""

    row: str
    rounds: int
    attempts: int  # generated for learning
    generated: float  # tokens, measurements included
    learned: float  # tokens of prompts and answers, summed over passes
    learner_gb: float
    engine_gb: float
    hours: float


class Shape(Record):
    """What estimates need of a model."""

    parameters: int
    cache_bytes: int  # of one token in the engine


class Planned(Record):
    """A row that would be played."""

    name: str
    settings: RunSettings
    source: RunSettings | None = None  # of the run whose experience it learns from


def report(rows: Sequence[Planned], device: dict[str, Any], architecture: dict[str, Any] | None) -> str:
    """Markdown: a line for each row; what was assumed below.

    Raises:
        SettingError: a row's settings are wrong. ArtefactError: there is no such model.
    """
    shape = shape_of(rows[0].settings, architecture)
    lines = [
        "| row | rounds | attempts | generated tokens | learned tokens | learner GB | engine GB | hours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    total, domains = 0.0, Domains()
    for row in rows:
        found = estimate(row, shape, device, domains)
        total += found.hours
        lines.append(
            f"| {row.name} | {found.rounds} | {found.attempts} | {found.generated:.3g} | {found.learned:.3g} "
            f"| {found.learner_gb:.0f} | {found.engine_gb:.0f} | {found.hours:.1f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{len(rows)} rows of {shape.parameters / 1e9:.2f} billion parameters, at most {total:.0f} hours "
            f"for a seed, assuming {device['count']} devices of {device['tflops']} TFLOP/s, of which "
            f"{device['generating']:.0%} are used in generating and {device['learning']:.0%} in learning, "
            "and every answer as long as it may be. Learner: weights, gradients and Adam's moments in fp32, "
            "over all devices; engine: weights in bfloat16, and the cache of one batch.",
        ]
    )


class Domains:
    """The domains of rows, each made once: rows differ in how they learn, and making tasks takes long."""

    def __init__(self) -> None:
        self._made: dict[str, Domain] = {}
        self._counts: dict[tuple[str, str, int], int] = {}

    def of(self, settings: RunSettings) -> Domain:
        key = self._key(settings)
        if key not in self._made:
            self._made[key] = make_domain(settings)
        return self._made[key]

    def held_out(self, settings: RunSettings) -> int:
        """Tasks of a measurement."""
        evaluation = settings.evaluation
        key = (self._key(settings), evaluation.kind, evaluation.tasks)
        if key not in self._counts:
            found = self.of(settings).tasks(Split.TEST, evaluation.kind, evaluation.tasks)
            self._counts[key] = len(found)
        return self._counts[key]

    @staticmethod
    def _key(settings: RunSettings) -> str:
        told = settings.model_dump(mode="json", include={"domain", "verifier", "zwc", "math", "tools", "mle"})
        return json.dumps(told, sort_keys=True)


def estimate(row: Planned, shape: Shape, device: dict[str, Any], domains: Domains) -> Estimate:
    """Upper bounds for a run, from its settings and its domain's own tasks and prompts."""
    settings, source = row.settings, row.source
    domain = domains.of(settings)
    plan = recipe(settings.learner.recipe)
    task = domain.tasks(Split.TRAIN, limit=1)[0]
    asked, learned_on = plan.book_at_rollout, plan.book_at_update
    played = _tokens(domain.prompt(task, start_of(task, asked), asked))
    updated = _tokens(domain.learning_prompt(task, start_of(task, learned_on), learned_on))
    solver, evaluation = settings.solver, settings.evaluation
    attempts = _attempts(settings)
    answers = attempts * _answers(settings)
    tasks = domains.held_out(settings)
    measured = evaluation.before + (settings.rounds // evaluation.every if evaluation.every else 1)
    generated = answers * solver.sampling.max_tokens
    generated += measured * tasks * evaluation.samples * evaluation.sampling.max_tokens
    if not settings.curator.source:
        generated += (
            (solver.rounds or settings.rounds)
            * settings.proposer.per_round
            * settings.proposer.sampling.max_tokens
        )
    shared = answers if source is None else int(_attempts(source) * settings.curator.source_share)
    again = settings.rounds if plan.algorithm == "sft" and (source or solver.rounds) else 1
    learned = shared * again * settings.learner.epochs * (updated + solver.sampling.max_tokens)
    flops = 2 * shape.parameters * generated / device["generating"]
    flops += 6 * shape.parameters * learned / device["learning"]
    window = played + solver.sampling.max_tokens
    return Estimate(
        row=row.name,
        rounds=settings.rounds,
        attempts=attempts,
        generated=generated,
        learned=learned,
        learner_gb=LEARNER_BYTES * shape.parameters / 1e9,
        engine_gb=(ENGINE_BYTES * shape.parameters + shape.cache_bytes * window * settings.engine.batch_size)
        / 1e9,
        hours=flops / (device["count"] * device["tflops"] * 1e12) / 3600,
    )


def _tokens(prompt: Prompt) -> int:
    return int(sum(len(message.content) for message in prompt.messages) / CHARACTERS_A_TOKEN)


def _attempts(settings: RunSettings) -> int:
    """Attempts that a run makes for learning."""
    rounds = 0 if settings.curator.source else settings.solver.rounds or settings.rounds
    return rounds * settings.solver.groups_per_round * settings.solver.group_size


def _answers(settings: RunSettings) -> float:
    """Of an attempt, on average; plays of several turns are counted as one."""
    chain = settings.solver.chain
    return (1 + chain.answers) / 2 if chain.drawn else float(chain.answers)


def shape_of(settings: RunSettings, architecture: dict[str, Any] | None) -> Shape:
    """Parameters and cache of the model, built without its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if architecture:
        config = AutoConfig.for_model(**architecture)
    else:
        config = AutoConfig.from_pretrained(preflight.model_folder(settings.model), trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        parameters=sum(p.numel() for p in model.parameters()),
        cache_bytes=2 * config.num_hidden_layers * heads * width * 2,
    )
