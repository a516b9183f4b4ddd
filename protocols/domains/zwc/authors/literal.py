"""Printed values as values: Python's literals and what NumPy prints, evaluated without `eval`.

Names: True, False, None, Ellipsis; with `arrays` also `nan` and `inf`. Calls: NumPy's scalar types
(`np.float64(0.5)`), `float`, `complex`, `range`, `set`, `frozenset`, `bytearray`, `slice`; with `arrays` also
`array(...)` and `ZWCArray(...)`, which give what is inside, and named tuples. Arithmetic between numbers (a
printed fraction is `1/2`), comparisons, indexing.
"""

import ast
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CALLS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (float, complex, range, set, frozenset, bytearray, slice)
}
_NUMBERS = (int, float, complex, np.number, np.bool_)
_LARGEST_POWER = 10_000.0  # bits of base times exponent: what nobody prints


def evaluate(text: str, arrays: bool = False) -> Any:
    """The value that a text stands for.

    Raises:
        ValueError: it is no such text. (Also RecursionError and MemoryError, where it is nested too deep.)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is printed may look like a doubtful program
        try:
            return _value(ast.parse(text.strip(), mode="eval").body, arrays)
        except (SyntaxError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            raise ValueError(str(error)) from None


def _value(node: ast.expr, arrays: bool) -> Any:
    def of(part: ast.expr) -> Any:
        return _value(part, arrays)

    match node:
        case ast.Constant(value):
            return value
        case ast.Name("Ellipsis"):
            return ...
        case ast.Name(id=name) if arrays and name in ("nan", "inf"):
            return float(name)
        case ast.List(elts):
            return [of(part) for part in elts]
        case ast.Tuple(elts):
            return tuple(of(part) for part in elts)
        case ast.Set(elts):
            return {of(part) for part in elts}
        case ast.Dict(keys, values):
            return {of(_there(key)): of(value) for key, value in zip(keys, values, strict=True)}
        case ast.UnaryOp(symbol, operand):
            return _UNARY[type(symbol)](of(operand))
        case ast.BinOp(left, symbol, right):
            return _arithmetic(symbol, of(left), of(right))
        case ast.Compare(left, [symbol], [right]):
            return _COMPARE[type(symbol)](of(left), of(right))
        case ast.Subscript(value, index):
            return of(value)[of(index)]
        case ast.Attribute(ast.Name("np"), name):
            return _scalar(name)
        case ast.Call(ast.Name(name), [part, *_]) if arrays and name in ("array", "ZWCArray"):
            return of(part)
        case ast.Call(ast.Name(name), [], [_, *_] as fields) if arrays and name[0].isupper():
            return tuple(of(_named(field)) for field in fields)  # `EighResult(eigenvalues=array(...), ...)`
        case ast.Call(function, parts, []):
            return _function(function)(*(of(part) for part in parts))
    raise ValueError(f"{type(node).__name__} is no literal")


def _there(key: ast.expr | None) -> ast.expr:
    if key is None:
        raise ValueError("** is no literal")
    return key


def _named(field: ast.keyword) -> ast.expr:
    if field.arg is None:
        raise ValueError("** is no literal")
    return field.value


def _arithmetic(symbol: ast.operator, left: Any, right: Any) -> Any:
    if not (isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS)):
        raise ValueError("arithmetic with something that is no number")
    if isinstance(symbol, ast.Pow) and _bits_of_power(left, right) > _LARGEST_POWER:
        raise ValueError("too large a power")
    return _BINARY[type(symbol)](left, right)


def _bits_of_power(left: Any, right: Any) -> Any:
    return left.bit_length() * abs(right) if isinstance(left, int) else 0


def _function(node: ast.expr) -> Callable[..., Any]:
    match node:
        case ast.Name(name):
            return _CALLS[name]
        case ast.Attribute(ast.Name("np"), name):
            kind = getattr(np, name, None)
            if isinstance(kind, type) and issubclass(kind, np.generic):
                return kind
    raise ValueError("no call that a printed value holds")


def _scalar(name: str) -> Any:
    """A constant of NumPy: `np.True_`, `np.nan`, `np.pi`."""
    value = getattr(np, name, None)
    if not isinstance(value, float | np.generic):
        raise ValueError(f"np.{name} is no constant")
    return value
