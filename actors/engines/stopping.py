"""Stop strings in token streams. Text is looked at only where it matters.

`CLOSING` stands for the fence that closes a block: an answer that explains first goes on to its code. Servers
know strings only: they are given the fence, and asked to go on where it opened a block.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from protocols.fences import CLOSING, ends_closed

FENCE = "\n```"


def written(stops: Iterable[str]) -> list[str]:
    """Stop strings as they stand in texts."""
    return list(dict.fromkeys(FENCE if stop == CLOSING else stop for stop in stops if stop))


def _counts(text: str, stop: str) -> bool:
    """Whether a stop string at the end of this text, prefill and all, ends the answer."""
    return stop != CLOSING or ends_closed(text)


def first_end(text: str, given: int, stops: Iterable[str]) -> int | None:
    """Where the first stop string in a text ends that counts; None where there is none.

    Args:
        given: characters of the prefill; a stop string ends behind them, but may begin in them.
    """
    ends = []
    for stop in filter(None, stops):
        (string,) = written([stop])
        at = text.find(string, max(0, given - len(string) + 1))
        while at >= 0 and not _counts(text[: at + len(string)], stop):
            at = text.find(string, at + 1)
        if at >= 0:
            ends.append(at + len(string))
    return min(ends, default=None)


class StopWatch:
    """Finds stop strings in token streams, across token boundaries.

    A stop string has to end in sampled text; it may begin in the prefill. Decoding is the expensive part,
    so a row is decoded only when its newest token contains the last character of a stop string.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._pieces: dict[int, str] = {}

    def stopped(self, sampled: list[int], prefill: str, stops: Iterable[str]) -> bool:
        """Whether the newest of the sampled ids completes one of the stop strings, and it counts."""
        piece = self._piece(sampled[-1])
        for stop, string in ((stop, *written([stop])) for stop in filter(None, stops)):
            # An undecodable piece may be part of a character that only the whole text shows.
            if string[-1] in piece or "�" in piece:
                window = len(string.encode()) + 4  # every token brings at least one byte
                opening = prefill[max(0, len(prefill) - len(string) + 1) :] if len(sampled) <= window else ""
                near = opening + self.decode(sampled[-window:])
                if string in near and (stop != CLOSING or self._closes(sampled, prefill)):
                    return True
        return False

    def goes_on(self, sampled: Sequence[int], prefill: str, stops: Sequence[str], found: Any) -> bool:
        """Whether an engine stopped at a stop string, `found`, that ends no answer: the fence of a block that
        begins."""
        at_fence = found == FENCE and CLOSING in stops and FENCE not in stops
        return at_fence and not self.stopped(list(sampled), prefill, (CLOSING,))

    def _closes(self, sampled: Sequence[int], prefill: str) -> bool:
        """Of the last fence so far. What the newest token says behind it does not matter."""
        text = prefill + self.decode(list(sampled))
        at = text.rfind(FENCE)
        return at >= 0 and ends_closed(text[: at + len(FENCE)])

    def first_stop(self, sampled: list[int], prefill: str, stops: Sequence[str]) -> int:
        """How many of the sampled ids there are up to the first stop string that begins in the prefill;
        all of them where there is none."""
        near = max((len(stop.encode()) + 4 for stop in stops), default=0)
        ends = range(1, min(len(sampled), near) + 1) if prefill else ()
        return next((end for end in ends if self.stopped(sampled[:end], prefill, stops)), len(sampled))

    def decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _piece(self, token: int) -> str:
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self.decode([token])
        return piece
