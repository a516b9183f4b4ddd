"""The strict grader: whether answers are right, and whether the library did the work. Pure functions.

Equality is between plain data and decided here, never by the values themselves:

* numbers: |a - b| <= max(relative * |b|, absolute), b the truth; two integers have to be equal; NaN equals
  NaN; an infinity equals only itself; a complex number with no imaginary part may stand for a real one;
* `True` is not 1: a boolean equals only a boolean;
* a list equals a tuple of equal parts, in number, order and nesting; `[5]` is not `5`;
* dictionaries have the same keys and equal values; strings and None are exact.

The library did the work when every case got a result from a function that the task is about (where it names
none: from any but the array constructors), and when at least a quarter of the answers change as these results
are moved. Only runs that came to their end show that, and in them only cases that gave an answer. A program
that detects the moving by computing the truth itself, and then gives wrong answers on purpose, is not found
out.

Does not cover: how programs are run and calls noted (`actors.sandbox`), and the authors' grader.
"""

import cmath
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from protocols.records import Outcome, Verdict

_SHOWN = 200  # characters of a value in the evidence


def equal(value: Any, expected: Any, relative: float = 1e-4, absolute: float = 1e-6) -> bool:
    """Whether a value is the expected one, by the rules above."""
    try:
        return _equal(value, expected, relative, absolute)
    except RecursionError:  # nested deeper than any truth
        return False


def _equal(value: Any, expected: Any, relative: float, absolute: float) -> bool:
    if isinstance(expected, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(expected)
            and all(_equal(v, e, relative, absolute) for v, e in zip(value, expected))
        )
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and len(value) == len(expected)
            and all(k in value and _equal(value[k], e, relative, absolute) for k, e in expected.items())
        )
    if isinstance(expected, bool) or isinstance(value, bool):
        return type(value) is type(expected) and value == expected
    if isinstance(expected, int | float | complex):
        return isinstance(value, int | float | complex) and _near(value, expected, relative, absolute)
    return type(value) is type(expected) and value == expected


def _near(value: Any, expected: Any, relative: float, absolute: float) -> bool:
    if isinstance(value, int) and isinstance(expected, int):
        return value == expected
    try:
        a, b = complex(value), complex(expected)
    except OverflowError:  # an integer beyond every float
        return False
    bound = absolute
    if cmath.isfinite(b):
        try:
            bound = max(relative * abs(b), absolute)
        except OverflowError:  # |b| is beyond every float, though its parts are not
            bound = max(relative * max(abs(b.real), abs(b.imag)), absolute)
    return all(_near_real(x, y, bound) for x, y in ((a.real, b.real), (a.imag, b.imag)))


def _near_real(a: float, b: float, bound: float) -> bool:
    if math.isfinite(a) and math.isfinite(b):
        return abs(a - b) <= bound
    return a == b or (math.isnan(a) and math.isnan(b))


def judge(
    outcome: Outcome,
    expected: Sequence[Any],
    constructors: frozenset[str] = frozenset(),
    relative: float = 1e-4,
    absolute: float = 1e-6,
    *,
    attempt_id: str = "",
    arguments: Sequence[Any] | None = None,
    library: bool = True,
    needed: Sequence[str] = (),
) -> Verdict:
    """What an outcome is worth: reward 1 for `correct`, 0 for every other category.

    Args:
        outcome: how the program ended, case by case.
        expected: the truth, one per case.
        constructors: public names of the library functions that only make or convert arrays.
        arguments: of the cases, for the evidence.
        library: whether the library has to have done the work.
        needed: public names of the functions of which one has to be called in every case; any if empty.

    Returns:
        A verdict; without a reward when the sandbox failed. The evidence names the first failing case.
    """
    if outcome.status == "ok" and len(outcome.cases) != len(expected):
        outcome = Outcome(
            status="infra_error", detail=f"{len(outcome.cases)} results for {len(expected)} cases"
        )
    if outcome.status == "infra_error":
        return Verdict(
            attempt_id=attempt_id,
            reward=None,
            category="infra_error",
            evidence={},
            infra_error=outcome.detail or "the sandbox gave no reason",
            seconds=outcome.seconds,
        )
    category, evidence = _answers(outcome, expected, relative, absolute)
    if category == "correct" and library:
        category, evidence = _work(outcome, expected, constructors, needed, relative, absolute)
    case = evidence.get("case")
    if arguments is not None and case is not None:
        evidence["args"] = shown(arguments[case])
    evidence["calls"] = dict(Counter(name for c in outcome.cases for name in c.calls))
    if outcome.calls_before:
        evidence["calls_before"] = dict(Counter(outcome.calls_before))
    if outcome.stdout:
        evidence["stdout"] = outcome.stdout
    return Verdict(
        attempt_id=attempt_id,
        reward=1.0 if category == "correct" else 0.0,
        category=category,
        evidence=evidence,
        seconds=outcome.seconds,
    )


def _answers(
    outcome: Outcome, expected: Sequence[Any], relative: float, absolute: float
) -> tuple[str, dict[str, Any]]:
    """Whether every case has its answer, and if not, the first that has not."""
    if outcome.status != "ok":
        return outcome.status, {"detail": outcome.detail}
    for i, (case, truth) in enumerate(zip(outcome.cases, expected)):
        if case.error is not None:
            plain = case.error.startswith("TypeError: result is not plain data")
            return "malformed" if plain else "runtime_error", {"case": i, "exception": case.error}
        if not equal(case.value, truth, relative, absolute):
            return "wrong_answer", {"case": i, "expected": shown(truth), "got": shown(case.value)}
    return "correct", {}


def _work(
    outcome: Outcome,
    expected: Sequence[Any],
    constructors: frozenset[str],
    needed: Sequence[str],
    relative: float,
    absolute: float,
) -> tuple[str, dict[str, Any]]:
    """Whether right answers come from the functions that they should come from."""
    for i, case in enumerate(outcome.cases):
        called = set(case.calls) - constructors
        if not called:
            return "no_library_call", {
                "case": i,
                "detail": "no library function but constructors gave a result",
            }
        if needed and not called.intersection(needed):
            return "wrong_function", {
                "case": i,
                "detail": f"none of the task's own functions was called ({', '.join(needed)})",
            }
    ended = [run for run in outcome.shaken if run.status == "ok"]
    seen = [[run.values[i] for run in ended if run.errors[i] is None] for i in range(len(expected))]
    moved = [
        any(not equal(value, truth, relative, absolute) for value in values)
        for values, truth in zip(seen, expected)
    ]
    if 4 * sum(moved) >= len(expected):
        return "correct", {}
    if 4 * (sum(moved) + seen.count([])) >= len(expected):
        why = next((f"{run.status}: {run.detail}" for run in outcome.shaken if run.status != "ok"), "")
        why = why or next(
            (e for run in outcome.shaken for e in run.errors if e is not None), "it was not run again"
        )
        return "unproven", {"detail": f"no answer on other results of the library to compare with ({why})"}
    return "no_library_call", {"detail": "the answers do not depend on what the library gives"}


def shown(value: Any) -> str:
    """A value for people, clipped."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes; deep nesting
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
