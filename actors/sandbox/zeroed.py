"""NumPy's memory, zeroed: arrays that it gives without having written to them hold nothing of what was there.

`numpy.empty` and its like, ufuncs with `where=`, and padding hand out memory as it comes from the allocator,
with whatever the process kept there before. NumPy takes its data from a handler that can be replaced
(`PyDataMem_SetHandler`, NEP 49); here by one whose `malloc` is C's `calloc`. No Python code runs in it.
"""

import ctypes
from typing import Any

_SET_HANDLER = 304  # position in NumPy's table of C functions, fixed since NumPy 1.22
_PYMEM_RAW = 0


class _Allocator(ctypes.Structure):
    """`PyMemAllocatorEx`, which NumPy's `PyDataMemAllocator` equals but for one more argument to `free`."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]


class _Handler(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator)]


_kept: list[Any] = []  # arrays point to them as long as they live


def install() -> None:
    """From now on this thread's arrays begin as zeros.

    Raises:
        RuntimeError: they do not: this NumPy has another table.
    """
    import numpy as np

    numpy: Any = np
    handler = _Handler(name=b"zeroed", version=1)
    # C's own functions behind an argument that they do not use; as `calloc(ctx, size)` it has to be one.
    ctypes.pythonapi.PyMem_GetAllocator(_PYMEM_RAW, ctypes.byref(handler.allocator))
    handler.allocator.ctx = 1
    handler.allocator.malloc = ctypes.cast(ctypes.CDLL(None).calloc, ctypes.c_void_p).value
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p,) * 3
    name = ctypes.create_string_buffer(b"mem_handler")
    capsule = new(ctypes.addressof(handler), ctypes.addressof(name), None)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = pointer(numpy._core._multiarray_umath._ARRAY_API, None)
    slot = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[_SET_HANDLER]
    _kept.extend(
        (handler, name, capsule, ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(slot)(capsule))
    )
    if numpy._core.multiarray.get_handler_name() != "zeroed":
        raise RuntimeError("NumPy's memory cannot be zeroed: its handler could not be replaced")
