"""How many threads to compute with, by what other programs leave of the cores now.

Work that is cut into as many parts as there are cores is as slow as its slowest part: beside one busy program
a part waits for its turn on a core, all others wait for it, and two threads do less than one. So threads are
given up while others use cores, and taken back once these are idle.

    pace = Pace(choices=(4, 2, 1), cores=4)
    pace.begin()                      # work begins: what happened since the last time counts no more
    threads = pace.threads()          # before every piece of work; it looks at the machine twice a second

What others use is what the cores did, from `/proc/stat`, less what this process did itself. That is the same
with few threads of our own as with many, which keeps the number still. Where there is no such file, all
threads are used. Not here: what a change of threads does to results (`actors.engines.threads`).
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Between two looks. The kernel counts idle time in hundredths of a second: 2 % of this.
PERIOD_S = 0.5
#: Of a core: threads are given up where others take more than this of one that they would need ...
GIVE_UP = 0.25
#: ... and taken back where others take less than this. What lies between keeps the number still.
TAKE_BACK = 0.125


@dataclass(frozen=True)
class Reading:
    at: float
    """Seconds on a clock that only goes forward."""
    idle: float
    """Seconds that the allowed cores have been idle, all together."""
    own: float
    """CPU seconds that this process has used."""


def free_cores(before: Reading, after: Reading, cores: int, threads: int) -> float:
    """How many of `cores` other programs left free between two readings.

    What this process used beyond `threads` is work of other kinds in it, and counts as another program's.
    """
    seconds = after.at - before.at
    own = min((after.own - before.own) / seconds, threads)
    idle = (after.idle - before.idle) / seconds
    return min(idle + own, cores)


def choices_of(most: int) -> list[int]:
    """Numbers of threads to choose from: all, all but one, three quarters, and halves down to one."""
    halves = {most >> shift for shift in range(most.bit_length())}
    return sorted(halves | {max(1, most - 1), max(1, most * 3 // 4)}, reverse=True)


def decide(threads: int, free: float, choices: Sequence[int]) -> int:
    """The number of threads from now on, one of `choices`, in descending order.

    Args:
        threads: the number so far.
        free: cores that others leave, see `free_cores`.
    """
    if threads > free + GIVE_UP:
        return next((choice for choice in choices if choice <= free + GIVE_UP), choices[-1])
    more = next((choice for choice in choices if choice <= free + TAKE_BACK), threads)
    return max(threads, more)


def read_machine(root: Path = Path("/")) -> Reading | None:
    """None where the kernel does not say, or not of every allowed core."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    ticks = told = 0
    try:
        for line in (root / "proc/stat").read_text().splitlines():
            name, *counts = line.split()
            if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in allowed:
                ticks += int(counts[3]) + int(counts[4])  # idle, and waiting for a disk
                told += any(map(int, counts))
    except (OSError, ValueError, IndexError):
        return None
    if told < len(allowed):  # a container's own file may number the cores anew, or count nothing
        return None
    return Reading(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())


class Pace:
    """Args:
    choices: numbers of threads to choose from, in descending order; the first one is for an idle machine.
    cores: that this process may be scheduled on.
    """

    def __init__(
        self,
        choices: Sequence[int],
        cores: int,
        look: Callable[[], Reading | None] = read_machine,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.choices = tuple(choices)
        self._cores = cores
        self._look, self._clock = look, clock
        self._threads = self.choices[0]
        self._last: Reading | None = None

    def begin(self) -> None:
        """Begin to watch: what others did in between, such as a learner in its turn, counts no more."""
        self._last = self._look() if len(self.choices) > 1 else None

    def threads(self) -> int:
        if self._last is not None and self._clock() - self._last.at >= PERIOD_S:
            now = self._look()
            if now is not None:
                free = free_cores(self._last, now, self._cores, self._threads)
                self._threads = decide(self._threads, free, self.choices)
            self._last = now
        return self._threads
