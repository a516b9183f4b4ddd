"""Settings of the learner: a recipe's switches, the optimiser, checkpoints."""

from typing import Any, Literal

from pydantic import Field, model_validator

from protocols.errors import SettingError
from protocols.hardware import Device, Dtype
from protocols.recipes import RECIPES
from protocols.section import Section


class GrpoSettings(Section):
    """Switches of group-relative policy optimisation; recipes have defaults of their own for some."""

    denominator: Literal["recomputed", "rollout", "policy"] = "recomputed"
    """Ratios are against log-probabilities recomputed on the update's prompt before its first step, the
    rollout's, or the policy's own at each step: then every ratio is 1."""
    clip_low: float | None = Field(0.2, ge=0, le=1)
    """How far below 1 a ratio may fall before the gradient stops; null = no limit."""
    clip_high: float | None = Field(0.2, ge=0)
    """How far above 1 a ratio may rise before the gradient stops; null = no limit."""
    dual_clip: float | None = Field(3.0, gt=1)
    """Bound on the ratio where the advantage is negative; null = no bound."""
    baseline: Literal["group", "batch", "running"] = "group"
    """What a reward is compared with: its group's, or those of its role and kind of task, in the round
    (as Absolute Zero does) or in the whole run so far."""
    normalise: bool = True
    """Divide advantages by the standard deviation of the rewards they are compared with."""
    improve_reward: Literal["auto", "plain", "gain"] = "auto"
    """What a step that improves is worth: its answer's reward, or how much of what was missing it gained;
    auto: as ExIt has it for the domain (gain in mle)."""
    negative: float = Field(1.0, ge=0, le=1)
    """Factor on negative advantages; 0 drops them."""
    diversity: Literal["off", "printed", "scaled"] = "off"
    """Factor on advantages, the larger the farther an answer's embedding is from its group's: ExIt's
    formula as printed, or scaled to [0, 1] by subtracting the least distance. See `learning.diversity`."""
    embedder: str = Field("policy", min_length=1)
    """Where these embeddings come from: the policy's last hidden states, `minilm` (all-MiniLM-L6-v2), or a
    BERT-like model with mean pooling: its Hugging Face id or folder. See `learning.embedding`."""
    aggregation: Literal["sequence_mean", "token_mean", "constant"] = "token_mean"
    """How tokens are averaged: every sequence the same, every token the same, or by `constant_tokens`."""
    constant_tokens: int = Field(256, ge=1)
    """Tokens a sequence is divided by with `aggregation: constant`."""
    mini_batches: int = Field(1, ge=1, le=65536)
    """Optimiser steps for one pass over a round's groups."""
    zero_variance: Literal["keep", "drop", "resample"] = "keep"
    """Groups whose rewards are all equal: kept, they only count in token averages. `resample` drops them and
    plays further starts in their place, as DAPO (arXiv 2503.14476, section 3.2) does."""
    resample_limit: float = Field(2.0, ge=0, le=100)
    """Further groups of a round with `zero_variance: resample`, at most this many times the planned ones."""
    overlong: Literal["keep", "drop"] = "keep"
    """Answers that reached the length limit; in a domain of several turns, those without one of its endings
    (ExIt, appendix: no gradient for a response that ends with no call and no word that the task is over)."""
    kl_weight: float = Field(0.0, ge=0)
    """Weight of the divergence from the reference, at first the model as it came."""
    kl_estimate: Literal["k1", "k2", "k3"] = "k3"
    """How the divergence is estimated from a sampled token."""
    reference_every: int = Field(0, ge=0)
    """Updates after which the reference moves towards the policy (ExIt: 100); 0 = it never does."""
    reference_step: float = Field(1.0, gt=0, le=1)
    """How far it moves then: 1 = it becomes the policy (ExIt: 1, in mle 0.5)."""
    reference_mix: float = Field(0.0, ge=0, le=1)
    """Share of the policy before the update in the reference's probabilities."""
    engine_cap: float | None = Field(None, gt=0)
    """Off-policy correction: answers count with the policy's probability before the update over the engine's,
    at most this. For recipes with the same book at rollout and update; recommended with `max_staleness`."""
    engine_band: float | None = Field(None, gt=1)
    """The same, but tokens whose weight is above this or below its inverse are left out."""

    @model_validator(mode="after")
    def _one_correction(self) -> "GrpoSettings":
        if self.engine_cap is not None and self.engine_band is not None:
            raise SettingError(
                "setting learner.grpo.engine_cap: answers are corrected by a cap or by a band, not by both; "
                "write --set learner.grpo.engine_band=null"
            )
        return self

    @property
    def embedding(self) -> str | None:
        """The model that embeds answers; None where the policy does, or nothing has to."""
        return None if self.diversity == "off" or self.embedder == "policy" else self.embedder


class LoraSettings(Section):
    """Low-rank adapters (arXiv 2106.09685): W + alpha / rank * B A, of which only B and A are learned."""

    rank: int = Field(0, ge=0, le=4096)
    """Rank of the adapters, which are then learned and published instead of the weights; 0 = no adapters."""
    alpha: float = Field(16.0, gt=0)
    """What an adapter's product is scaled by, over its rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of an adapter's inputs that is dropped in a training step."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Modules that get an adapter: all linear ones but the head, or names, e.g. [q_proj, v_proj]."""


class LearnerSettings(Section):
    recipe: Literal[
        "closed-sft",
        "open-sft",
        "selfplay-sft",
        "open-rl",
        "closed-rl",
        "selfplay-rl",
        "absolute-zero",
        "grpo",
        "exit-curriculum",
        "exit-improve",
        "exit-diverge",
        "exit",
        "naive-k",
        "two-attempts",
    ] = "closed-sft"
    """Named recipe; see `protocols.recipes`."""
    grpo: GrpoSettings = Field(default_factory=GrpoSettings)
    device: Device = "auto"
    """Where the learner computes."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads of each process that learns; 0 = all cores it may use, shared evenly by the ranks."""
    lanes: int = Field(0, ge=0, le=64)
    """Micro-batches that one process computes at the same time on a CPU, each with its share of the threads
    and gradients of its own; 0 = one for each thread, at most 4."""
    ranks: int = Field(1, ge=1, le=4096)
    """Processes that learn together, each with its share of the weights (FSDP2) and of every mini-batch; more
    than one are Ray actors, with the resources of role `learner` each."""
    collective_s: float = Field(600.0, ge=1)
    """Longest wait of a rank for the others, when they meet and at each exchange."""
    dtype: Dtype = "auto"
    """What the model computes in, and is published in; `auto` = bfloat16 where the device has arithmetic for
    it, else float32. Weights and optimiser are float32 in any case."""
    activation_checkpointing: bool = False
    """Compute each block's activations again in the backward pass instead of keeping them: less memory."""
    lora: LoraSettings = Field(default_factory=LoraSettings)
    """Learn adapters instead of the weights."""
    learning_rate: float = Field(1e-4, gt=0, le=1)
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Shape after warm-up, over the updates of one round."""
    decay: float = Field(1.0, gt=0, le=1)
    """Factor on the peak learning rate from one round to the next: later rounds move the weights less."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Share of a round's steps that warm up."""
    epochs: int = Field(1, ge=1, le=1000)
    """Passes over a round's experience."""
    batch_size: int = Field(16, ge=1, le=65536)
    """Samples per optimiser step."""
    micro_tokens: int = Field(1024, ge=16)
    """Tokens computed at once; more cost memory (about 1 MB a token at 135M parameters) and gain little."""
    grad_clip: float = Field(1.0, gt=0)
    """Largest gradient norm."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's decoupled weight decay."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates."""
    train_embeddings: bool = True
    """Train the (tied) token embeddings too."""
    keep_states: int = Field(2, ge=1)
    """Checkpoints that keep their optimiser state; older ones keep weights only."""
    keep_versions: int = Field(0, ge=0)
    """Checkpoints that are kept at all (at least 2); 0 = every one. What is gone cannot be measured again."""
    deadline_s: float = Field(3600.0, gt=0)
    """Longest wait for one update."""

    @model_validator(mode="after")
    def _adapters_fit(self) -> "LearnerSettings":
        if self.lora.rank and self.grpo.kl_weight and self.grpo.reference_every:
            raise SettingError(
                "setting learner.grpo.reference_every: with adapters the reference is the model without "
                "them, which never moves; write --set learner.grpo.reference_every=0, or "
                "--set learner.lora.rank=0"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _as_the_recipe_says(cls, values: Any) -> Any:
        """The recipe's own defaults, below whatever was set."""
        known = RECIPES.get(values.get("recipe", "")) if isinstance(values, dict) else None
        if known is None or not known.grpo:
            return values
        return {**values, "grpo": {**known.grpo, **(values.get("grpo") or {})}}
