"""The package that a program imports: functions and arrays that only forward to a service.

It holds random names, plain data and the means to send bytes. The library itself, the original names and
the map between them live in another process (`service`), so nothing reachable from here leads to them.
Functions carry no documentation at run time: the book is closed.

Standard library only: this file is also copied into packages on disk.

Does not cover: views. `x[0][1] = 2` writes through to `x`; a row taken out earlier does not follow later
changes of its array.
"""

import _thread
import builtins
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NoReturn

from .codec import Array, CodecError, decode, encode

Send = Callable[[bytes], bytes]


def build(package: str, public: Sequence[str], send: Send) -> ModuleType:
    """The package module, with a submodule for every dotted prefix in `public`.

    `send` takes a request to the service and gives its reply, or the service's question when the request
    held a callable: the answer to a question is sent the same way. The module is not put in `sys.modules`
    (`install` does).
    """
    link = Channel(package, send)
    modules = {"": ModuleType(package)}
    for dotted in public:
        prefix, _, name = dotted.rpartition(".")
        if prefix not in modules:
            modules[prefix] = ModuleType(f"{package}.{prefix}")
            setattr(modules[""], prefix, modules[prefix])
        setattr(modules[prefix], name, _Function(package, dotted, link))
    setattr(modules[""], link.array.__name__, link.array)
    modules[""].__path__ = []
    return modules[""]


def install(module: ModuleType) -> None:
    """Let `import` find the package and its namespaces."""
    sys.modules[module.__name__] = module
    for part in vars(module).values():
        if isinstance(part, ModuleType):
            sys.modules[part.__name__] = part


class Channel:
    """One channel to a service, and the array class of its package."""

    def __init__(self, package: str, send: Send) -> None:
        self.send = send
        self.lock = _thread.RLock()
        members = {"__slots__": (), "__module__": package, "__qualname__": f"{package.upper()}Array"}
        self.array = type(f"{package.upper()}Array", (_Array,), {**members, "_link": self})

    def ask(self, *message: Any) -> Any:
        """Send a message and give the reply's value.

        Raises:
            TypeError: an argument is not plain data.
            Exception: what the library raised, as a builtin exception; or what a passed callable raised.
        """
        arrays: list[Array] = []
        callables: list[Callable[..., Any]] = []
        failure: BaseException | None = None
        try:
            request = encode(message, arrays, callables)
        except CodecError as error:
            raise TypeError(str(error)) from None
        with self.lock:
            reply = decode(self.send(request), self.make)
            while reply[0] == "question":
                try:
                    answer = encode(("answer", callables[reply[1]](*reply[2], **reply[3])))
                except BaseException as error:
                    failure = error
                    answer = encode(("failed",))
                reply = decode(self.send(answer), self.make)
        if failure is not None:
            raise failure
        if reply[0] == "error":
            _raise(reply[1], reply[2])
        for position, changed in reply[2]:
            arrays[position]._values = changed._values
        return _Made(self, reply[1], callables) if reply[0] == "made" else reply[1]

    def make(self, shape: tuple[int, ...], dtype: str, values: list[Any]) -> Array:
        return self.array(None, shape, dtype, values)


def _raise(kind: str, message: str) -> NoReturn:
    found = getattr(builtins, kind, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        found = RuntimeError
    raise found(message) from None


class _Function:
    """A function of the package. Its parameters are asked for when somebody wants to see them."""

    def __init__(self, package: str, dotted: str, link: Channel) -> None:
        prefix, _, name = dotted.rpartition(".")
        self.__name__ = self.__qualname__ = name
        self.__module__ = f"{package}.{prefix}" if prefix else package
        self.__doc__ = None
        self._dotted = dotted
        self._link = link

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._link.ask("call", self._dotted, args, kwargs)

    def __repr__(self) -> str:
        return f"<function {self.__module__}.{self.__name__}>"

    @property
    def __signature__(self) -> Any:
        import inspect

        parameters = []
        for name, kind, default in self._link.ask("signature", self._dotted):
            shown = inspect.Parameter.empty if default is None else _Default(default)
            parameters.append(inspect.Parameter(name, inspect._ParameterKind(kind), default=shown))
        return inspect.Signature(parameters)


class _Made:
    """A callable that the library made, perhaps from callables of the program, which stay with it."""

    def __init__(self, link: Channel, number: int, callables: list[Callable[..., Any]]) -> None:
        self._link = link
        self._number = number
        self._callables = callables

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._link.ask("invoke", self._number, self._callables, args, kwargs)


class _Default:
    """A default value in a signature: text, never the object."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _operator(symbol: str, reflected: bool = False) -> Callable[..., Any]:
    def operate(self: "_Array", other: Any) -> Any:
        return self._link.ask("operate", symbol, *((other, self) if reflected else (self, other)))

    return operate


class _Array(Array):
    """An array of the package: shape, dtype and plain values. Arithmetic is the service's."""

    __slots__ = ("_base",)
    _link: Channel
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, data: Any, shape: tuple[int, ...] | None = None, dtype: str = "", values: Any = None
    ) -> None:
        if shape is None:
            made = self._link.ask("wrap", data)
            shape, dtype, values = made._shape, made._dtype, made._values
        Array.__init__(self, shape, dtype, values)
        self._base: tuple[_Array, Any] | None = None

    @property
    def T(self) -> "_Array":
        return self._link.ask("transpose", self)

    def __getattr__(self, name: str) -> NoReturn:
        kind = type(self).__name__
        if name.startswith("_"):
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        package = kind.removesuffix("Array").lower()
        raise AttributeError(
            f"{kind!r} object has no attribute {name!r}: arrays have no methods, use a function of {package}"
        )

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of unsized object")
        return self._shape[0]

    def __bool__(self) -> bool:
        if len(self._values) == 1:
            return bool(self._values[0])
        raise ValueError("the truth value of an array with other than one element is ambiguous")

    def __iter__(self) -> Iterator[Any]:
        if not self._shape:
            raise TypeError("iteration over a 0-d array")
        return iter(list(self._values)) if len(self._shape) == 1 else map(self.__getitem__, range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if type(key) is int and len(self._shape) == 1:
            length = self._shape[0]
            if not -length <= key < length:
                raise IndexError(f"index {key} is out of bounds for axis 0 with size {length}")
            return self._values[key]
        part = self._link.ask("get", self, key)
        if isinstance(part, _Array) and _is_view(key):
            part._base = (self, key)
        return part

    def __setitem__(self, key: Any, value: Any) -> None:
        self._link.ask("set", self, key, value)
        if self._base is not None:
            base, where = self._base
            base[where] = self

    def __contains__(self, value: Any) -> bool:
        return self._link.ask("operate", "in", self, value)

    def __repr__(self) -> str:
        return self._link.ask("repr", self)

    def __str__(self) -> str:
        return self._link.ask("str", self)

    __add__, __radd__ = _operator("+"), _operator("+", True)
    __sub__, __rsub__ = _operator("-"), _operator("-", True)
    __mul__, __rmul__ = _operator("*"), _operator("*", True)
    __truediv__, __rtruediv__ = _operator("/"), _operator("/", True)
    __pow__, __rpow__ = _operator("**"), _operator("**", True)
    __eq__, __ne__ = _operator("=="), _operator("!=")
    __lt__, __le__, __gt__, __ge__ = _operator("<"), _operator("<="), _operator(">"), _operator(">=")


def _is_view(key: Any) -> bool:
    """Basic indexing: writing into the part writes into the whole."""
    parts = key if type(key) is tuple else (key,)
    return all(type(p) is int or isinstance(p, slice) or p is None or p is Ellipsis for p in parts)
