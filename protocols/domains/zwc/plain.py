"""Values as plain Python data, and plain data as JSON: what task payloads hold.

`to_plain` takes a library's results apart; `pack` and `unpack` carry NaN, infinities and complex numbers
through JSON, which has none of them, as `{"$float": "nan"}` and `{"$complex": [re, im]}`.

Does not cover: values of untrusted programs (`codec`), and dictionaries: no task has one.
"""

import math
from typing import Any

import numpy as np


def to_plain(value: Any) -> Any:
    """Nested lists and Python scalars: arrays and tuples as lists, NumPy scalars as Python's.

    Raises:
        TypeError: the value, or something in it, is no such data.
    """
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    if value is None or type(value) in (bool, int, float, complex, str):
        return value
    raise TypeError(f"{type(value).__name__} is not plain data")


def pack(value: Any) -> Any:
    """Plain data in a form that JSON carries; tuples become lists.

    Raises:
        TypeError: the value, or something in it, is no plain data.
    """
    if isinstance(value, list | tuple):
        return [pack(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(float(value))}
    if isinstance(value, complex):
        return {"$complex": [pack(value.real), pack(value.imag)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} is not plain data")


def unpack(value: Any) -> Any:
    """What `pack` was given."""
    if isinstance(value, list):
        return [unpack(v) for v in value]
    if isinstance(value, dict):
        ((tag, content),) = value.items()
        return float(content) if tag == "$float" else complex(*map(unpack, content))
    return value
