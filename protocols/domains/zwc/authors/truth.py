"""A printed result as the value that was printed, for the strict grader.

Reads what Python prints (`[1, 2.5]`, `(array([1, 2]), True)`, `{'a': np.float64(0.5)}`) and what NumPy prints
(`[[1.  2.5]\\n [3.  4. ]]`); arrays become nested lists. Nothing is dropped or guessed: shortened arrays
(`...`) are unreadable, and any other text stands for itself.
"""

import re
from typing import Any

from protocols.domains.zwc.authors.literal import evaluate
from protocols.domains.zwc.plain import to_plain

#: Tolerance for a truth that NumPy printed with 8 digits: an element of an array is printed with 8 digits
#: after the point, so it lies within 5e-9 of the value (fixed notation) or within 5e-9 of its size
#: (scientific). The absolute part covers the first, the relative one the second and the last digits of other
#: orders of summation.
PRINTED_RELATIVE = 1e-6
PRINTED_ABSOLUTE = 1e-8

_DISPLAYS = re.compile(r"[\[({<]|array\(|ZWCArray\(|[A-Z]\w*\(\w+=")
#: Between the parts of a complex number, where NumPy fills columns up: `[1. -0.j 2.5-0.j]`.
_PADDED = re.compile(r"(\d\.?|\.\d+|nan|inf)\s+([+-][^\s\[\],]*j)")
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s\[\],]+|[\[\],]")


def read(text: str) -> Any:
    """The value that a text stands for; the text itself where it stands for none."""
    text = text.strip()
    try:
        return _plain(evaluate(_with_commas(text), arrays=True))
    except (ValueError, TypeError, RecursionError, MemoryError):
        return text


def readable(text: str) -> bool:
    """Whether a text is a value, or at least no broken display of one: not empty, not shortened."""
    text = text.strip()
    return bool(text) and (read(text) != text or not _DISPLAYS.match(text))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return to_plain(value)


def _with_commas(text: str) -> str:
    """Commas where NumPy prints blanks: between two elements inside brackets. `[1 -2]` are two."""
    if not text.startswith("[") or "(" in text:  # with brackets of both kinds it was Python that printed
        return text
    parts: list[str] = []
    for token in _TOKEN.findall(_PADDED.sub(r"\1\2", text)):
        if parts and token not in ("]", ",") and parts[-1] not in ("[", ","):
            parts.append(",")
        parts.append(token)
    return "".join(parts)
