"""The verifier: runs answers in the sandbox and says what they are worth.

A proposed task without a reference gets one here, by consensus of the group's outcomes, or is rejected.
Failures of the sandbox are marked and never become a reward.
"""

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from actors.sandbox.pool import SandboxPool
from protocols.domain import Rejected, make_domain
from protocols.iteration import kept
from protocols.records import Attempt, Group, Origin, Outcome, Program, Purpose, Record, Task, Verdict
from protocols.seeds import rng_of
from protocols.settings import RunSettings, VerifierSettings
from protocols.verdicts import NO_ROOM


class Judged(Record):
    """A group with its verdicts, and what became of its task if that was proposed and had no reference."""

    group: Group
    verdicts: tuple[Verdict, ...]
    task: Task | None = None  # now with a reference
    rejected: str | None = None  # reason, when there can be none
    detail: str = ""


class Verifier:
    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._domain = make_domain(settings)
        programs = getattr(self._domain, "programs", True)
        self._pool = SandboxPool(settings.sandbox, seed=settings.seed) if programs else None

    def judge(self, groups: Sequence[Group], tasks: dict[str, Task]) -> tuple[list[Judged], float]:
        """Verdicts for groups, in their order, and the seconds they took. `tasks` holds tasks by id."""
        started = time.monotonic()
        ended = self._ended(
            self._check(group, attempt, tasks[group.start.task_id])
            for group in groups
            for attempt in group.attempts
        )
        truths = self._truths(tasks[group.start.task_id] for group in groups)
        judged = [
            self._judge(group, tasks[group.start.task_id], [next(ended) for _ in group.attempts], truths)
            for group in groups
        ]
        if self._settings.solver.chain.answers > 1:
            judged = self._with_first(judged, tasks)
        return judged, time.monotonic() - started

    def _truths(self, tasks: Iterable[Task]) -> dict[str, Outcome]:
        """What is known of the truth about proposed tasks, by task: arguments that a model wrote are for the
        sandbox."""
        programs = {}
        for task in tasks:
            program = self._domain.truth_program(task) if _is_open(task) else None
            if program is not None:
                programs[task.id] = program
        outcomes = self._pool.run(list(programs.values())) if self._pool and programs else []
        return dict(zip(programs, outcomes))

    def _ended(self, checks: Iterable[Program | Verdict]) -> Iterator[Outcome | Verdict]:
        """How each ended, programs in the sandbox."""
        checks = list(checks)
        programs = [check for check in checks if isinstance(check, Program)]
        outcomes = iter(self._pool.run(programs) if self._pool else ())
        return (next(outcomes) if isinstance(check, Program) else check for check in checks)

    def _with_first(self, judged: Sequence[Judged], tasks: dict[str, Task]) -> list[Judged]:
        """Verdicts on attempts that improved their own answer also say what the first one was worth."""
        improved = [
            (tasks[one.group.start.task_id], attempt)
            for one in judged
            for attempt in one.group.attempts
            if attempt.exchanges
        ]
        ended = self._ended(self._domain.check(task, attempt.answers[:1]) for task, attempt in improved)
        first = {}
        for (task, attempt), end in zip(improved, ended):
            verdict = end if isinstance(end, Verdict) else self._domain.judge(task, attempt.id, end)
            first[attempt.id] = verdict.reward
        return [
            msgspec.structs.replace(
                one,
                verdicts=tuple(
                    msgspec.structs.replace(v, evidence=v.evidence | {"first": first[v.attempt_id]})
                    if v.attempt_id in first
                    else v
                    for v in one.verdicts
                ),
            )
            for one in judged
        ]

    def _check(self, group: Group, attempt: Attempt, task: Task) -> Program | Verdict:
        """What to run for an attempt; a verdict without a reward where the prompt left no room for one."""
        if attempt.finish != NO_ROOM:
            return self._domain.check(task, kept(group.start) + attempt.answers)
        why = f"the prompt of {group.prompt_tokens} tokens leaves no room in the model's context"
        return Verdict(attempt_id="", reward=None, category=NO_ROOM, evidence={}, infra_error=why)

    def _judge(
        self, group: Group, task: Task, ended: list[Outcome | Verdict], truths: dict[str, Outcome]
    ) -> Judged:
        settled, rejected, detail = None, None, ""
        if _is_open(task):
            outcomes = [e if isinstance(e, Outcome) else Outcome(status="malformed") for e in ended]
            least = self._settings.proposer.consensus
            try:
                settled = self._domain.consensus(task, outcomes, least, truths.get(task.id))
            except Rejected as error:
                rejected, detail = error.reason, error.detail
        verdicts = []
        for attempt, end in zip(group.attempts, ended, strict=True):
            if isinstance(end, Verdict):
                verdict = msgspec.structs.replace(end, attempt_id=attempt.id)
            else:
                verdict = self._domain.judge(settled or task, attempt.id, end)
            mistake = self._domain.mistake(settled or task, attempt.response, verdict)
            if mistake is not None:
                verdict = msgspec.structs.replace(verdict, evidence=verdict.evidence | {"mistake": mistake})
            feedback = self._domain.feedback(settled or task, verdict)
            if feedback:
                verdict = msgspec.structs.replace(verdict, evidence=verdict.evidence | {"feedback": feedback})
            if group.purpose is Purpose.COLLECT:  # what is measured stays as it is
                verdict = inject_noise(verdict, self._settings.verifier, self._settings.seed)
            verdicts.append(verdict)
        return Judged(group=group, verdicts=tuple(verdicts), task=settled, rejected=rejected, detail=detail)

    def layers(self) -> list[dict[str, str]]:
        """Isolation layers by name, with state and reason; none where no programs are run."""
        found = self._pool.layers if self._pool else []
        return [{"name": x.name, "state": str(x.state), "reason": x.reason} for x in found]

    def close(self) -> None:
        if self._pool:
            self._pool.close()


def _is_open(task: Task) -> bool:
    """A proposed task that has no reference yet."""
    return task.origin is Origin.PROPOSED and task.reference is None


def inject_noise(verdict: Verdict, settings: VerifierSettings, seed: int) -> Verdict:
    """Turn a reward round with the set chance, for noise studies; `flipped` records it."""
    if verdict.reward is None or not (settings.false_positive or settings.false_negative):
        return verdict
    chance = settings.false_negative if verdict.reward >= 0.5 else settings.false_positive
    if rng_of(seed, "noise", verdict.attempt_id).random() >= chance:
        return verdict
    return msgspec.structs.replace(verdict, reward=1.0 - verdict.reward, flipped=True)
