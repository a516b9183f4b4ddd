"""Results moved elsewhere on purpose: an answer that stays the same did not come from them.

Works on what the library returned, before it is made plain. Does not cover: values of other classes, which
stay as they are.
"""

import cmath
import sys
from typing import Any


def shaken(value: Any) -> Any:
    """The same value elsewhere: of the same type, shape and structure, deterministic."""
    numpy: Any = sys.modules.get("numpy")
    if isinstance(value, bool) or (numpy is not None and isinstance(value, numpy.bool_)):
        return not value
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        kind = value.dtype.kind
        if kind == "b":
            return ~value
        if kind in "iu":
            return (value * 3 + 7).astype(value.dtype)
        if kind in "fc":
            finite = numpy.nan_to_num(value, nan=1.0, posinf=2.0, neginf=3.0)  # NaN and infinity move as well
            return (finite * 1.37 + 11.3).astype(value.dtype)
        if kind in "US":
            return numpy.strings.add(value, "~" if kind == "U" else b"~")
        if kind == "O" and isinstance(value, numpy.ndarray):
            made = numpy.empty(value.size, dtype=object)
            made[:] = [shaken(v) for v in value.ravel()]
            return made.reshape(value.shape)
        return value * 3 + 7
    if isinstance(value, int):
        return value * 3 + 7
    if isinstance(value, (float, complex)):
        return value * 1.37 + 11.3 if cmath.isfinite(value) else 12.67
    if isinstance(value, str):
        return value + "~"
    if isinstance(value, bytes):
        return value + b"~"
    if isinstance(value, tuple):
        return tuple([shaken(v) for v in value])
    if isinstance(value, list):
        return [shaken(v) for v in value]
    if isinstance(value, dict):
        return {k: shaken(v) for k, v in value.items()}
    return value
