"""The hidden cases of a task: arguments, which split they belong to, their truth, and whether they suffice.

Which split a case belongs to is decided by the digest of its arguments, so that no case can be in both.
"""

import random
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protocols.domains.zwc.bank.kinds import KINDS
from protocols.domains.zwc.bank.recipe import Recipe
from protocols.domains.zwc.bank.rounding import distinct
from protocols.domains.zwc.bank.values import OWN
from protocols.domains.zwc.plain import pack, to_plain
from protocols.records import Split
from protocols.seeds import digest

CASES = 7
#: Cases with the same answer teach nothing: a task has at least this many different ones.
DISTINCT = 4


def draw(
    kind: str,
    least: int,
    own: Sequence[tuple[str, str]],
    split: Split,
    number: int,
    rng: random.Random,
    stands: Callable[[list[Any]], bool] = lambda args: True,
) -> list[Any] | None:
    """Arguments of this split that `stands` accepts. An edge that has none gives way to others: the empty
    list may be the other split's, and equal entries have no one order.
    """
    for attempt in range(40):
        case = number if attempt < 6 else 0
        args = KINDS[kind][1](rng, case, least)
        for _, generator in own:
            args.append(OWN[generator](rng, case, args))
        if side(args) is split and stands(args):
            return args
    return None


def side(args: list[Any]) -> Split:
    """The split that these arguments belong to."""
    return Split.TRAIN if int(digest(pack(args), size=1), 16) % 2 else Split.TEST


def truth(recipe: Recipe, args: list[Any], by: float = 0.0) -> Any:
    """What the real function gives, as plain data; results moved `by`."""
    return to_plain(raw(recipe, args, by))


def raw(recipe: Recipe, args: Sequence[Any], by: float = 0.0) -> Any:
    """What the real function gives; results moved `by`, see `rounding`."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of names that the library will give up
        return recipe.evaluate(args, by)


def varied(expected: list[Any]) -> bool:
    """Whether the answers differ enough: true and false at least twice each, or `DISTINCT` values."""
    if len(expected) < CASES - 1:
        return False
    if all(isinstance(e, bool) for e in expected):
        return 2 <= sum(expected) <= len(expected) - 2
    return distinct(expected) >= DISTINCT
