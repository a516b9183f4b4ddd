"""Arguments that are complex numbers, arrays with three axes, or a few numbers of another range."""

import math
import random
from typing import Any

from protocols.domains.zwc.bank.grids import dominant, grid
from protocols.domains.zwc.bank.values import Draw, length, numbers, picked, two


def complexes(rng: random.Random, case: int, least: int) -> list[Any]:
    """Complex numbers with short parts; some are real."""
    imaginary = [0.0 if rng.random() < 0.3 else round(rng.uniform(-9, 9), 1) for _ in range(9)]
    size = length(rng, case, least)
    return [[complex(round(rng.uniform(-9, 9), 1), imaginary[i]) for i in range(size)]]


def cubes(rng: random.Random, case: int, least: int) -> list[Any]:
    """Whole numbers along three axes of different lengths."""
    a, b, c = rng.sample([2, 3, 4], 3)
    return [[grid(rng, b, c) for _ in range(a)]]


def wrapped(rng: random.Random, case: int, least: int) -> list[Any]:
    """Three axes, of which one or two have a single entry."""
    shape = rng.choice([(1, 3, 1), (1, 2, 3), (2, 1, 3), (4, 1, 1), (3, 2, 1), (1, 1, 5)])
    return [[grid(rng, shape[1], shape[2]) for _ in range(shape[0])]]


def tensor(rng: random.Random, case: int, least: int) -> list[Any]:
    """An array of 2 x 2 x 4 numbers that can be undone: an invertible matrix, its rows in two tables."""
    while len(rows := dominant(rng, 0, least)[0]) != 2:
        continue
    other = dominant(rng, 2, least)[0][0][0]
    matrix = [[*rows[0], 1, 0], [*rows[1], 0, 0], [0, 0, other, 0], [0, 2, 0, rng.choice([-3, -1, 1, 2])]]
    return [[matrix[:2], matrix[2:]]]


def tensor_system(rng: random.Random, case: int, least: int) -> list[Any]:
    return [*tensor(rng, case, least), grid(rng, 2, 2)]


def table_and_row(rng: random.Random, case: int, least: int) -> list[Any]:
    """A table and a list as wide; half of the time all rows are the list, or all but one entry."""
    table = grid(rng, rng.randint(1, 3), rng.randint(2, 4))
    row = grid(rng, 1, len(table[0]))[0]
    change = rng.randrange(3)
    if change < 2:
        table = [list(row) for _ in table]
    if change == 1 and case % 2:
        table[-1][0] += 1
    return [table, row]


def exponents(rng: random.Random, case: int, least: int) -> list[Any]:
    start = rng.randint(-3, 2)
    return [start, start + rng.randint(1, 3)]


FURTHER: dict[str, tuple[str, Draw]] = {
    "complexes": ("complexes", complexes),
    "complexes2": ("complexes2", two(complexes)),
    "cubes": ("cubes", cubes),
    "wrapped": ("cubes", wrapped),
    "tensor": ("cubes", tensor),
    "tensor2": ("tensor2", tensor_system),
    "row2": ("row2", table_and_row),
    "gaps2": ("pairs", two(picked(math.nan, of=numbers(-40, 60)))),
    "exponents2": ("ends2", exponents),
    "whole_number": ("sizes", lambda rng, case, least: [rng.randint(5, 999)]),
}
