"""What the C library does with freed memory, on Linux with glibc, and torch with a GPU's.

Engine and learner take turns: what one of them has freed, the other one needs. Within a training step it is
the other way round. The same hundreds of megabytes are allocated and freed over and over; by default glibc
gives them back to the kernel at the end of every backward pass, and the kernel hands them out again as fresh
zeroed pages; that took an eighth of the learner's CPU time.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_NEVER = 2**31 - 1
_LARGEST = 32 << 20  # mallopt's own upper bound on 64-bit machines


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


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
