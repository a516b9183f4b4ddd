"""Whether an answer equals the truth, or what a generator's scorer gives it.

numbers, texts, lists ──▶ compared here (`values`)
formulas              ──▶ math-verify  ┐ in a process of its own
generated problems    ──▶ their scorer ┘ that may be killed (`asking`)
"""

import json
import re
import time
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

from protocols.domains.math import reading, values
from protocols.domains.math.answers import final, truth_of
from protocols.domains.math.asking import Helper, HelperLost
from protocols.domains.math.notation import number, plain
from protocols.records import Record

_LONGEST = 20_000  # characters of a response, from its end: the final answer is there
_SHOWN = 200
_MAKING_S = 60.0  # the longest time that a problem may take to be made again
_EXACT = ("number_format", "decimal_arithmetic", "decimal_chain_sum")  # generators whose digits all count
_NEAR = Fraction(1, 100)  # how far a number may be from the truth, relative, where a scorer takes it


class Judged(Record):
    category: str  # right, wrong, malformed (no answer in it), timeout, infra_error
    answer: str  # as found; the same text for equal numbers and texts
    score: float = 0.0  # in [0, 1]
    detail: str = ""
    seconds: float = 0.0


_NONE = Judged(category="malformed", answer="")


class _Unreadable(ValueError):
    """What is no mathematics to math-verify."""


class Judge:
    """Judges answers, from any thread."""

    def __init__(self, deadline_s: float, helper: Helper | None = None) -> None:
        self._deadline_s = deadline_s
        self._helper = helper or Helper()
        self._found = lru_cache(4096)(self._compare)
        self._scored = lru_cache(4096)(self._score)

    def judge(self, truth: str, response: str) -> Judged:
        """Whether the response's final answer equals the truth."""
        answer = final(response[-_LONGEST:])
        return _NONE if answer is None else _unless_lost(self._found, truth, answer)

    def score(self, source: dict[str, Any], question: str, truth: str, response: str) -> Judged:
        """What the scorer of a generated problem gives the response's final answer. Where the truth is a
        number, only full marks count, and a number near it: scorers give a part for what contains it.

        Args:
            source: name, settings, seed, size and index: where the problem came from.
            question: what it asked, to notice another version of its generator.
            truth: its answer; "" where it is only known when it is seen.
        """
        answer = final(response[-_LONGEST:])
        if answer is None:
            return _NONE
        true, said = (number(plain(text)) for text in (truth, answer))
        if true is not None and source["name"] not in _EXACT:
            found = _unless_lost(self._found, truth, answer)
            if found.category == "right" or said is None:
                return found
            if abs(true.value - said.value) > _NEAR * abs(true.value):
                return found
        found = _unless_lost(self._scored, json.dumps(source), question, answer)
        return (
            found if true is None or found.category != "wrong" else msgspec.structs.replace(found, score=0.0)
        )

    def answer(self, response: str) -> str:
        """The response's final answer; "" if it has none."""
        found = final(response[-_LONGEST:])
        value = None if found is None else reading.read(found)
        return "" if value is None else reading.shown(value)[:_SHOWN]

    def form(self, truth: str) -> str:
        """How answers are compared with a truth: number, text or mathematics."""
        value = reading.read(truth_of(truth))
        return "text" if value is None else value.form

    def unusable(self, truth: str) -> str | None:
        """Why a truth cannot be one: nothing is in it, or it is not found equal to itself, or is found equal
        to what it is not."""
        truth = truth_of(truth)
        value = reading.read(truth)
        if value is None:
            return "the answer is empty"
        if value.form != "mathematics":
            return None
        itself, *others = (_unless_lost(self._found, truth, said) for said in (truth, *perturbed(truth)))
        if itself.category == "infra_error":
            return itself.detail
        if itself.category != "right":
            return "the answer cannot be read as mathematics"
        if any(other.category == "timeout" for other in others):
            return "the answer cannot be read as mathematics in time"
        told_apart = all(other.category != "right" for other in others)
        return None if told_apart else "the answer cannot be told from others"

    def _compare(self, truth: str, answer: str) -> Judged:
        """Raises:
        HelperLost: nothing can be judged.
        """
        true, said = reading.read(truth_of(truth)), reading.read(answer)
        if true is None or said is None:
            return _NONE
        started = time.monotonic()

        def ask(truth: str, answer: str, rounded: bool) -> bool:
            left = self._deadline_s - (time.monotonic() - started)  # lists of formulas take many comparisons
            if left <= 0:
                raise TimeoutError
            told = self._helper.ask(left, do="equal", truth=truth, answer=answer, rounded=rounded)
            if told["said"] == "unreadable":
                raise _Unreadable
            return bool(told["said"] == "equal")

        try:
            category = "right" if values.equal(true, said, ask) else "wrong"
        except _Unreadable:
            category = "malformed"
        except TimeoutError:
            category = "timeout"
        return Judged(
            category=category,
            answer=reading.shown(said)[:_SHOWN],
            score=float(category == "right"),
            seconds=time.monotonic() - started,
        )

    def _score(self, source: str, question: str, answer: str) -> Judged:
        """Raises:
        HelperLost: nothing can be judged.
        """
        started, best, category = time.monotonic(), 0.0, "wrong"
        asked = json.loads(source)
        try:
            made = self._helper.ask(_MAKING_S, do="make", source=asked)
        except TimeoutError as error:
            raise HelperLost(f"the problem could not be made again ({error})") from None
        if made.get("question", "").strip() != question:
            why = made.get("why", "its version of reasoning-gym makes another problem of the same seed")
            raise HelperLost(f"generator {asked['name']} cannot score this problem: {why}")
        try:
            for form in dict.fromkeys(_forms(answer)):
                told = self._helper.ask(self._deadline_s, do="score", source=asked, answer=form)
                best = max(best, told.get("score", 0.0))
            category = "right" if best == 1.0 else "wrong"
        except TimeoutError:
            category, best = "timeout", 0.0
        shown = self.answer(f"\\boxed{{{answer}}}")
        return Judged(category=category, answer=shown, score=best, seconds=time.monotonic() - started)

    def close(self) -> None:
        self._helper.close()


def _forms(answer: str) -> list[str]:
    """How a scorer may want it: as it was written, in plain notation, and with the signs of programs."""
    bare = reading.bare(answer)
    signs = re.sub(r"\\(?:times|cdot)(?![a-z])", "×", bare).replace("^", "**")
    return [answer, answer.strip(), bare, answer.strip(" .$"), signs, signs.replace("×", "*")]


def perturbed(truth: str) -> list[str]:
    """Answers that are near a truth and other ones: its first or its last number is more; without any, its
    first letter or its sign is another."""
    found = list(re.finditer(r"(?:(?<=\\[gl][et])|(?<![\\A-Za-z]))\d+", truth))
    if found:
        places = enumerate((found[0], found[-1]), 1)
        return [truth[: one.start()] + str(int(one[0]) + more) + truth[one.end() :] for more, one in places]
    letter = re.search(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])", truth)
    other = (
        truth[: letter.start()] + "q" + truth[letter.end() :] if letter and letter[0] != "q" else f"q{truth}"
    )
    return [other, f"-({truth})"] if "pm" not in truth else [other]


def _unless_lost(ask: Callable[..., Judged], *asked: str) -> Judged:
    """The finding; an infrastructure error, which no cache keeps, where there is none."""
    try:
        return ask(*asked)
    except HelperLost as error:
        return Judged(category="infra_error", answer="", detail=str(error))
