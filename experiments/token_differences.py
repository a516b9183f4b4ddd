"""Two answers to the same request, token by token: where they part, and how far apart they are before that.

Pure functions. What is generated again, and why it may differ, is `experiments.regenerate`.
"""

import math
from collections.abc import Sequence

from protocols.records import Record


class Sampled(Record):
    """What was sampled for one request: ids after the given opening, and the log-probability of each."""

    ids: tuple[int, ...]  # () where the engine tells none
    logprobs: tuple[float, ...]  # as long as `ids`; NaN = not known
    text: str


class Compared(Record):
    """How two answers agree."""

    tokens: int  # of the longer one
    equal: int  # places at which both have the same id
    first: int | None  # place of the first token that differs, from 0; None: there is none
    differences: tuple[float, ...]  # |log-probability there - here| of the tokens before that, which share
    # their context; NaN ones left out

    @property
    def same_tokens(self) -> bool:
        return self.first is None

    @property
    def same(self) -> bool:
        """Tokens and log-probabilities are equal to the last bit."""
        return self.first is None and not any(self.differences)


def compare(stored: Sampled, again: Sampled) -> Compared:
    """Where no ids are known, texts are compared as if each were one token."""
    if not stored.ids or not again.ids:
        alike = stored.text == again.text and bool(stored.ids) == bool(again.ids)
        if not stored.ids and not again.ids and not stored.text and not again.text:
            return Compared(tokens=0, equal=0, first=None, differences=())
        return Compared(tokens=1, equal=int(alike), first=None if alike else 0, differences=())
    tokens = max(len(stored.ids), len(again.ids))
    same = [here == there for here, there in zip(stored.ids, again.ids)]
    shorter = len(same)
    first = same.index(False) if False in same else None if shorter == tokens else shorter
    before = shorter if first is None else first
    apart = (abs(x - y) for x, y in zip(stored.logprobs[:before], again.logprobs[:before]))
    return Compared(
        tokens=tokens, equal=sum(same), first=first, differences=tuple(d for d in apart if not math.isnan(d))
    )


def parting(stored: str, again: str, width: int = 40) -> tuple[str, str]:
    """What each text says from the first character on in which they differ, at most `width` characters."""
    at = next((i for i, (x, y) in enumerate(zip(stored, again)) if x != y), min(len(stored), len(again)))
    return stored[at : at + width], again[at : at + width]


def mean(values: Sequence[float]) -> float:
    """0.0 without any."""
    return math.fsum(values) / len(values) if values else 0.0
