"""Results moved elsewhere on purpose: an answer that stays the same did not come from them.

A `Shaking` is drawn from a seed and has one of three strengths. `far` moves every number by much, so that no
tolerance forgives it. A right program may then ask for what is not there (an index, a shape); `near` and
`turned` move results so little, or only among their own values, that most such programs run to their end.

Works on what the library returned, before it is made plain. Does not cover: values of other classes, which
stay as they are.
"""

import cmath
import random
import sys
from typing import Any

STRENGTHS = ("far", "near", "turned")


class Shaking:
    """Moves values: of the same type, shape and structure, in the same way whenever the value is the same."""

    def __init__(self, strength: str, seed: int) -> None:
        drawn = random.Random(seed)
        self.strength = strength
        self._times = drawn.choice((3, 4, 5))
        self._plus = drawn.randrange(6, 16)
        self._factor = drawn.uniform(1.25, 1.75)
        self._offset = drawn.uniform(7.0, 15.0)
        self._nudge = drawn.uniform(0.05, 0.15) * (-1 if strength == "turned" else 1)

    def __call__(self, value: Any) -> Any:
        numpy: Any = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray):
            return self._array(numpy, value)
        if isinstance(value, bool) or (numpy is not None and isinstance(value, numpy.bool_)):
            return not value
        if numpy is not None and isinstance(value, numpy.generic):
            return self._array(numpy, numpy.asarray(value).reshape(1))[0]
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float | complex):
            return self._number(value) if cmath.isfinite(value) else self._offset
        if isinstance(value, str | bytes):
            turned = value[::-1]
            if self.strength != "far" and turned != value:
                return turned
            return value + ("~" if isinstance(value, str) else b"~")  # type: ignore[operator]
        if isinstance(value, tuple | list):
            kept = self.strength != "far" and all(type(v) is int for v in value)
            if kept and value[::-1] != value:  # a shape, or positions
                return value[::-1]
            return type(value)([self(v) for v in value]) if type(value) is list else tuple(map(self, value))
        if isinstance(value, dict):
            return {k: self(v) for k, v in value.items()}
        return value

    def _integer(self, value: int) -> int:
        if self.strength == "far":
            return value * self._times + self._plus
        if self.strength == "near":
            return value - 1 if value > 0 else value + 1
        return value // 2 if value > 1 else value + 1

    def _number(self, value: Any) -> Any:
        if self.strength == "far":
            return value * self._factor + self._offset
        return value * (1 + self._nudge) if value else self._nudge

    def _array(self, numpy: Any, value: Any) -> Any:
        if value.dtype.kind == "O":
            made = numpy.empty(value.size, dtype=object)
            made[:] = [self(v) for v in value.ravel()]
            return made.reshape(value.shape)
        if self.strength != "far" and value.size > 1:
            flat = value.ravel()
            moved = flat[::-1] if self.strength == "turned" else numpy.roll(flat, 1)
            if not _same(numpy, moved, flat):
                return moved.reshape(value.shape).copy()
        return self._each(numpy, value)

    def _each(self, numpy: Any, value: Any) -> Any:
        kind = value.dtype.kind
        if kind == "b":
            return ~value
        if kind in "iu":
            if self.strength == "far":
                return (value * self._times + self._plus).astype(value.dtype)
            lower = value - 1 if self.strength == "near" else value // 2
            return numpy.where(value > 1, lower, value + 1).astype(value.dtype)
        if kind in "fc":
            finite = numpy.nan_to_num(value, nan=1.0, posinf=2.0, neginf=3.0)  # NaN and infinity move as well
            if self.strength == "far":
                return (finite * self._factor + self._offset).astype(value.dtype)
            return numpy.where(finite == 0, self._nudge, finite * (1 + self._nudge)).astype(value.dtype)
        if kind in "US":
            return numpy.strings.add(value, "~" if kind == "U" else b"~")
        return value * self._times + self._plus


def _same(numpy: Any, a: Any, b: Any) -> bool:
    """Whether two arrays hold the same values in the same places, NaN included."""
    return bool(numpy.all((a == b) | ((a != a) & (b != b))))
