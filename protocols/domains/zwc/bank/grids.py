"""Arguments that are tables and matrices: nested lists, rows first."""

import random
from typing import Any

from protocols.domains.zwc.bank.values import Draw

Table = list[list[Any]]


def grid(
    rng: random.Random, rows: int, columns: int, low: int = -9, high: int = 9, whole: bool = True
) -> Table:
    def entry() -> float | int:
        return rng.randint(low, high) if whole else round(rng.uniform(low, high), 1)

    return [[entry() for _ in range(columns)] for _ in range(rows)]


def tables(low: int = -9, high: int = 30, whole: bool = False, least: int = 2) -> Draw:
    """A table; a single row in case 2, ties in case 1 (few different numbers)."""

    def draw(rng: random.Random, case: int, _: int) -> list[Any]:
        rows = 1 if case == 2 else rng.randint(2, 4)
        top = low + 3 if case == 1 else high
        return [grid(rng, rows, rng.randint(least, 4), low, top, whole or case % 2 == 1)]

    return draw


def sparse(rng: random.Random, case: int, _: int) -> list[Any]:
    (table,) = tables(1, 9, whole=True)(rng, case, _)
    return [[[v if rng.random() < 0.5 else 0 for v in row] for row in table]]


def squares(rng: random.Random, case: int, _: int) -> list[Any]:
    size = 1 if case == 2 else rng.randint(2, 4)
    return [grid(rng, size, size)]


def dominant(rng: random.Random, case: int, _: int) -> list[Any]:
    """A square matrix that is safely invertible: the diagonal outweighs the rest of each row."""
    size = 1 if case == 2 else rng.randint(2, 3)
    table = grid(rng, size, size, -4, 4)
    for i, row in enumerate(table):
        row[i] = rng.choice([-1, 1]) * (sum(map(abs, row)) + rng.randint(1, 3))
    return [table]


def system(rng: random.Random, case: int, _: int) -> list[Any]:
    (table,) = dominant(rng, case, _)
    return [table, [rng.randint(-9, 9) for _ in table]]


def symmetric(rng: random.Random, case: int, _: int) -> list[Any]:
    (table,) = squares(rng, case, _)
    return [[[table[max(i, j)][min(i, j)] for j in range(len(table))] for i in range(len(table))]]


def definite(rng: random.Random, case: int, _: int) -> list[Any]:
    """A matrix times its transpose, plus the identity: symmetric and positive definite."""
    size = 1 if case == 2 else rng.randint(2, 3)
    a = grid(rng, size, size, -3, 3)
    return [[[sum(v * w for v, w in zip(p, q)) + (i == j) for j, q in enumerate(a)] for i, p in enumerate(a)]]


def deficient(rng: random.Random, case: int, _: int) -> list[Any]:
    """A matrix of a drawn rank: random rows, and whole multiples of them."""
    rank = rng.randint(1, 4)
    rows = [
        [0] * i + [rng.choice([1, 2, 3])] + [rng.randint(-3, 3) for _ in range(4 - i)] for i in range(rank)
    ]
    rows += [[rng.choice([-2, 2, 3]) * v for v in rng.choice(rows)] for _ in range(rng.randint(0, 2))]
    rng.shuffle(rows)
    return [rows]


def together(how: str) -> Draw:
    """Two tables (three in a chain) whose shapes fit: `chain`, `same`, `beside`, `below`, `width`, `any`."""

    def draw(rng: random.Random, case: int, _: int) -> list[Any]:
        a, b, c, d = (1 if case == 2 and i == 0 else rng.randint(2, 3) for i in range(4))
        shapes = {
            "chain": [(a, b), (b, c)],
            "chain3": [(a, b), (b, c), (c, d)],
            "same": [(a, b), (a, b)],
            "beside": [(a, b), (a, c)],
            "below": [(a, b), (c, b)],
            "width": [(a, b), (c, b)],
            "any": [(a, 2), (2, c)],
        }[how]
        return [grid(rng, *shape) for shape in shapes]

    return draw


def space(rng: random.Random, case: int, _: int) -> list[Any]:
    return [[rng.randint(-9, 9) for _ in range(3)] for _ in range(2)]


GRIDS: dict[str, tuple[str, Draw]] = {
    "tables": ("tables", tables()),
    "whole_tables": ("tables", tables(whole=True)),
    "sparse_tables": ("tables", sparse),
    "wide_tables": ("tables", tables(least=3)),
    "matrices": ("matrices", tables(-9, 9, whole=True)),
    "squares": ("squares", squares),
    "dominant": ("squares", dominant),
    "symmetric": ("symmetric", symmetric),
    "definite": ("symmetric", definite),
    "deficient": ("matrices", deficient),
    "system2": ("system2", system),
    "chain2": ("matrices2", together("chain")),
    "chain3": ("matrices3", together("chain3")),
    "same2": ("matrices2", together("same")),
    "beside2": ("tables2", together("beside")),
    "below2": ("tables2", together("below")),
    "width2": ("matrices2", together("width")),
    "any2": ("matrices2", together("any")),
    "space2": ("space2", space),
}
