"""Whether two formulas are equal, by math-verify, and where it is too lenient, by values. Part of
the helper process: nothing of ours is imported here.

math-verify rounds to a number of places after the point (so that 1/2^99 and 1/2^98 are equal): what it finds
equal has also to be equal by value, relative to its size.
"""

import re
from itertools import product
from typing import Any

import sympy
from math_verify import parse, verify

PLACES = 12
_EXACT, _ROUNDED = sympy.Float("1e-50"), sympy.Float("1e-6")
_DIGITS = 60
# A bracket behind a number, or behind another one, is a product. Behind _2 or \\sin^2 it is what they are of.
_PRODUCT = re.compile(r"(?P<of>_\s*\d+|\\[a-z]+\s*\^\s*\d+|[A-Za-z]\s*\^\s*\d+)|(?P<left>\d|\))\s*(?=\()")
_POINTS = (("0.7310585786", "1.2914963145"), ("2.3978952728", "0.5108256238"))
# math-verify takes letters behind a number for its unit, and drops them.
_LETTERS = re.compile(
    r"(\d)\s*(?!pi|ln|[cmk]m|[mk]?g|ft|in|hr|ms|mi|ml|lb|oz|yd)([a-z])\s*([a-z])(?![A-Za-z(])"
)


def compare(truth: str, answer: str, rounded: bool) -> str:
    """equal, different or unreadable. `rounded`: one of them was written with a rounded number."""
    gold, found = read(truth), read(answer)
    if not gold or not found:
        return "unreadable"
    rounded = rounded or any(one.has(sympy.Float) for one in (*gold, *found))
    if isinstance(gold[0], sympy.Integer) and isinstance(found[0], sympy.Expr) and found[0].is_number:
        whole = sympy.N(found[0], _DIGITS)  # an integer can be written exactly
        if abs(whole - gold[0]) > sympy.Float("1e-12") * max(1, abs(gold[0])):
            return "different"
    if finite(gold[0]) != finite(found[0]):
        return "different"
    if rounded and all(isinstance(one, sympy.Expr) and one.is_number for one in (gold[0], found[0])):
        return "equal" if near(gold[0], found[0], rounded) else "different"
    places = 6 if rounded else PLACES
    if not verify(gold, found, float_rounding=places, timeout_seconds=None):
        return "different"
    return "equal" if any(near(a, b, rounded) for a, b in product(gold, found)) else "different"


def finite(one: Any) -> bool:
    """Whether nothing in it is infinite or undefined."""
    return not (isinstance(one, sympy.Basic) and one.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan))


def read(text: str) -> list[Any]:
    """What math-verify reads; texts that are no mathematics left out."""
    text = _LETTERS.sub(r"\1\\cdot \2\\cdot \3", text)
    text = _PRODUCT.sub(lambda found: found["of"] or f"{found['left']}\\cdot ", text)
    found = parse(text if "\\boxed" in text else f"\\boxed{{{text}}}", parsing_timeout=None)
    return [_imaginary(one) for one in found if isinstance(one, sympy.Basic | sympy.MatrixBase)]


def _imaginary(found: Any) -> Any:
    """With a free i as the imaginary unit: math-verify sometimes reads it as a name."""
    units = [symbol for symbol in found.free_symbols if symbol.name == "i"]
    return found.subs(dict.fromkeys(units, sympy.I)) if units else found


def near(a: Any, b: Any, rounded: bool) -> bool:
    """Whether two expressions agree by value, as far as they have one; True for what has none."""
    if a == b:
        return True
    if hasattr(a, "shape") and hasattr(b, "shape"):
        return bool(a.shape == b.shape) and all(near(x, y, rounded) for x, y in zip(a, b, strict=True))
    if isinstance(a, sympy.Tuple | sympy.FiniteSet) and isinstance(b, sympy.Tuple | sympy.FiniteSet):
        return len(a.args) == len(b.args)
    if not isinstance(a, sympy.Expr) or not isinstance(b, sympy.Expr):
        return True
    exact = not rounded and not a.has(sympy.Float) and not b.has(sympy.Float)
    if a.is_number and b.is_number:
        x, y = a.doit(), b.doit()
        if exact and x.is_Rational and y.is_Rational:
            return bool(x == y)
        return _near(x, y, _EXACT if exact else _ROUNDED)
    names = sorted(a.free_symbols | b.free_symbols, key=str)
    for start, step in _POINTS:
        values = {name: sympy.Float(start, _DIGITS) + number * sympy.Float(step, _DIGITS)
                  for number, name in enumerate(names)}  # fmt: skip
        if not _near(a.subs(values), b.subs(values), _ROUNDED):
            return False
    return True


def _near(a: Any, b: Any, tolerance: sympy.Float) -> bool:
    x, y = sympy.N(a, _DIGITS), sympy.N(b, _DIGITS)
    apart = abs(x - y)
    if not finite(x) or not finite(y):
        return bool(x == y)
    if not (apart.is_Float or apart.is_Rational):
        return True  # what has no number: math-verify's word stands
    return bool(apart <= tolerance * abs(x)) or bool(abs(x) < _EXACT * _ROUNDED and apart < _EXACT * _ROUNDED)
