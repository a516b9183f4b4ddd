"""What becomes of memory: Python's garbage, what the C library does with freed pages, and torch with a GPU's.

Engine and learner take turns: what one of them has freed, the other one needs. Within a training step it is
the other way round. The same hundreds of megabytes are allocated and freed over and over; by default glibc
gives them back to the kernel at the end of every backward pass, and the kernel hands them out again as fresh
zeroed pages; that took an eighth of the learner's CPU time.
"""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_NEVER = 2**31 - 1
_LARGEST = 32 << 20  # mallopt's own upper bound on 64-bit machines


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While large libraries are loaded, garbage is not looked for: they make millions of objects, and hardly
    any garbage. That is a sixth of the time that loading them takes."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def keep_freed_memory() -> None:
    """Freed memory stays with this process until `give_back`."""
    if libc := _libc():
        libc.mallopt(_TRIM_THRESHOLD, _NEVER)
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST)


def give_back() -> None:
    """Return freed memory, the GPU's too: others need it while this process waits."""
    if libc := _libc():
        libc.malloc_trim(0)
    torch = sys.modules.get("torch")  # who never used it has nothing to return
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
