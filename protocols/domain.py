"""What a world of tasks has to offer. A new domain is one file or folder and one `register` line.

A domain never runs untrusted code: `check` says what to run for a response, the verifier runs it in the
sandbox, `judge` says what the outcome means. Everything is deterministic by the seed it was made with.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NoReturn, Protocol

from protocols.errors import SettingError
from protocols.fences import last_code_block
from protocols.prompting import OneExchange
from protocols.records import Book, Outcome, Program, Prompt, Split, Start, Step, Task, Verdict
from protocols.settings import RunSettings


class Rejected(Exception):
    """A proposal that is not a task. `reason` is one word for counting, `detail` a line for reading."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Session(Protocol):
    """One play of an attempt. Single-turn domains use `protocols.prompting.OneExchange`."""

    def prompt(self) -> Prompt | None:
        """The next prompt, or None when the play has ended."""

    def receive(self, response: str) -> None:
        """Take the policy's answer to the last prompt."""


class Domain(Protocol):
    name: str
    stops: tuple[str, ...]  # an answer ends after the first of these; it stays in the text
    #: What a step that improves is worth: its answer's reward, or what it gained (`credit.gain`).
    improve_reward: Literal["plain", "gain"]
    #: Which answer counts after so many steps of improving, and is improved next: the last one or the best.
    iterate_keeps: Literal["last", "best"]
    #: Where the best one counts: failed answers in a row that are repaired before the best is gone back to.
    debug_depth: int
    multi_turn: bool  # whether plays have turns that go on from one another
    proposable: bool  # whether new tasks can be proposed
    programs: bool  # whether `check` gives programs, so that a sandbox is needed

    @property
    def kinds(self) -> Sequence[str]:
        """Labels that its tasks can have."""

    @property
    def notices(self) -> Sequence[str]:
        """Lines about its data that whoever starts a run should see."""

    def topics(self) -> Sequence[str]:
        """What tasks can be about; accuracy is reported by topic."""

    def tasks(self, split: Split, kind: str = "all", limit: int | None = None) -> list[Task]:
        """Base tasks of a split, in a fixed order that spreads topics evenly."""

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        """The prompt for a start, with the documentation (open) or without it (closed)."""

    def learning_prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        """The prompt that an answer to this start is learned on: no demonstrations, no opened answer."""

    def answer(self, task: Task, response: str) -> str:
        """What two responses share if they give the same answer, for votes; "" if there is none."""

    def feedback(self, task: Task, verdict: Verdict) -> str:
        """What the next step may be told about an answer, e.g. how its program failed; "" for nothing.
        Never what would give the hidden checks away."""

    def session(self, task: Task, start: Start, book: Book) -> Session:
        """A play from this start."""

    def check(self, task: Task, answers: Sequence[str]) -> Program | Verdict:
        """What to run for a play; or at once the verdict, when there is nothing that could run.

        Args:
            answers: all that count, those kept from a start's history included; single-turn domains look at
                the last one.
        """

    def judge(self, task: Task, attempt_id: str, outcome: Outcome) -> Verdict:
        """What an outcome means for this task. `infra_error` outcomes give verdicts without reward."""

    def mistake(self, task: Task, response: str, verdict: Verdict) -> str | None:
        """What kind of mistake a wrong answer makes, one word for counting; None for other answers."""

    def proposer_prompt(self, topic: str, seed: int) -> Prompt:
        """Ask for a new task about a topic."""

    def parse_proposal(self, topic: str, response: str, seed: int) -> Task:
        """A task without a reference answer.

        Raises:
            Rejected: the text is not a usable task.
        """

    def truth_program(self, task: Task) -> Program | None:
        """What to run to know the truth about a proposed task, for measuring; None if nobody knows."""

    def consensus(
        self, task: Task, outcomes: Sequence[Outcome], threshold: float, truth: Outcome | None = None
    ) -> Task:
        """The task with the reference that at least `threshold` of the attempts agree on.

        Args:
            truth: how `truth_program` ended.

        Raises:
            Rejected: unsolvable (nothing ran), inconsistent (no agreement), trivial, or no answer that a task
                can have.
        """


class GivenTasks:
    """Parts of `Domain` for worlds whose tasks are given: nothing is proposed, no book is opened, a play is
    one exchange, and nothing is told about an answer. What a domain does otherwise, it overrides."""

    name: str
    stops: tuple[str, ...] = ("\n```",)
    improve_reward: Literal["plain", "gain"] = "plain"
    iterate_keeps: Literal["last", "best"] = "last"
    debug_depth: int = 0
    multi_turn: bool = False
    proposable: bool = False
    programs: bool = False
    notices: Sequence[str] = ()

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        raise NotImplementedError

    def learning_prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        return self.prompt(task, start, book)

    def session(self, task: Task, start: Start, book: Book) -> Session:
        ended = start.step is Step.INITIAL and bool(start.history)  # its one turn has been played
        return OneExchange(None if ended else self.prompt(task, start, book))

    def answer(self, task: Task, response: str) -> str:
        return " ".join((last_code_block(response) or response).split())

    def feedback(self, task: Task, verdict: Verdict) -> str:
        return ""

    def mistake(self, task: Task, response: str, verdict: Verdict) -> str | None:
        return None

    def proposer_prompt(self, topic: str, seed: int) -> Prompt:
        self._refuse()

    def parse_proposal(self, topic: str, response: str, seed: int) -> Task:
        self._refuse()

    def truth_program(self, task: Task) -> Program | None:
        return None

    def consensus(
        self, task: Task, outcomes: Sequence[Outcome], threshold: float, truth: Outcome | None = None
    ) -> Task:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise SettingError(f"domain {self.name}: its tasks are given; write --set proposer.per_round=0")


_DOMAINS: dict[str, Callable[[RunSettings], Domain]] = {}


def register(name: str, make: Callable[[RunSettings], Domain]) -> None:
    """Offer a domain under a name; `make` gets the run's settings."""
    _DOMAINS[name] = make


def make_domain(settings: RunSettings) -> Domain:
    """The domain that the settings name.

    Raises:
        SettingError: there is none; the message lists those there are.
    """
    import protocols.domains  # noqa: F401  (registers the built-in domains)

    if settings.domain not in _DOMAINS:
        raise SettingError(f"domain: {settings.domain!r} is unknown; choose {', '.join(sorted(_DOMAINS))}")
    return _DOMAINS[settings.domain](settings)
