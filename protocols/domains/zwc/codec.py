"""Plain data as bytes: tagged JSON, so that the standard library's C coder does the work.

Scalars, strings and lists travel as they are. Everything else is an object with one key, its tag:

    t tuple | d dict, as pairs | c complex | i huge integer | b bytes | s slice | e Ellipsis
    r range | y builtin type | a array: shape, dtype, flat values | f callable, by its number

Decoding only ever builds values of these kinds and runs nothing. Standard library only, because this file
is also copied into packages on disk and runs beside untrusted programs.

Does not cover: sets, and objects of classes other than `Array` (subclasses of plain types lose their class).
"""

import json
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from types import NoneType
from typing import Any

MAX_BYTES = 64 << 20  # of one message
MAX_DEPTH = 60  # of nested containers
MAX_NODES = 4_000_000  # containers and tagged values in one message; stops shared references from exploding
MAX_RANGE = 4_000_000  # a range is short to write and long to expand; so are axes beside an empty one
MAX_AXES = 64  # as many as NumPy has
PLAIN = frozenset({NoneType, bool, int, float, str})
TYPES = {t.__name__: t for t in (bool, int, float, complex, str, bytes, object, list, tuple, dict)}
_TYPE_NAMES = {t: name for name, t in TYPES.items()}


class CodecError(ValueError):
    """The value is not plain data, or the bytes are not an encoded value."""


class Array:
    """Shape, dtype as a string, and the flat values (row by row) as Python scalars. No arithmetic."""

    __slots__ = ("_dtype", "_shape", "_values")

    def __init__(self, shape: tuple[int, ...], dtype: str, values: list[Any]) -> None:
        self._shape = shape
        self._dtype = dtype
        self._values = values

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def size(self) -> int:
        return math.prod(self._shape)

    @property
    def ndim(self) -> int:
        return len(self._shape)


def nested(array: Array) -> Any:
    """The array as nested lists; a scalar if it has no axes."""
    values: list[Any] = _values(array)
    shape: tuple[int, ...] = _shape(array)
    if not shape:
        return values[0]
    for axis in range(len(shape) - 1, 0, -1):
        length = shape[axis]
        values = [values[i * length : (i + 1) * length] for i in range(math.prod(shape[:axis]))]
    return values


def encode(
    value: Any, arrays: list[Array] | None = None, callables: list[Callable[..., Any]] | None = None
) -> bytes:
    """The value as bytes.

    `arrays` collects the arrays met, in the order in which `decode` will meet them; `callables` collects
    the callables, which travel as their position in it (without it, callables are refused).

    Raises:
        CodecError: something in it is not plain data, too deep or too large.
    """
    packer = _Packer(arrays, callables)
    packed = packer.pack(value, MAX_DEPTH)
    try:
        text = _encode(packed)
    except ValueError:  # an integer of more digits than Python converts
        packer = _Packer(None if arrays is None else [], None if callables is None else [], huge=True)
        text = _encode(packer.pack(value, MAX_DEPTH))
    if len(text) > MAX_BYTES:
        raise CodecError("too much data: more than 64 MiB")
    return text.encode("ascii")


def decode(
    data: bytes,
    array: Callable[[tuple[int, ...], str, list[Any]], Any] = Array,
    function: Callable[[int], Any] | None = None,
) -> Any:
    """The value of these bytes. `array` and `function` make what stands for arrays and callables.

    Raises:
        CodecError: the bytes are not what `encode` writes, or too deep or too large.
    """
    if len(data) > MAX_BYTES:
        raise CodecError("too much data: more than 64 MiB")
    try:
        return decoder(array, function)(data.decode("ascii"))
    except CodecError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CodecError(f"not an encoded value ({type(error).__name__})") from None


class _Packer:
    """Turns values into what JSON knows, within limits."""

    def __init__(
        self,
        arrays: list[Array] | None,
        callables: list[Callable[..., Any]] | None,
        huge: bool = False,
    ) -> None:
        self.arrays = arrays
        self.callables = callables
        self.left = MAX_NODES
        self.plain = PLAIN - {int} if huge else PLAIN

    def pack(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in self.plain:
            return value
        if depth == 0:
            raise CodecError(f"nested more than {MAX_DEPTH} deep")
        self.left -= 1
        if self.left < 0:
            raise CodecError("too much data: more than 4,000,000 values")
        if kind is list:
            return self.items(value, depth)
        if kind is tuple:
            return {"t": self.items(value, depth)}
        if kind is dict:
            return {"d": [[self.pack(k, depth - 1), self.pack(v, depth - 1)] for k, v in value.items()]}
        return self.other(value, depth)

    def items(self, values: Any, depth: int) -> Any:
        if self.plain.issuperset(map(type, values)):
            return values
        return [self.pack(v, depth - 1) for v in values]

    def other(self, value: Any, depth: int) -> Any:
        """Rarer kinds, and subclasses of plain ones as the plain one."""
        if isinstance(value, Array):
            return self.array(value, depth)
        if isinstance(value, complex):
            return {"c": [float(value.real), float(value.imag)]}
        if isinstance(value, int):
            number = int.__int__(value)
            return number if abs(number) < 1 << 64 else {"i": hex(number)}
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, (bytes, bytearray)):
            return {"b": bytes(value).decode("latin-1")}
        if isinstance(value, slice):
            return {"s": self.items([value.start, value.stop, value.step], depth)}
        if value is Ellipsis:
            return {"e": 0}
        if isinstance(value, range):
            return {"r": [value.start, value.stop, value.step]}
        if isinstance(value, type) and value in _TYPE_NAMES:
            return {"y": _TYPE_NAMES[value]}
        if isinstance(value, list):
            return self.items(list.copy(value), depth)
        if isinstance(value, tuple):
            return {"t": self.items(list(tuple.__iter__(value)), depth)}
        if isinstance(value, dict):
            return self.pack(dict(dict.items(value)), depth)
        if callable(value) and self.callables is not None:
            self.callables.append(value)
            return {"f": len(self.callables) - 1}
        if isinstance(value, Iterator) and self.callables is not None:  # an argument: generators, map, zip
            values = list(islice(value, MAX_RANGE + 1))
            if len(values) > MAX_RANGE:
                raise CodecError("too much data: an iterator of more than 4,000,000 values")
            return self.items(values, depth)
        raise CodecError(f"cannot pass a value of type {kind_name(value)}")

    def array(self, value: Array, depth: int) -> Any:
        if self.arrays is not None:
            self.arrays.append(value)
        shape, dtype, values = _shape(value), _dtype(value), _values(value)
        if dtype.startswith("complex"):
            values = [part for number in values for part in (number.real, number.imag)]
        return {"a": [list(shape), dtype, self.items(values, depth)]}


def kind_name(value: Any) -> str:
    return repr(type.__getattribute__(type(value), "__name__"))


#: Read past anything that a subclass may have put in the way.
_values = Array.__dict__["_values"].__get__
_shape = Array.__dict__["_shape"].__get__
_dtype = Array.__dict__["_dtype"].__get__


def _unpacker(
    array: Callable[[tuple[int, ...], str, list[Any]], Any], function: Callable[[int], Any] | None
) -> Callable[[dict[str, Any]], Any]:
    def make_array(parts: list[Any]) -> Any:
        shape, dtype, values = parts
        if type(dtype) is not str or type(values) is not list or len(shape) > MAX_AXES:
            raise CodecError("not an encoded value (array)")
        if not all(type(n) is int and n >= 0 for n in shape) or math.prod(n or 1 for n in shape) > MAX_RANGE:
            raise CodecError("not an encoded value (shape of an array)")
        if math.prod(shape) * (2 if dtype.startswith("complex") else 1) != len(values):
            raise CodecError("not an encoded value (array of another size)")
        if dtype.startswith("complex"):
            values = list(map(complex, values[::2], values[1::2]))
        return array(tuple(shape), dtype, values)

    def make_range(parts: list[int]) -> range:
        made = range(*parts)
        if len(made) > MAX_RANGE:
            raise CodecError("too much data: a range of more than 4,000,000 numbers")
        return made

    def make_function(number: int) -> Any:
        if function is None:
            raise CodecError("not an encoded value (callable)")
        return function(number)

    makers: dict[str, Callable[[Any], Any]] = {
        "t": tuple,
        "d": dict,
        "c": lambda parts: complex(*parts),
        "i": lambda digits: int(digits, 16),
        "b": lambda text: text.encode("latin-1"),
        "s": lambda parts: slice(*parts),
        "e": lambda _: Ellipsis,
        "r": make_range,
        "y": lambda name: TYPES[name],
        "a": make_array,
        "f": make_function,
    }

    def unpack(tagged: dict[str, Any]) -> Any:
        ((tag, payload),) = tagged.items()
        return makers[tag](payload)

    return unpack


@lru_cache(maxsize=64)
def decoder(
    array: Callable[[tuple[int, ...], str, list[Any]], Any], function: Callable[[int], Any] | None
) -> Callable[[str], Any]:
    return json.JSONDecoder(object_hook=_unpacker(array, function)).decode


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
