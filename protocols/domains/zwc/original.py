"""The same tasks with the module under its own name: the upper bound of what a model could do with zwc.

SE-Bench's third validity setting (arXiv 2602.04811, Table 1): no documentation, and nothing to learn, because
the model knows NumPy. Worked examples are shown as in the open book. Only values are graded. Does not cover:
playing for experience; this domain is for measuring.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from protocols.domains.zwc import grading, prompts
from protocols.domains.zwc.authors.grading import MODULES
from protocols.domains.zwc.domain import ZwcDomain
from protocols.domains.zwc.plain import unpack
from protocols.fences import last_code_block
from protocols.records import Book, Outcome, Program, Prompt, Start, Task, Verdict

#: Makes plain data of what the answer returns, as the obfuscated package's client does.
_PLAINLY = """

def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value)) if type(value) in (list, tuple) else list(map(_plain, value))
    return value

_answered = {entry}

def {entry}(*arguments):
    return _plain(_answered(*arguments))
"""


class OriginalDomain(ZwcDomain):
    """zwc's tasks, to be answered with the real module."""

    name = "zwc-original"

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        """The task and worked examples with original names; `book` makes no difference."""
        module = self.settings.module
        shown = self._demonstrations if task.kind == "single" else self._demonstrations + self._compositions
        plain = prompts.plain(task, module, [], start.history, start.step)
        renamed: list[tuple[Task, list[str]]] = [(self._renamed(example), []) for example, _ in shown]
        return prompts.worked(plain, task, module, renamed, f"{module} as {self._alias}")

    @property
    def _alias(self) -> str:
        """The name that everybody uses."""
        return "np" if self.settings.module == "numpy" else self.settings.module

    def learning_prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        return prompts.plain(task, self.settings.module, [], start.history, start.step)

    def check(self, task: Task, answers: Sequence[str]) -> Program | Verdict:
        checked = super().check(task, answers)
        if isinstance(checked, Verdict):
            return checked
        source = last_code_block(answers[-1], checked.entry_point) or ""
        return msgspec.structs.replace(
            checked,
            source=source + _PLAINLY.format(entry=checked.entry_point),
            library=None,
            modules=MODULES if self.settings.module == "numpy" else (self.settings.module,),
        )

    def judge(self, task: Task, attempt_id: str, outcome: Outcome) -> Verdict:
        expected = [unpack(case["expected"]) for case in task.payload["cases"]]
        return grading.judge(
            outcome, expected, frozenset(), *self.tolerance, attempt_id=attempt_id, library=False
        )

    def mistake(self, task: Task, response: str, verdict: Verdict) -> str | None:
        """None: kinds of mistakes are about the package, which is not there."""
        return None

    def _renamed(self, task: Task) -> Task:
        """With the original names in its canonical solution."""
        package = self.library.package

        def original(found: re.Match[str]) -> str:
            return f"{self._alias}.{self._originals[found[1]]}"

        solution: Any = re.sub(rf"\b{package}\.([\w.]+)", original, task.payload["solution"])
        return msgspec.structs.replace(task, payload={**task.payload, "solution": solution})
