"""Second names: functions that do what another one does, and are asked for in the same words.

A task about either is solved by both, because answers are compared by value. Does not cover: functions that
agree on some arguments only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from protocols.domains.zwc.bank.recipe import Recipe

#: Second name -> the function whose recipes it takes over.
ALIASES: dict[str, str] = {
    "abs": "absolute",
    "acos": "arccos",
    "acosh": "arccosh",
    "amax": "max",
    "amin": "min",
    "around": "round",
    "asanyarray": "asarray",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "bitwise_invert": "invert",
    "bitwise_left_shift": "left_shift",
    "bitwise_not": "invert",
    "bitwise_right_shift": "right_shift",
    "conj": "conjugate",
    "degrees": "rad2deg",
    "fabs": "absolute",
    "identity": "eye",
    "permute_dims": "transpose",
    "pow": "power",
    "radians": "deg2rad",
    "remainder": "mod",
    "trapz": "trapezoid",
    "true_divide": "divide",
    "linalg.cross": "cross",
    "linalg.diagonal": "diagonal",
    "linalg.matmul": "matmul",
    "linalg.matrix_transpose": "transpose",
    "linalg.outer": "outer",
    "linalg.tensordot": "tensordot",
    "linalg.trace": "trace",
    "linalg.vector_norm": "linalg.norm",
}


def meaning(name: str) -> str:
    """The function that a name stands for: itself, or what it is a second name of."""
    return ALIASES.get(name, name)


def taken_over(recipes: Mapping[str, Sequence[Recipe]]) -> list[Recipe]:
    """The recipes of all second names, made from those of the first."""
    return [replace(r, name=name) for name, first in ALIASES.items() for r in recipes[first]]
