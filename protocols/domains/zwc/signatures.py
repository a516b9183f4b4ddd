"""Parameters of real functions, as plain data: names, kinds and defaults as text.

Functions in C that have no signature of their own are read from the first line of their docstring, ufuncs
from their number of arguments. Standard library only. Does not cover: types.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

#: What a sentinel default means, by parameter.
_MEANT = {
    "keepdims": "False",
    "where": "True",
    "initial": "None",
    "a_min": "None",
    "a_max": "None",
    "pyfunc": "None",
}
_POSITIONAL, _FREE, _REST, _KEYWORD, _REST_KEYWORD = range(5)  # as `inspect` numbers the kinds
_UNKNOWN = [["args", _REST, None], ["kwargs", _REST_KEYWORD, None]]
_UFUNC_OPTIONS = {
    "where": "True",
    "casting": "'same_kind'",
    "order": "'K'",
    "dtype": "None",
    "subok": "True",
}


def parameters(function: Callable[..., Any]) -> list[list[Any]]:
    """Parameters as [name, kind (`inspect` number), default as text or None for none]."""
    if type(function).__name__ == "ufunc":
        count: int = function.nin  # type: ignore[attr-defined]
        names = ["x"] if count == 1 else [f"x{i + 1}" for i in range(count)]
        options = [[name, _KEYWORD, default] for name, default in _UFUNC_OPTIONS.items()]
        return [*([name, _POSITIONAL, None] for name in names), ["out", _FREE, "None"], *options]
    try:
        found = inspect.signature(function)
    except (ValueError, TypeError):
        found = None
    if found is None or [int(p.kind) for p in found.parameters.values()] == [_REST, _REST_KEYWORD]:
        found = _from_docstring(function) or found
    if found is None:
        return _UNKNOWN
    return [
        [p.name, int(p.kind), None if p.default is p.empty else _default(p.name, p.default)]
        for p in found.parameters.values()
    ]


def shown(listed: list[list[Any]], leave_out: frozenset[str] = frozenset()) -> str:
    """`(a, /, b=None, *, c=1)` of listed parameters, without what `leave_out` names.

    Leaving out is for readers in a hurry: it takes `**kwargs`, defaults without a name and `/` along.
    """
    parts: list[str] = []
    kept = listed
    if leave_out:
        kept = [p for p in listed if p[2] is None or (p[0] not in leave_out and p[2] != "...")]
        kept = [p for p in kept if p[1] != _REST_KEYWORD] if len(kept) > 2 else kept
    stars = {_REST: "*", _REST_KEYWORD: "**"}
    for i, (name, kind, default) in enumerate(kept):
        if kind == _KEYWORD and not any(k in (_REST, _KEYWORD) for _, k, _ in kept[:i]):
            parts.append("*")
        parts.append(stars.get(kind, "") + name + ("" if default is None else f"={default}"))
        after = kept[i + 1][1] if i + 1 < len(kept) else None
        if kind == _POSITIONAL and after != _POSITIONAL and not leave_out:
            parts.append("/")
    return f"({', '.join(parts)})"


def _from_docstring(function: Callable[..., Any]) -> inspect.Signature | None:
    """The first line `name(a, [start,] b[, c], /, out=None)` as a signature; None if it is none."""
    line = re.match(r"\s*\w+\((.*?)\)\s*(\n|$)", function.__doc__ or "", re.DOTALL)
    if line is None:
        return None
    text = line[1].replace("\n", " ")
    text = re.sub(r"\((\w+),[^()]*\.\.\.\)", "arrays", text)  # (a1, a2, ...)
    text = re.sub(r"\[(\w+)\s*,\s*(\w+)\]", r"\1=None, \2=None", text)  # [x, y]
    text = re.sub(r"\[(\w+)\s*,\]", r"\1,", text)  # [start,]
    text = re.sub(r"\[\s*,\s*(\w+)\s*,?\s*\]", r", \1=None", text)  # [, step,]
    try:
        made: dict[str, Any] = {}
        exec(f"def f({text}): ...", made)  # text of the installed module, no foreign one
        return inspect.signature(made["f"])
    except (SyntaxError, NameError):
        return None


def _default(name: str, value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | complex | str | tuple):
        return repr(value)
    if isinstance(value, type) and value.__module__ == "builtins":
        return value.__name__
    return _MEANT.get(name, "...")
