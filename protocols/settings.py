"""Every setting of a run, with bounds and one docstring each. `experiments.config` loads and resolves them.

A setting that belongs to one role stands in that role's section; the learner's are in `learner_settings`.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from protocols.curator_settings import CuratorSettings
from protocols.engine_settings import EngineSettings, Sampling
from protocols.errors import SettingError
from protocols.learner_settings import LearnerSettings
from protocols.math_settings import MathSettings
from protocols.mle_settings import MleSettings
from protocols.recipes import RECIPES
from protocols.records import Role
from protocols.runtime_settings import RuntimeSettings
from protocols.section import Section
from protocols.tools_settings import ToolsSettings
from protocols.tracking_settings import TrackingSettings
from protocols.zwc_settings import ZwcSettings

ANSWER_TOKENS = {"math": 128, "tools": 160, "mle": 768}
"""Tokens of the longest answer, in domains whose answers are longer than zwc's, where a run does not say: of
BFCL's expected calls most take up to 117, and a script that trains a model takes several hundred."""


class ModelSettings(Section):
    name: str = "smollm2-135m-instruct"
    """`smollm2-135m-instruct` (embedded), `tiny-random` (tests), a local folder, or a Hugging Face id."""
    revision: str | None = None
    """Commit or tag of a Hugging Face id."""


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
    allow_weaker: bool = False
    """Run programs although this machine can neither keep them from its files nor filter their system calls
    (`taskspace doctor` tells)."""


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


class ChainSettings(Section):
    """Attempts that improve their own answer: the baselines that train several steps at once."""

    answers: int = Field(1, ge=1, le=64)
    """K: answers of an attempt at a base task, each after the first an improvement of the one before."""
    drawn: bool = False
    """Their number is drawn for each group, evenly from 1 to `answers`."""
    reward: Literal["last", "gain"] = "last"
    """What is learned from: the last answer's reward, or how much it is above the first one's."""
    bonus: float = Field(0.0, ge=0, le=100)
    """Added for the gain, times this: SCoRe's alpha (arXiv 2409.12917, equation 5)."""


class SolverSettings(Section):
    group_size: int = Field(4, ge=1, le=1024)
    """G: attempts from one start."""
    groups_per_round: int = Field(64, ge=1, le=100_000)
    """Starts played in a round, proposed tasks included."""
    rounds: int = Field(0, ge=0)
    """Rounds in which anything is proposed and played; later ones learn again from what is there. 0 = all."""
    batch_groups: int = Field(16, ge=1, le=4096)
    """Groups played, judged and admitted together: the unit that a crash can cost."""
    replicas: int = Field(1, ge=1, le=1024)
    """Solver actors."""
    in_flight: int = Field(1, ge=1, le=4096)
    """Batches under way at once, over all solvers; with engines that batch across calls (vllm, openai), many
    small batches keep long answers from holding up short ones."""
    policy: Literal["current", "initial"] = "current"
    """Weights that answer for collection: the newest version, or the model as it came."""
    sampling: Sampling = Sampling()
    """How collection samples."""
    history_chars: int = Field(8000, ge=100)
    """Longest answer that a revision is shown; of a longer one the middle is left out, and said to be."""
    chain: ChainSettings = ChainSettings()
    """Steps that are taken within an attempt."""


class VerifierSettings(Section):
    replicas: int = Field(1, ge=1, le=256)
    """Verifier actors, each with a sandbox pool of its own."""
    queue: int = Field(3, ge=1, le=4096)
    """Batches with a verifier at once, judged or waiting; while all queues are full nothing new is played."""
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


class EvaluationSettings(Section):
    every: int = Field(1, ge=0)
    """Rounds between closed-book evaluations; 0 = only before and after."""
    tasks: int = Field(64, ge=1)
    """Held-out tasks."""
    kind: str = "single"
    """Which held-out tasks, by the domain's own kinds (zwc: single, multi), or all."""
    samples: int = Field(1, ge=1, le=1024)
    """Attempts a task; accuracy is their mean."""
    sampling: Sampling = Sampling(temperature=0.0)
    """How evaluation samples."""
    before: bool = True
    """Measure before the first round, too."""
    open_book_before: bool = True
    """Also measure then what the untrained model can do with the documentation open."""


class RunSettings(Section):
    """One experiment."""

    preset: str = Field("custom", pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,99}$")
    """Where the defaults came from; run folders are named after it."""
    seed: int = Field(1, ge=0)
    """Seed of everything that is drawn."""
    domain: str = "zwc"
    """The world the tasks come from."""
    rounds: int = Field(3, ge=1, le=1_000_000)
    """Rounds to play."""
    max_staleness: int = Field(0, ge=0, le=1000)
    """Versions that experience may be behind the weights it is learned into: so many rounds are collected
    ahead of the learner. 0 = one after the other, and equal runs are equal."""
    model: ModelSettings = ModelSettings()
    """The policy."""
    engine: EngineSettings = EngineSettings()
    """Generation."""
    sandbox: SandboxSettings = SandboxSettings()
    """Limits for untrusted programs."""
    zwc: ZwcSettings = ZwcSettings()
    """The zwc domain."""
    math: MathSettings = MathSettings()
    """The math domain."""
    tools: ToolsSettings = ToolsSettings()
    """The tools domain."""
    mle: MleSettings = MleSettings()
    """The mle domain."""
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
    tracking: TrackingSettings = TrackingSettings()
    """Where else the metrics go."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_recipe_says(cls, values: Any) -> Any:
        """The recipe's own defaults of some sections, below whatever was set."""
        if not isinstance(values, dict) or not isinstance(values.get("learner"), dict):
            return values
        known = RECIPES.get(values["learner"].get("recipe", ""))
        if known is None:
            return values
        proposer = values.get("proposer") or {}
        if known.proposer and isinstance(proposer, dict):
            values = {**values, "proposer": {**known.proposer, **proposer}}
        for role, part, defaults in (("curator", "buffer", known.buffer), ("solver", "chain", known.chain)):
            around = values.get(role) or {}
            inner = (around.get(part) or {}) if isinstance(around, dict) else None
            if defaults and isinstance(inner, dict):
                values = {**values, role: {**around, part: {**defaults, **inner}}}
        return values

    @model_validator(mode="after")
    def _engine_and_learner_take_turns(self) -> "RunSettings":
        if self.runtime.layout == "colocated" and self.max_staleness:
            raise SettingError(
                "setting runtime.layout: colocated engines sleep while the learner learns, so nothing can be "
                "played ahead; write --set max_staleness=0 or --set runtime.layout=separate"
            )
        return self

    @model_validator(mode="after")
    def _weights_can_go_directly(self) -> "RunSettings":
        if self.engine.transport != "direct":
            return self
        if self.engine.kind != "vllm":
            why, remedy = f"engine.kind {self.engine.kind} cannot take them", "engine.kind=vllm"
        elif self.runtime.kind == "inline":
            why, remedy = "in one process there is nobody to send them to", "runtime.kind=ray"
        elif self.runtime.layout == "colocated":
            why, remedy = "learner and engine share a GPU, which NCCL cannot", "runtime.layout=separate"
        elif self.learner.lora.rank:
            why, remedy = "adapters travel as files", "engine.transport=objects"
        else:
            return self
        raise SettingError(
            f"setting engine.transport: direct hands weights from memory to memory, but {why}; write --set "
            f"{remedy} or --set engine.transport=folder"
        )

    @model_validator(mode="after")
    def _ranks_can_be_started(self) -> "RunSettings":
        if self.learner.ranks > 1 and self.runtime.kind == "inline":
            raise SettingError(
                f"setting learner.ranks: {self.learner.ranks} ranks are Ray actors, but runtime.kind is "
                "inline; write --set runtime.kind=ray or --set learner.ranks=1"
            )
        return self

    @model_validator(mode="after")
    def _chains_can_be_learned(self) -> "RunSettings":
        known = RECIPES[self.learner.recipe]
        if self.solver.chain.answers > 1:
            if known.algorithm != "grpo" or known.book_at_rollout is not known.book_at_update:
                raise SettingError(
                    f"setting solver.chain.answers: {known.name} cannot learn from several answers; choose a "
                    "recipe of reinforcement learning with the same book in both places, e.g. naive-k"
                )
            if self.curator.buffer.p:
                raise SettingError(
                    "setting solver.chain.answers: an attempt either improves its own answer or starts from "
                    "the buffer; write --set curator.buffer.p=0 or --set solver.chain.answers=1"
                )
        if self.curator.buffer.robust and not self.curator.buffer.p:
            raise SettingError(
                "setting curator.buffer.robust: without a buffer nothing is ever replayed; "
                "write e.g. --set curator.buffer.p=0.5"
            )
        return self

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
