"""One program's cases in one child, as the trusted side sees them: library requests answered, results taken.

Everything that comes from the child is data to be checked here; a frame out of turn ends the program.
Does not cover: starting and ending the child, and the deadline (`warden`).
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from actors.sandbox.wire import Link, pack
from protocols.domains.zwc import codec


class Ended(BaseException):
    """The program is over before its cases are."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Case:
    """What one call gave, so far."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: str | None = "not called"
        self.calls: list[str] = []


class Play:
    """One program's cases in one child, whose library results are true or moved.

    Args:
        service: the library; None where the program has none.
        shaking: moves the results of the functions that the program is about.
    """

    def __init__(
        self, link: Link, service: Any, job: dict[str, Any], settings: dict[str, Any], shaking: Any = None
    ) -> None:
        self.link = link
        self.service = service
        self.cases = [Case() for _ in range(job["count"])]
        self.calls_before: list[str] = []  # at the top level: no case's
        self.stdout = ""
        self.left = settings["output_kb"] << 10
        self.names, self.functions = job["unknown_names"], job["functions"]
        self._used: set[str] = set()
        if service is not None:
            service.begin(job["about"], shaking)

    def until_parted(self, link: Link) -> None:
        """Wait until a program that runs twice is compiled, and its two processes have parted.

        Raises:
            Ended: it does not compile.
        """
        while (frame := link.recv())[0] != b"T":
            if frame[0] == b"X":
                raise _ended(frame[1])
            self._printed(frame[1])

    def cases_one_by_one(self) -> Iterator[Case]:
        """Fill the cases; whoever takes them may stop early."""
        self._serve(self.calls_before)
        for case in self.cases:
            case.value, case.error = self._serve(case.calls)
            yield case

    def _serve(self, calls: list[str]) -> tuple[Any, str | None]:
        """Answer library requests until the child reports: value and error."""
        while True:
            kind, payload = self.link.recv()
            if kind == b"L":
                self.link.send(pack(b"L", self._ask_library(payload, calls)))
            elif kind == b"V":
                return self._value(payload)
            elif kind == b"E":
                return None, payload.decode("utf-8", "replace")[:400]
            elif kind == b"R":
                return None, None
            elif kind == b"O":
                self._printed(payload)
            elif kind == b"X":
                raise _ended(payload)
            else:
                raise Ended("runtime_error", "it spoke on its channel out of turn")

    def _printed(self, text: bytes) -> None:
        self.stdout = (self.stdout + text.decode("utf-8", "replace"))[:4000]

    def _ask_library(self, request: bytes, calls: list[str]) -> bytes:
        if self.service is None:
            raise Ended("runtime_error", "it asked for a library that the task does not have")
        try:
            reply: bytes = self.service.handle(request, self._call_back)
        finally:
            calls += self.service.calls
            self._used.update(self.service.calls)
            self.service.calls.clear()
        unknown = [name for name, there in self.service.named.items() if not there]
        if len(unknown) > self.names:
            raise Ended(
                "invented_attribute",
                f"called {len(unknown)} names that the package does not have: {unknown[-1]:.60}",
            )
        if len(self._used) > self.functions:
            raise Ended("too_many_functions", f"called more than {self.functions} functions of the package")
        return reply

    def _call_back(self, question: bytes) -> bytes:
        """Let the child run a callable that it passed to the library."""
        self.link.send(pack(b"L", question))
        while True:
            kind, payload = self.link.recv()
            if kind == b"L":
                return payload
            if kind == b"O":
                self._printed(payload)
            else:
                raise _ended(payload) if kind == b"X" else Ended("runtime_error", "no answer to the library")

    def _value(self, data: bytes) -> tuple[Any, str | None]:
        """The value in a report, or why it is none. What it takes up counts, not only how it was sent.

        Raises:
            Ended: it is more than the program may return.
        """
        if len(data) > self.left:
            raise Ended("output_limit", "returned more than the limit")
        try:
            value, size = _plain(codec.decode(data), self.left)
            if b"\\ud" in data.lower():  # perhaps half a character, which could be neither stored nor shown
                json.dumps(_texts(value), ensure_ascii=False).encode()
        except (codec.CodecError, RecursionError, TypeError, UnicodeEncodeError) as error:
            return None, f"TypeError: result is not plain data ({str(error)[:100]})"
        self.left -= max(size, len(data))
        return value, None


_ENDS = {"forbidden_import", "syntax_error", "malformed", "runtime_error", "output_limit"}


def _ended(payload: bytes) -> Ended:
    status, _, detail = payload.decode("utf-8", "replace").partition("\n")
    return Ended(status if status in _ENDS else "runtime_error", detail[:400])


def _texts(value: Any) -> list[Any]:
    """The strings in plain data, nested as they come."""
    if isinstance(value, list | tuple):
        return [_texts(v) for v in value]
    if isinstance(value, dict):
        return [_texts(list(value)), _texts(list(value.values()))]
    return [value] if isinstance(value, str) else []


_SCALARS = frozenset({type(None), bool, int, float, complex, str})
_NUMBERS = _SCALARS - {str}
_CONTAINER, _NUMBER = 64, 8  # bytes that an empty list, and a number in it, take up


def _plain(value: Any, left: int) -> tuple[Any, int]:
    """The value with arrays as nested lists, and how many bytes it takes up, about.

    Raises:
        Ended: more than are left.
        TypeError: something in it is not plain.
    """
    kind = type(value)
    if kind in _SCALARS:
        size = len(value) if kind is str else _NUMBER
        if size > left:
            raise Ended("output_limit", "returned more than the limit")
        return value, size
    if kind is codec.Array:
        lists, wide = 0, 1
        for length in value.shape:
            lists, wide = lists + wide, wide * length
        if lists * _CONTAINER > left:  # of shape (2000, 2000, 0), say: nothing in it, and four million lists
            raise Ended("output_limit", "returned more than the limit")
        return _plain(codec.nested(value), left)
    if kind is dict:
        keys, used = _items(value, left)
        values, more = _items(value.values(), left - used)
        return dict(zip(keys, values)), used + more
    if kind is not list and kind is not tuple:
        raise TypeError(f"a value of type {kind.__name__}")
    items, size = _items(value, left)
    return items if kind is list else tuple(items), size


def _items(values: Any, left: int) -> tuple[list[Any], int]:
    if type(values) is list and _NUMBERS.issuperset(map(type, values)):
        items, size = values, _CONTAINER + _NUMBER * len(values)
        values = ()
    else:
        items, size = [], _CONTAINER
    for value in values:
        item, more = _plain(value, left - size)
        items.append(item)
        size += more
    if size > left:
        raise Ended("output_limit", "returned more than the limit")
    return items, size


def apart(a: Any, b: Any) -> bool:
    """Whether two values differ by more than any tolerance would forgive; False when in doubt."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) != len(b) or any(map(apart, a, b))
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
        with contextlib.suppress(OverflowError):
            return abs(a - b) > 1e-3 + 0.02 * max(abs(a), abs(b))
    return isinstance(a, bool | str) and a != b
