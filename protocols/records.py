"""The records that travel between roles: frozen, typed, JSON-codable.

    Task ──start──▶ Group of Attempts ──Program/Outcome──▶ Verdict ──▶ Sample ──▶ Update
      ▲                                                                  (experience)
      └── Proposal (parsed, or rejected with a reason)

Ids are content hashes or derived from (run seed, round, position), so that work repeated after a crash
gets the same id and is admitted once. `protocols.seeds` makes them.

Not here: how records are stored (`memory.schema`) and what the words mean (`docs/architecture.md`).
"""

import math
from enum import StrEnum
from typing import Any, dataclass_transform

import msgspec


class Split(StrEnum):
    TRAIN = "train"
    TEST = "test"


class Origin(StrEnum):
    SEED = "seed"  # made by the domain's own bank
    DATASET = "dataset"  # read from a file or hub
    PROPOSED = "proposed"  # written by the proposer


class Book(StrEnum):
    OPEN = "open"  # the documentation is in the prompt
    CLOSED = "closed"  # it is not


class Role(StrEnum):
    PROPOSER = "proposer"  # writes tasks
    SOLVER = "solver"  # answers them


class Step(StrEnum):
    INITIAL = "initial"
    IMPROVE = "improve"  # make the current answer better
    DIVERGE = "diverge"  # answer by a clearly different approach


class Purpose(StrEnum):
    COLLECT = "collect"  # candidates for learning
    EVALUATE = "evaluate"  # measured, never learned from


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class RecordMeta(msgspec.StructMeta):
    """Tells type checkers that what inherits from `Record` is frozen, as it is."""


class Record(msgspec.Struct, metaclass=RecordMeta, frozen=True, kw_only=True):
    """Base of all records."""


class Task(Record):
    """A problem in a domain, with hidden checks."""

    id: str
    domain: str
    split: Split
    kind: str  # the domain's own label: zwc has "single" and "multi"
    origin: Origin
    statement: str  # what is asked, in words; holds no documentation
    topics: tuple[str, ...]  # what it is about (zwc: obfuscated function names)
    payload: dict[str, Any]  # the domain's data, hidden checks included
    parent_id: str | None = None  # the task it was proposed from
    reference: Any = None  # proposed tasks: the answers that open-book attempts agreed on
    truth_agrees: bool | None = None  # proposed tasks: reference equals the known truth; None = unknown


class Message(Record):
    role: str  # system, user or assistant
    content: str


class Prompt(Record):
    """A chat, and the opening of the answer that the model has to go on with ("" for none)."""

    messages: tuple[Message, ...]
    prefill: str = ""


class Turn(Record):
    """One answer in a start's partial history, of the attempt that it came from."""

    attempt_id: str  # "" where that attempt stayed behind in the run that this one learns from
    response: str
    reward: float | None = None  # of the attempt
    feedback: str = ""  # what may be told about it, e.g. the trace of its error


class Start(Record):
    """Where an attempt begins: a task plus a partial history (empty for a base task) and a step kind.

    The history holds the latest answer of every turn so far. An initial step goes on after them; to improve
    or to diverge is to answer the last of them once more, and then to play to the end.
    """

    id: str
    task_id: str
    step: Step
    book: Book
    history: tuple[Turn, ...] = ()

    @property
    def parent_attempt_id(self) -> str | None:
        return (self.history[-1].attempt_id or None) if self.history else None


class Exchange(Record):
    """One answer within an attempt that took several, and what the environment said before it."""

    told: tuple[Message, ...]  # since the answer before; () for the first, all of the prompt if `fresh`
    response: str
    tokens: int  # of the attempt's `token_ids` that are this answer's ...
    prefilled: int = 0  # ... and how many of these were given
    prefill: str = ""  # the given opening, except of the first
    fresh: bool = False  # its prompt does not go on from the one before


class Attempt(Record):
    """One response of the policy from a start, as produced; in a multi-turn domain all of its answers.

    `token_ids` are the ids of the whole response; its first `prefilled` ids are the given opening and
    have no log-probability, so `len(logprobs) == len(token_ids) - prefilled`. Log-probabilities are those
    of the distribution that was sampled from (after temperature and truncation); NaN where a server does not
    tell them. With several exchanges, ids and log-probabilities stand one after the other, and `prefilled` is
    their sum.
    """

    id: str
    group_id: str
    index: int  # 0 .. G-1 in its group
    response: str  # prefill + sampled text; of several exchanges, the last one's
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    prefilled: int
    finish: str  # stop, length, no_room (the prompt fills the model's context: nothing was sampled)
    seed: int
    exchanges: tuple[Exchange, ...] = ()  # () = a single answer

    @property
    def answers(self) -> tuple[str, ...]:
        """Its answers in order."""
        return tuple(one.response for one in self.exchanges) or (self.response,)


class Group(Record):
    """G attempts from the same start under one policy version."""

    id: str
    round: int
    position: int  # in the round's plan
    purpose: Purpose
    start: Start
    prompt: Prompt
    prompt_tokens: int
    policy_version: int
    engine: str
    attempts: tuple[Attempt, ...]
    seconds: float


class Program(Record):
    """What the sandbox has to run for one response: call `entry_point` of `source` on every case.

    Expected answers are not part of it: they never enter the sandbox.
    """

    source: str
    entry_point: str
    cases: tuple[tuple[Any, ...], ...]  # positional arguments, plain data
    library: bytes | None = None  # `protocols.domains.zwc` library blob; None = no library
    library_name: str = "zwc"
    library_module: str = "numpy"  # the real one
    about: tuple[str, ...] = ()  # obfuscated functions whose results are moved to see what depends on them
    unknown_names: int = 8  # calls of names that the library does not have, before the program is ended
    functions: int = 16  # different ones of the library that it may call
    modules: tuple[str, ...] = ()  # loaded before the program, which may then import anything that is loaded
    input: str = ""  # a folder that it may read; inside, the environment's INPUT says where it lies


class CaseResult(Record):
    """What one call gave: a plain value, or the exception it ended in."""

    value: Any = None
    error: str | None = None  # "ValueError: message", clipped
    calls: tuple[str, ...] = ()  # library functions that gave a result, in order, as the library saw them


class Shaken(Record):
    """The same calls in a run of their own, with the library's results moved."""

    status: str  # as of an outcome: only "ok" says that the run came to its end
    values: tuple[Any, ...]
    errors: tuple[str | None, ...]
    detail: str = ""


class Outcome(Record):
    """How a program ended in the sandbox."""

    status: str  # see `protocols.verdicts.STATUSES`
    cases: tuple[CaseResult, ...] = ()
    shaken: tuple[Shaken, ...] = ()  # in the order in which they ran
    calls_before: tuple[str, ...] = ()  # of the library, at the program's top level: no case's
    detail: str = ""  # one line for people
    stdout: str = ""  # clipped
    seconds: float = 0.0


class Verdict(Record):
    """What the verifier says of an attempt. With `infra_error` there is no reward at all."""

    attempt_id: str
    reward: float | None
    category: str
    evidence: dict[str, Any]
    infra_error: str | None = None
    seconds: float = 0.0
    flipped: bool = False  # injected noise turned the reward round


class Proposal(Record):
    """One text of the proposer: either a task, or a rejection with its reason.

    Ids and log-probabilities as in `Attempt`.
    """

    id: str
    round: int
    position: int
    topic: str
    prompt: Prompt
    response: str
    policy_version: int
    task: Task | None
    reason: str | None  # rejection reason; None while the task stands
    detail: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    prefilled: int = 0
    finish: str = "stop"  # stop, length
    reward: float | None = None  # the proposer's; None until it is known


class Decision(Record):
    """One decision of the curator, with its numbers: why something was admitted, rejected or chosen."""

    id: str
    round: int
    kind: str  # ask, proposal, group, task, sample, start
    subject_id: str
    action: str  # admit, reject, choose, drop
    reason: str
    numbers: dict[str, Any] = {}


class Sample(Record):
    """One piece of experience: a response to learn on a prompt that may differ from the rollout's."""

    attempt_id: str  # of the attempt, or of the proposal where that is the role
    prompt: Prompt  # as learned: closed or open book
    token_ids: tuple[int, ...]  # response ids as produced, prefill included
    logprobs: tuple[float, ...] = ()  # as sampled, of the ids after the prefilled ones
    prefilled: int = 0
    weight: float = 1.0  # in SFT a factor on its loss, in RL the attempt's advantage
    group_id: str = ""
    role: Role = Role.SOLVER
    kind: str = ""  # of the task; "" for proposals
    reward: float = 1.0
    version: int | None = None  # of the weights it was sampled from; None for proposals


class Baseline(Record):
    """What the rewards of one role and kind of task have been."""

    count: int
    mean: float
    squares: float  # sum of squared distances from the mean

    @property
    def std(self) -> float:
        """The sample's standard deviation (n - 1); 0.0 for a single reward."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0


class Update(Record):
    """One change of the weights: `version` is the policy version after it."""

    version: int
    round: int
    recipe: str
    samples: int
    tokens: int  # response tokens learned, summed over epochs
    steps: int
    losses: tuple[float, ...]  # one per optimiser step
    grad_norms: tuple[float, ...]
    learning_rates: tuple[float, ...]
    seconds: float
    path: str  # checkpoint folder, relative to the run folder
    checksum: str  # of the published weights
    metrics: dict[str, float] = {}  # what else the algorithm measured, e.g. entropy, share of clipped tokens
    baselines: dict[str, Baseline] = {}  # that advantages were taken against, by role and kind of task


class Evaluation(Record):
    """Accuracy of one policy version on one set of tasks."""

    id: str
    round: int
    policy_version: int
    book: Book
    split: Split
    kind: str  # single, multi, all
    tasks: int
    attempts: int
    accuracy: float | None  # None: nothing was judged
    by_topic: dict[str, float]
    categories: dict[str, int]
    infra_errors: int = 0  # prompts without room are none
    seconds: float = 0.0
