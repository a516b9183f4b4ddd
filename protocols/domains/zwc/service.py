"""The process side of the package: it holds the real library and the names, and sees every call.

`Service.handle` takes one request of the client and gives the reply; it never raises. Because calls are
noted here, out of the program's reach, a trace cannot be forged; because results can be shaken here, an
answer that does not depend on the library can be told from one that does.

Messages (`codec`), each a list or tuple beginning with its kind:

    call NAME ARGS KWARGS | operate SYMBOL A B | get A KEY | set A KEY VALUE | repr A | str A
    transpose A | wrap DATA | signature NAME            →  ok VALUE CHANGED | error TYPE MESSAGE
    question NUMBER ARGS KWARGS (to the client)         →  answer VALUE | failed | another request

`CHANGED` lists the arrays of the request that the library wrote into, by position.

Runs from its own folder with the standard library and the real module only. Does not cover: limits of
time and memory, which are the business of whoever runs the process.
"""

import builtins
import importlib
import inspect
import json
import operator
import re
import sys
import zlib
from collections.abc import Callable
from typing import Any

from .codec import MAX_BYTES, Array, CodecError, decode, encode

MAX_ELEMENTS = 4_000_000  # of one array that is sent back; broadcasting makes huge ones for nothing
MAX_NESTING = 16  # of library calls inside callables inside library calls
CallBack = Callable[[bytes], bytes]

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
#: What a sentinel default means, by parameter, where a signature has to show something.
_MEANT = {"keepdims": "False", "where": "True", "initial": "None"}


class _CallableFailed(Exception):
    """A callable that the program passed raised; the program knows why."""


class Service:
    """Serves the library in `blob` (`obfuscate.Library.blob`).

    Attributes:
        calls: obfuscated names of the public functions called, in order; the owner clears it. Operators
            and indexing are no calls.
        shake: perturb the results of public functions, array constructors excepted.
    """

    def __init__(self, blob: bytes) -> None:
        content = json.loads(zlib.decompress(blob))
        self.package: str = content["package"]
        self.module: str = content["module"]
        self.calls: list[str] = []
        self.shake = False
        root = importlib.import_module(self.module)
        self._numpy: Any = sys.modules.get("numpy")
        self._functions: dict[str, Callable[..., Any]] = {}
        for original, public in content["entries"].items():
            self._functions[public] = resolve(root, original)
        self._constructors = {content["entries"].get(name) for name in content["constructors"]}
        self._scrub = Scrubber(self.package, self.module, content["entries"])
        self._depth = 0
        self._kinds: dict[str, Callable[..., Any]] = {
            "call": self._call,
            "operate": lambda symbol, a, b: _OPERATORS[symbol](a, b),
            "get": lambda a, key: a[key],
            "set": operator.setitem,
            "repr": self._repr,
            "str": str,
            "transpose": lambda a: a.T,
            "wrap": lambda data: self._numpy.asarray(data),
            "signature": self.signature,
        }

    def handle(self, request: bytes, call_back: CallBack | None = None) -> bytes:
        """The reply to one request. `call_back` sends a question to the client and gives its next message."""
        if self._depth >= MAX_NESTING:
            return encode(("error", "RecursionError", "calls nested too deep"))
        self._depth += 1
        try:
            return self._reply(request, call_back)
        except _CallableFailed:
            return encode(("error", "RuntimeError", "the callable failed"))
        except CodecError as error:
            return encode(("error", "TypeError", str(error)))
        except Exception as error:
            return encode(("error", _builtin(error), self._scrub(_message(error))))
        finally:
            self._depth -= 1

    def _reply(self, request: bytes, call_back: CallBack | None) -> bytes:
        arrays: list[Any] = []

        def array(shape: tuple[int, ...], dtype: str, values: list[Any]) -> Any:
            arrays.append(self._to_numpy(shape, dtype, values))
            return arrays[-1]

        def function(number: int) -> Callable[..., Any]:
            return self._proxy(number, call_back)

        kind, *parts = decode(request, array, function)
        if kind not in self._kinds:
            raise CodecError(f"unknown request {kind!r:.40}")
        before = [a.tobytes() for a in arrays] if kind in ("call", "set") else []
        value = self._plain(self._kinds[kind](*parts))
        changed = [[i, self._plain(arrays[i])] for i, was in enumerate(before) if arrays[i].tobytes() != was]
        return encode(("ok", value, changed))

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.calls.append(name)
        value = self._functions[name](*args, **kwargs)
        return self._shaken(value) if self.shake and name not in self._constructors else value

    def _proxy(self, number: int, call_back: CallBack | None) -> Callable[..., Any]:
        """What stands here for a callable of the program."""
        if call_back is None:
            raise CodecError("callables cannot be passed here")

        def proxy(*args: Any, **kwargs: Any) -> Any:
            question = ("question", number, self._plain(list(args)), self._plain(kwargs))
            message = call_back(encode(question))
            while True:
                if message.startswith(b'{"t":["failed"'):
                    raise _CallableFailed
                if message.startswith(b'{"t":["answer"'):
                    return decode(message, self._to_numpy)[1]
                message = call_back(self.handle(message, call_back))

        return proxy

    # Values in and out

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
        if value.size > MAX_ELEMENTS:
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
        text = self._numpy.array_repr(array)
        return f"{self.package.upper()}Array" + text[text.index("(") :]

    def _shaken(self, value: Any) -> Any:
        """The same value elsewhere: of the same type, shape and structure, deterministic."""
        numpy = self._numpy
        if isinstance(value, bool) or (numpy is not None and isinstance(value, numpy.bool_)):
            return not value
        if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
            kind = value.dtype.kind
            if kind == "b":
                return ~value
            if kind in "iu":
                return (value + 7).astype(value.dtype)
            if kind in "fc":
                return (value * 1.37 + 11.3).astype(value.dtype)
            if kind in "US":
                return numpy.strings.add(value, "~" if kind == "U" else b"~")
            if kind == "O" and isinstance(value, numpy.ndarray):
                made = numpy.empty(value.size, dtype=object)
                made[:] = [self._shaken(v) for v in value.ravel()]
                return made.reshape(value.shape)
            return value + 7
        if isinstance(value, int):
            return value + 7
        if isinstance(value, (float, complex)):
            return value * 1.37 + 11.3
        if isinstance(value, str):
            return value + "~"
        if isinstance(value, bytes):
            return value + b"~"
        if isinstance(value, tuple):
            return tuple([self._shaken(v) for v in value])
        if isinstance(value, list):
            return [self._shaken(v) for v in value]
        if isinstance(value, dict):
            return {k: self._shaken(v) for k, v in value.items()}
        return value

    def signature(self, name: str) -> list[list[Any]]:
        """Parameters of a public function as [name, kind, default as text or None for none]."""
        return parameters(self._functions[name])


def resolve(root: Any, dotted: str) -> Callable[..., Any]:
    """The function of that dotted name below a module."""
    for part in dotted.split("."):
        root = getattr(root, part)
    return root


def parameters(function: Callable[..., Any]) -> list[list[Any]]:
    """Parameters as [name, kind (`inspect` number), default as text or None]. Empty when unknown.

    Functions in C without a signature of their own are read from the first line of their docstring.
    """
    try:
        found = inspect.signature(function)
    except (ValueError, TypeError):
        found = None
    if found is None or [p.kind for p in found.parameters.values()] == [2, 4]:
        found = _from_docstring(function) or found
    if found is None:
        return [["args", 2, None], ["kwargs", 4, None]]
    shown: list[list[Any]] = []
    for p in found.parameters.values():
        default = None if p.default is p.empty else _default(p.name, p.default)
        shown.append([p.name, int(p.kind), default])
    return shown


def _from_docstring(function: Callable[..., Any]) -> inspect.Signature | None:
    """`name(a, b, /, out=None, *, order='K'[, signature])` as a signature."""
    line = re.match(r"\s*\w+\((.*?)\)\s*(\n|$)", function.__doc__ or "", re.DOTALL)
    if line is None:
        return None
    text = re.sub(r"\[(\w+)\s*,\]", r"\1,", line[1].replace("\n", " "))  # [start,]
    text = re.sub(r"\[\s*,?\s*(\w+)\s*,?\s*\]", r", \1=None", text)  # [, step,]
    try:
        made: dict[str, Any] = {}
        exec(f"def f({text}): ...", made)
        return inspect.signature(made["f"])
    except SyntaxError:
        return None


def _default(name: str, value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float, complex, str, tuple)):
        return repr(value)
    if isinstance(value, type) and value.__module__ == "builtins":
        return value.__name__
    return _MEANT.get(name, "...")


class Scrubber:
    """Takes original names out of a text: in code positions always, in prose only unmistakable ones."""

    #: Names that are ordinary words too: in prose they stay.
    WORDS = frozenset(
        "absolute add all any append array average ceil choose clip compress copy cross cos degrees delete "
        "diagonal digitize divide dot equal exp extract fill fix flip floor full gradient greater histogram "
        "identity imag inner insert invert less log max maximum mean median min minimum mod multiply "
        "negative nonzero ones outer pad partition percentile place poly positive power prod product put "
        "quantile radians ravel real reciprocal remainder repeat require reshape resize roll rotate round "
        "select shape sign sin size solve sort split square stack std subtract sum take tan tile trace "
        "transpose true_divide unique var variance where zeros norm rank inv eye array_equal fabs comb dist "
        "factorial pow mode e pi stdev correlation".split()
    )

    def __init__(self, package: str, module: str, entries: dict[str, str]) -> None:
        self._package = package
        self._module = module
        self._public = {name: f"{package}.{public}" for name, public in entries.items()}
        for name, public in entries.items():  # a bare name means the main one
            self._public.setdefault(name.rpartition(".")[2], f"{package}.{public}")
        names = sorted(map(re.escape, self._public), key=len, reverse=True)
        prefix = rf"(?:{re.escape(module)}\.|np\.|_)"
        self._pattern = re.compile(
            rf"(?P<prefix>{prefix})?\b(?P<name>{'|'.join(names) or '(?!)'})(?:_dispatcher)?\b(?P<code>\(|['`\"])?"
        )

    def __call__(self, text: str) -> str:
        text = re.sub(rf"\b_?({'|'.join(map(re.escape, self._public)) or '(?!)'})_dispatcher\b", r"\1", text)
        text = self._pattern.sub(self._replace, text)
        text = re.sub(rf"\b(?:{re.escape(self._module)}|np)\.[\w.]+", f"a function of {self._package}", text)
        text = re.sub(r"(?i)\bnumpy\b", self._package, text)
        return text.replace("ndarray", f"{self._package.upper()}Array")

    def _replace(self, match: re.Match[str]) -> str:
        name, code = match["name"], match["code"] or ""
        before = match.string[: match.start()][-1:]
        quoted = code in ("'", "`", '"') and before == code
        if match["prefix"] or code == "(" or quoted or name not in self.WORDS:
            return self._public[name] + code
        return match[0]


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
    import warnings

    warnings.simplefilter("ignore")
    if "numpy" in sys.modules:
        sys.modules["numpy"].seterr(all="ignore")


def serve(blob: bytes, read: Callable[[], bytes], write: Callable[[bytes], None]) -> None:
    """Answer requests until `read` gives none."""
    service = Service(blob)
    quiet()

    def call_back(question: bytes) -> bytes:
        write(question)
        return read() or encode(("failed",))

    while request := read():
        write(service.handle(request, call_back))


_ = (builtins, MAX_BYTES)
