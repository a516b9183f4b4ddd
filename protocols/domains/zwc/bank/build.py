"""Tasks from recipes, the same for the same seed.

Which split a case belongs to is decided by the digest of its arguments, so that no case can be in both.

Does not cover: tasks that models propose (`protocols.domains.zwc.proposals`).
"""

import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from protocols.domains.zwc.bank import (
    axes,
    choosing,
    compositions,
    conversions,
    decompositions,
    elementwise,
    filling,
    making,
    matrices,
    numbers,
    pairs,
    polynomials,
    reductions,
    sequences,
)
from protocols.domains.zwc.bank.aliases import taken_over
from protocols.domains.zwc.bank.kinds import KINDS
from protocols.domains.zwc.bank.recipe import Recipe, definition
from protocols.domains.zwc.bank.values import OWN
from protocols.domains.zwc.bank.wording import scenarios, sentence, statement, them
from protocols.domains.zwc.functions import NAMES
from protocols.domains.zwc.plain import pack, to_plain
from protocols.records import Origin, Split, Task
from protocols.seeds import digest, rng_of

CASES = 7
#: Cases with the same answer teach nothing: a task has at least this many different ones.
DISTINCT = 4
_TRIES = 200  # draws for one task before the recipe counts as broken
_FRESH = 60  # of them with a statement that no earlier task has; then all wordings may be used up


_FAMILIES = (
    *(reductions, sequences, elementwise, pairs, polynomials, making, matrices),
    *(conversions, filling, choosing, axes, numbers, decompositions),
)


class Named(Protocol):
    """What the bank needs of an obfuscated library."""

    @property
    def package(self) -> str: ...
    @property
    def entries(self) -> Mapping[str, str]: ...


def _recipes() -> dict[str, list[Recipe]]:
    found: dict[str, list[Recipe]] = {name: [] for name in NAMES}
    for family in _FAMILIES:
        for recipe in family.RECIPES:
            found[recipe.name].append(recipe)
    for recipe in taken_over(found):
        found[recipe.name].append(recipe)
    return found


#: Recipes by original name, the plainest first.
RECIPES = _recipes()


def build_tasks(
    library: Named, names: Sequence[str], split: Split, kind: str, per_function: int, seed: int
) -> list[Task]:
    """Tasks about these functions (original names), spread evenly: first one for each, then the next.

    `kind` is single, multi or all; `per_function` counts tasks of each kind. Functions that compose with
    no other of `names` have no multi tasks. A statement only comes again when its function's wordings are
    used up.
    """
    made: list[Task] = []
    seen: set[str] = set()
    for position in range(per_function):
        if kind in ("single", "all"):
            made += [_single(library, name, split, position, seed, seen) for name in names]
        if kind in ("multi", "all"):
            offered = compositions.offers(names)
            leads = [name for name in names if compositions.shapes(name, offered)]
            found = (_multi(library, name, offered, split, position, seed, seen) for name in leads)
            made += [task for task in found if task is not None]
    return made


def demonstrations(
    library: Named, count: int, seed: int, exclude: Sequence[str] = (), kind: str = "single"
) -> list[Task]:
    """Tasks of functions that are not in `exclude`, for worked examples: the plainest there are."""
    free = [n for n in NAMES if n not in exclude and n in library.entries]
    if kind == "multi":
        offered = compositions.offers(free)
        leads = [name for name in free if compositions.shapes(name, offered)]
        leads = rng_of(seed, "demonstrations", kind).sample(leads[: 3 * count], min(count, len(leads)))
        made = (_multi(library, name, offered, Split.TRAIN, 0, seed, set()) for name in leads)
        return [task for task in made if task is not None]
    chosen = rng_of(seed, "demonstrations").sample(free[: 3 * count], count)
    return build_tasks(library, chosen, Split.TRAIN, "single", 1, seed)


def recipe_at(name: str, position: int) -> Recipe:
    """The recipe of a function's task number `position`. Each further recipe is three times rarer."""
    rank, number = 0, position + 1
    while number % 3 == 0:
        rank, number = rank + 1, number // 3
    return RECIPES[name][min(rank, len(RECIPES[name]) - 1)]


def _single(library: Named, name: str, split: Split, position: int, seed: int, seen: set[str]) -> Task:
    recipe = recipe_at(name, position)
    for attempt in range(_TRIES):
        rng = rng_of(seed, split, name, position, attempt)
        scenario = rng.choice(scenarios(recipe.kind, split))
        text = statement(recipe, scenario, split, rng)
        if text in seen and attempt < _FRESH:
            continue
        cases = _cases(recipe, split, rng)
        if not varied([c["expected"] for c in cases]):
            continue
        seen.add(text)
        parameters = [*scenario.names, *(p for p, _ in recipe.own)]
        topics = tuple(library.entries[n] for n in (name, *recipe.helpers))
        function, *helpers = (f"{library.package}.{topic}" for topic in topics)
        statements = recipe.code(scenario.names, function, helpers)
        return _task("single", split, text, topics, parameters, cases, statements)
    raise AssertionError(f"the recipe of {name} makes no task")


def _multi(
    library: Named,
    name: str,
    offered: compositions.Offers,
    split: Split,
    position: int,
    seed: int,
    seen: set[str],
) -> Task | None:
    """A task that composes a function with others that are offered; None where nothing comes of it."""
    for attempt in range(_TRIES):
        rng = rng_of(seed, split, "multi", name, position, attempt)
        tree = compositions.compose(name, offered, rng)
        if tree is None:
            continue
        kind = compositions.kind(tree)
        scenario = rng.choice(scenarios(kind, split))
        noun = them(scenario, split, rng)
        text = sentence(scenario, compositions.words(tree, split, noun, scenario.names), split, rng)
        if text in seen and attempt < _FRESH:
            continue
        drawn = [_draw(kind, 3, (), split, number, rng) for number in range(CASES)]
        arguments = [args for args in drawn if args is not None]
        expected = compositions.answers(tree, arguments)
        if expected is None or not varied(expected) or not compositions.needed(tree, arguments, expected):
            continue
        seen.add(text)
        called = compositions.functions(tree)
        spelled = {n: f"{library.package}.{library.entries[n]}" for n in called}
        expression = compositions.code(tree, spelled | dict(zip("xy", scenario.names)))
        cases = [{"args": pack(a), "expected": pack(e)} for a, e in zip(arguments, expected)]
        topics = tuple(library.entries[n] for n in called)
        return _task("multi", split, text, topics, list(scenario.names), cases, f"return {expression}")
    return None


def _task(
    kind: str,
    split: Split,
    text: str,
    topics: tuple[str, ...],
    parameters: list[str],
    cases: list[dict[str, Any]],
    statements: str,
) -> Task:
    payload = {
        "entry_point": "solve",
        "parameters": parameters,
        "cases": cases,
        "solution": definition("solve", parameters, statements),
    }
    return Task(
        id=digest("zwc", kind, text, topics, payload),
        domain="zwc",
        split=split,
        kind=kind,
        origin=Origin.SEED,
        statement=text,
        topics=topics,
        payload=payload,
    )


def _cases(recipe: Recipe, split: Split, rng: random.Random) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = []
    for number in range(CASES):
        args = _draw(recipe.kind, recipe.least, recipe.own, split, number, rng)
        if args is not None:
            cases.append({"args": pack(args), "expected": pack(truth(recipe, args))})
    return cases


def _draw(
    kind: str, least: int, own: Sequence[tuple[str, str]], split: Split, number: int, rng: random.Random
) -> list[Any] | None:
    """Arguments of this split. An edge that only the other split has (the empty list) gives way to others."""
    for attempt in range(40):
        case = number if attempt < 6 else 0
        args = KINDS[kind][1](rng, case, least)
        for _, generator in own:
            args.append(OWN[generator](rng, case, args))
        if side(args) is split:
            return args
    return None


def side(args: list[Any]) -> Split:
    """The split that these arguments belong to."""
    return Split.TRAIN if int(digest(pack(args), size=1), 16) % 2 else Split.TEST


def truth(recipe: Recipe, args: list[Any]) -> Any:
    """What the real function gives."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of names that the library will give up
        return to_plain(recipe.evaluate(args))


def varied(expected: list[Any]) -> bool:
    """Whether the answers differ enough: true and false at least twice each, or `DISTINCT` values."""
    if len(expected) < CASES - 1:
        return False
    if all(isinstance(e, bool) for e in expected):
        return 2 <= sum(expected) <= len(expected) - 2
    return len({digest(e) for e in expected}) >= DISTINCT
