"""Runs in the sandbox: the obfuscated package over the real NumPy, and a script as main module.

Its text is the source of a program (`grading.program`), so it imports nothing of this project. The package
behaves like the published one, leaks included: `zwc._np` is NumPy, `ZWCArray._data` and `.T` are plain
arrays, functions of `zwc.rfx` return plain arrays, named tuples with arrays cannot be wrapped (TypeError).

Does not cover: the published package's functions that are not in its documentation file, and docstrings.
"""

import contextlib
import inspect
import io
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy

_HINTED = (
    "mean std var sum min max argmin argmax sort argsort reshape flatten transpose dot clip round abs "
    "sqrt exp log sin cos cumsum cumprod diff gradient convolve correlate percentile median quantile "
    "unique nonzero where all any concatenate stack vstack hstack split hsplit vsplit roll shift pad "
    "repeat tile resize compress extract diagonal trace"
)
#: Names of NumPy's methods that get a hint.
_METHODS = frozenset(_HINTED.split())
_ATTRIBUTES = frozenset({"shape", "dtype", "size", "ndim", "T"})


def _data(value: Any) -> Any:
    return value._data if isinstance(value, ZWCArray) else value


def _wrapped(value: Any) -> Any:
    """Arrays as `ZWCArray`, also directly inside lists and tuples, and inside dictionaries."""
    if isinstance(value, numpy.ndarray):
        return ZWCArray(value)
    if isinstance(value, dict):
        return {key: _wrapped(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(part, numpy.ndarray) for part in value):
        return type(value)(map(_wrapped, value))
    return value


class ZWCArray:
    """An array without methods: five attributes, indexing, five operators and comparisons."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: Any) -> None:
        self._data = numpy.asarray(data)

    def __array__(self) -> Any:
        return self._data

    def __getattr__(self, name: str) -> Any:
        if name in _ATTRIBUTES:
            return getattr(self._data, name)
        hint = ": use the function of zwc that does it" if name in _METHODS else ""
        raise AttributeError(f"ZWCArray has no attribute {name!r}{hint}")

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, key: Any) -> Any:
        part = self._data[key]
        return part.item() if part.shape == () else ZWCArray(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._data[key] = _data(value)

    def __iter__(self) -> Iterator[Any]:
        for part in self._data:
            yield part.item() if part.shape == () else ZWCArray(part)

    def __repr__(self) -> str:
        return f"ZWCArray({self._data.tolist()})"

    def __str__(self) -> str:
        return str(self._data)

    def __add__(self, other: Any) -> Any:
        return ZWCArray(self._data + _data(other))

    def __radd__(self, other: Any) -> Any:
        return ZWCArray(other + self._data)

    def __sub__(self, other: Any) -> Any:
        return ZWCArray(self._data - _data(other))

    def __rsub__(self, other: Any) -> Any:
        return ZWCArray(other - self._data)

    def __mul__(self, other: Any) -> Any:
        return ZWCArray(self._data * _data(other))

    def __rmul__(self, other: Any) -> Any:
        return ZWCArray(other * self._data)

    def __truediv__(self, other: Any) -> Any:
        return ZWCArray(self._data / _data(other))

    def __rtruediv__(self, other: Any) -> Any:
        return ZWCArray(other / self._data)

    def __pow__(self, other: Any) -> Any:
        return ZWCArray(self._data ** _data(other))

    def __rpow__(self, other: Any) -> Any:
        return ZWCArray(other**self._data)

    def __eq__(self, other: Any) -> Any:
        return ZWCArray(self._data == _data(other))

    def __ne__(self, other: Any) -> Any:
        return ZWCArray(self._data != _data(other))

    def __lt__(self, other: Any) -> Any:
        return ZWCArray(self._data < _data(other))

    def __le__(self, other: Any) -> Any:
        return ZWCArray(self._data <= _data(other))

    def __gt__(self, other: Any) -> Any:
        return ZWCArray(self._data > _data(other))

    def __ge__(self, other: Any) -> Any:
        return ZWCArray(self._data >= _data(other))


def _main_function(public: str, original: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        function = getattr(numpy, original)
        return _wrapped(function(*map(_data, args), **{key: _data(v) for key, v in kwargs.items()}))

    call.__name__ = call.__qualname__ = public
    return call


def _linalg_function(public: str, original: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(numpy.linalg, original)(*args, **kwargs)

    call.__name__ = call.__qualname__ = public
    return call


def install(entries: dict[str, str]) -> None:
    """Put the package `zwc` among the loaded modules.

    `entries` maps original dotted names to obfuscated ones: `{"linalg.inv": "rfx.quvohe"}`. A function that
    this NumPy lacks raises an AttributeError when it is called, as in the published package.
    """
    main, linalg = types.ModuleType("zwc"), types.ModuleType("zwc.rfx")
    vars(main).update(_np=numpy, ZWCArray=ZWCArray, rfx=linalg, __path__=[])
    vars(linalg).update(_linalg=numpy.linalg)
    ZWCArray.__module__ = "zwc"
    for original, public in entries.items():
        space, _, name = original.rpartition(".")
        make, module = (_linalg_function, linalg) if space else (_main_function, main)
        public = public.rpartition(".")[2]
        setattr(module, public, make(public, name))
    for module in (main, linalg):
        vars(module)["__all__"] = [name for name, value in vars(module).items() if inspect.isfunction(value)]
    sys.modules["zwc"], sys.modules["zwc.rfx"] = main, linalg


class _Nowhere(io.TextIOBase):
    """Standard error: nobody reads it."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


def run(entries: dict[str, str], script: str) -> dict[str, str | None]:
    """Execute a script as main module.

    Returns:
        {"stdout": all that it printed, "error": how it ended, or None}
    """
    install(entries)
    buffer = io.BytesIO()
    sys.stdout = io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace")
    sys.stderr = _Nowhere()
    vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    error = None
    try:
        exec(compile(script, "script.py", "exec", dont_inherit=True), vars(main))
    except MemoryError:
        raise
    except BaseException as raised:
        error = type(raised).__name__
        with contextlib.suppress(Exception):  # its message is made by the script
            error = f"{error}: {raised}"[:400]
    printed = b""
    with contextlib.suppress(Exception):  # the script may have closed or replaced it
        sys.stdout.flush()
        printed = buffer.getvalue()
    return {"stdout": printed.decode("utf-8", "replace"), "error": error}
