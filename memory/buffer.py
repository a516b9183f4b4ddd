"""The curriculum buffer: a bounded set of starts for further iteration, ranked by learnability.

When it is full, a start enters only with a score at least as high as the lowest one, which it replaces
(the oldest of equals). A start that is in it already, by id, gets the new score and keeps its place. Draws
follow a softmax over the scores. Source: ExIt (arXiv 2509.04575), page 5.

Two options come from Prioritized Level Replay (arXiv 2010.03934) and are off by default: chances by rank
instead of score, and a share of draws by how long a start has waited.

An offer and a draw take O(log size). Choosing what a start's score is, and when it is offered, is the
curator's business.
"""

import bisect
import functools
import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import msgspec
from sortedcontainers import SortedList

from memory.drawing import DrawTree
from protocols.errors import StoreError
from protocols.records import Record, Start


class BufferEntry(Record, frozen=True):
    start: Start
    score: float  # learnability of the group that it comes from, or of its own last visit
    visits: int  # how often it was drawn
    round: int  # in which it was offered last
    entered: int  # order of entry
    slot: int = 0  # place among those that are kept: draws depend on it, so it is stored
    last: int = 0  # number of the draw that took it last; at first, of the last draw before it entered


class BufferChanges(Record, frozen=True):
    """What to write down so that the stored buffer equals this one again."""

    put: tuple[BufferEntry, ...] = ()
    drop: tuple[str, ...] = ()  # start ids


class StartBuffer:
    """At most `size` starts, sampled with inverse temperature `kappa` (0 = uniformly).

    With `rank` the chance of the start with the r-th highest score (the newest of equals first) is
    proportional to r ** -rank instead. With `staleness` that share of draws is proportional to the number of
    draws that a start has waited.
    """

    def __init__(self, size: int, kappa: float, rank: float | None = None, staleness: float = 0.0) -> None:
        if size < 1 or kappa < 0:
            raise ValueError(f"a buffer needs size >= 1 and kappa >= 0, got {size} and {kappa}")
        self.size = size
        self.kappa = kappa
        self.rank = rank
        self.staleness = staleness
        self._clear()
        self._entered = 0
        self._counts = {"offered": 0, "admitted": 0, "replaced": 0, "refused": 0, "drawn": 0}
        self._changed: dict[str, None] = {}  # start ids in order of their first change, as an ordered set

    def _clear(self) -> None:
        self._entries: dict[str, BufferEntry] = {}
        self._slots: list[str] = []  # start ids
        self._order = SortedList()  # (score, order of entry, start id), lowest first
        self._tree = DrawTree(self.size, self.kappa)

    def _put(self, entry: BufferEntry) -> None:
        held = self._entries.get(entry.start.id)
        if held is not None:
            self._order.remove((held.score, held.entered, held.start.id))
        self._entries[entry.start.id] = entry
        self._order.add((entry.score, entry.entered, entry.start.id))
        self._tree.put(entry.slot, entry.score, entry.last)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, start_id: object) -> bool:
        return start_id in self._entries

    def entries(self) -> list[BufferEntry]:
        """Highest score first, the newest of equals first."""
        return [self._entries[start_id] for _, _, start_id in reversed(self._order)]

    def offer(self, start: Start, score: float, round: int) -> bool:
        """Admit a start, or refuse it; a start that is in it gets the new score and stays.

        Raises:
            ValueError: the score is not finite.
        """
        if not math.isfinite(score):
            raise ValueError(f"start {start.id}: a score must be finite, got {score!r}")
        self._counts["offered"] += 1
        held = self._entries.get(start.id)
        slot = len(self)
        if held is None and len(self) >= self.size:
            lowest, _, lost = self._order[0]
            if score < lowest:
                self._counts["refused"] += 1
                return False
            self._order.pop(0)
            slot = self._entries.pop(lost).slot
            self._changed[lost] = None
            self._counts["replaced"] += 1
        if held is None:
            self._entered += 1
            self._counts["admitted"] += 1
            self._slots[slot : slot + 1] = [start.id]
            held = BufferEntry(
                start=start,
                score=score,
                visits=0,
                round=round,
                entered=self._entered,
                slot=slot,
                last=self._counts["drawn"],
            )
        self._put(msgspec.structs.replace(held, start=start, score=score, round=round))
        self._changed[start.id] = None
        return True

    def probabilities(self) -> list[tuple[BufferEntry, float]]:
        """Every entry, in order of entry, with its chance to be drawn next."""
        weights = {}
        for place, entry in enumerate(self.entries(), 1):
            if self.rank is not None:
                weights[entry.start.id] = place**-self.rank
            else:  # exponents of at most 0 cannot overflow
                weights[entry.start.id] = math.exp(self.kappa * (entry.score - self._order[-1][0]))
        now = self._counts["drawn"]
        waited = {start_id: now - entry.last for start_id, entry in self._entries.items()}
        share = self.staleness if any(waited.values()) else 0.0
        total, waits = math.fsum(weights.values()), sum(waited.values()) or 1
        entries = sorted(self._entries.values(), key=lambda entry: entry.entered)
        return [
            (e, (1 - share) * weights[e.start.id] / total + share * waited[e.start.id] / waits)
            for e in entries
        ]

    def sample(self, rng: random.Random) -> BufferEntry:
        """Draw a start, with what is known of it; the same entries and generator state give the same one.

        Raises:
            LookupError: it is empty.
        """
        if not self._entries:
            raise LookupError("the buffer is empty")
        slot = None
        if self.staleness and rng.random() < self.staleness:
            slot = self._tree.by_age(rng.random(), self._counts["drawn"])
        if slot is None:
            slot = self._by_rank(rng.random()) if self.rank is not None else self._tree.by_score(rng.random())
        self._counts["drawn"] += 1
        entry = self._entries[self._slots[slot]]
        entry = msgspec.structs.replace(entry, visits=entry.visits + 1, last=self._counts["drawn"])
        self._put(entry)
        self._changed[entry.start.id] = None
        return entry

    def _by_rank(self, u: float) -> int:
        mass = _rank_mass(self.size, self.rank or 0.0)
        place = bisect.bisect_right(mass, u * mass[len(self) - 1], hi=len(self) - 1)
        start_id: str = self._order[-1 - place][2]
        return self._entries[start_id].slot

    def change(self, size: int, kappa: float, rank: float | None = None, staleness: float = 0.0) -> None:
        """Go on with other settings. What has no room is left out, the lowest scores first; the others
        keep the order of their places."""
        kept = sorted(self.entries()[:size], key=lambda entry: entry.slot)
        self._changed |= dict.fromkeys(self._entries)
        self.size, self.kappa, self.rank, self.staleness = size, kappa, rank, staleness
        self._clear()
        self._slots = [entry.start.id for entry in kept]
        for slot, entry in enumerate(kept):
            self._put(msgspec.structs.replace(entry, slot=slot))

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
            "rank": self.rank,
            "staleness": self.staleness,
            "starts": len(self),
            "entered": self._entered,
            "counts": dict(self._counts),
        }

    def load_state_dict(self, state: dict[str, Any], entries: Sequence[BufferEntry]) -> None:
        """Become what `state` and the stored entries say.

        Raises:
            StoreError: the state belongs to a buffer of other settings, or the entries to another state.
        """
        for name in ("size", "kappa", "rank", "staleness"):
            ours, theirs = getattr(self, name), state.get(name, 0.0 if name == "staleness" else None)
            if theirs != ours:
                raise StoreError(
                    f"buffer: the state was saved with {name}={theirs}, this run has {name}={ours};"
                    " resume with the settings the run was started with"
                )
        if state["starts"] != len(entries):
            raise StoreError(
                f"buffer: the state counts {state['starts']} starts, but the store holds {len(entries)};"
                " the run database was changed by hand"
            )
        self._clear()
        placed = sorted(entries, key=lambda entry: entry.slot)
        if [entry.slot for entry in placed] != list(range(len(placed))):
            raise StoreError("buffer: two stored starts share a place; the run database was changed by hand")
        self._slots = [entry.start.id for entry in placed]
        for entry in placed:
            self._put(entry)
        self._entered = state["entered"]
        self._counts = dict(state["counts"])
        self._changed = {}


@functools.lru_cache(maxsize=8)
def _rank_mass(size: int, rank: float) -> list[float]:
    """Sums of r ** -rank over the first 1 .. size ranks."""
    return list(itertools.accumulate(place**-rank for place in range(1, size + 1)))
