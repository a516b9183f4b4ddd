"""Weighted draws from a changing set in logarithmic time: a binary tree of sums over numbered slots.

A node knows of the leaves below it: their softmax sum, relative to the highest score (no exponent can
overflow), how many there are, and the sum of when they were drawn last. Each node is computed from its two
children, never by adding up differences: the tree is a function of its leaves, and equal leaves draw equally.
"""

import math
from typing import NamedTuple


class _Node(NamedTuple):
    highest: float  # score among the leaves below
    total: float  # sum of exp(kappa * (score - highest)) over them
    leaves: int
    last: int  # sum of the draw numbers at which they were drawn last


_NOTHING = _Node(-math.inf, 0.0, 0, 0)


class DrawTree:
    """Slots 0 .. size-1, each empty or with a score and the draw number at which it was drawn last."""

    def __init__(self, size: int, kappa: float) -> None:
        self._kappa = kappa
        self._first = 1 << max(0, size - 1).bit_length()  # index of slot 0's leaf; the root is 1
        self._nodes = [_NOTHING] * (2 * self._first)

    def put(self, slot: int, score: float, last: int) -> None:
        """Set a slot. O(log size)."""
        place = self._first + slot
        self._nodes[place] = _Node(score, 1.0, 1, last)
        while place > 1:
            place //= 2
            self._nodes[place] = self._joined(self._nodes[2 * place], self._nodes[2 * place + 1])

    def by_score(self, u: float) -> int:
        """The slot at share `u` in [0, 1) of the softmax's mass. O(log size)."""
        place = 1
        while place < self._first:
            left, right, whole = self._nodes[2 * place], self._nodes[2 * place + 1], self._nodes[place]
            share = self._share(left, whole.highest) / whole.total
            if right.leaves == 0 or (u < share and left.leaves > 0):
                place, u = 2 * place, min(u / share, _BELOW_ONE)
            else:
                place, u = 2 * place + 1, max(0.0, (u - share) / (1 - share)) if share < 1 else 0.0
        return place - self._first

    def by_age(self, u: float, now: int) -> int | None:
        """The slot at share `u` of the time that slots have not been drawn, up to draw `now`; None if none
        waits. O(log size)."""

        def waited(node: _Node) -> int:
            return node.leaves * now - node.last

        if waited(self._nodes[1]) <= 0:
            return None
        rest, place = u * waited(self._nodes[1]), 1
        while place < self._first:
            left = waited(self._nodes[2 * place])
            if rest < left or waited(self._nodes[2 * place + 1]) == 0:
                place = 2 * place
            else:
                place, rest = 2 * place + 1, rest - left
        return place - self._first

    def _joined(self, left: _Node, right: _Node) -> _Node:
        highest = max(left.highest, right.highest)
        total = self._share(left, highest) + self._share(right, highest)
        return _Node(highest, total, left.leaves + right.leaves, left.last + right.last)

    def _share(self, node: _Node, highest: float) -> float:
        return node.total * math.exp(self._kappa * (node.highest - highest)) if node.leaves else 0.0


_BELOW_ONE = 1 - 2**-53
