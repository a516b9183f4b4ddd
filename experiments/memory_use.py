"""How much memory this process and everything it started take together, and how much there is.

PSS counts shared pages once over all processes; where the kernel does not let us read it, RSS minus
shared pages stands in. A sampler can miss a peak that is shorter than its interval.
"""

import contextlib
import threading
from pathlib import Path
from types import TracebackType

import psutil

INTERVAL_S = 2.0
_CGROUP = Path("/sys/fs/cgroup")


def in_use() -> int:
    """Bytes of this process and all its descendants."""
    total = 0
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            total += _bytes_of(process)
    return total


def available() -> int:
    """Bytes that can still be had: what the machine has free, or the container's limit leaves."""
    free = psutil.virtual_memory().available
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return free
    if limit == "max":
        return free
    return min(free, int(limit) - used + int(cache.get("inactive_file", 0)))


class PeakMemory:
    """Samples `in_use` in a thread while its `with` block runs; `mb` is the highest seen so far."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval = interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory", daemon=True)
        self.mb = 0.0

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=5 * self._interval)

    def _sample(self) -> None:
        while True:
            with contextlib.suppress(psutil.Error):  # a process that ends while it is looked at
                self.mb = max(self.mb, in_use() / 2**20)
            if self._ended.wait(self._interval):
                return


def _bytes_of(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except (psutil.AccessDenied, AttributeError):
        info = process.memory_info()
        return max(0, info.rss - getattr(info, "shared", 0))
