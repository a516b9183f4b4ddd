"""The process side of the package: it holds the real library and the names, and sees every call.

`Service.handle` takes one request of the client and gives the reply; it never raises. Because calls are
noted here, out of the program's reach, a trace cannot be forged; because results can be shaken here, an
answer that does not depend on the library can be told from one that does.

Messages (`codec`), each a list or tuple beginning with its kind:

    call NAME ARGS KWARGS | operate SYMBOL A B | get A KEY | set A KEY VALUE | repr A | str A
    transpose A | wrap DATA | signature NAME            →  ok VALUE CHANGED | error TYPE MESSAGE
    call NAME ARGS KWARGS, that gives a callable        →  made NUMBER CHANGED
    invoke NUMBER CALLABLES ARGS KWARGS                 →  as call; CALLABLES are of the call that made it
    question NUMBER ARGS KWARGS (to the client)         →  answer VALUE | failed | another request

`CHANGED` lists the arrays of the request that the library wrote into, by position.

A `graded` service tells a program nothing but what its calls give: no signatures, and error texts name no
function of the library that the program has not named itself. Memory that the library gives without having
written to it is zeroed (`zeroed.install`).

Runs from its own folder with the standard library and the real module only. Does not cover: limits of
time and memory, which are the business of whoever runs the process.
"""

import importlib
import json
import operator
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .callables import FAILED, CallableFailed, CallBack, Lost, Made, Proxy, asking
from .codec import Array, CodecError, decode, encode
from .scrub import Scrubber
from .shaking import Shaking
from .signatures import parameters

MAX_ELEMENTS = 4_000_000  # of one array that is sent back; broadcasting makes huge ones for nothing
MAX_NESTING = 16  # of library calls inside callables inside library calls

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": operator.contains,
}
_OF_ARRAYS = frozenset({"operate", "get", "set", "repr", "str", "transpose"})


class Service:
    """Serves the library in `blob` (`obfuscate.Library.blob`).

    Attributes:
        calls: obfuscated names of the public functions that gave a result, in order; the owner clears it.
            Operators and indexing are no calls, nor is what raised.
        public: obfuscated names of all functions, all that `client.build` needs.
        shaking: moves the results of the functions `about`; None for true ones.
        named: names that the program asked to call, each with whether the library has it.
        max_elements: of one array that is sent back.
    """

    def __init__(self, blob: bytes, max_elements: int = MAX_ELEMENTS, graded: bool = False) -> None:
        self.max_elements = max_elements
        self.graded = graded
        content = json.loads(zlib.decompress(blob))
        self.package: str = content["package"]
        self.module: str = content["module"]
        self.calls: list[str] = []
        self.named: dict[str, bool] = {}
        self.shaking: Shaking | None = None
        self.public: list[str] = list(content["entries"].values())
        root = importlib.import_module(self.module)
        self._numpy: Any = sys.modules.get("numpy")
        self._functions: dict[str, Callable[..., Any]] = {}
        for original, public in content["entries"].items():
            self._functions[public] = resolve(root, original)
        constructors = {content["entries"].get(name) for name in content["constructors"]}
        self._shaken = self._workers = frozenset(self.public) - constructors
        self._scrub = Scrubber(self.package, self.module, content["entries"])
        self._depth = 0
        self._arrays: list[Any] = []  # of the request at hand
        self._proxies: list[Proxy] = []  # likewise
        self._made = Made()
        self._kinds: dict[str, Callable[..., Any]] = {
            "call": self._call,
            "invoke": self._invoke,
            "operate": lambda symbol, a, b: _OPERATORS[symbol](a, b),
            "get": lambda a, key: a[key],
            "set": operator.setitem,
            "repr": self._repr,
            "str": str,
            "transpose": lambda a: a.T,
            "wrap": self._wrap,
        }
        if not graded:
            self._kinds["signature"] = self.signature

    def begin(self, about: Sequence[str] = (), shaking: Shaking | None = None) -> None:
        """Another program begins: forget what the one before made and named.

        Args:
            about: obfuscated names of the functions to shake; all but array constructors if there are none.
        """
        self._made.clear()
        self.calls.clear()
        self.named.clear()
        self.shaking = shaking
        self._shaken = frozenset(about) or self._workers

    def handle(self, request: bytes, call_back: CallBack | None = None) -> bytes:
        """The reply to one request. `call_back` sends a question to the client and gives its next message.

        Raises nothing, except what `call_back` itself raises.
        """
        if self._depth >= MAX_NESTING:
            return encode(("error", "RecursionError", "calls nested too deep"))
        self._depth += 1
        try:
            return self._reply(request, call_back)
        except CallableFailed:
            return encode(("error", "RuntimeError", "the callable failed"))
        except CodecError as error:
            return encode(("error", "TypeError", str(error)))
        except Lost as lost:
            if self._depth > 1:
                raise
            assert lost.__cause__ is not None
            raise lost.__cause__ from None
        except Exception as error:
            return encode(("error", _builtin(error), self._told(_message(error))))
        finally:
            self._depth -= 1

    def _reply(self, request: bytes, call_back: CallBack | None) -> bytes:
        outer = self._arrays, self._proxies
        self._arrays, self._proxies = [], []
        try:
            function = None if call_back is None else partial(self._proxy, call_back)
            kind, *parts = decode(request, self._received, function)
            arrays, proxies = self._arrays, self._proxies
        finally:
            self._arrays, self._proxies = outer
        if type(kind) is not str or kind not in self._kinds:
            raise CodecError(f"unknown request {kind!r:.40}")
        if kind in _OF_ARRAYS and not arrays:  # nothing else is computed here
            raise CodecError(f"{kind} needs an array")
        before = [a.tobytes() for a in arrays] if kind in ("call", "invoke", "set") else []
        result = self._kinds[kind](*parts)
        written = [i for i, was in enumerate(before) if arrays[i].tobytes() != was]
        name = parts[0] if kind == "call" else self._made.name(parts[0]) if kind == "invoke" else ""
        changed = [[i, self._plain(self._moved(name, arrays[i]))] for i in written]
        if kind == "call" and callable(result) and not isinstance(result, type):
            return encode(("made", self._made.keep(parts[0], result, proxies), changed))
        return encode(("ok", self._plain(result), changed))

    def _received(self, shape: tuple[int, ...], dtype: str, values: list[Any]) -> Any:
        self._arrays.append(self._to_numpy(shape, dtype, values))
        return self._arrays[-1]

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(name) is not str:
            raise CodecError("a name that is no text")
        if self.graded:
            self.named[name] = name in self._functions
        if name not in self._functions:
            owner, _, last = f"{self.package}.{name}".rpartition(".")
            raise AttributeError(f"module {owner!r} has no attribute {last!r}")
        return self._result(name, self._functions[name], args, kwargs)

    def _result(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        value = function(*args, **kwargs)
        self.calls.append(name)
        if type(value) is str and value.startswith("array("):  # how the library writes an array
            value = self._named(value)
        return self._moved(name, value)

    def _moved(self, name: str, value: Any) -> Any:
        """What the function of this name gave, moved where results are shaken."""
        return value if self.shaking is None or name not in self._shaken else self.shaking(value)

    def _told(self, message: str) -> str:
        """An error's text as a program may read it."""
        if not self.graded:
            return self._scrub(message)
        return self._scrub(message, known=[name for name, there in self.named.items() if there])

    def _invoke(
        self, number: int, callables: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call what an earlier call made."""
        with self._made.bound(number, callables) as (name, function):
            return self._result(name, function, args, kwargs)

    def _proxy(self, call_back: CallBack, number: int) -> Proxy:
        ask = asking(number, call_back, self.handle, self._plain, self._to_numpy)
        self._proxies.append(Proxy(number, ask))
        return self._proxies[-1]

    # Values in and out

    def _wrap(self, data: Any) -> Any:
        if self._numpy is None:
            raise CodecError("this library has no arrays")
        return self._numpy.asarray(data)

    def _to_numpy(self, shape: tuple[int, ...], dtype: str, values: list[Any]) -> Any:
        if self._numpy is None:
            raise CodecError("this library has no arrays")
        if dtype == "object":
            made = self._numpy.empty(len(values), dtype=object)
            made[:] = values
            return made.reshape(shape)
        return self._numpy.array(values, dtype=dtype).reshape(shape)

    def _plain(self, value: Any) -> Any:
        """Arrays as `Array`, NumPy's scalars as Python's, named tuples as tuples."""
        kind = type(value)
        if kind in (float, int, bool, str, type(None)):
            return value
        numpy = self._numpy
        if numpy is not None:
            if isinstance(value, numpy.ndarray):
                return self._array(value)
            if isinstance(value, numpy.generic):
                return value.item() if value.dtype.kind in "biufcSU" else str(value)
            if isinstance(value, numpy.dtype):
                return str(value)
        if isinstance(value, tuple):
            return tuple([self._plain(v) for v in value])
        if isinstance(value, list):
            return [self._plain(v) for v in value]
        if isinstance(value, dict):
            return {self._plain(k): self._plain(v) for k, v in value.items()}
        if isinstance(value, (complex, bytes, slice, range)) or value is Ellipsis:
            return value
        raise CodecError(f"the result is of type {kind.__name__!r}, which is no plain data")

    def _array(self, value: Any) -> Array:
        if value.size > self.max_elements:
            raise MemoryError(f"an array of {value.size} elements is too large to hand over")
        kind = value.dtype.kind
        if kind == "V":
            raise CodecError("structured arrays cannot be handed over")
        flat = value.ravel()
        if kind == "M":
            values = flat.astype(str).tolist()
        elif kind == "m":
            values = flat.astype("int64").tolist()
        else:
            values = flat.tolist()
        return Array(value.shape, str(value.dtype), values)

    def _repr(self, array: Any) -> str:
        return self._named(self._numpy.array_repr(array))

    def _named(self, text: str) -> str:
        """The text `array(...)` with the name of the package's arrays."""
        name = f"{self.package.upper()}Array"
        inner = text.partition("(")[2]
        return f"{name}({inner}".replace("\n ", "\n " + " " * (len(name) - len("array")))

    def signature(self, name: str) -> list[list[Any]]:
        """Parameters of a public function as [name, kind, default as text or None for none]."""
        return parameters(self._functions[name])


def resolve(root: Any, dotted: str) -> Callable[..., Any]:
    """The function of that dotted name below a module."""
    for part in dotted.split("."):
        root = getattr(root, part)
    return root


def _builtin(error: Exception) -> str:
    """Name of the nearest builtin class of an exception."""
    for kind in type(error).__mro__:
        if kind.__module__ == "builtins":
            return kind.__name__
    return "Exception"


def _message(error: Exception) -> str:
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:
        text = "no message"
    return text[:2000]


def quiet() -> None:
    """No warnings: they would speak of the real library. For processes that do nothing but serve."""
    warnings.simplefilter("ignore")
    if "numpy" in sys.modules:
        sys.modules["numpy"].seterr(all="ignore")


def main(folder: str) -> None:
    """Serve `folder/library.bin` over standard input and output until the input ends."""
    from .launcher import read_frame, write_frame

    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints must not get between the frames
    service = Service(Path(folder, "library.bin").read_bytes())
    quiet()

    def call_back(question: bytes) -> bytes:
        write_frame(sink, question)
        return read_frame(source) or FAILED

    write_frame(sink, encode(("ready",)))
    while request := read_frame(source):
        reply = service.handle(request, call_back)
        service.calls.clear()
        write_frame(sink, reply)
