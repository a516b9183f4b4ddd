"""torch and transformers, loaded in two thirds of the time that they take by themselves: every process that
computes loads them.
"""

import contextlib
import gc
from collections.abc import Iterator

_LEFT_OUT = ("is_scipy_available", "is_sklearn_available")


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While large libraries are loaded. They make millions of objects and hardly any garbage, so none is
    looked for; and SciPy and scikit-learn are left out, which transformers loads for what nobody needs."""
    from transformers import utils

    collecting = gc.isenabled()
    known = {name: getattr(utils, name) for name in _LEFT_OUT if hasattr(utils, name)}
    gc.disable()
    try:
        for name in known:
            setattr(utils, name, lambda: False)
        yield
    finally:
        for name, told in known.items():
            setattr(utils, name, told)
        if collecting:
            gc.enable()
