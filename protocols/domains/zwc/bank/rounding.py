"""Results moved by more than rounding moves them, so that no choice of the bank hangs on last bits.

Processors differ in the last bits of what they compute, and in which of equal entries their kernels take
first. So the bank never decides by results as they are: arguments stand only if the answer stays when every
floating-point result on the way is moved up, and down, by `BY`. That is a million times what kernels differ
by, and far less than graders see. What stands here then stands on every processor, unless the moved result
itself lies within rounding of a limit: about one in a million of those few that lie within `BY` of one.

Does not cover: what a library of another version computes differently.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np

from protocols.domains.zwc.grading import equal

#: Relative to a result, and absolutely.
BY = 1e-9
#: What is the same: near the graders' tolerances, and no difference between short decimals.
_RELATIVE, _ABSOLUTE = 0.97e-4 / 3, 0.97e-6 / 3
_NAMES = """
abs absolute add amax amin append around array array_split asanyarray asarray ascontiguousarray
asfortranarray astype atleast_1d atleast_2d atleast_3d block broadcast_arrays broadcast_to ceil choose clip
column_stack compress concatenate copy copysign copyto delete diag diagflat diagonal diff divide divmod
expand_dims extract eye fabs flip fliplr flipud floor floor_divide fmax fmin fmod frexp full full_like
heaviside hstack identity insert intersect1d ldexp linalg.diagonal linalg.matrix_transpose max maximum min
minimum mod modf moveaxis multiply nan_to_num nanmax nanmin negative nextafter ones ones_like pad partition
permute_dims piecewise place positive ptp put putmask ravel remainder repeat reshape resize rint roll
rollaxis rot90 round select setdiff1d setxor1d sign sort spacing split sqrt square squeeze stack subtract
swapaxes take tile transpose tril trim_zeros triu true_divide trunc union1d unique vstack where zeros
zeros_like
"""
#: Real results that are the same bits everywhere: picked, ordered, compared, counted, or rounded once as
#: IEEE 754 has it.
_EXACT = frozenset(_NAMES.split())
#: Functions of no unique result, or of one that jumps, where arguments are equal or a matrix is singular.
_JUMPING = ("argsort", "argpartition", "linalg.")
#: It looks for singular matrices on purpose, and counts as none what is far above rounding.
_CALM = "linalg.matrix_rank"


def settled(answer: Callable[[float], Any]) -> bool:
    """Whether an answer, as a function of how far results are moved, is the same on every processor."""
    plain = answer(0.0)
    return all(_same(answer(by), plain) for by in (BY, -BY))


def perhaps(answer: Callable[[float], Any], expected: Any) -> bool:
    """Whether an answer may be the expected one on some processor."""
    return any(_same(answer(by), expected) for by in (BY, -BY))


def distinct(answers: list[Any]) -> int:
    """How many of these answers a grader can tell apart."""
    found: list[Any] = []
    for answer in answers:
        if not any(_same(answer, known) for known in found):
            found.append(answer)
    return len(found)


@cache
def function(name: str, by: float = 0.0) -> Callable[..., Any]:
    """The real function of this dotted name, its results moved."""
    real: Callable[..., Any] = attrgetter(name)(np)
    if not by:
        return real

    def moving(*args: Any, **named: Any) -> Any:
        if name.startswith(_JUMPING) and name != _CALM:
            args = (moved(args[0], by, whole=True), *args[1:])
        value = real(*args, **named)
        exact = name in _EXACT and not any(_is_complex(arg) for arg in args)
        return value if exact else moved(value, by)

    return moving


def moved(value: Any, by: float, whole: bool = False) -> Any:
    """Floating-point numbers moved by up to `by`, each of them by another amount; others as they are.

    Args:
        value: an array, a number, or lists and tuples of them.
        whole: move whole numbers too.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # of uneven lists
        array = np.asarray(None)
    if array.dtype.kind in ("iufc" if whole else "fc"):
        shares = by * _shares(array.shape)
        return array + shares * (1 + abs(array))  # of no value less than `shares`
    if array.dtype.kind == "O" and isinstance(value, list | tuple):
        parts = [moved(part, by, whole) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


@cache
def _shares(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).uniform(0.5, 1.0, shape)


def _is_complex(value: Any) -> bool:
    try:
        return bool(np.iscomplexobj(value))
    except ValueError:  # uneven lists
        return any(map(_is_complex, value))


def _same(a: Any, b: Any) -> bool:
    return equal(a, b, _RELATIVE, _ABSOLUTE)
