"""The pool's end of one slot: starts a warden by exec, feeds it programs, and notices when it is gone."""

import contextlib
import hashlib
import marshal
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.sandbox import cleaning, isolation
from actors.sandbox.wire import NO_INPUT, Closed, Frames, pack
from protocols.domains.zwc.shaking import STRENGTHS
from protocols.errors import SandboxError
from protocols.records import CaseResult, Outcome, Program, Shaken
from protocols.settings import SandboxSettings

_START_S = 60.0  # a cold start reads NumPy from disk
_GRACE_S = 2.0  # the warden's own alarm comes first
RUNS = 1 + len(STRENGTHS)  # of one program, at most, each with a deadline of its own
DEPTH = 2  # programs at a slot: the one that runs, and the next, so that it never idles


class Slot:
    """One warden with its zygote, on one `core` or any. `start`, then `send` and `receive`; `kill` always.

    `modules` are loaded into the process that programs are forked from; the import policy is off then.
    `inputs` are folders that programs may read, each program one of them at most.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        without: Sequence[str] = (),
        core: int | None = None,
        modules: Sequence[str] = (),
        inputs: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self.settings = settings
        self.without = [*without, *(["import policy"] if modules and "import policy" not in without else [])]
        self.modules = list(modules)
        self.inputs = list(inputs)
        self.core = core
        self.queue: deque[int] = deque()  # ticket numbers of the programs sent, oldest first
        self.deadline = float("inf")  # of the oldest, on the monotonic clock
        self._frames = Frames(1 << 31)
        self._out = bytearray()
        self._library = b""  # digest of the one that the warden has
        self._module: str | None = None  # what it serves: nothing else can be loaded once a program has run
        self.seed = seed
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `kill`)
        # Made by the zygote only where it cannot have an empty root.
        self._scratch = str(Path(tempfile.gettempdir(), f"taskspace-scratch-{uuid.uuid4().hex}"))
        ours, theirs = socket.socketpair()
        self.sock = ours
        boot = [str(Path(__file__).with_name("boot.py"))]
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-P", *boot, "warden", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for the run, which then closes its pool
            env={
                **{k: os.environ[k] for k in ("LD_LIBRARY_PATH",) if k in os.environ},
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),  # the library may lie anywhere
                "PYTHONDONTWRITEBYTECODE": "1",
                "OPENBLAS_NUM_THREADS": "1",  # idle helper threads cost more than they bring here
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
                "PYTHONHASHSEED": "0",
            },
        )
        theirs.close()
        if core is not None:
            # Warden and child answer each other some thirty times a program; across cores each answer would
            # wait for the other core to wake up. What they start stays on this core, too.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(self.process.pid, {core})
        self._options()

    def _options(self) -> None:
        filters, missing = {}, ""
        if "seccomp" not in self.without:
            try:
                filters = {who: isolation.seccomp_filter(who) for who in ("program", "zygote", "library")}
            except OSError as error:
                missing = str(error)
        limits = self.settings.model_dump(include={"wall_s", "cpu_s", "memory_mb", "file_mb", "output_kb"})
        self._write(
            pack(
                b"S",
                marshal.dumps(
                    limits
                    | {"without": self.without, "scratch": self._scratch}
                    | {"filters": filters, "bpf_missing": missing}
                    | {"modules": self.modules, "inputs": self.inputs}
                ),
            )
        )

    def start(self) -> list[isolation.Layer]:
        """Wait for the helpers.

        Raises:
            SandboxError: they did not start; says what they said last.
        """
        self.sock.settimeout(_START_S)
        try:
            while (frame := self._frames.next()) is None:
                data = self.sock.recv(1 << 16)
                if not data:
                    raise Closed
                self._frames.feed(data)
        except (TimeoutError, OSError, Closed):
            said = self.last_words()
            raise SandboxError(
                f"sandbox: its helper process did not start ({said}); see `taskspace doctor`"
            ) from None
        self.sock.setblocking(False)
        return isolation.complete(marshal.loads(frame[1]), self.without)

    def last_words(self) -> str:
        with contextlib.suppress(ValueError):
            self._errors.seek(0)
            lines = self._errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
            if lines:
                return lines[-1][:300]
        return "it said nothing"

    # -- programs

    def serves(self, module: str) -> bool:
        """Whether programs of this library's module ("" for none) can run here, or another slot is needed."""
        return not module or self._module in (None, module)

    def send(self, ticket: int, program: Program) -> None:
        digest = b""
        if program.library is not None:
            digest = hashlib.blake2b(program.library, digest_size=16).digest()
            if digest != self._library:
                self._library = digest
                self._write(pack(b"B", digest + program.library))
        if self._module is None:
            self._module = program.library_module if program.library is not None else ""
        inner = {
            "source": program.source,
            "entry_point": program.entry_point,
            "package": program.library_name,
            "cases": [marshal.dumps(case) for case in program.cases],
            "limit": self.settings.output_kb << 10,
        }
        # The warden passes this on as it is.
        inside = marshal.dumps(inner)
        job = {
            "program": inside,
            "count": len(program.cases),
            "package": program.library_name,
            "library": digest,
            "about": list(program.about),
            "unknown_names": program.unknown_names,
            "functions": program.functions,
            "input": self.inputs.index(program.input) if program.input else NO_INPUT,
            "seed": int.from_bytes(
                hashlib.blake2b(inside, digest_size=8, key=b"%d" % self.seed).digest(), "big"
            ),
        }
        self._write(pack(b"P", marshal.dumps(job)))
        self.queue.append(ticket)
        if len(self.queue) == 1:
            self._start_clock()

    def _start_clock(self) -> None:
        self.deadline = (
            time.monotonic() + RUNS * self.settings.wall_s + _GRACE_S if self.queue else float("inf")
        )

    def _write(self, data: bytes) -> None:
        self._out += data
        self.flush()

    def flush(self) -> None:
        """Write as much as the socket takes."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while self._out:
                del self._out[: self.sock.send(self._out)]

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out)

    def receive(self) -> list[tuple[int, Outcome]]:
        """Outcomes that have arrived.

        Raises:
            Closed: the warden is gone.
        """
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            raise Closed from None
        if not data:
            raise Closed
        self._frames.feed(data)
        done = []
        while (frame := self._frames.next()) is not None:
            done.append((self.queue.popleft(), _outcome(marshal.loads(frame[1]))))
            self._start_clock()
        return done

    # -- end

    def cause(self) -> str | None:
        """Why the warden is gone: a status of the program it served, or None when nothing blames it."""
        try:
            code = self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "timeout"
        if code == -signal.SIGPROF:
            return "timeout"
        return "memory" if "MemoryError" in self.last_words() else None

    def kill(self) -> None:
        """End the helpers at once. The zygote and its child die with their namespace or their parent."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self.sock.close()
        self._errors.close()
        with contextlib.suppress(OSError):
            cleaning.empty(self._scratch)
            Path(self._scratch).rmdir()


def _outcome(data: dict[str, Any]) -> Outcome:
    return Outcome(
        status=data["status"],
        cases=tuple(CaseResult(value=v, error=e, calls=calls) for v, e, calls in data["cases"]),
        shaken=tuple(
            Shaken(
                status=status,
                detail=detail,
                values=tuple(v for v, _ in cases),
                errors=tuple(e for _, e in cases),
            )
            for status, detail, cases in data["shaken"]
        ),
        calls_before=data["calls_before"],
        detail=data["detail"],
        stdout=data["stdout"],
        seconds=data["seconds"],
    )


def layers(without: Sequence[str] = ()) -> list[isolation.Layer]:
    """The state of every layer on this machine, found by applying them all in a short-lived helper.

    Raises:
        SandboxError: not even the helper could be started.
    """
    slot = Slot(SandboxSettings(), without=without)
    try:
        return slot.start()
    finally:
        slot.kill()
