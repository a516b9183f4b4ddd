"""The package on disk: starts the service as a process of its own, at the first call, and uses its pipes.

Frames are four bytes of length and the message. A forked child starts a service of its own; at exit the
pipes close and the service ends. Standard library only: this file is copied into packages on disk.

Does not cover: confinement. Whoever imports a package from disk can also read the disk.
"""

import atexit
import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from .client import build, install
from .codec import decode

_LENGTH = struct.Struct("<I")
_BOOT = (
    "import sys, types; p = types.ModuleType('library'); p.__path__ = [sys.argv[1]]; "
    "sys.modules['library'] = p; from library.service import main; main(sys.argv[1])"
)


def read_frame(stream: IO[bytes]) -> bytes:
    """The next message; empty when the other side is gone."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""


def write_frame(stream: IO[bytes], message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


class Process:
    """`send` for `client.build`, into a service process. One request at a time."""

    def __init__(self, package: str, folder: str) -> None:
        self.package = package
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.owner = 0

    def send(self, message: bytes) -> bytes:
        """The reply.

        Raises:
            RuntimeError: the service could not start, or ended. The next call starts it again.
        """
        if self.process is None or self.owner != os.getpid():
            self.start()
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        try:
            write_frame(self.process.stdin, message)
            reply = read_frame(self.process.stdout)
        except OSError:
            reply = b""
        if not reply:
            status = self.close()
            raise RuntimeError(
                f"the process behind {self.package} ended (exit status {status}); call again to restart it"
            )
        return reply

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the program
        )
        self.owner = os.getpid()
        atexit.register(self.close)
        assert self.process.stdout is not None
        hello = read_frame(self.process.stdout)
        if not hello or decode(hello) != ("ready",):
            status = self.close()
            raise RuntimeError(
                f"the process behind {self.package} could not start (exit status {status}); "
                f"is its library installed for {sys.executable}?"
            )

    def close(self) -> int | None:
        """End the service. A fork's parent keeps its own."""
        process, self.process = self.process, None
        atexit.unregister(self.close)
        if process is None or self.owner != os.getpid():
            return None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # it broke already
                    pipe.close()
        try:
            return process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # deep in a computation that nobody waits for any more
            process.kill()
            return process.wait()


def open_here(package: str, public: Sequence[str], folder: str) -> None:
    """Put the package in place of the module that is being imported."""
    install(build(package, public, Process(package, folder).send))
