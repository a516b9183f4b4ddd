"""Stop strings in token streams. Text is looked at only where it matters."""

from collections.abc import Iterable, Sequence
from typing import Any


class StopWatch:
    """Finds stop strings in token streams, across token boundaries.

    A stop string has to end in sampled text; it may begin in the prefill. Decoding is the expensive part,
    so a row is decoded only when its newest token contains the last character of a stop string.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._pieces: dict[int, str] = {}

    def stopped(self, sampled: list[int], prefill: str, stops: Iterable[str]) -> bool:
        """Whether the newest of the sampled ids completes one of the stop strings."""
        piece = self._piece(sampled[-1])
        for stop in stops:
            # An undecodable piece may be part of a character that only the whole text shows.
            if stop and (stop[-1] in piece or "�" in piece):
                window = len(stop.encode()) + 4  # every token brings at least one byte
                opening = prefill[max(0, len(prefill) - len(stop) + 1) :] if len(sampled) <= window else ""
                if stop in opening + self.decode(sampled[-window:]):
                    return True
        return False

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
