"""The curriculum buffer: a bounded set of starts for further iteration, ranked by learnability.

When it is full, a start enters only with a score at least as high as the lowest one, which it replaces
(the oldest of equals). Draws follow a softmax over the scores. Source: ExIt (arXiv 2509.04575).

Every operation looks at all starts it keeps, at most `size` of them. Choosing what a start's score is,
and when it is offered, is the curator's business.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from protocols.errors import StoreError
from protocols.records import Record, Start


class BufferEntry(Record, frozen=True):
    start: Start
    score: float  # learnability of the group that it comes from, or of its own last visit
    visits: int  # how often it was drawn
    round: int  # in which it was offered last
    entered: int  # order of entry


class BufferChanges(Record, frozen=True):
    """What to write down so that the stored buffer equals this one again."""

    put: tuple[BufferEntry, ...] = ()
    drop: tuple[str, ...] = ()  # start ids


class StartBuffer:
    """At most `size` starts, sampled with inverse temperature `kappa` (0 = uniformly)."""

    def __init__(self, size: int, kappa: float) -> None:
        if size < 1 or kappa < 0:
            raise ValueError(f"a buffer needs size >= 1 and kappa >= 0, got {size} and {kappa}")
        self.size = size
        self.kappa = kappa
        self._entries: dict[str, BufferEntry] = {}
        self._entered = 0
        self._counts = {"offered": 0, "admitted": 0, "replaced": 0, "refused": 0, "drawn": 0}
        self._changed: dict[str, None] = {}  # start ids in order of their first change, as an ordered set

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, start_id: object) -> bool:
        return start_id in self._entries

    def entries(self) -> list[BufferEntry]:
        """Highest score first, the newest of equals first."""
        return sorted(self._entries.values(), key=lambda entry: (-entry.score, -entry.entered))

    def offer(self, start: Start, score: float, round: int) -> bool:
        """Admit a start, or refuse it; a start that is in it gets the new score and stays.

        Raises:
            ValueError: the score is not finite.
        """
        if not math.isfinite(score):
            raise ValueError(f"start {start.id}: a score must be finite, got {score!r}")
        self._counts["offered"] += 1
        held = self._entries.get(start.id)
        if held is None and len(self) >= self.size:
            lowest = min(self._entries.values(), key=lambda entry: (entry.score, entry.entered))
            if score < lowest.score:
                self._counts["refused"] += 1
                return False
            del self._entries[lowest.start.id]
            self._changed[lowest.start.id] = None
            self._counts["replaced"] += 1
        if held is None:
            self._entered += 1
            self._counts["admitted"] += 1
            held = BufferEntry(start=start, score=score, visits=0, round=round, entered=self._entered)
        self._entries[start.id] = msgspec.structs.replace(held, start=start, score=score, round=round)
        self._changed[start.id] = None
        return True

    def probabilities(self) -> list[tuple[BufferEntry, float]]:
        """Every entry, in order of entry, with its chance: exp(kappa * score) over the sum of all."""
        entries = sorted(self._entries.values(), key=lambda entry: entry.entered)
        if not entries:
            return []
        highest = max(entry.score for entry in entries)  # exponents of at most 0 cannot overflow
        weights = [math.exp(self.kappa * (entry.score - highest)) for entry in entries]
        total = math.fsum(weights)
        return [(entry, weight / total) for entry, weight in zip(entries, weights)]

    def sample(self, rng: random.Random) -> Start:
        """Draw a start; the same entries and generator state give the same one.

        Raises:
            LookupError: it is empty.
        """
        chances = self.probabilities()
        if not chances:
            raise LookupError("the buffer is empty")
        entry = rng.choices([entry for entry, _ in chances], [chance for _, chance in chances])[0]
        self._entries[entry.start.id] = msgspec.structs.replace(entry, visits=entry.visits + 1)
        self._changed[entry.start.id] = None
        self._counts["drawn"] += 1
        return entry.start

    def take_changes(self) -> BufferChanges:
        """What changed since the last call, for the store."""
        changed, self._changed = self._changed, {}
        return BufferChanges(
            put=tuple(self._entries[start_id] for start_id in changed if start_id in self._entries),
            drop=tuple(start_id for start_id in changed if start_id not in self._entries),
        )

    def metrics(self) -> dict[str, float]:
        scores = [entry.score for entry in self._entries.values()]
        return {
            **{name: float(count) for name, count in self._counts.items()},
            "starts": float(len(scores)),
            "score_lowest": min(scores, default=0.0),
            "score_mean": math.fsum(scores) / len(scores) if scores else 0.0,
            "score_highest": max(scores, default=0.0),
        }

    def state_dict(self) -> dict[str, Any]:
        """Plain data without the entries, which the store keeps row by row; see `load_state_dict`."""
        return {
            "size": self.size,
            "kappa": self.kappa,
            "starts": len(self),
            "entered": self._entered,
            "counts": dict(self._counts),
        }

    def load_state_dict(self, state: dict[str, Any], entries: Sequence[BufferEntry]) -> None:
        """Become what `state` and the stored entries say.

        Raises:
            StoreError: the state belongs to a buffer of other settings, or the entries to another state.
        """
        for name, ours in (("size", self.size), ("kappa", self.kappa)):
            if state.get(name) != ours:
                raise StoreError(
                    f"buffer: the state was saved with {name}={state.get(name)}, this run has {name}={ours};"
                    " resume with the settings the run was started with"
                )
        if state["starts"] != len(entries):
            raise StoreError(
                f"buffer: the state counts {state['starts']} starts, but the store holds {len(entries)};"
                " the run database was changed by hand"
            )
        self._entries = {entry.start.id: entry for entry in entries}
        self._entered = state["entered"]
        self._counts = dict(state["counts"])
        self._changed = {}
