"""NumPy made ready for a process that will soon have no files: all is loaded that it loads when first used.

Does not cover: modules of NumPy that no library of ours offers (its tests, its build tools).
"""

import contextlib
import importlib
import pkgutil
from typing import Any

import numpy as np

from actors.sandbox import zeroed

_LATER = ("fft", "linalg", "polynomial", "strings", "char", "ma", "random", "rec")


def prepare() -> None:
    """Load what is loaded late, and zero NumPy's memory from now on."""
    for name in _LATER:
        importlib.import_module(f"numpy.{name}")
    core: Any = np
    for package in (core._core, np.lib, np.linalg, np.fft, np.polynomial):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if "test" not in found.name:
                with contextlib.suppress(ImportError):
                    importlib.import_module(found.name)
    np.array_repr(np.linalg.inv(np.eye(2)))
    zeroed.install()
