"""Arguments of the hidden cases, by kind: the edges first, then ordinary data.

A case's number says which edge it is: 1 has ties, 2 a single element, 3 negative numbers only, 5 none at
all (each where the kind and the recipe allow it). Numbers are small and short, so that they read like data.

Does not cover: tables and matrices (`matrices`), and which words go with a kind (`scenarios`).
"""

import math
import random
from collections.abc import Callable
from typing import Any

#: Draws the arguments that a scenario brings: (generator, case number, shortest legal list) -> arguments.
Draw = Callable[[random.Random, int, int], list[Any]]
#: Draws a parameter of a recipe's own, when the arguments before it are known.
Own = Callable[[random.Random, int, list[Any]], Any]


def length(rng: random.Random, case: int, least: int) -> int:
    return max({2: 1, 5: 0}.get(case, rng.randint(4, 7)), least)


def numbers(low: float, high: float, digits: int = 1, whole: bool = False) -> Draw:
    """One list of numbers between the bounds: whole ones, or short decimals (whole in every other case)."""

    def draw(rng: random.Random, case: int, least: int) -> list[Any]:
        top = -1 if case == 3 and low < -1 else high
        plain = whole or (case % 2 == 1 and digits == 1)
        values = [number(rng, low, top, plain, digits) for _ in range(length(rng, case, least))]
        if case == 1 and len(values) > 2:
            values[-1] = values[1]
        return [values]

    return draw


def number(rng: random.Random, low: float, high: float, whole: bool, digits: int = 1) -> float | int:
    return rng.randint(math.ceil(low), math.floor(high)) if whole else round(rng.uniform(low, high), digits)


def either_sign(of: Draw) -> Draw:
    return lambda rng, case, least: [[rng.choice([-1, 1]) * v for v in of(rng, case, least)[0]]]


def picked(*choices: Any, of: Draw) -> Draw:
    """The lists of another kind with some entries replaced by a few choices (zeros, NaN)."""

    def draw(rng: random.Random, case: int, least: int) -> list[Any]:
        (values,) = of(rng, case, least)
        kept = rng.randrange(len(values)) if values else 0  # one stays, so that something is left
        return [[v if i == kept or rng.random() < 0.6 else rng.choice(choices) for i, v in enumerate(values)]]

    return draw


def padded(rng: random.Random, case: int, least: int) -> list[Any]:
    """Zeros at the ends, and one in the middle now and then."""
    middle = [rng.choice([-4, -1, 0, 2, 3, 5, 8]) for _ in range(rng.randint(1, 4))]
    return [
        [0] * rng.randint(0, 3) + [rng.randint(1, 9), *middle, rng.randint(1, 9)] + [0] * rng.randint(0, 3)
    ]


def flags(rng: random.Random, case: int, least: int) -> list[Any]:
    """Truth values: mixed in case 0, elsewhere often all the same."""
    size = length(rng, case, least)
    if case == 0:
        return [rng.sample([True, False] * size, size - 2) + rng.sample([True, False], 2)]
    share = rng.choice([0.0, 0.5, 1.0])
    return [[rng.random() < share for _ in range(size)]]


def two(left: Draw, right: Draw | None = None) -> Draw:
    """Two lists of the same length; sometimes with equal entries at a place."""

    def draw(rng: random.Random, case: int, least: int) -> list[Any]:
        size = length(rng, case, least)
        a, b = ((d(rng, case % 2, size)[0] * 2)[:size] for d in (left, right or left))
        if right is None and size > 1 and case != 4:
            b[0] = a[0]
        return [a, b]

    return draw


def apart(of: Draw) -> Draw:
    """Two lists, as long as they happen to be."""
    return lambda rng, case, least: [of(rng, case, least)[0], of(rng, 0 if case == 5 else case, least)[0]]


def overlapping(rng: random.Random, case: int, least: int) -> list[Any]:
    """Two lists of whole numbers that share some; repeats occur."""
    a, b = ([rng.randint(1, 9) for _ in range(length(rng, case, least))] for _ in range(2))
    return [a, b + a[:2]]


def similar(rng: random.Random, case: int, least: int) -> list[Any]:
    """Two lists that agree entry by entry, or up to rounding, or not."""
    a = [round(rng.uniform(1, 20), 1) for _ in range(length(rng, case, least))]
    off = rng.choice([(0.0,), (0.0, 1e-9), (0.0, 0.5, 1e-9), (0.5,)])
    return [a, [v + rng.choice(off) for v in a]]


def repeated(rng: random.Random, case: int, least: int) -> list[Any]:
    """Two lists, every other time the same; sometimes one is longer."""
    a = [rng.randint(0, 9) for _ in range(length(rng, case, least))]
    b = list(a)
    change = rng.randrange(5)
    if change == 0:
        b.append(1)
    elif change == 1:
        b[rng.randrange(len(b))] += 1
    elif change == 2:
        b.reverse()
    return [a, b]


def curve(rng: random.Random, case: int, least: int) -> list[Any]:
    """Increasing positions, and heights over them."""
    size = max(rng.randint(3, 6), least)
    return [sorted(rng.sample(range(30), size)), [round(rng.uniform(-9, 30), 1) for _ in range(size)]]


def coefficients(rng: random.Random, case: int, least: int) -> list[Any]:
    """A polynomial's coefficients, highest power first; the first is not 0."""
    return [[rng.choice([-3, -2, -1, 1, 2, 3]), *(rng.randint(-5, 5) for _ in range(rng.randint(1, 3)))]]


def ends(low: int, high: int) -> Draw:
    """Two different numbers, the smaller first."""

    def draw(rng: random.Random, case: int, least: int) -> list[Any]:
        start = rng.randint(low, high)
        return [start, start + rng.randint(2, 20)]

    return draw


def sizes(rng: random.Random, case: int, least: int) -> list[Any]:
    return [rng.randint(1, 12)]


def rows_and_columns(rng: random.Random, case: int, least: int) -> list[Any]:
    return [rng.randint(2, 9), rng.randint(2, 9)]


def in_order(of: Draw) -> Draw:
    return lambda rng, case, least: [sorted(of(rng, case, least)[0])]


def composite(rng: random.Random, case: int, least: int) -> list[Any]:
    """A list whose length can be divided."""
    return [[round(rng.uniform(-9, 30), 1) for _ in range(rng.choice([4, 6, 8, 9, 10, 12]))]]


def _divisor(rng: random.Random, case: int, args: list[Any]) -> int:
    return rng.choice([d for d in range(2, len(args[0])) if len(args[0]) % d == 0])


def _points(rng: random.Random, case: int, args: list[Any]) -> list[float]:
    return [round(rng.uniform(args[0][0] - 1, args[0][-1] + 1), 1) for _ in range(rng.randint(2, 4))]


#: Parameters of a recipe's own.
OWN: dict[str, Own] = {
    "index": lambda rng, case, args: rng.randrange(len(args[0])),
    "indices": lambda rng, case, args: [rng.randrange(len(args[0])) for _ in range(rng.randint(1, 4))],
    "mask": lambda rng, case, args: [rng.random() < 0.6 for _ in args[0]],
    "number": lambda rng, case, args: number(rng, -40, 60, case % 2 == 1),
    "small": lambda rng, case, args: rng.randint(-3, 4),
    "shift": lambda rng, case, args: rng.choice([-3, -2, -1, 1, 2, 3, 4]),
    "times": lambda rng, case, args: rng.randint(2, 4),
    "size": lambda rng, case, args: rng.randint(2, 9),
    "digits": lambda rng, case, args: rng.choice([0, 1, 1]),
    "percent": lambda rng, case, args: rng.randrange(5, 100, 5),
    "fraction": lambda rng, case, args: rng.randrange(5, 100, 5) / 100,
    "half": lambda rng, case, args: rng.choice([0.0, 0.25, 0.5, 1.0]),
    "low": lambda rng, case, args: rng.randint(-10, 10),
    "high": lambda rng, case, args: args[-1] + rng.randint(5, 25),
    "step": lambda rng, case, args: rng.choice([0.5, 2, 3, 4]),
    "stride": lambda rng, case, args: rng.randint(2, 5),
    "edges": lambda rng, case, args: sorted(rng.sample(range(-40, 60), rng.randint(2, 4))),
    "some": lambda rng, case, args: rng.sample(range(13), rng.randint(3, 6)),
    "points": _points,
    "divisor": _divisor,
    "cell": lambda rng, case, args: rng.randrange(args[0] * args[1]),
    "power": lambda rng, case, args: rng.randint(2, 4),
    "picks": lambda rng, case, args: [rng.randrange(2) for _ in args[0]],
    "base": lambda rng, case, args: rng.choice([2, 3, 5, 7, 8, 12, 16]),
    "digit_count": lambda rng, case, args: rng.randint(10, 14),
    "axis": lambda rng, case, args: rng.randrange(2),
    "high_enough": lambda rng, case, args: rng.randint(5, 20),
    "mark": lambda rng, case, args: rng.choice([", ", "; ", " - ", "/"]),
}

_reals = numbers(-40, 60)
_wholes = numbers(-20, 20, whole=True)
_counts = numbers(0, 12, whole=True)
_positives = numbers(1, 90)
_naturals = numbers(1, 40, whole=True)
_bits = numbers(0, 63, whole=True)

#: Kind -> the scenarios it takes, and its arguments.
LISTS: dict[str, tuple[str, Draw]] = {
    "reals": ("reals", _reals),
    "nonzero": ("reals", either_sign(numbers(0.5, 40, 2))),
    "decimals": ("reals", numbers(-30, 40, 2)),
    "small": ("reals", numbers(-3, 3, 2)),
    "positives": ("positives", _positives),
    "counts": ("counts", _counts),
    "naturals": ("counts", _naturals),
    "codes": ("counts", numbers(0, 5, whole=True)),
    "bits": ("counts", _bits),
    "wholes": ("wholes", _wholes),
    "factors": ("factors", numbers(1, 6)),
    "sparse": ("sparse", picked(0, of=_wholes)),
    "padded": ("sparse", padded),
    "flags": ("flags", flags),
    "degrees": ("degrees", numbers(-180, 720, whole=True)),
    "radians": ("radians", numbers(-3, 6, 2)),
    "units": ("ratios", numbers(-1, 1, 2)),
    "gaps": ("gaps", picked(math.nan, of=_reals)),
    "broken": ("gaps", picked(math.nan, math.inf, -math.inf, of=_reals)),
    "ordered": ("ordered", in_order(_reals)),
    "composite": ("reals", composite),
    "coefficients": ("coefficients", coefficients),
    "reals2": ("pairs", two(_reals)),
    "nonzero2": ("pairs", two(_reals, numbers(1, 9, whole=True))),
    "small2": ("pairs", two(numbers(-3, 5, 2))),
    "signs2": ("pairs", two(numbers(1, 50), numbers(-9, 9))),
    "positives2": ("pairs", two(_positives)),
    "powers2": ("counts2", two(numbers(1, 6, whole=True), numbers(0, 4, whole=True))),
    "wholes2": ("pairs", two(_wholes, numbers(2, 7, whole=True))),
    "ties2": ("pairs", two(numbers(1, 4, whole=True), numbers(1, 3, whole=True))),
    "counts2": ("counts2", two(_counts)),
    "naturals2": ("counts2", two(_naturals)),
    "bits2": ("counts2", two(_bits)),
    "flags2": ("flags2", two(lambda rng, case, least: [[rng.random() < 0.5 for _ in range(max(5, least))]])),
    "overlap2": ("groups2", overlapping),
    "lists2": ("lists2", apart(numbers(-9, 30, whole=True))),
    "similar2": ("similar2", similar),
    "repeated2": ("similar2", repeated),
    "curve2": ("curve2", curve),
    "coefficients2": ("coefficients2", apart(coefficients)),
    "weighted2": ("weighted2", two(_positives, numbers(1, 5, whole=True))),
    "ends2": ("ends2", ends(-20, 40)),
    "positive_ends2": ("ends2", ends(1, 12)),
    "sizes": ("sizes", sizes),
    "grid2": ("grid2", rows_and_columns),
}
