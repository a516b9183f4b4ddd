"""Every setting of a run, with bounds and one docstring each. `experiments.config` loads and resolves them.

Unknown keys are refused. A setting that belongs to one role stands in that role's section.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocols.errors import SettingError
from protocols.recipes import RECIPES
from protocols.records import Role


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


class ModelSettings(Section):
    name: str = "smollm2-135m-instruct"
    """`smollm2-135m-instruct` (embedded), `tiny-random` (tests), a local folder, or a Hugging Face id."""
    revision: str | None = None
    """Commit or tag of a Hugging Face id."""


class EngineSettings(Section):
    kind: Literal["auto", "transformers", "scripted"] = "auto"
    """Text generation: `auto` picks the best that works here."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the engine computes."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Weights and arithmetic of generation."""
    batch_size: int = Field(64, ge=1, le=4096)
    """Sequences decoded together."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads; 0 = all cores this process may use."""
    probe_tolerance: float = Field(0.1, gt=0, le=10)
    """Largest mean difference of log-probabilities (nats) between learner and engine after publishing."""
    failures_allowed: int = Field(3, ge=0, le=100)
    """Consecutive failed calls before the run ends with the engine's cause."""
    deadline_s: float = Field(600.0, gt=0)
    """Longest wait for one batch."""


class Sampling(Section):
    temperature: float = Field(0.8, ge=0, le=5)
    """0 = greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus; 1 = everything."""
    max_tokens: int = Field(96, ge=1, le=32768)
    """Longest answer, in tokens."""


class SandboxSettings(Section):
    workers: int = Field(0, ge=0, le=256)
    """Programs run at the same time, each on one core; 0 = as many as there are cores, at most 32."""
    wall_s: float = Field(4.0, gt=0, le=600)
    """Deadline of one program, counted from dispatch."""
    cpu_s: int = Field(4, ge=1, le=600)
    """CPU seconds of one program."""
    memory_mb: int = Field(512, ge=64, le=65536)
    """Address space of one program, and of the library process that serves it."""
    file_mb: int = Field(8, ge=0, le=4096)
    """Largest file it may write, in its scratch folder."""
    output_kb: int = Field(256, ge=1, le=65536)
    """What it may print, and separately what it may return."""
    allow_weaker: bool = True
    """Run although an isolation layer is missing on this machine (`taskspace doctor` names them)."""


class ZwcSettings(Section):
    files: str = ""
    """SE-Bench's own files instead of our task bank: a folder with its rows and api_doc.jsonl, or its id."""
    grader: Literal["strict", "authors"] = "strict"
    """What judges the tasks of `files`: the strict grader, or the decisions of the published evaluation."""
    module: str = "numpy"
    """The real module behind the obfuscated package."""
    package: str = "zwc"
    """The name the package is imported by."""
    seed: int = Field(7, ge=0)
    """Seed of the identifiers and of the task bank."""
    functions: int = Field(16, ge=0)
    """How many functions tasks are about, spread over the bank's order; 0 = all."""
    names: tuple[str, ...] = ()
    """Original names to use instead of the first `functions` ones."""
    documentation: Literal["brief", "full"] = "brief"
    """Length of the documentation in open-book prompts."""
    demonstrations: int = Field(3, ge=0, le=16)
    """Worked examples (of functions that no task is about) in open-book prompts."""
    multi_demonstrations: int = Field(0, ge=0, le=16)
    """Worked examples that combine functions, besides, in open-book prompts of multi-function tasks."""
    tasks_per_function: int = Field(8, ge=1, le=1000)
    """Training tasks made for each function."""
    test_tasks_per_function: int = Field(4, ge=1, le=1000)
    """Held-out tasks made for each function."""
    multi_least: int = Field(2, ge=2, le=5)
    """Functions that a multi-function task composes at least; 2 = two or three of them."""
    multi_share: float = Field(0.0, ge=0, le=1)
    """Share of multi-function tasks among training starts."""


class ProposerSettings(Section):
    per_round: int = Field(32, ge=0, le=100_000)
    """Proposals asked for in a round; 0 = no proposer."""
    policy: Literal["current", "initial"] = "current"
    """Weights that propose: the newest version, or the model as it came (which forgets nothing)."""
    sampling: Sampling = Sampling(temperature=0.9, max_tokens=80)
    """How the proposer samples."""
    reward: Literal["none", "one_minus_p", "min_p", "four_p_one_minus_p"] = "none"
    """Score from the solve rate p: 1 - p (Absolute Zero), min(p, 1 - p) (R-Zero), 4p(1 - p)."""
    unusable_reward: float = Field(-1.0, ge=-1, le=0)
    """Reward of a text that is no new task (malformed, leaking, a duplicate). Absolute Zero (arXiv
    2505.03335, section 3.1) gives -1 for wrong formatting, and -0.5 for what is well formatted and wrong."""
    steer: float = Field(0.0, ge=0, le=1)
    """Share of a round's proposals asked about poorly known topics, drawn with weight 1 - accuracy; the
    others ask about all topics in turn."""
    consensus: float = Field(0.6, gt=0.0, le=1.0)
    """Share of the attempts that have to agree on the answers of a proposed task."""
    deadline_s: float = Field(600.0, gt=0)
    """Longest wait for a batch of proposals."""


class SolverSettings(Section):
    group_size: int = Field(4, ge=1, le=1024)
    """G: attempts from one start."""
    groups_per_round: int = Field(64, ge=1, le=100_000)
    """Starts played in a round, proposed tasks included."""
    rounds: int = Field(0, ge=0)
    """Rounds in which anything is proposed and played; later ones learn again from what is there. 0 = all."""
    batch_groups: int = Field(16, ge=1, le=4096)
    """Groups played, judged and admitted together: the unit that a crash can cost."""
    policy: Literal["current", "initial"] = "current"
    """Weights that answer for collection: the newest version, or the model as it came."""
    sampling: Sampling = Sampling()
    """How collection samples."""


class VerifierSettings(Section):
    replicas: int = Field(1, ge=1, le=256)
    """Verifier actors, each with a sandbox pool of its own."""
    relative_tolerance: float = Field(1e-4, ge=0, le=1)
    """Strict grader: |a - b| <= max(relative * |b|, absolute)."""
    absolute_tolerance: float = Field(1e-6, ge=0, le=1)
    """Strict grader: see relative_tolerance."""
    false_positive: float = Field(0.0, ge=0, le=1)
    """Injected noise: chance that a reward of 0 is reported as 1. Recorded as `flipped`."""
    false_negative: float = Field(0.0, ge=0, le=1)
    """Injected noise: chance that a reward of 1 is reported as 0. Recorded as `flipped`."""
    deadline_s: float = Field(300.0, gt=0)
    """Longest wait for the verdicts of one batch."""


class BufferSettings(Section):
    """Starts kept for further iteration: Exploratory Iteration (arXiv 2509.04575)."""

    size: int = Field(256, ge=1, le=1_000_000)
    """Starts kept at most, those with the highest learnability."""
    least: int = Field(1, ge=1)
    """Starts that have to be there before any is drawn."""
    p: float = Field(0.0, ge=0, le=1)
    """Chance that a start is drawn from the buffer instead of from the tasks; 0 = there is no buffer."""
    kappa: float = Field(4.0, ge=0)
    """Inverse temperature of the softmax over learnability (not given in the paper)."""
    children: Literal["none", "best", "random", "all"] = "best"
    """Answers of a group that are gone on from (not given in the paper); none: starts are only replayed."""
    diverge: float = Field(0.2, ge=0, le=1)
    """Chance that a step which goes on from an answer is to diverge instead of to improve."""
    rank: float | None = Field(None, ge=0, le=100)
    """Draw by rank instead of score, in proportion to rank to the power of minus this; null = by score."""
    staleness: float = Field(0.0, ge=0, le=1)
    """Share of draws by how long a start has waited (Prioritized Level Replay, arXiv 2010.03934)."""

    @model_validator(mode="after")
    def _fills(self) -> "BufferSettings":
        if self.least > self.size:
            raise ValueError(
                f"least={self.least} starts never fit into size={self.size}; lower least or raise size"
            )
        return self


class CuratorSettings(Section):
    per_task_cap: int = Field(4, ge=1, le=1024)
    """Verified answers kept for learning from one task."""
    distinct: bool = True
    """Answers to a task that repeat another one's code are left out."""
    proposed_share: float = Field(0.5, ge=0, le=1)
    """Largest share of a round's starts taken by proposed tasks."""
    duplicate_similarity: float | None = Field(None, gt=0, le=1)
    """Proposals whose statement is at least this similar to another one of its topic are duplicates by
    meaning; 0.8 is a careful start (`actors.similarity`). null = only the same words are duplicates."""
    experience: Literal["auto", "all", "round"] = "auto"
    """Learn from the answers of the whole run so far, or of this round only; auto: all of them in SFT, and in
    RL, which compares groups under the policy that played them, those of the round."""
    source: str | None = None
    """Run folder whose collected groups are learned from, so that methods can be compared on one experience;
    nothing is proposed or played here."""
    source_rounds: int = Field(1, ge=1)
    """Rounds that the source's groups are spread over, evenly."""
    source_share: float = Field(1.0, gt=0, le=1)
    """Share of the source's groups, the earliest."""
    buffer: BufferSettings = BufferSettings()


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
    negative: float = Field(1.0, ge=0, le=1)
    """Factor on negative advantages; 0 drops them."""
    diversity: Literal["off", "printed", "scaled"] = "off"
    """Factor on advantages, the larger the farther an answer's hidden states are from its group's: ExIt's
    formula as printed, or scaled to [0, 1] by subtracting the least distance. See `learning.diversity`."""
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
    """Answers that reached the length limit."""
    kl_weight: float = Field(0.0, ge=0)
    """Weight of the divergence from the reference, the model as it came."""
    kl_estimate: Literal["k1", "k2", "k3"] = "k3"
    """How the divergence is estimated from a sampled token."""
    reference_mix: float = Field(0.0, ge=0, le=1)
    """Share of the policy before the update in the reference's probabilities."""
    engine_cap: float | None = Field(None, gt=0)
    """Cap of the importance weights that correct for the engine's slightly other log-probabilities; for
    recipes with the same book at rollout and update."""


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
    ] = "closed-sft"
    """Named recipe; see `protocols.recipes`."""
    grpo: GrpoSettings = Field(default_factory=GrpoSettings)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the learner computes."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads; 0 = all cores this process may use."""
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

    @model_validator(mode="before")
    @classmethod
    def _as_the_recipe_says(cls, values: Any) -> Any:
        """The recipe's own defaults, below whatever was set."""
        known = RECIPES.get(values.get("recipe", "")) if isinstance(values, dict) else None
        if known is None or not known.grpo:
            return values
        return {**values, "grpo": {**known.grpo, **(values.get("grpo") or {})}}


class EvaluationSettings(Section):
    every: int = Field(1, ge=0)
    """Rounds between closed-book evaluations; 0 = only before and after."""
    tasks: int = Field(64, ge=1)
    """Held-out tasks."""
    kind: Literal["single", "multi", "all"] = "single"
    """Which held-out tasks."""
    samples: int = Field(1, ge=1, le=1024)
    """Attempts a task; accuracy is their mean."""
    sampling: Sampling = Sampling(temperature=0.0)
    """How evaluation samples."""
    before: bool = True
    """Measure before the first round, too."""
    open_book_before: bool = True
    """Also measure then what the untrained model can do with the documentation open."""


class RuntimeSettings(Section):
    kind: Literal["ray", "inline"] = "ray"
    """`ray`: every role is an actor. `inline`: the same roles in one process without Ray."""
    address: str | None = None
    """A running Ray cluster; None starts one on this machine."""
    object_store_mb: int = Field(128, ge=80)
    """Shared memory of a Ray started here."""
    restarts: int = Field(3, ge=0)
    """How often a dead actor is started again before the run ends with its cause."""
    resources: dict[str, dict[str, float]] = {}
    """Ray resources by role (engine, proposer, solver, verifier, curator, learner), e.g. num_gpus: 1."""


class RunSettings(Section):
    """One experiment."""

    preset: str = "custom"
    """Where the defaults came from."""
    seed: int = Field(1, ge=0)
    """Seed of everything that is drawn."""
    domain: str = "zwc"
    """The world the tasks come from."""
    rounds: int = Field(3, ge=1, le=1_000_000)
    """Rounds to play."""
    max_staleness: int = Field(0, ge=0, le=0)
    """Versions that solvers may run ahead of the learner. 0 = synchronous."""
    model: ModelSettings = ModelSettings()
    """The policy."""
    engine: EngineSettings = EngineSettings()
    """Generation."""
    sandbox: SandboxSettings = SandboxSettings()
    """Limits for untrusted programs."""
    zwc: ZwcSettings = ZwcSettings()
    """The zwc domain."""
    proposer: ProposerSettings = ProposerSettings()
    """The role that writes tasks."""
    solver: SolverSettings = SolverSettings()
    """The role that answers them."""
    verifier: VerifierSettings = VerifierSettings()
    """The role that judges."""
    curator: CuratorSettings = CuratorSettings()
    """The role that keeps and chooses."""
    learner: LearnerSettings = LearnerSettings()
    """The role that learns."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """What is measured, and when."""
    runtime: RuntimeSettings = RuntimeSettings()
    """How roles run."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_recipe_says(cls, values: Any) -> Any:
        """The recipe's own defaults of `proposer` and `curator.buffer`, below whatever was set."""
        if not isinstance(values, dict) or not isinstance(values.get("learner"), dict):
            return values
        known = RECIPES.get(values["learner"].get("recipe", ""))
        if known is None:
            return values
        proposer, curator = values.get("proposer") or {}, values.get("curator") or {}
        if known.proposer and isinstance(proposer, dict):
            values = {**values, "proposer": {**known.proposer, **proposer}}
        if known.buffer and isinstance(curator, dict):
            buffer = curator.get("buffer") or {}
            if isinstance(buffer, dict):
                values = {**values, "curator": {**curator, "buffer": {**known.buffer, **buffer}}}
        return values

    @model_validator(mode="after")
    def _proposals_can_be_learned(self) -> "RunSettings":
        recipe = self.learner.recipe
        if Role.PROPOSER not in RECIPES[recipe].roles:
            return self
        if self.proposer.reward == "none":
            raise SettingError(
                f"setting proposer.reward: 'none' leaves {recipe} no rewards to learn proposals from; "
                "write e.g. --set proposer.reward=one_minus_p"
            )
        if self.learner.grpo.baseline == "group":
            raise SettingError(
                f"setting learner.grpo.baseline: 'group' does not fit {recipe}, proposals have no group; "
                "write e.g. --set learner.grpo.baseline=batch"
            )
        return self
