"""What happens inside the untrusted child: compile the program, call it case by case, send what it gives.

Nothing here is trusted. The child holds the program, the arguments of its cases and the package's
client; expected answers, the library and other programs are elsewhere. Whoever takes this loop over can
send other values, and gains no more than by returning them.

It may stand for two runs: compiled, it forks a twin in the same state, which is the first run, and becomes
the second one when the first is over. Nothing of the program has run by then.

Frames:  ← P program, with the arguments of all cases   ← L library's reply
         → T compiled; the twin's channel is ready      ← G go on, the twin is over → S how it ended
         → R module ran   → V value   → E exception   → L library request   → O printed text
         → X status and detail: the end

Standard library only. Does not cover: limits (`confine`), and what the values mean (`warden`).
"""

import contextlib
import gc
import importlib
import io
import marshal
import mmap
import os
import signal
import struct
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

from actors.sandbox import imports
from actors.sandbox.wire import Closed, Link, pack
from protocols.domains.zwc import codec, graded

_MESSAGE = 400  # characters of an exception's message
_PRINTED = 4000  # characters of printed text that are kept
_NAME = "solution"
OUT_OF_MEMORY = 71  # exit status
ENDED = struct.Struct("<id")  # wait status, CPU seconds

# Given back when memory is short, so that there is room to say so. Mapped, never touched: it costs nothing.
# Private: what is shared would outlive the program.
_reserve = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

_type_name = type.__dict__["__name__"].__get__


class Printed(io.StringIO):
    """Standard output and error together, up to a limit that ends the program."""

    def __init__(self, limit: int, end: Any) -> None:
        super().__init__()
        self._left = limit
        self._end = end

    def write(self, text: str) -> int:
        self._left -= len(text)
        if self._left < 0:
            self._end("output_limit", "printed more than the limit")
        return super().write(text)


class Runner:
    """One program. `package` and `guard` were made by the zygote before it forked.

    Args:
        twin: the channel of the first of two runs.
        limit: takes away what only forking a twin needs.
    """

    def __init__(
        self,
        link: Link,
        package: "Package | None",
        guard: imports.Guard | None,
        twin: int | None = None,
        limit: Callable[[], None] | None = None,
    ) -> None:
        self.link = link
        self.twin, self.bound = twin, limit
        self.out: list[bytes] = []  # frames that wait until somebody has to read them
        job = marshal.loads(link.recv()[1])
        self.source: str = job["source"]
        self.entry_point: str = job["entry_point"]
        self.name: str = job["package"]
        self.limit: int = job["limit"]
        self.cases: list[bytes] = job["cases"]
        self.printed = Printed(self.limit, self.end)
        sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = self.printed  # type: ignore
        if package is not None:
            package.send = self.ask
        self.guard = guard
        if guard is not None:
            guard.package = self.name
            guard.report = lambda name: self.end("forbidden_import", f"import of {name}")

    def end(self, status: str, detail: str) -> NoReturn:
        try:
            text = f"{status}\n{detail[:_MESSAGE]}".encode("utf-8", "backslashreplace")
            self.out.append(pack(b"X", text))
            self.flush()
        finally:
            os._exit(0)

    def flush(self) -> None:
        """Send what waits, and what was printed before it."""
        if self.printed.tell():
            text = self.printed.getvalue()[:_PRINTED].encode("utf-8", "backslashreplace")
            self.printed.seek(0)
            self.printed.truncate()
            self.out.insert(0, pack(b"O", text))
        data = b"".join(self.out)
        self.out.clear()
        self.link.send(data)

    def ask(self, request: bytes) -> bytes:
        """The library's reply."""
        self.out.append(pack(b"L", request))
        self.flush()
        return self.link.recv()[1]

    def compile(self) -> types.CodeType:
        try:
            code = compile(self.source, _NAME, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:  # ValueError: null bytes, lone surrogates
            self.end("syntax_error", describe(error))
        except MemoryError:  # how the parser says that its stack is full
            self.end("syntax_error", "too deeply nested, or too long")
        name = imports.forbidden(code, self.name) if self.guard is not None else None
        if name is not None:
            self.end("forbidden_import", f"import of {name}")
        return code

    def module(self, code: types.CodeType) -> Any:
        """The entry point of a fresh module."""
        module = sys.modules[_NAME] = types.ModuleType(_NAME)
        try:
            exec(code, vars(module))
        except BaseException as error:
            raise_memory(error)
            self.end("runtime_error", f"at its top level: {describe(error)}")
        function = vars(module).get(self.entry_point)
        if function is None or not callable(function):
            self.end("malformed", f"{self.entry_point} is not defined as a function")
        return function

    def case(self, function: Any, arguments: tuple[Any, ...]) -> bytes:
        """The frame that a call ends in."""
        try:
            value = function(*arguments)
        except BaseException as error:
            raise_memory(error)
            trace = error.__traceback__
            if isinstance(error, TypeError) and trace is not None and trace.tb_next is None:
                self.end("malformed", describe(error))  # the call itself failed: other parameters
            return pack(b"E", describe(error).encode("utf-8", "backslashreplace"))
        try:
            if not isinstance(value, _PLAIN):
                raise codec.CodecError(f"a value of type {codec.kind_name(value)}")
            data = codec.encode(value)
        except BaseException as error:
            raise_memory(error)
            text = f"TypeError: result is not plain data ({describe(error)})"
            return pack(b"E", text.encode("utf-8", "backslashreplace"))
        if len(data) > self.limit:
            self.end("output_limit", f"returned {len(data)} bytes")
        return pack(b"V", data)

    def divide(self) -> None:
        """Fork the first run; go on as the second when it is over."""
        assert self.twin is not None
        self.link.send(pack(b"T"))
        pid = os.fork()
        if pid == 0:
            self.link.close()
            self.link = Link(self.twin, 1 << 31)
            return
        os.close(self.twin)
        self.link.recv()  # G
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # nobody else is there but the zygote, which is immune
        _, status, usage = os.wait4(pid, 0)
        self.link.send(pack(b"S", ENDED.pack(status, usage.ru_utime + usage.ru_stime)))

    def serve(self) -> None:
        code = self.compile()
        if self.twin is not None:
            self.divide()
        if self.bound is not None:
            self.bound()
        function = self.module(code)
        self.out.append(pack(b"R"))
        for case in self.cases:
            self.out.append(self.case(function, marshal.loads(case)))
        self.flush()
        self.link.recv()  # the warden ends it


_PLAIN = (type(None), bool, int, float, complex, str, list, tuple, dict, codec.Array)


def raise_memory(error: BaseException) -> None:
    """Raise `MemoryError` if memory was the cause.

    CPython 3.11 sets no exception where there is no room for another frame; the interpreter then reports a
    `SystemError`.
    """
    unset = type(error) is SystemError and "without exception set" in str(error)
    if unset or isinstance(error, MemoryError):
        raise MemoryError


def describe(error: BaseException) -> str:
    """Type and message. A hostile `__str__` runs here, under the program's own limits."""
    try:
        message = f"{error}"[:_MESSAGE]
    except BaseException as second:
        raise_memory(second)
        message = "(its message cannot be shown)"
    name = _type_name(type(error))
    return f"{name}: {message}" if message else name


class Package:
    """A task's package, importable, with a way to send that each child sets for itself."""

    def __init__(self, name: str) -> None:
        self.send: Any = None
        self.name = name
        self._finder = graded.Finder(name, lambda request: self.send(request))
        self._finder.install()
        importlib.import_module(name)

    def remove(self) -> None:
        self._finder.remove()


class _Rehearsal:
    """Stands in for the link: one program whose every library call gives the same array."""

    def __init__(self, package: Package | None) -> None:
        name = package.name if package else ""
        call = f"{name}.rehearsed(x)" if package else "sorted(x)"
        source = f"{f'import {name}' if package else ''}\n\ndef solve(x):\n    y = {call}\n    return y\n"
        job = {"source": source, "entry_point": "solve", "package": name, "limit": 1 << 20}
        self._program = marshal.dumps({**job, "cases": [marshal.dumps(([1.0, 2.0],))] * 8})
        self._reply = codec.encode(("ok", codec.Array((2,), "float64", [1.0, 2.0]), []))
        self._sent, self._calls = 0, 8 if package else 0

    def send(self, data: bytes) -> None:
        self._sent += 1

    def recv(self) -> tuple[bytes, bytes]:
        if self._sent == 0:
            return b"P", self._program
        if self._sent > self._calls:
            raise Closed
        return b"L", self._reply


def rehearse(package: Package | None, guard: imports.Guard | None) -> None:
    """Run a harmless program in the zygote, a few times.

    The interpreter specialises code as it runs. What is specialised before the fork is shared by all
    children; otherwise each of them would do it again, in its own copies of the pages.
    """
    streams = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    for _ in range(20):
        with contextlib.suppress(Closed):
            Runner(_Rehearsal(package), package, guard).serve()  # type: ignore[arg-type]
    sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    del sys.modules[_NAME]


def run(
    fds: list[int], package: Package | None, guard: imports.Guard | None, limit: Callable[[], None] | None
) -> NoReturn:
    """Serve one program on this file descriptor, and its first run on the second, if there are two."""
    try:
        gc.enable()
        twin = fds[1] if len(fds) > 1 else None
        Runner(Link(fds[0], 1 << 31), package, guard, twin, limit).serve()
    except Closed:
        os._exit(0)
    except MemoryError:
        _reserve.close()
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(70)
