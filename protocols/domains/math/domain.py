"""The math domain: a problem, an answer, and a judge of mathematics to say whether it is right.

    generated (reasoning-gym) ──▶ their generator's scorer ┐
    read (JSON lines)         ──▶ `values`, math-verify    ┴▶ verdicts

The final answer is the one in the last \\boxed{}. Where the truth of a generated problem is a number, the
answer has to be a number as it stands. A reward is 1 or 0, also for steps that improve or diverge (ExIt,
arXiv 2509.04575, page 15); a scorer may give something in between.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import msgspec

from protocols.domain import GivenTasks
from protocols.domains.math import generated, problems, prompts
from protocols.domains.math.answers import final, is_computed
from protocols.domains.math.asking import Helper
from protocols.domains.math.judge import Judge, Judged
from protocols.domains.math.problems import Problem, ReadProblems
from protocols.errors import SettingError
from protocols.math_settings import MathSettings
from protocols.records import Book, Origin, Outcome, Prompt, Split, Start, Task, Verdict
from protocols.seeds import digest, rng_of


class MathDomain(GivenTasks):
    """Raises:
    SettingError: a generator or its settings are unknown, or a file holds no usable problem.
    """

    name = "math"
    stops: tuple[str, ...] = ()

    def __init__(self, settings: MathSettings) -> None:
        self.settings = settings
        self._helper = Helper()
        self._judge = Judge(settings.deadline_s, self._helper)
        self._makers = generated.Makers(settings.generators, settings.seed, self._helper)
        keys = (settings.problem_key, settings.answer_key)
        self._read = {
            Split.TRAIN: [problems.read(Path(settings.train), *keys)] if settings.train else [],
            Split.TEST: [problems.read(Path(path), *keys) for path in settings.test],
        }

    @cached_property
    def notices(self) -> Sequence[str]:  # type: ignore[override]
        """About files, and about generators that have fewer problems than they were asked for."""
        made = self._tasks
        lines = [line for read in chain(*self._read.values()) for line in read.notices()]
        for split, read in self._read.items():
            wanted = self.settings.train_problems if split is Split.TRAIN else self.settings.test_problems
            if not read and len(made[split]) < wanted:
                lines.append(
                    f"math.generators: {len(made[split])} of the {wanted} problems asked for ({split}): "
                    "there are no more of these settings"
                )
        return lines

    @property
    def kinds(self) -> Sequence[str]:
        return tuple(dict.fromkeys(task.kind for split in Split for task in self._tasks[split]))

    def topics(self) -> Sequence[str]:
        return self.kinds

    def tasks(self, split: Split, kind: str = "all", limit: int | None = None) -> list[Task]:
        return [task for task in self._tasks[split] if kind in ("all", task.kind)][:limit]

    @cached_property
    def _tasks(self) -> dict[Split, list[Task]]:
        """By split, kinds in turn.

        Raises:
            SettingError: a generator or a file has no problem that can be judged.
        """
        made: dict[Split, list[list[Problem]]] = {}
        for split in Split:
            count = self.settings.train_problems if split is Split.TRAIN else self.settings.test_problems
            drawn = count if split is Split.TRAIN else None
            read = [self._judgeable(file, drawn) for file in self._read[split]]
            made[split] = read or self._makers.problems(count, split)
        held_out = {problem.question for problem in chain(*made[Split.TEST])}
        made[Split.TRAIN] = [[p for p in of if p.question not in held_out] for of in made[Split.TRAIN]]
        return {
            split: [_task(problem, split) for turn in zip_longest(*of) for problem in turn if problem]
            for split, of in made.items()
        }

    def _judgeable(self, read: ReadProblems, count: int | None) -> list[Problem]:
        """Those of a file whose truth the judge can tell from others; at most `count` of them, drawn."""
        wanted = read.problems
        if count is not None and len(wanted) > count:
            wanted = rng_of("math", "subset", self.settings.seed).sample(read.problems, count)
            chosen = {problem.question for problem in wanted}
            wanted = [*wanted, *(p for p in read.problems if p.question not in chosen)]
        found: list[Problem] = []
        for problem in wanted:
            if len(found) == count:
                break
            if reason := self._judge.unusable(problem.answer):
                read.leave_out(problem.question, reason)
            else:
                found.append(problem)
                read.forms[self._judge.form(problem.answer)] += 1
        if not found:
            raise SettingError(read.nothing())
        return found

    @cached_property
    def _demonstrations(self) -> dict[str, list[Problem]]:
        """By generator, none of which is a task."""
        known = {task.statement for split in Split for task in self._tasks[split]}
        return self._makers.demonstrations(self.settings.demonstrations, known)

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        shown = self._demonstrations.get(task.kind, []) if task.origin is Origin.SEED else []
        return prompts.prompt(task.statement, shown, start, self.settings.opening)

    def answer(self, task: Task, response: str) -> str:
        return "" if self._uncomputed(task, response) else self._judge.answer(response)

    def _uncomputed(self, task: Task, response: str) -> bool:
        """Whether something is left to compute in the answer to a generated problem: math-verify compares
        values, and the question itself has the right one."""
        said = final(response)
        strict = task.origin is Origin.SEED and is_computed(task.payload["answer"])
        return said is not None and strict and not is_computed(said)

    def check(self, task: Task, answers: Sequence[str]) -> Verdict:
        if self._uncomputed(task, answers[-1]):
            return Verdict(attempt_id="", reward=0.0, category="not_computed", evidence={})
        found = self._judged(task, answers[-1])
        return Verdict(
            attempt_id="",
            reward=None if found.category == "infra_error" else found.score,
            category=found.category,
            evidence={"answer": found.answer},
            infra_error=found.detail or None if found.category == "infra_error" else None,
            seconds=found.seconds,
        )

    def _judged(self, task: Task, response: str) -> Judged:
        truth, source = task.payload["answer"], task.payload.get("source")
        if source is None:
            return self._judge.judge(truth, response)
        found = self._judge.score(source, task.statement, truth, response)
        if self.settings.partial_scores or found.category != "wrong":
            return found
        return msgspec.structs.replace(found, score=0.0)

    def judge(self, task: Task, attempt_id: str, outcome: Outcome) -> Verdict:
        raise AssertionError("nothing of mathematics runs in the sandbox")


def _task(problem: Problem, split: Split) -> Task:
    # A generated decimal may differ in its last digits between processors: the question has to do.
    named = problem.answer if problem.source is None or "." not in problem.answer else ""
    payload: dict[str, Any] = {"answer": problem.answer}
    if problem.source is not None:
        payload["source"] = problem.source
    return Task(
        id=digest("math", split, problem.kind, problem.question, {"answer": named}),
        domain="math",
        split=split,
        kind=problem.kind,
        origin=Origin.SEED if problem.source else Origin.DATASET,
        statement=problem.question,
        topics=(problem.kind,),
        payload=payload,
    )
