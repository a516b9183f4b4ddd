"""Arguments of the hidden cases, by kind of scenario: the edges first, then ordinary data.

A case's number says which edge it is: 1 has ties, 2 a single element, 3 negative numbers only, 5 none at
all (each where the recipe allows it). Numbers are small and short, so that they read like data.
"""

import random
from collections.abc import Callable
from typing import Any

#: Draws the arguments that a scenario brings: (generator, case number, shortest legal list) -> arguments.
Draw = Callable[[random.Random, int, int], list[Any]]


def length(rng: random.Random, case: int, least: int) -> int:
    return max({2: 1, 5: 0}.get(case, rng.randint(4, 7)), least)


def numbers(low: float, high: float, whole: bool = False) -> Draw:
    """One list of numbers between the bounds: whole ones, or short decimals in every other case."""

    def draw(rng: random.Random, case: int, least: int) -> list[Any]:
        top = -1 if case == 3 and low < 0 else high
        values = [number(rng, low, top, whole or case % 2 == 1) for _ in range(length(rng, case, least))]
        if case == 1 and len(values) > 2:
            values[-1] = values[1]
        return [values]

    return draw


def number(rng: random.Random, low: float, high: float, whole: bool) -> float | int:
    return rng.randint(int(low), int(high)) if whole else round(rng.uniform(low, high), 1)


KINDS: dict[str, Draw] = {
    "reals": numbers(-40, 60),
    "positives": numbers(1, 90),
    "counts": numbers(0, 12, whole=True),
    "factors": numbers(1, 6),
}

OWN: dict[str, Callable[[random.Random, int, list[Any]], Any]] = {}
