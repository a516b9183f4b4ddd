"""Runs untrusted programs in a fixed number of slots, as many at a time as there are.

    with SandboxPool(settings) as pool:
        outcomes = pool.run(programs)        # same order

    pool ── slot ── warden (trusted: library, cases, deadline) ── zygote ── one child per program

The pool never forks: it may live in a process with torch or Ray in it. It imports no NumPy. Each helper that
dies or hangs is replaced, and only the program it was busy with is affected. Does not cover: what outcomes
mean (`protocols.domains`), or isolation itself (`isolation`, `confine`).
"""

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from actors.sandbox import isolation
from actors.sandbox.slot import DEPTH, Slot
from actors.sandbox.wire import Closed
from protocols.cores import usable_cores
from protocols.errors import SandboxError
from protocols.records import Outcome, Program
from protocols.settings import SandboxSettings

_TRIES = 2  # a helper may die through no fault of the program; two do not
_INPUTS = 64  # folders that helpers keep for programs to come


def default_workers() -> int:
    """One for each core that this process may use; at most 32, because each holds the library (about 60 MB
    with NumPy)."""
    return min(usable_cores(), 32)


def cores(count: int) -> list[int]:
    """A core for each of `count` slots, in turns; other pools on this machine begin elsewhere."""
    allowed = sorted(os.sched_getaffinity(0))
    return [allowed[(os.getpid() + i) % len(allowed)] for i in range(count)]


class SandboxPool:
    """A pool of sandbox slots. Use it from one thread at a time; other threads wait their turn.

    `without` names layers to leave out: for tests that show what each of them does. How a program's library
    results are moved, and in which order it runs, is drawn from `seed` and the program.

    Raises:
        SandboxError: the helpers do not start, or isolation is below its floor, `allow_weaker` off.
    """

    def __init__(self, settings: SandboxSettings, *, without: Sequence[str] = (), seed: int = 0) -> None:
        self.settings = settings
        self._seed = seed
        self._without = tuple(without)
        self._modules: tuple[str, ...] = ()  # that the slots have loaded
        self._inputs: tuple[str, ...] = ()  # folders that the slots can read
        self._lock = threading.Lock()
        self._slots: list[Slot] = []
        count = settings.workers or default_workers()
        try:
            self._fill(cores(count))
            if not settings.allow_weaker:
                isolation.insist(self.layers)
        except BaseException:
            self.close()
            raise

    def run(self, programs: Sequence[Program]) -> list[Outcome]:
        """The outcomes of the programs, in their order. An interrupted pool is closed.

        Programs that need the same modules run together: helpers that have others are started anew, and so
        are those that lack a program's input folder.

        Raises:
            SandboxError: the pool is closed, an input folder cannot be read, or a helper cannot be replaced.
        """
        with self._lock:
            if not self._slots:
                raise SandboxError("sandbox: the pool is closed; make a new one")
            outcomes: dict[int, Outcome] = {}
            try:
                kinds = [(p.modules, p.library_module if p.library is not None else "") for p in programs]
                for kind in sorted(set(kinds), key=lambda k: (k[0] != self._modules, k)):
                    chosen = [i for i in range(len(programs)) if kinds[i] == kind]
                    self._load(*kind, {programs[i].input for i in chosen} - {""})
                    played = _Round(self._slots, self._replace, [programs[i] for i in chosen]).play()
                    outcomes.update(zip(chosen, played))
            except BaseException:
                self.close()  # what is still under way must not answer the next call
                raise
        return [outcomes[i] for i in range(len(programs))]

    def _slot(self, core: int | None) -> Slot:
        return Slot(self.settings, self._without, core, self._modules, self._inputs, self._seed)

    def _fill(self, cores: Sequence[int | None]) -> None:
        for core in cores:  # all start at the same time ...
            self._slots.append(self._slot(core))
        for slot in self._slots:  # ... and are waited for together
            self.layers = slot.start()

    def _load(self, modules: tuple[str, ...], library: str, inputs: set[str]) -> None:
        """Have helpers with exactly these modules, at least these folders, and that serve this library."""
        serve = all(slot.serves(library) for slot in self._slots)
        if serve and modules == self._modules and inputs <= set(self._inputs):
            return
        for folder in sorted(inputs):
            if not os.path.isdir(folder):  # noqa: PTH112
                raise SandboxError(f"sandbox: the input folder {folder} is not there; put it back")
        known = {folder for folder in self._inputs if os.path.isdir(folder)}  # noqa: PTH112
        kept = known if modules == self._modules and len(known | inputs) <= _INPUTS else set()
        cores = [slot.core for slot in self._slots]
        self.close()
        self._modules, self._inputs = modules, tuple(sorted(kept | inputs))
        self._fill(cores)

    def _replace(self, slot: Slot) -> Slot:
        slot.kill()
        fresh = self._slot(slot.core)
        self._slots[self._slots.index(slot)] = fresh
        fresh.start()
        return fresh

    def close(self) -> None:
        for slot in self._slots:
            slot.kill()
        self._slots = []

    def __enter__(self) -> "SandboxPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Round:
    """One call of `run`: hand out, collect, replace what died."""

    def __init__(
        self, slots: list[Slot], replace: Callable[[Slot], Slot], programs: Sequence[Program]
    ) -> None:
        self.slots = slots
        self.replace = replace
        self.programs = programs
        self.waiting = deque(range(len(programs)))
        self.tries = [0] * len(programs)
        self.outcomes: dict[int, Outcome] = {}

    def play(self) -> list[Outcome]:
        with selectors.DefaultSelector() as selector:
            for slot in self.slots:
                selector.register(slot.sock, selectors.EVENT_READ, slot)
            while len(self.outcomes) < len(self.programs):
                for slot in list(self.slots):
                    self._hand_out(slot)
                    wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if slot.wants_to_write else 0)
                    if selector.get_key(slot.sock).events != wanted:
                        selector.modify(slot.sock, wanted, slot)
                nearest = min(slot.deadline for slot in self.slots)
                for key, events in selector.select(max(0.0, nearest - time.monotonic())):
                    slot = key.data
                    if events & selectors.EVENT_WRITE:
                        slot.flush()
                    if events & selectors.EVENT_READ:
                        try:
                            self.outcomes.update(slot.receive())
                        except Closed:
                            self._lost(selector, slot, slot.cause())
                now = time.monotonic()
                for slot in list(self.slots):
                    if slot.deadline <= now:
                        self._lost(selector, slot, "timeout")
        return [self.outcomes[i] for i in range(len(self.programs))]

    def _hand_out(self, slot: Slot) -> None:
        while self.waiting and len(slot.queue) < DEPTH:
            # Towards the end nobody hoards: a second program at this slot may be another's first.
            if slot.queue and len(self.waiting) < len(self.slots):
                return
            ticket = self.waiting.popleft()
            slot.send(ticket, self.programs[ticket])

    def _lost(self, selector: selectors.BaseSelector, slot: Slot, status: str | None) -> None:
        """Blame the program that was running, give back the one behind it, and start a new slot."""
        selector.unregister(slot.sock)
        queue = list(slot.queue)
        said = slot.last_words()
        if queue:
            first, rest = queue[0], queue[1:]
            self.waiting.extendleft(reversed(rest))
            self.tries[first] += 1
            if status is not None:
                detail = f"in the library: no end after {slot.settings.wall_s:g} s"
                if status != "timeout":
                    detail = "in the library"
                self.outcomes[first] = Outcome(status=status, detail=detail)
            elif self.tries[first] < _TRIES:
                self.waiting.appendleft(first)
            else:
                self.outcomes[first] = Outcome(status="broke_sandbox", detail=f"its helpers died ({said})")
        fresh = self.replace(slot)
        selector.register(fresh.sock, selectors.EVENT_READ, fresh)
