"""One program's cases, as the trusted side sees them: library requests answered, results taken, twice.

Everything that comes from the child is data to be checked here; a frame out of turn ends the program.
Does not cover: starting and ending the child, and the deadline (`warden`).
"""

import contextlib
import json
import marshal
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
        self.error: str | None = None
        self.calls: list[str] = []


class Play:
    """One program's cases, in both passes."""

    def __init__(self, link: Link, service: Any, job: dict[str, Any], settings: dict[str, Any]) -> None:
        self.link = link
        self.service = service
        self.cases = [Case() for _ in job["cases"]]
        self.cases_shaken = [Case() for _ in job["cases"]]
        self.stdout = ""
        self.left = settings["output_kb"] << 10
        self.program = marshal.dumps(
            {
                "source": job["source"],
                "entry_point": job["entry_point"],
                "package": job["package"],
                "cases": job["cases"],
                "limit": self.left,
            }
        )

    def normal(self) -> None:
        if self.service is not None:
            self.service.shake = False
            self.service.forget()
        for _ in self._pass(pack(b"P", self.program), self.cases):
            pass

    def shaken(self) -> None:
        """Once more with the library's results perturbed, where that can tell something."""
        used = any(case.calls for case in self.cases)
        if not used or any(case.error is not None for case in self.cases):
            return
        for case in self.cases_shaken:
            case.error = "not needed"
        self.service.shake = True
        shaken = self._pass(pack(b"N"), self.cases_shaken)
        for case, other in zip(self.cases, shaken):
            if other.error is not None or _apart(case.value, other.value):
                return  # one answer that depends on the library is enough

    def _pass(self, begin: bytes, cases: list[Case]) -> Iterator[Case]:
        """Fill the cases one by one."""
        left = self.left
        self.link.send(begin)
        self._serve([])  # its top level
        for case in cases:
            value, error, size = self._serve(case.calls)
            left -= size
            if left < 0:
                raise Ended("output_limit", "returned more than the limit")
            case.value, case.error = value, error
            yield case

    def _serve(self, calls: list[str]) -> tuple[Any, str | None, int]:
        """Answer library requests until the child reports: value, error and size of the report."""
        while True:
            kind, payload = self.link.recv()
            if kind == b"L":
                if self.service is None:
                    raise Ended("runtime_error", "it asked for a library that the task does not have")
                try:
                    reply = self.service.handle(payload, self._call_back)
                finally:
                    calls += self.service.calls
                    self.service.calls.clear()
                self.link.send(pack(b"L", reply))
            elif kind == b"V":
                return *_plain_value(payload), len(payload)
            elif kind == b"E":
                return None, payload.decode("utf-8", "replace")[:400], 0
            elif kind == b"R":
                return None, None, 0
            elif kind == b"O":
                self.stdout = (self.stdout + payload.decode("utf-8", "replace"))[:4000]
            elif kind == b"X":
                raise _ended(payload)
            else:
                raise Ended("runtime_error", "it spoke on its channel out of turn")

    def _call_back(self, question: bytes) -> bytes:
        """Let the child run a callable that it passed to the library."""
        self.link.send(pack(b"L", question))
        while True:
            kind, payload = self.link.recv()
            if kind == b"L":
                return payload
            if kind == b"O":
                self.stdout = (self.stdout + payload.decode("utf-8", "replace"))[:4000]
            else:
                raise _ended(payload) if kind == b"X" else Ended("runtime_error", "no answer to the library")


_ENDS = {"forbidden_import", "syntax_error", "malformed", "runtime_error", "output_limit"}


def _ended(payload: bytes) -> Ended:
    status, _, detail = payload.decode("utf-8", "replace").partition("\n")
    return Ended(status if status in _ENDS else "runtime_error", detail[:400])


def _plain_value(data: bytes) -> tuple[Any, str | None]:
    try:
        value = _plain(codec.decode(data))
        if b"\\ud" in data.lower():  # perhaps half a character, which could be neither stored nor shown
            json.dumps(_texts(value), ensure_ascii=False).encode()
        return value, None
    except (codec.CodecError, RecursionError, TypeError, UnicodeEncodeError) as error:
        return None, f"TypeError: result is not plain data ({str(error)[:100]})"


def _texts(value: Any) -> list[Any]:
    """The strings in plain data, nested as they come."""
    if isinstance(value, list | tuple):
        return [_texts(v) for v in value]
    if isinstance(value, dict):
        return [_texts(list(value)), _texts(list(value.values()))]
    return [value] if isinstance(value, str) else []


_SCALARS = frozenset({type(None), bool, int, float, complex, str})


def _plain(value: Any) -> Any:
    """Arrays as nested lists; everything else as it is, if it is plain."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is list:
        return value if _SCALARS.issuperset(map(type, value)) else [_plain(v) for v in value]
    if kind is tuple:
        return tuple(_plain(v) for v in value)
    if kind is dict:
        return {_plain(k): _plain(v) for k, v in value.items()}
    if kind is codec.Array:
        return _plain(codec.nested(value))
    raise TypeError(f"a value of type {kind.__name__}")


def _apart(a: Any, b: Any) -> bool:
    """Whether two values differ by more than any tolerance would forgive; False when in doubt."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) != len(b) or any(map(_apart, a, b))
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
        with contextlib.suppress(OverflowError):
            return abs(a - b) > 1 + 0.1 * max(abs(a), abs(b))
    return isinstance(a, bool | str) and a != b
