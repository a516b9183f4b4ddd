"""Tasks that need two or three functions: pipelines, and two results joined.

A composition is a tree: a leaf is a parameter's slot, a node is (function, arguments). A composition stands
only if it needs each of its functions: leaving any one out changes the answers.

Does not cover: compositions with parameters of their own (axis, limits), and more than three functions.
"""

import math
import random
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from protocols.domains.zwc.bank.rounding import function, perhaps
from protocols.domains.zwc.bank.stages import JOINS, MAPS, PAIRS, REDUCTIONS, Stage
from protocols.domains.zwc.plain import to_plain
from protocols.records import Split

#: ("mean", ("diff", "x")); the leaves are "x" and "y".
Tree = str | tuple[Any, ...]
#: Stages from the outermost in. J takes two reductions, P two lists.
SHAPES = ("RM", "MM", "RP", "RMM", "RMP", "MMM", "JRR")
_TABLES = {"M": MAPS, "R": REDUCTIONS, "J": JOINS, "P": PAIRS}
LARGEST = 1e9  # beyond, answers are no longer readable


#: Which of a run's functions can stand at each letter of a shape.
Offers = dict[str, list[str]]


def offers(names: Sequence[str]) -> Offers:
    return {letter: [n for n in names if n in table] for letter, table in _TABLES.items()}


def shapes(lead: str, offered: Offers) -> list[str]:
    """The shapes that can hold this function; empty if it composes with none of the others."""
    return [s for s in SHAPES if any(lead in offered[x] for x in s) and all(offered[x] for x in s)]


def compose(lead: str, offered: Offers, rng: random.Random) -> Tree | None:
    """A random composition with `lead` in it; None if this draw names a function twice."""
    shape = rng.choice(shapes(lead, offered))
    at = rng.choice([i for i, letter in enumerate(shape) if lead in offered[letter]])
    stages = [lead if i == at else rng.choice(offered[letter]) for i, letter in enumerate(shape)]
    if len(set(stages)) < len(stages):
        return None
    if shape == "JRR":
        return (stages[0], (stages[1], "x"), (stages[2], "x"))
    tree: Tree = "x"
    for letter, name in zip(reversed(shape), reversed(stages)):
        tree = (name, "x", "y") if letter == "P" else (name, tree)
    return tree


def kind(tree: Tree) -> str:
    """The kind of data that all its functions can take: the most particular one that a stage names."""
    kinds = [_stage(node).kind for node in nodes(tree)]
    return next((k for k in reversed(kinds) if k != "reals"), "reals")


def nodes(tree: Tree) -> Iterator[tuple[Any, ...]]:
    """All nodes, outermost first."""
    if isinstance(tree, tuple):
        yield tree
        for child in tree[1:]:
            yield from nodes(child)


def functions(tree: Tree) -> list[str]:
    """Original names, in the order of the calls."""
    return [node[0] for node in nodes(tree)][::-1]


def words(tree: Tree, split: Split, them: str, names: Sequence[str]) -> str:
    """What is asked, as a noun phrase; `them` is the data's noun, `names` are the parameters."""
    if isinstance(tree, str):
        return them if len(names) == 1 else names["xy".index(tree)]
    return _stage(tree).phrase(split).format(*(words(child, split, them, names) for child in tree[1:]))


def code(tree: Tree, spelled: dict[str, str]) -> str:
    """The calls as an expression; `spelled` gives the words for functions and leaves."""
    if isinstance(tree, str):
        return spelled[tree]
    return f"{spelled[tree[0]]}({', '.join(code(child, spelled) for child in tree[1:])})"


def answer(tree: Tree, args: Sequence[Any], by: float = 0.0) -> Any:
    """What the real functions give, as plain data; None where that is not defined, or too large.

    `by`: how far results are moved, see `rounding`.
    """
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            value = to_plain(_evaluate(tree, args, by))
    except (ValueError, IndexError, FloatingPointError):  # nothing left to reduce, roots of negatives
        return None
    flat = value if isinstance(value, list) else [value]
    return value if flat and all(math.isfinite(v) and abs(v) < LARGEST for v in flat) else None


def _evaluate(tree: Tree, args: Sequence[Any], by: float) -> Any:
    if isinstance(tree, str):
        return args["xy".index(tree)]
    return function(tree[0], by)(*(_evaluate(child, args, by) for child in tree[1:]))


def shorter(tree: Tree) -> Iterator[Tree]:
    """The composition with one or more functions left out, in every way."""
    if isinstance(tree, str):
        return
    for child in tree[1:]:
        yield child
        yield from shorter(child)
    for at, child in enumerate(tree[1:], start=1):
        for less in shorter(child):
            yield (*tree[:at], less, *tree[at + 1 :])


def needed(tree: Tree, cases: Sequence[Sequence[Any]], expected: Sequence[Any]) -> bool:
    """Whether the answers need every function of the composition."""
    return not any(
        all(perhaps(partial(answer, less, args), e) for args, e in zip(cases, expected))
        for less in shorter(tree)
    )


def _stage(node: tuple[Any, ...]) -> Stage:
    if len(node) == 2:
        return MAPS[node[0]] if node[0] in MAPS else REDUCTIONS[node[0]]
    return PAIRS[node[0]] if node[1:] == ("x", "y") else JOINS[node[0]]
