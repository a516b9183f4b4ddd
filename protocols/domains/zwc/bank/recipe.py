"""A recipe: how to make tasks about one function. Families of them are tables in the files beside this one.

A row names the function, what comes in, and what is asked, in words for training and others for the test.
Slots of the words: {them} is the scenario's noun ("the temperatures"), {x}, {y}, {z} are the scenario's
parameters, and every other slot is a parameter of the row's own.

Where one call is not the whole answer (a function that writes into its argument, results that are no plain
data or not unique), a row has a body: statements with slots for the parameters, {f} for the function, and
any other name for a function that helps ("{array}").

Does not cover: scenarios and sentences (`wording`), drawing arguments (`values`), tasks (`build`).
"""

import string
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from protocols.domains.zwc.bank.rounding import function
from protocols.records import Split


@dataclass(frozen=True)
class Recipe:
    name: str  # original dotted name
    kind: str  # of scenario and arguments, see `values.KINDS`
    own: tuple[tuple[str, str], ...]  # parameters of its own: (name, generator in `values.OWN`)
    train: tuple[str, ...]  # what is asked, as noun phrases
    test: tuple[str, ...]
    how: str  # arguments of the call, with slots
    extra: str  # words for the parameters of its own
    least: int  # shortest legal list
    body: str = ""  # statements instead of one call, with slots

    def phrases(self, split: Split) -> tuple[str, ...]:
        return self.train if split is Split.TRAIN else self.test

    @cached_property
    def helpers(self) -> tuple[str, ...]:
        """Original names of the other functions that its answer calls, in order."""
        slots = [slot for _, slot, _, _ in string.Formatter().parse(self.body) if slot]
        known = {"f", "x", "y", "z", *(p for p, _ in self.own)}
        return tuple(dict.fromkeys(slot for slot in slots if slot not in known))

    def code(self, names: Sequence[str], function: str, helpers: Sequence[str]) -> str:
        """The answer as statements, with these names for the scenario's parameters and the functions."""
        own = [p for p, _ in self.own]
        slots = dict(zip("xyz", names)) | {p: p for p in own}
        if self.body:
            return self.body.format(**slots, f=function, **dict(zip(self.helpers, helpers)))
        arguments = self.how.format(**slots) if self.how else ", ".join([*names, *own])
        return f"return {function}({arguments})"

    def evaluate(self, args: Sequence[Any], by: float = 0.0) -> Any:
        """What the real function gives on these arguments; results moved `by`, see `rounding`."""
        return _compiled(self, len(args) - len(self.own), by)(*args)


def row(
    name: str,
    inputs: str,
    train: str,
    test: str,
    how: str = "",
    extra: str = "",
    least: int = 1,
    body: str = "",
) -> Recipe:
    """A recipe from short text: `inputs` is a kind and own parameters ("reals k=index"); phrases are
    separated by semicolons. Without `how` and `body` the call takes all parameters in order.
    """
    kind, *own = inputs.split()
    named = [(p, g) for p, _, g in (o.partition("=") for o in own)]
    return Recipe(name, kind, tuple(named), _split(train), _split(test), how, extra, least, body)


def each(name: str, inputs: str, what: str, least: int = 1, **more: str) -> Recipe:
    """A recipe for a function that works entry by entry on one list: `what` is a noun ("square root")."""
    train, test = [], []
    for noun in _split(what):
        train += [
            f"the {noun} of each of {{them}}",
            f"a list with the {noun} of every one of {{them}}",
            f"{{them}}, each turned into its {noun}",
            f"every {noun} that belongs to one of {{them}}",
            f"all of {{them}}, each replaced by its {noun}",
            f"one {noun} for each of {{them}}",
        ]
        test += [f"for each of {{them}} its {noun}", f"the {noun} for all of {{them}}, one by one"]
    return row(name, inputs, ";".join(train), ";".join(test), least=least, **more)


def both(name: str, inputs: str, what: str, least: int = 1, **more: str) -> Recipe:
    """A recipe for a function that works entry by entry on two lists: `what` is about `{x}` and `{y}`."""
    train, test = [], []
    for phrase in _split(what):
        train += [f"{phrase}, entry by entry", f"for each position {phrase}"]
        test += [f"position by position {phrase}", f"{phrase} for every pair"]
    return row(name, inputs, ";".join(train), ";".join(test), least=least, **more)


@cache
def _compiled(recipe: Recipe, arity: int, by: float) -> Callable[..., Any]:
    names = ["x", "y", "z"][:arity]
    known: dict[str, Any] = {name: function(name, by) for name in recipe.helpers}
    known["function"] = function(recipe.name, by)
    statements = recipe.code(names, "function", recipe.helpers)
    # The text is a row of our own tables, and the same code that solutions show.
    exec(definition("solve", [*names, *(p for p, _ in recipe.own)], statements), known)
    made: Callable[..., Any] = known["solve"]
    return made


def definition(name: str, parameters: Sequence[str], statements: str) -> str:
    """A function of these statements, as code."""
    return f"def {name}({', '.join(parameters)}):\n" + textwrap.indent(statements, "    ")


def tables(name: str, noun: str, whole: bool = True) -> list[Recipe]:
    """Recipes for the same function on tables: over everything, along rows, along columns."""
    return [
        row(
            name,
            "tables",
            f"the {noun} of everything in `{{x}}`; the {noun} over all cells of `{{x}}`; "
            f"the {noun} of the whole table `{{x}}`",
            f"the {noun} over the whole of `{{x}}`",
        ),
        row(
            name,
            "tables",
            f"the {noun} of each row of `{{x}}`; for each row of `{{x}}` the {noun}; "
            f"row by row the {noun} of `{{x}}`",
            f"the {noun} along every row of `{{x}}`",
            how="{x}, axis=1",
        ),
        row(
            name,
            "tables",
            f"the {noun} of each column of `{{x}}`; for each column of `{{x}}` the {noun}; "
            f"column by column the {noun} of `{{x}}`",
            f"the {noun} down every column of `{{x}}`",
            how="{x}, axis=0",
        ),
    ][not whole :]


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())
