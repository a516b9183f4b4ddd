"""Threads of one process that compute micro-batches side by side, each on cores of its own.

One thread of OpenMP in each of several lanes, instead of several threads in every operation: lanes wait for
each other once a round of micro-batches, not thousands of times a step. So an operation too small to be
divided keeps no core idle, and where another process wants a core, one lane is late by its share of time and
nobody spins at a barrier meanwhile. What a lane computes, and the order in which lanes' results are added up,
depends on how many lanes there are and not on when they run: the bits are the same on a busy machine.

Does not cover: which lane computes which micro-batch (`balance`), several processes (`ranks`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Item = TypeVar("Item")
Found = TypeVar("Found")

MOST = 4  # every lane holds gradients of its own, and its products get smaller


class Lanes:
    """So many lanes over `threads` cores; a single one runs in the thread that asks.

    Args:
        count: 0 = one for each thread, at most `MOST`.
    """

    def __init__(self, threads: int, count: int = 0) -> None:
        self.count = min(count or MOST, max(1, threads))
        self._threads = max(1, threads // self.count)
        self._pool: ThreadPoolExecutor | None = None

    def each(self, compute: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
        """What `compute` says of each item, in order; at most `count` at once. Gradients are on or off as for
        the thread that asks, and every item has a lane's number of threads, alone or not.

        Raises:
            whatever the first item that failed raised. When it leaves, no item is being computed any more.
        """
        graded = torch.is_grad_enabled()

        def computed(item: Item) -> Found:
            # Others may have set the number: an engine in this thread, or for all threads that begin now.
            if torch.get_num_threads() != self._threads:
                torch.set_num_threads(self._threads)
            with torch.set_grad_enabled(graded):
                return compute(item)

        if self.count == 1:
            return [computed(item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, "lane")
        try:
            calls = [self._pool.submit(computed, item) for item in items]
            wait(calls)
        except BaseException:  # an interrupt
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            raise
        return [call.result() for call in calls]
