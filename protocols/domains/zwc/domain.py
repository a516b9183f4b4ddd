"""The zwc domain: tasks about an obfuscated library, open or closed book.

It wires the package (`obfuscate`, `documentation`), the task bank (`bank`), the prompts (`prompts`), the
proposals (`proposals`) and the strict grader (`grading`) behind the `Domain` interface. The SE-Bench authors'
own files, and their grader, are `authors`.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal

import msgspec

from protocols.domain import Rejected
from protocols.domains.zwc import bank, grading, mistakes, prompts, proposals
from protocols.domains.zwc.documentation import document
from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.domains.zwc.leaks import Secrets, secrets_of
from protocols.domains.zwc.obfuscate import Library, obfuscate
from protocols.domains.zwc.plain import pack, unpack
from protocols.errors import SettingError
from protocols.fences import CLOSING, last_code_block
from protocols.prompting import OneExchange
from protocols.records import Book, Origin, Outcome, Program, Prompt, Split, Start, Step, Task, Verdict
from protocols.seeds import digest, rng_of
from protocols.settings import ZwcSettings

#: Categories of programs that did not run to their end; the others would tell what is right.
_FAILED = ("malformed", "syntax_error", "runtime_error", "timeout", "forbidden_import", "invented_attribute")


class ZwcDomain:
    name = "zwc"
    stops: tuple[str, ...] = (CLOSING,)
    improve_reward: Literal["plain", "gain"] = "plain"
    iterate_keeps: Literal["last", "best"] = "last"
    debug_depth = 0
    multi_turn = False
    proposable = True
    programs = True
    kinds: Sequence[str] = ("single", "multi")

    def __init__(
        self,
        settings: ZwcSettings,
        relative: float = 1e-4,
        absolute: float = 1e-6,
        library: Library | None = None,
    ) -> None:
        self.settings = settings
        self.tolerance = (relative, absolute)
        self.library = library or obfuscate(settings.module, seed=settings.seed, package=settings.package)
        self._chosen = self._choose()
        self._originals = {v: k for k, v in self.library.entries.items()}
        self._constructors = frozenset(
            self.library.entries[n] for n in CONSTRUCTORS if n in self.library.entries
        )

    def _choose(self) -> tuple[str, ...]:
        """Original names of the functions that tasks are about."""
        known = [n for n in bank.NAMES if n in self.library.entries]
        unknown = [n for n in self.settings.names if n not in known]
        if unknown:
            near = [n for n in known if n.rpartition(".")[2] == unknown[0]]  # inv for linalg.inv
            near = near or get_close_matches(unknown[0], known, 3, 0.6) or known[:8]
            raise SettingError(
                f"zwc.names: {unknown[0]!r} has no task bank; "
                f"choose among the {len(known)} names that have one: {', '.join(near)}, ..."
            )
        names = self.settings.names or tuple(known)[: self.settings.functions or None]
        return tuple(names)

    @property
    def notices(self) -> Sequence[str]:
        return ()

    @cached_property
    def documentation(self) -> dict[str, str]:
        """Documentation by obfuscated name."""
        return document(self.library, self.settings.documentation)

    @cached_property
    def secrets(self) -> Secrets:
        """What a closed book has to keep."""
        return secrets_of(self.library)

    @cached_property
    def _demonstrations(self) -> list[tuple[Task, list[str]]]:
        left = len(bank.NAMES) - len(self._chosen)
        if left < self.settings.demonstrations:
            raise SettingError(
                f"zwc.functions: {len(self._chosen)} functions leave {left} for worked examples, "
                f"zwc.demonstrations={self.settings.demonstrations} are wanted; lower one of them"
            )
        shown = bank.demonstrations(
            self.library, self.settings.demonstrations, self.settings.seed, exclude=self._chosen
        )
        return [(task, [self.documentation[t] for t in task.topics]) for task in shown]

    @cached_property
    def _compositions(self) -> list[tuple[Task, list[str]]]:
        """Worked examples that combine functions, shown with tasks that do."""
        count = self.settings.multi_demonstrations
        shown = bank.demonstrations(self.library, count, self.settings.seed, self._chosen, "multi")
        return [(task, [self.documentation[t] for t in task.topics]) for task in shown]

    def topics(self) -> Sequence[str]:
        return tuple(self.library.entries[n] for n in self._chosen)

    def tasks(self, split: Split, kind: str = "all", limit: int | None = None) -> list[Task]:
        per = self.settings.tasks_per_function
        if split is Split.TEST:
            per = self.settings.test_tasks_per_function
        least = self.settings.multi_least
        seed = self.settings.seed
        return bank.build_tasks(self.library, self._chosen, split, kind, per, seed, least, limit)

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        prompt = self.learning_prompt(task, start, book)
        if book is Book.CLOSED:
            return prompt
        shown = self._demonstrations if task.kind == "single" else self._demonstrations + self._compositions
        return prompts.worked(prompt, task, self.settings.package, shown)

    def learning_prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        docs = [self.documentation[t] for t in task.topics] if book is Book.OPEN else []
        return prompts.plain(task, self.settings.package, docs, start.history, start.step)

    def session(self, task: Task, start: Start, book: Book) -> OneExchange:
        ended = start.step is Step.INITIAL and bool(start.history)  # its one turn has been played
        return OneExchange(None if ended else self.prompt(task, start, book))

    def answer(self, task: Task, response: str) -> str:
        return " ".join((last_code_block(response, task.payload["entry_point"]) or "").split())

    def feedback(self, task: Task, verdict: Verdict) -> str:
        """How a program failed to run, where that is told; never whether its answers are right."""
        why = verdict.evidence.get("exception") or verdict.evidence.get("detail")
        if not self.settings.feedback or not why or verdict.category not in _FAILED:
            return ""
        return f"It ended in an error: {why}"

    def check(self, task: Task, answers: Sequence[str]) -> Program | Verdict:
        source = last_code_block(answers[-1], task.payload["entry_point"])
        if source is None:
            return Verdict(
                attempt_id="", reward=0.0, category="malformed", evidence={"detail": "no fenced code"}
            )
        return Program(
            # The package is there whether the answer imports it or not, as in SE-Bench's harness.
            source=f"{source}\nimport {self.library.package}\n",
            entry_point=task.payload["entry_point"],
            cases=tuple(tuple(unpack(c["args"])) for c in task.payload["cases"]),
            library=self.library.blob,
            library_name=self.library.package,
            library_module=self.library.module,
            about=self._needed(task),
            unknown_names=self.settings.unknown_names,
            functions=self.settings.distinct_functions,
        )

    def _needed(self, task: Task) -> tuple[str, ...]:
        """The functions that have to do the work. Making an array is work where the task is about that."""
        return tuple(t for t in task.topics if t == task.topics[0] or t not in self._constructors)

    def judge(self, task: Task, attempt_id: str, outcome: Outcome) -> Verdict:
        expected = [unpack(c["expected"]) for c in task.payload["cases"] if "expected" in c]
        if len(expected) < len(task.payload["cases"]):
            return Verdict(
                attempt_id=attempt_id,
                reward=None,
                category="unreferenced",
                evidence={"status": outcome.status, "detail": outcome.detail},
                infra_error=outcome.detail if outcome.status == "infra_error" else None,
                seconds=outcome.seconds,
            )
        kept = task.payload.get("kept")
        if kept and len(outcome.cases) > len(expected):  # it ran before consensus dropped cases
            outcome = msgspec.structs.replace(outcome, cases=tuple(outcome.cases[i] for i in kept))
        relative, absolute = self.tolerance
        needed = self._needed(task)
        return grading.judge(
            outcome,
            expected,
            self._constructors - {*needed},
            relative,
            absolute,
            attempt_id=attempt_id,
            needed=needed,
        )

    def mistake(self, task: Task, response: str, verdict: Verdict) -> str | None:
        return mistakes.mistake(verdict, task, response, self.library.package, self._originals)

    def proposer_prompt(self, topic: str, seed: int) -> Prompt:
        shown = []  # the same for every topic, so that an engine computes them once
        for task, docs in self._demonstrations:
            args = zip(task.payload["parameters"], unpack(task.payload["cases"][0]["args"]), strict=True)
            shown.append((docs[0], task.statement, ", ".join(f"{p} = {a!r}" for p, a in args)))
        return prompts.proposer(self.documentation[topic], shown)

    def parse_proposal(self, topic: str, response: str, seed: int) -> Task:
        statement, example = proposals.parse(response)
        given_away = self.secrets.in_text(statement)
        if given_away:
            raise Rejected("leak", f"the statement gives away {given_away[0]!r}")
        made = proposals.cases(example, rng_of(seed, "cases"))
        payload = {
            "entry_point": "solve",
            "parameters": list(example),
            "cases": [{"args": pack(args)} for args in made],
        }
        return Task(
            id=digest("zwc", "proposed", statement, payload),
            domain="zwc",
            split=Split.TRAIN,
            kind="single",
            origin=Origin.PROPOSED,
            statement=statement,
            topics=(topic,),
            payload=payload,
        )

    def truth_program(self, task: Task) -> Program | None:
        """The named function itself on the task's arguments."""
        topic = f"{self.library.package}.{task.topics[0]}"
        called = f"def {task.payload['entry_point']}(*given):\n    return {topic}(*given)"
        checked = self.check(task, [f"```python\n{called}\n```"])
        return checked if isinstance(checked, Program) else None

    def consensus(
        self, task: Task, outcomes: Sequence[Outcome], threshold: float, truth: Outcome | None = None
    ) -> Task:
        arguments = [unpack(c["args"]) for c in task.payload["cases"]]
        where, values = proposals.agree(outcomes, arguments, threshold, self._same, self._needed(task))
        cases = [
            {"args": task.payload["cases"][i]["args"], "expected": pack(v)}
            for i, v in zip(where, values, strict=True)
        ]
        known = None
        if truth is not None and truth.status == "ok" and all(truth.cases[i].error is None for i in where):
            known = all(map(self._same, (truth.cases[i].value for i in where), values))
        return msgspec.structs.replace(
            task,
            payload={**task.payload, "cases": cases, "kept": where},
            reference=[pack(v) for v in values],
            truth_agrees=known,
        )

    def _same(self, a: Any, b: Any) -> bool:
        return grading.equal(a, b, *self.tolerance)
