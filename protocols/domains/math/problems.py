"""Problems, and files of them: JSON lines with a problem and its answer.

Rows that cannot be used are counted by reason and named, never passed over in silence. Does not cover: where
a file comes from (`memory.problem_files`).
"""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from protocols.errors import SettingError
from protocols.jsonlines import objects
from protocols.records import Record

PROBLEM_KEYS = ("problem", "question", "prompt")
ANSWER_KEYS = ("answer", "solution", "target")
_NAMED = 3  # lines that are named for each reason


class Problem(Record):
    kind: str
    question: str
    answer: str  # "" where it is only known when it is seen
    source: dict[str, Any] | None = None  # what made it; None of one that was read


class ReadProblems(Record):
    """What a file holds, and lines that cannot be used by reason."""

    path: str
    problems: list[Problem]
    lines: dict[str, int]  # by question
    broken: dict[str, list[int]]
    forms: Counter[str] = msgspec.field(default_factory=Counter)  # how truths are compared

    def leave_out(self, question: str, reason: str) -> None:
        """Pass over a problem that was read."""
        self.broken.setdefault(reason, []).append(self.lines[question])

    def notices(self) -> list[str]:
        told = [
            f"{self.path}: {len(lines)} lines are left out, {reason}: line "
            + ", ".join(map(str, lines[:_NAMED]))
            + (", ..." if len(lines) > _NAMED else "")
            for reason, lines in self.broken.items()
        ]
        if self.forms:
            counts = ", ".join(f"{form} {count}" for form, count in sorted(self.forms.items()))
            told.append(f"{self.path}: answers are compared as {counts}")
        return told

    def nothing(self) -> str:
        """That no problem is left, and why."""
        counts = Counter({reason: len(lines) for reason, lines in self.broken.items()})
        why = ", ".join(f"{reason} {count}" for reason, count in counts.most_common()) or "it is empty"
        return (
            f"{self.path}: no usable problem ({why}); "
            'write lines like {"problem": "1 + 1 = ?", "answer": "2"}'
        )


def read(path: Path, problem_key: str = "", answer_key: str = "") -> ReadProblems:
    """The problems of a file; their kind is its name. A problem that repeats an earlier one is left out.

    Raises:
        SettingError: it cannot be read, or holds no usable problem.
    """
    found: dict[str, Problem] = {}
    lines: dict[str, int] = {}
    broken: dict[str, list[int]] = {}

    def leave_out(number: int, reason: str) -> None:
        broken.setdefault(reason.partition(":")[0], []).append(number)

    for number, row in objects(path, leave_out):
        question = _text(row, problem_key, PROBLEM_KEYS)
        answer = _text(row, answer_key, ANSWER_KEYS)
        if question is None:
            leave_out(number, f"no {problem_key or ' or '.join(PROBLEM_KEYS)}")
        elif answer is None:
            leave_out(number, f"no {answer_key or ' or '.join(ANSWER_KEYS)}")
        elif question in found:
            leave_out(number, "the same problem as before")
        else:
            found[question] = Problem(kind=path.stem, question=question, answer=answer)
            lines[question] = number
    made = ReadProblems(path=str(path), problems=list(found.values()), lines=lines, broken=broken)
    if not found:
        raise SettingError(made.nothing())
    return made


def _text(row: dict[str, Any], wanted: str, usual: tuple[str, ...]) -> str | None:
    for key in (wanted,) if wanted else usual:
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        return str(value).strip()
    return None
