"""Tasks that need three or more functions: what one recipe gives, and steps on its result.

    given ──recipe──▶ result ──step──▶ ... ──step──▶ answer

Every function of a chain is needed: leaving out any of them, or several, changes the answers.

Does not cover: results joined with each other, and chains of two functions (`compositions`).
"""

import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from protocols.domains.zwc.bank.aliases import meaning
from protocols.domains.zwc.bank.cases import draw, raw, truth
from protocols.domains.zwc.bank.compositions import LARGEST
from protocols.domains.zwc.bank.families import RECIPES
from protocols.domains.zwc.bank.recipe import Recipe
from protocols.domains.zwc.bank.rounding import function, perhaps
from protocols.domains.zwc.bank.step import (
    BLOCK,
    COMPLEX,
    NUMBER,
    NUMBERS,
    ONE_COMPLEX,
    TABLE,
    TEXT,
    TRUTH,
    TRUTHS,
    Step,
)
from protocols.domains.zwc.bank.steps import STEPS
from protocols.domains.zwc.grading import equal
from protocols.domains.zwc.plain import to_plain
from protocols.records import Split
from protocols.seeds import rng_of

#: How the recipe's result is referred to.
RESULTS = {Split.TRAIN: ("the result", "this result"), Split.TEST: ("the outcome", "what comes out")}
#: What the solution calls it. No scenario has a parameter of that name.
FOUND = "found"
_LOOKS = 60  # draws before a function counts as standing in no chain
#: What computing with data that was not meant for a function can raise.
_FAILURES = (
    *(ValueError, IndexError, TypeError, AttributeError, ArithmeticError),
    *(np.linalg.LinAlgError, RuntimeWarning, np.exceptions.ComplexWarning),
)


@dataclass(frozen=True)
class Chain:
    recipe: Recipe
    steps: tuple[Step, ...]

    @property
    def own(self) -> tuple[tuple[str, str], ...]:
        """Parameters of its own, and the generators of their values."""
        return self.recipe.own + tuple(own for step in self.steps for own in step.own)

    @property
    def functions(self) -> tuple[str, ...]:
        """Original names in the order of the calls, functions that help at the end."""
        called = (self.recipe.name, *(step.name for step in self.steps))
        return called + tuple(h for h in self.recipe.helpers if h not in called)

    def words(self, split: Split, result: str) -> str:
        """What is done with the result, as a noun phrase."""
        for step in self.steps:
            result = step.phrase(split).format(result, **{p: p for p, _ in step.own})
        return result

    def extra(self) -> str:
        """Words for the parameters of the steps."""
        return " and ".join(s.extra.format(**{p: p for p, _ in s.own}) for s in self.steps if s.own)

    def code(self, names: Sequence[str], spelled: dict[str, str]) -> str:
        """The answer as statements; `spelled` gives the words for the functions."""
        helpers = [spelled[n] for n in self.recipe.helpers]
        first = self.recipe.code(names, spelled[self.recipe.name], helpers)
        before, _, expression = first.rpartition("return ")
        outer = FOUND
        for step in self.steps:
            outer = f"{spelled[step.name]}({step.how.format(outer, **{p: p for p, _ in step.own})})"
        return f"{before}{FOUND} = {expression}\nreturn {outer}"

    def answer(
        self,
        args: Sequence[Any],
        left_out: Sequence[int] = (),
        first: int | None = None,
        by: float = 0.0,
    ) -> Any:
        """What the real functions give, as plain data; None where that is undefined or not readable.

        Args:
            args: the scenario's arguments, the recipe's own and the steps' own.
            left_out: steps to pass over.
            first: start from this argument instead of the recipe's result.
            by: how far results are moved, see `rounding`.
        """
        count = len(args) - sum(len(step.own) for step in self.steps)
        own = iter(args[count:])
        try:
            value = args[first] if first is not None else raw(self.recipe, args[:count], by)
            with np.errstate(divide="raise", invalid="raise", over="raise"), warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DeprecationWarning)  # of names that the library will give up
                for number, step in enumerate(self.steps):
                    given = [next(own) for _ in step.own]
                    if number not in left_out:
                        value = _call(step, by)(value, *given)
            plain = to_plain(value)
        except _FAILURES:
            return None
        return plain if _readable(plain) else None

    def needed(self, cases: Sequence[Sequence[Any]], expected: Sequence[Any]) -> bool:
        """Whether the answers need every function."""
        places = range(len(self.steps))
        outer = [c for n in range(len(self.steps) + 1) for c in combinations(places, n)]
        inputs = len(cases[0]) - len(self.own)
        ways = [(left, first) for left in outer for first in (None, *range(inputs))][1:]
        return not any(
            all(
                perhaps(lambda by: self.answer(args, left, first, by), e)  # noqa: B023  (called at once)
                for args, e in zip(cases, expected)
            )
            for left, first in ways
        )


class Offers:
    """What chains of these functions can be made of."""

    def __init__(self, names: Sequence[str]) -> None:
        self.steps = [step for step in STEPS if step.name in set(names)]
        self.heads: dict[str, list[Recipe]] = {}  # by the form of what they give
        for name in names:
            for recipe in RECIPES[name]:
                if form := form_of(recipe):
                    self.heads.setdefault(form, []).append(recipe)

    def leads(self, names: Sequence[str], least: int) -> list[str]:
        """Those of `names` that stand in a chain of at least so many functions."""
        return [name for name in names if any(self._compose(name, least, n) for n in range(_LOOKS))]

    def _compose(self, name: str, least: int, number: int) -> Chain | None:
        return self.compose(name, least, rng_of("chain", name, number))

    def compose(self, lead: str, least: int, rng: random.Random) -> Chain | None:
        """A random chain of `least` functions, or one more, with `lead` in it; None if the draw fails."""
        count = rng.choice((least - 1, least - 1, least - 1, least))
        heads = [(form, r) for form, recipes in self.heads.items() for r in recipes if r.name == lead]
        steps = [step for step in self.steps if step.name == lead]
        standing: list[tuple[str, Recipe] | Step] = [*heads, *steps]
        chosen = rng.choice(standing) if standing else None
        if chosen is None:
            return None
        done: list[Step] = []
        if isinstance(chosen, Step):
            done = [chosen]
            form = rng.choice(chosen.takes)
            given = chosen.form(form)
            for _ in range(rng.randrange(count)):
                before = [(s, t) for s in self.steps for t in s.takes if s.form(t) == form]
                if not before:
                    return None
                step, form = rng.choice(before)
                done.insert(0, step)
            if form not in self.heads:
                return None
            recipe = rng.choice(self.heads[form])
        else:
            given, recipe = chosen
        while len(done) < count:
            after = [step for step in self.steps if given in step.takes]
            if not after:
                return None
            done.append(rng.choice(after))
            given = done[-1].form(given)
        chain = Chain(recipe, tuple(done))
        named = [p for p, _ in chain.own]
        called = {meaning(name) for name in (recipe.name, *(step.name for step in done))}
        return chain if len(set(named)) == len(named) and len(called) == count + 1 else None


@cache
def form_of(recipe: Recipe) -> str | None:
    """The form of what a recipe gives; None if no step takes it, if it is now this and now that, or if it is
    what came in, so that no chain would need it.
    """
    rng = rng_of("form", recipe.name, recipe.kind, recipe.how)
    drawn = [draw(recipe.kind, max(3, recipe.least), recipe.own, Split.TRAIN, 0, rng) for _ in range(8)]
    made = [(truth(recipe, args), args) for args in drawn if args is not None]
    if all(equal(value, args[0]) for value, args in made):
        return None
    forms = {_form(value) for value, _ in made if value != []}
    return forms.pop() if len(forms) == 1 else None


def _form(value: Any) -> str | None:
    if isinstance(value, bool):
        return TRUTH
    if isinstance(value, str):
        return TEXT
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, complex):
        return ONE_COMPLEX
    leaves = _leaves(value)
    if not leaves or len({len(v) if isinstance(v, list) else -1 for v in value}) > 1:
        return None
    kinds = {type(v) for v in leaves}
    if kinds == {bool}:
        return TRUTHS if not isinstance(value[0], list) else None
    if kinds <= {int, float}:
        return (NUMBERS, TABLE, BLOCK)[min(np.ndim(value), 3) - 1]
    return COMPLEX if kinds <= {int, float, complex} and not isinstance(value[0], list) else None


def _leaves(value: Any) -> list[Any]:
    return [leaf for v in value for leaf in _leaves(v)] if isinstance(value, list) else [value]


def _readable(value: Any) -> bool:
    """Neither empty nor huge, and without NaN."""
    leaves = _leaves(value)
    return bool(leaves) and all(isinstance(v, str) or abs(v) < LARGEST for v in leaves)


@cache
def _call(step: Step, by: float) -> Any:
    """The step as a function of the result and its parameters; results moved `by`."""
    own = [p for p, _ in step.own]
    arguments = step.how.format("value", **{p: p for p in own})
    # The text is a row of our own table, and the same code that solutions show.
    return eval(
        f"lambda {', '.join(['value', *own])}: function({arguments})", {"function": function(step.name, by)}
    )
