"""Where the authors' grader and the strict one disagree about a response, and why.

A reason is found by asking again with one rule of the stricter side relaxed, in the order of `REASONS`; the
first that explains the disagreement is named. It explains, it does not decide: both verdicts stay as they
are.
"""

import ast
from collections.abc import Callable
from typing import Any

from protocols.domains.zwc import grading as strict_grading
from protocols.domains.zwc.authors import equality, script, strict, truth
from protocols.domains.zwc.authors.files import Row
from protocols.domains.zwc.authors.grading import FAILED, NUMPY, WITHOUT, printed
from protocols.fences import last_code_block
from protocols.records import Outcome, Verdict

#: Reasons with their meaning; down to "printed text" right for strict only, then for the authors' only.
REASONS = {
    "code fence": "the authors' grader needs a block opened by ```python and closed, strict does not",
    "first def is a helper": "the authors' grader calls the first function in the text",
    "call not seen": "the library is called in a way, or at a place, that the AST checker does not see",
    "numpy import": "NumPy is imported, at a place that the strict grader does not reach",
    "published package": "it fails, or runs out of time, with the published package only",
    "numpy display digits": "right, but printed in so few digits that the texts lie further apart than 0.01",
    "complex printed": "complex numbers have to be printed exactly alike",
    "printed text": "the results are the same values, their printed texts are not",
    "no traced call": "right, without one call of the library that computes anything",
    "constant return": "right, with nothing but constants returned",
    "answers do not depend on the library": "right, and still right when the library's results are changed",
    "prints rounded beyond tolerance": "within 0.01, but not within the tolerance of what NumPy prints",
    "boolean for a number": "a boolean where the truth has a number, or the other way round",
    "one-element container": "a container with one element where the truth has the element, or the reverse",
    "text dropped": "equal only after the authors' grader dropped or replaced parts of the text",
    "other function": "the function asked for is not there; the authors' grader called another one",
    "import that strict forbids": "a module is imported that the strict sandbox does not offer",
    "result is no plain data": "printed right, but what was returned is no plain value",
    "limits": "it ran out of time, memory or output for the strict grader only",
    "strict package": "it fails with the traced library only",
}


def disagreement(
    row: Row,
    response: str,
    authors: tuple[Verdict, Outcome | None],
    strict_: tuple[Verdict, Outcome | None],
) -> str | None:
    """The reason why two verdicts of a response differ; None where they agree or one of them is no verdict.

    Each side is a verdict and the outcome it was made from, if anything ran.
    """
    a, s = authors[0].reward, strict_[0].reward
    if a is None or s is None or a == s:
        return None
    if s:
        return _strict_only(row, response, *authors, strict_[1])
    return _authors_only(row, response, authors[1], *strict_)


def _strict_only(
    row: Row, response: str, verdict: Verdict, outcome: Outcome | None, theirs: Outcome | None
) -> str:
    code = verdict.evidence["authors_code"]
    block = script.last_block(response)
    if block.strip() != (last_code_block(response, row.name) or "").strip():
        return "code fence"
    if script.first_function(block) != row.name:
        return "first def is a helper"
    if code == WITHOUT:
        return "call not seen"
    if code == NUMPY:
        return "numpy import"
    found = script.outputs(printed(outcome)[0]) if outcome is not None else []
    if code == FAILED or len(found) < len(row.truth):
        return "published package"
    values = [case.value for case in theirs.cases] if theirs is not None else []
    if any(_holds(value, complex) for value in values):
        return "complex printed"
    if any(_holds(value, float) for value in values) and _near(found, row.truth):
        return "numpy display digits"
    return "printed text"


def _near(found: list[str], texts: tuple[str, ...]) -> bool:
    """Whether printed results are the truth to the digits that NumPy prints."""
    return all(
        strict_grading.equal(_flat(truth.read(a)), _flat(truth.read(b)), truth.PRINTED_RELATIVE, 1e-8)
        for a, b in zip(found, texts)
    )


def _authors_only(
    row: Row, response: str, outcome: Outcome | None, verdict: Verdict, theirs: Outcome | None
) -> str:
    category = verdict.category
    if category == "no_library_call":
        if "case" in verdict.evidence:
            return "no traced call"
        constant = _returns_constants(script.last_block(response), row.name)
        return "constant return" if constant else "answers do not depend on the library"
    if category == "wrong_answer" and theirs is not None:
        return _why_equal(row, theirs)
    if category == "forbidden_import":
        return "import that strict forbids"
    if category in ("timeout", "memory", "output_limit"):
        return "limits"
    if category == "malformed" and "plain data" in str(verdict.evidence):
        return "result is no plain data"
    if row.name not in _defined(script.last_block(response)):
        return "other function"
    return "strict package"


def _why_equal(row: Row, theirs: Outcome) -> str:
    """Which rule of equality makes the values of an outcome equal to the truth."""
    pairs = list(zip((c.value for c in theirs.cases), strict.expected(row.truth, theirs.cases)))

    def with_(change: Callable[[Any], Any], absolute: float) -> bool:
        return all(
            strict_grading.equal(change(value), change(expected), truth.PRINTED_RELATIVE, absolute)
            for value, expected in pairs
        )

    for reason, change in (
        ("prints rounded beyond tolerance", lambda value: value),
        ("boolean for a number", _numbers),
        ("one-element container", lambda value: _unwrapped(_numbers(value))),
    ):
        if with_(change, equality.TOLERANCE):
            return reason
    return "text dropped"


def _numbers(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_numbers(part) for part in value]
    return float(value) if isinstance(value, bool | int) and abs(value) < 1e300 else value


def _unwrapped(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return _unwrapped(value[0]) if len(value) == 1 else [_unwrapped(part) for part in value]
    return value


def _flat(value: Any) -> Any:
    return _unwrapped(_numbers(value))


def _holds(value: Any, kind: type) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds(part, kind) for part in value)
    return isinstance(value, kind)


def _returns_constants(code: str, name: str) -> bool:
    """Whether all that a function returns is written out."""
    returned = [
        node.value
        for function in _functions(code)
        if function.name == name
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
    ]
    return bool(returned) and not any(
        isinstance(node, ast.Name | ast.Call) for value in returned for node in ast.walk(value)
    )


def _defined(code: str) -> set[str]:
    return {function.name for function in _functions(code)}


def _functions(code: str) -> list[ast.FunctionDef]:
    try:
        return [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError):
        return []
