"""Tasks from recipes, the same for the same seed.

Does not cover: tasks that models propose (`protocols.domains.zwc.proposals`).
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol

from protocols.domains.zwc.bank import chains, compositions
from protocols.domains.zwc.bank.cases import CASES, draw, truth, varied
from protocols.domains.zwc.bank.families import recipe_at
from protocols.domains.zwc.bank.recipe import definition
from protocols.domains.zwc.bank.rounding import settled
from protocols.domains.zwc.bank.wording import asked, scenarios, sentence, statement, them
from protocols.domains.zwc.functions import NAMES
from protocols.domains.zwc.plain import pack
from protocols.records import Origin, Split, Task
from protocols.seeds import digest, rng_of

#: The `multi_least` of tasks that compose two or three functions.
TWO_OR_THREE = 2
_WORDS = 60  # of a statement that goes step by step
_TRIES = 200  # draws for one task before the recipe counts as broken
_FRESH = 60  # of them with a statement that no earlier task has; then all wordings may be used up


class Named(Protocol):
    """What the bank needs of an obfuscated library."""

    @property
    def package(self) -> str: ...
    @property
    def entries(self) -> Mapping[str, str]: ...


def build_tasks(
    library: Named,
    names: Sequence[str],
    split: Split,
    kind: str,
    per_function: int,
    seed: int,
    multi_least: int = TWO_OR_THREE,
    limit: int | None = None,
) -> list[Task]:
    """Tasks about these functions (original names), spread evenly: first one for each, then the next.

    `kind` is single, multi or all; `per_function` counts tasks of each kind. Functions that compose with
    no other of `names` have no multi tasks. A statement only comes again when its function's wordings are
    used up. With a `multi_least` of 2, multi tasks compose two or three functions; above, they are chains of
    at least so many. No more than the first `limit` are made.
    """
    return list(islice(_in_order(library, names, split, kind, per_function, seed, multi_least), limit))


def _in_order(
    library: Named, names: Sequence[str], split: Split, kind: str, per_function: int, seed: int, least: int
) -> Iterator[Task]:
    seen: set[str] = set()
    compose = None
    if kind in ("multi", "all"):
        compose, leading = _composing(names, least)
    for position in range(per_function):
        if kind in ("single", "all"):
            for name in names:
                yield _single(library, name, split, position, seed, seen)
        if compose is not None:
            for name in leading:
                task = compose(library, name, split, position, seed, seen)
                if task is not None:
                    yield task


def leads(names: Sequence[str], multi_least: int = TWO_OR_THREE) -> list[str]:
    """Those of these functions that multi tasks are made for."""
    return _composing(names, multi_least)[1]


def _composing(names: Sequence[str], least: int) -> tuple[Callable[..., Task | None], list[str]]:
    if least > TWO_OR_THREE:
        chained = chains.Offers(names)
        return partial(_chain, chained, least), chained.leads(names, least)
    offered = compositions.offers(names)
    return partial(_multi, offered), [name for name in names if compositions.shapes(name, offered)]


def demonstrations(
    library: Named, count: int, seed: int, exclude: Sequence[str] = (), kind: str = "single"
) -> list[Task]:
    """Tasks of functions that are not in `exclude`, for worked examples: the plainest there are."""
    free = [n for n in NAMES if n not in exclude and n in library.entries]
    free.sort(key=_plainness)
    if kind == "multi":
        make, able = _composing(free, TWO_OR_THREE)
        able = rng_of(seed, "demonstrations", kind).sample(able[: 3 * count], min(count, len(able)))
        made = (make(library, name, Split.TRAIN, 0, seed, set()) for name in able)
        return [task for task in made if task is not None]
    chosen = rng_of(seed, "demonstrations").sample(free[: 3 * count], count)
    return build_tasks(library, chosen, Split.TRAIN, "single", 1, seed)


def _plainness(name: str) -> tuple[bool, bool, int]:
    """The smaller, the plainer: one call before several, one list before two, few parameters of its own.

    Where all examples take two lists, a small model fails at most functions of one.
    """
    recipe = recipe_at(name, 0)
    return bool(recipe.body), recipe.kind[-1].isdigit(), len(recipe.own)


def _single(library: Named, name: str, split: Split, position: int, seed: int, seen: set[str]) -> Task:
    recipe = recipe_at(name, position)
    for attempt in range(_TRIES):
        rng = rng_of(seed, split, name, position, attempt)
        scenario = rng.choice(scenarios(recipe.kind, split))
        text = statement(recipe, scenario, split, rng)
        if text in seen and attempt < _FRESH:
            continue
        answer = partial(truth, recipe)
        arguments, expected = _cases(answer, recipe.kind, recipe.least, recipe.own, split, rng)
        if not varied(expected):
            continue
        seen.add(text)
        parameters = [*scenario.names, *(p for p, _ in recipe.own)]
        topics = tuple(library.entries[n] for n in (name, *recipe.helpers))
        function, *helpers = (f"{library.package}.{topic}" for topic in topics)
        statements = recipe.code(scenario.names, function, helpers)
        return _task("single", split, text, topics, parameters, arguments, expected, statements)
    raise AssertionError(f"the recipe of {name} makes no task")


def _multi(
    offered: compositions.Offers,
    library: Named,
    name: str,
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
        answer = partial(compositions.answer, tree)
        arguments, expected = _cases(answer, kind, 3, (), split, rng)
        if None in expected or not varied(expected) or not compositions.needed(tree, arguments, expected):
            continue
        seen.add(text)
        called = compositions.functions(tree)
        spelled = {n: f"{library.package}.{library.entries[n]}" for n in called}
        statements = f"return {compositions.code(tree, spelled | dict(zip('xy', scenario.names)))}"
        topics = tuple(library.entries[n] for n in called)
        return _task("multi", split, text, topics, list(scenario.names), arguments, expected, statements)
    return None


def _chain(
    offered: chains.Offers,
    least: int,
    library: Named,
    name: str,
    split: Split,
    position: int,
    seed: int,
    seen: set[str],
) -> Task | None:
    """A task of at least so many functions with this one among them; None where nothing comes of it."""
    for attempt in range(_TRIES):
        rng = rng_of(seed, split, "chain", least, name, position, attempt)
        chain = offered.compose(name, least, rng)
        if chain is None:
            continue
        recipe = chain.recipe
        scenario = rng.choice(scenarios(recipe.kind, split))
        parameters = [*scenario.names, *(p for p, _ in chain.own)]
        if len(set(parameters)) < len(parameters):
            continue
        first, extra = asked(recipe, scenario, split, rng)
        extra = " and ".join(filter(None, [extra, chain.extra()]))
        what = chain.words(split, rng.choice(chains.RESULTS[split]))
        text = sentence(scenario, what, split, rng, extra, first)
        if len(text.split()) > _WORDS or (text in seen and attempt < _FRESH):
            continue
        least_long = max(3, recipe.least)
        arguments, expected = _cases(chain.answer, recipe.kind, least_long, chain.own, split, rng)
        if None in expected or not varied(expected) or not chain.needed(arguments, expected):
            continue
        seen.add(text)
        topics = tuple(library.entries[n] for n in chain.functions)
        spelled = {n: f"{library.package}.{library.entries[n]}" for n in chain.functions}
        statements = chain.code(scenario.names, spelled)
        return _task("multi", split, text, topics, parameters, arguments, expected, statements)
    return None


def _cases(
    answer: Callable[..., Any],
    kind: str,
    least: int,
    own: Sequence[tuple[str, str]],
    split: Split,
    rng: random.Random,
) -> tuple[list[list[Any]], list[Any]]:
    """Arguments of hidden cases, and the answer to each.

    Args:
        answer: of (arguments, how far results are moved).
    """

    def stands(args: list[Any]) -> bool:
        return settled(lambda by: answer(args, by=by))

    drawn = (draw(kind, least, own, split, number, rng, stands) for number in range(CASES))
    arguments = [args for args in drawn if args is not None]
    return arguments, [answer(args) for args in arguments]


def _task(
    kind: str,
    split: Split,
    text: str,
    topics: tuple[str, ...],
    parameters: list[str],
    arguments: list[list[Any]],
    expected: list[Any],
    statements: str,
) -> Task:
    """The task of these cases. What the answers are is left out of its id: last bits are the processor's."""
    asked = {
        "entry_point": "solve",
        "parameters": parameters,
        "cases": [{"args": pack(args)} for args in arguments],
        "solution": definition("solve", parameters, statements),
    }
    cases = [{"args": pack(a), "expected": pack(e)} for a, e in zip(arguments, expected)]
    return Task(
        id=digest("zwc", kind, text, topics, asked),
        domain="zwc",
        split=split,
        kind=kind,
        origin=Origin.SEED,
        statement=text,
        topics=topics,
        payload=asked | {"cases": cases},
    )
