"""Printed results against the printed truth, by the rules of the published evaluation, weaknesses included.

What was printed is cleaned and read as a value, and values are compared part by part:

* only as many results count as the truth has; too few are wrong; texts that are the same are equal;
* everything before the first `:` is dropped, again and again where what is left is no value: of a
  dictionary only what follows its last `:` counts;
* `array` and `ZWCArray` are taken away, rows of several lines are joined, blanks between numbers become
  commas; `inf` and `nan` are replaced even inside words, all blanks are dropped even inside strings;
* a container with one part equals its part, at every level: `[[5]]` equals 5;
* a list equals a tuple, `True` equals 1, NaN equals NaN, a string that reads as a number equals it;
* real numbers are equal within an *absolute* `TOLERANCE`; complex ones have to be exactly equal, and a
  complex number never equals a real one; the keys and values of a dictionary have to be equal likewise;
* arrays that NumPy prints shortened (`...`) are compared as far as they are printed.

Source: SE-Bench (arXiv 2602.04811), the repository's equality checker. Its `eval` is `literal.evaluate`
here: a text that only a program can make sense of is compared as text.
"""

import ast
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from protocols.domains.zwc.authors.literal import evaluate

TOLERANCE = 1e-2  # absolute, for real numbers of any size
#: How often a text is read again at most, and how many characters in all: what is printed may be hostile. The
#: published one goes on until Python's recursion ends.
_AGAIN = 300
_AGAIN_CHARACTERS = 1_000_000

_EMPTY = (
    re.compile(r"array\(\s*\[\s*\],(?:\s*shape=\([^)]{0,200}\),)?\s*dtype=[\w']+\s*\)"),
    re.compile(r"ZWCArray\(\s*\[\s*\]\s*\)"),
)
_EMPTY_OF_ANY_KIND = re.compile(r"(?<=\w)Array\(\s*\[\s*\]\s*\)")
_WORD = re.compile(r"\w*")
_BLANK_SEPARATED = re.compile(r"\[([\d\s.eE+\-infaTrueFlsj()]+)\]")
_REAL = (int, float, np.integer, np.floating)


def all_equal(printed: Sequence[str], truth: Sequence[str], tolerance: float = TOLERANCE) -> bool:
    """Whether every printed text of the truth has its equal at the same place."""
    if len(printed) < len(truth):
        return False
    return all(equal(text, expected, tolerance) for text, expected in zip(printed, truth))


def equal(printed: str, expected: str, tolerance: float = TOLERANCE) -> bool:
    """Whether two printed texts stand for equal values."""
    if printed == expected:
        return True
    try:
        values = _normal(parse(printed)), _normal(parse(expected))
    except RecursionError:
        return False
    try:
        again = min(_AGAIN, _AGAIN_CHARACTERS // (len(printed) + len(expected) + 1))
        return _equal(*values, tolerance, again)
    except (ArithmeticError, ValueError, TypeError, RecursionError):  # such as an integer beyond every float
        return printed.split() == expected.split()


def parse(text: str) -> Any:
    """The value that a printed text stands for, or its cleaned text where there is none; None if blank."""
    if not text.strip():
        return None
    cleaned = text.strip()
    for pattern in _EMPTY:
        cleaned = pattern.sub("[]", cleaned)
    cleaned = _without_empty(cleaned)
    cleaned = _separated(_joined(cleaned))
    _, colon, after = cleaned.partition(":")
    cleaned = re.sub(r"\s+", "", after if colon else cleaned).replace(",", ", ")
    cleaned = cleaned.replace("inf", 'float("inf")').replace("nan", 'float("nan")')
    try:
        return evaluate(cleaned)
    except (ValueError, RecursionError, MemoryError):
        return cleaned


def _without_empty(text: str) -> str:
    """`AnythingArray([])` as `[]`. One pattern for it would take quadratic time on a long word."""
    parts = []
    end = 0
    for found in _EMPTY_OF_ANY_KIND.finditer(text):
        before = text[end : found.start()]
        word = _WORD.match(before[::-1])
        parts += [before[: len(before) - (word.end() if word else 0)], "[]"]
        end = found.end()
    return "".join([*parts, text[end:]])


def _joined(text: str) -> str:
    """Lines as one, each ended by a comma, the last one too."""
    if "\n" not in text:
        return text
    lines = (line.strip() for line in text.split("\n"))
    return " ".join(line if line.endswith(",") else f"{line}," for line in lines if line)


def _separated(text: str) -> str:
    """Without the names of arrays, and with commas between what blanks separate."""
    text = text.replace("array", " ")
    text = _BLANK_SEPARATED.sub(lambda found: _listed(found[0], found[1].split()), text)
    return text.replace("ZWCArray", " ")


def _listed(text: str, parts: list[str]) -> str:
    return f"[{', '.join(parts)}]" if parts else text


def _normal(value: Any) -> Any:
    """Tuples as lists, NumPy's scalars as Python's, strings that hold a literal as its value."""
    if isinstance(value, str):
        try:
            return _normal(ast.literal_eval(_separated(_joined(value))))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return value
    if isinstance(value, list | tuple):
        return [_normal(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _single(value: Any) -> Any:
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value


def _equal(a: Any, b: Any, tolerance: float, again: int) -> bool:
    a, b = _single(a), _single(b)
    if a is None or b is None:
        return a is b
    if isinstance(a, _REAL) and isinstance(b, _REAL):
        if math.isnan(a) and math.isnan(b):
            return True
        return bool(a == b) or abs(float(a) - float(b)) <= tolerance
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_equal(x, y, tolerance, again) for x, y in zip(a, b))
    if type(a) is not type(b):
        return False
    if isinstance(a, str):
        read = parse(a), parse(b)
        if again and (read[0] != a or read[1] != b):
            # Without a colon nothing is left to drop: what else changes, changes in equal texts equally.
            return _equal(*read, tolerance, again - 1 if ":" in a or ":" in b else 0)
        return bool(a == b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key], tolerance, again) for key in a)
    return bool(a == b)
