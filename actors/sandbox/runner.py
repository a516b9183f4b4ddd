"""What happens inside the untrusted child: compile the program, call it case by case, send what it gives.

Nothing here is trusted. The child holds the program, the arguments of the case at hand and the package's
client; expected answers, other cases and other programs are elsewhere. Whoever takes this loop over can
send other values, and gains no more than by returning them.

Frames:  ← P program   ← A arguments of a case   ← N begin again in a fresh module   ← L library's reply
         → R module ran  → V value  → E exception  → L library request  → O printed text
         → X status and detail: the end

Standard library only. Does not cover: limits (`confine`), and what the values mean (`warden`).
"""

import ast
import builtins
import gc
import io
import marshal
import mmap
import os
import sys
import types
from typing import Any, NoReturn

from actors.sandbox import imports
from actors.sandbox.wire import Channel, Closed, pack
from protocols.domains.zwc import client, codec

_MESSAGE = 400  # characters of an exception's message
_PRINTED = 4000  # characters of printed text that are kept
_NAME = "solution"
OUT_OF_MEMORY = 71  # exit status

# Given back when memory is short, so that there is room to say so. Mapped, never touched: it costs nothing.
_reserve = mmap.mmap(-1, 4 << 20)

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
    def __init__(self, channel: Channel, policy: bool) -> None:
        self.channel = channel
        kind, payload = channel.recv()
        job = marshal.loads(payload)
        self.source: str = job["source"]
        self.entry_point: str = job["entry_point"]
        self.package: str = job["package"]
        self.public: list[str] = job["public"]
        self.limit: int = job["limit"]
        self.printed = Printed(self.limit, self.end)
        sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = self.printed  # type: ignore[misc]
        self.policy = policy

    def end(self, status: str, detail: str) -> NoReturn:
        try:
            text = f"{status}\n{detail[:_MESSAGE]}".encode("utf-8", "backslashreplace")
            self.channel.send(self.pending(), pack(b"X", text))
        finally:
            os._exit(0)

    def pending(self) -> bytes:
        """A frame with what was printed since the last one; no bytes when nothing was."""
        if not self.printed.tell():
            return b""
        text = self.printed.getvalue()[:_PRINTED]
        self.printed.seek(0)
        self.printed.truncate()
        return pack(b"O", text.encode("utf-8", "backslashreplace"))

    def ask(self, request: bytes) -> bytes:
        """The library's reply."""
        self.channel.send(pack(b"L", request))
        return self.channel.recv()[1]

    def compile(self) -> types.CodeType:
        try:
            tree = ast.parse(self.source, _NAME)
            if self.policy:
                name = imports.forbidden(tree, self.package)
                if name is not None:
                    self.end("forbidden_import", f"import of {name}")
            return compile(tree, _NAME, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:  # ValueError: null bytes, lone surrogates
            self.end("syntax_error", describe(error))

    def module(self, code: types.CodeType) -> Any:
        """The entry point of a fresh module, with a fresh package."""
        if self.public:
            client.install(client.build(self.package, self.public, self.ask))
        module = sys.modules[_NAME] = types.ModuleType(_NAME)
        try:
            exec(code, vars(module))
        except MemoryError:
            raise
        except BaseException as error:
            self.end("runtime_error", f"at its top level: {describe(error)}")
        function = vars(module).get(self.entry_point)
        if function is None or not callable(function):
            self.end("malformed", f"{self.entry_point} is not defined as a function")
        return function

    def case(self, function: Any, arguments: tuple[Any, ...]) -> bytes:
        try:
            value = function(*arguments)
        except MemoryError:
            raise
        except BaseException as error:
            trace = error.__traceback__
            if isinstance(error, TypeError) and trace is not None and trace.tb_next is None:
                self.end("malformed", describe(error))  # the call itself failed: other parameters
            return pack(b"E", describe(error).encode("utf-8", "backslashreplace"))
        try:
            if not isinstance(value, _PLAIN):
                raise codec.CodecError(f"a value of type {codec.kind_name(value)}")
            data = codec.encode(value)
        except MemoryError:
            raise
        except BaseException as error:
            text = f"TypeError: result is not plain data ({describe(error)})"
            return pack(b"E", text.encode("utf-8", "backslashreplace"))
        if len(data) > self.limit:
            self.end("output_limit", f"returned {len(data)} bytes")
        return pack(b"V", data)

    def serve(self) -> None:
        code = self.compile()
        if self.policy:
            imports.guard(self.package, lambda name: self.end("forbidden_import", f"import of {name}"))
        function = self.module(code)
        self.channel.send(pack(b"R"))
        while True:
            kind, payload = self.channel.recv()
            if kind == b"A":
                frame = self.case(function, marshal.loads(payload))
                self.channel.send(self.pending(), frame)
            elif kind == b"N":
                function = self.module(code)
                self.channel.send(pack(b"R"))


_PLAIN = (type(None), bool, int, float, complex, str, list, tuple, dict, codec.Array)


def describe(error: BaseException) -> str:
    """Type and message. A hostile `__str__` runs here, under the program's own limits."""
    try:
        message = f"{error}"[:_MESSAGE]
    except MemoryError:
        raise
    except BaseException:
        message = "(its message cannot be shown)"
    name = _type_name(type(error))
    return f"{name}: {message}" if message else name


def run(sock: Any, policy: bool) -> None:
    """Serve one program on this socket; returns when the other side has gone."""
    gc.enable()
    try:
        Runner(Channel(sock, 1 << 31), policy).serve()
    except Closed:
        pass
    except MemoryError:
        _reserve.close()
        os._exit(OUT_OF_MEMORY)


_ = builtins
