"""Two texts side by side, line by line. Pure functions; what they give is shown as plain text."""

from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

_LINES = 2_000  # of each text; matching takes the square of it at worst


class Sides(NamedTuple):
    """Two columns of equally many lines: `-` is gone, `+` is new, two spaces stand in both."""

    left: str
    right: str
    gone: int  # lines
    new: int


def side_by_side(before: str, after: str) -> Sides:
    """Aligned lines; where one side has none, an empty line keeps the place."""
    old, new = before.split("\n")[:_LINES], after.split("\n")[:_LINES]
    left: list[str] = []
    right: list[str] = []
    gone = fresh = 0
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            left += [f"  {line}" for line in old[a:b]]
            right += [f"  {line}" for line in new[c:d]]
            continue
        gone, fresh = gone + b - a, fresh + d - c
        for one, other in zip_longest(old[a:b], new[c:d]):
            left.append("" if one is None else f"- {one}")
            right.append("" if other is None else f"+ {other}")
    return Sides("\n".join(left), "\n".join(right), gone, fresh)
