"""The trusted half of a slot: drives one program at a time through its cases and serves its library.

It owns the zygote, gives each child its program and arguments, answers its library requests, notes the calls
under the case they were made for, and takes the results. A program that used its library runs several times,
each time in a child of its own that begins in the same state: once on true results, and on results that are
moved (`shaking`) until enough answers have moved too. The order is drawn from the program's seed.

Results are decoded into plain data here. Expected answers are elsewhere (`judge` has them), and so are other
programs: a frame is read when its turn has come. The real library can be asked for anything, so this process
is confined like the child once the library is loaded, and its arrays begin as zeros.

Frames with the pool:  ← S settings   ← B a library: digest and blob   ← P a program
                       → H isolation layers   → O its outcome

The deadline of each run is an alarm. Code of the library in C cannot be interrupted by it: when that takes
too long, a second timer or the pool ends the whole warden, and the pool starts another.

Does not cover: queueing and restarts (`pool`, `slot`).
"""

import contextlib
import json
import marshal
import os
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from actors.sandbox import confine
from actors.sandbox.play import Ended, Play, apart
from actors.sandbox.runner import ENDED, OUT_OF_MEMORY
from actors.sandbox.twins import REQUEST, Run, Twins
from actors.sandbox.wire import INPUT, NO_INPUT, Closed, Link, TooLong, pack
from protocols.domains.zwc.shaking import STRENGTHS, Shaking

_GRACE_S = 0.5  # between the program's deadline and the warden's own end


class Late(BaseException):
    """The deadline passed. Not an Exception, so that no library swallows it."""


class Warden:
    def __init__(self, pool: Link, settings: dict[str, Any]) -> None:
        self.pool = pool
        self.settings = settings
        self.services: dict[bytes, Any] = {}  # the newest library alone: it holds the names of one run
        self.prepared = ""
        self.confined = False
        self.input = NO_INPUT
        self.layers: dict[str, str] = {}
        self.zygote = self._start_zygote()

    # -- start

    def _start_zygote(self) -> socket.socket:
        settings, without = self.settings, self.settings["without"]
        real_uid = self.real_uid = os.geteuid()
        single_id = False
        for name, step in (("user namespace", confine.unshare_user), *_namespaces()):
            if name in without:
                continue
            try:
                step()
                self.layers[name] = ""
            except OSError as error:
                self.layers[name] = str(error)
                single_id |= name == "user namespace" and os.geteuid() != real_uid
        self.single_id = single_id
        ours, theirs = socket.socketpair()
        boot = [str(Path(__file__).with_name("boot.py"))]
        process = subprocess.Popen(
            [
                sys.executable,
                "-s",
                "-P",
                "-S",
                "-X",
                "no_debug_ranges",
                *boot,
                "zygote",
                str(theirs.fileno()),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            env={
                **{k: os.environ[k] for k in ("LD_LIBRARY_PATH",) if k in os.environ},
                "PYTHONHASHSEED": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
                "OPENBLAS_NUM_THREADS": "1",  # for modules: a thread would be lost in the fork
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
            },
        )
        theirs.close()
        self.process = process
        options = {
            **{k: settings[k] for k in ("without", "memory_mb", "file_mb", "cpu_s", "scratch")},
            "filters": {who: code.hex() for who, code in settings["filters"].items()},
            "bpf_missing": settings["bpf_missing"],
            "real_uid": real_uid,
            "single_id": single_id,
            "modules": settings["modules"],
            "inputs": settings["inputs"],
            "path": sys.path if settings["modules"] else [],
        }
        assert process.stdin is not None
        process.stdin.write(json.dumps(options).encode() + b"\n")
        process.stdin.close()
        hello = b""
        while not hello.endswith(b"\n"):
            data = ours.recv(65536)
            if not data:
                raise RuntimeError("the zygote ended while starting")
            hello += data
        said = json.loads(hello)
        if "unreadable" in said:
            closed = said["unreadable"]
            raise RuntimeError(f"programs may not read {closed}: chmod o+rX it, or copy it if it is a link")
        self.layers |= said["layers"]
        self.twins: bool = said["twins"]
        return ours

    def load(self, digest: bytes, blob: bytes) -> None:
        from protocols.domains.zwc.service import Service, quiet

        self.services.clear()
        if not self.confined:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        service = self.services[digest] = Service(blob, graded=True)
        quiet()
        if not self.confined and service.module == "numpy":
            from actors.sandbox import numpy_ready

            numpy_ready.prepare()

    def confine(self) -> None:
        """Give up files, ids and system calls before the first program; what is loaded is all there is.

        The layers are those that the zygote reports, and a missing one is missing here as well.
        """
        self.confined = True
        self.limit()

        def layer(name: str, step: Callable[[], object]) -> None:
            if name not in self.settings["without"]:
                with contextlib.suppress(OSError):
                    step()

        root = os.geteuid() == 0 and self.real_uid == 0
        layer("empty root", lambda: confine.empty_root([]))
        if root and not self.single_id:
            layer("nobody", confine.become_nobody)
        layer("no capabilities", confine.drop_capabilities)
        layer("no new privileges", confine.no_new_privileges)
        layer("landlock", lambda: confine.landlock([], []))
        layer("not dumpable", confine.hide)
        if self.settings["filters"]:
            layer("seccomp", confine.Filter(self.settings["filters"]["library"]).install)

    def limit(self) -> None:
        """Bound the address space beyond what is in use now."""
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + (self.settings["memory_mb"] << 20)
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))

    # -- one program

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        if not self.confined:
            self.confine()
        self._prepare(job)
        service = self.services.get(job["library"])
        drawn = random.Random(job["seed"])
        shakings = [Shaking(strength, drawn.getrandbits(64)) for strength in STRENGTHS]
        true, moved = None, []
        for run in self._first_runs(job, service, shakings.pop(0), bool(drawn.getrandbits(1))):
            if run.shaking is not None:
                moved.append(run)
                continue
            true = run
            if service is None or not (run.whole and any(case.calls for case in run.play.cases)):
                shakings.clear()  # nothing to prove
                break
        assert true is not None
        # Whoever hangs on moved results would do so again.
        while shakings and not self._shown(true, moved) and all(r.status != "timeout" for r in moved):
            moved.append(self._run(job, service, shakings.pop(0), true))
        return {
            "status": true.status,
            "detail": true.detail,
            "stdout": true.play.stdout,
            "seconds": time.monotonic() - started,
            "calls_before": tuple(true.play.calls_before),
            "cases": [(c.value, c.error, tuple(c.calls)) for c in true.play.cases],
            "shaken": [
                (run.status, run.detail, [(c.value, c.error) for c in run.play.cases]) for run in moved
            ],
        }

    def _first_runs(
        self, job: dict[str, Any], service: Any, shaking: Shaking, shaken_first: bool
    ) -> "Iterator[Run]":
        """On true results and on moved ones, in the order that was drawn; who takes them may stop early."""
        if service is None:
            yield self._run(job, service, None, None)
            return
        first, second = (shaking, None) if shaken_first else (None, shaking)
        if self.twins:
            twins = Twins(self, job, service)
            try:
                run = twins.first(first)
                yield run
                yield twins.second(second, None if shaken_first else run)
            finally:
                twins.close()
            return
        run = self._run(job, service, first, None)
        yield run
        yield self._run(job, service, second, None if shaken_first else run)

    def _run(self, job: dict[str, Any], service: Any, shaking: Shaking | None, true: "Run | None") -> "Run":
        """The program in a child of its own."""
        ours, theirs = socket.socketpair()
        link = Link(ours.fileno(), REQUEST)

        def begin() -> None:
            self.fork([theirs])
            link.send(pack(b"P", job["program"]))

        try:
            play = Play(link, service, job, self.settings, shaking)
            return self.follow(play, begin, self.cause, shaking, true)
        finally:
            ours.close()
            self.stop()

    def fork(self, channels: list[socket.socket]) -> None:
        """Have the zygote fork a child that talks over these."""
        socket.send_fds(self.zygote, [b"F"], [channel.fileno() for channel in channels])
        for channel in channels:
            channel.close()

    def follow(
        self,
        play: Play,
        begin: Callable[[], None],
        cause: Callable[[], tuple[str, str]],
        shaking: Shaking | None,
        true: "Run | None",
    ) -> "Run":
        """See one run to its end. On moved results that is when a quarter of the answers have moved, compared
        with those of `true`, or half of them are there, where there is nothing yet to compare with."""
        run, moved, count = Run(play, shaking), 0, len(play.cases)
        try:
            self._set_alarms()
            begin()
            for number, case in enumerate(play.cases_one_by_one(), 1):
                if true is not None and case.error is None:
                    moved += apart(true.play.cases[number - 1].value, case.value)
                if shaking is not None and (4 * moved >= count or (true is None and 2 * number >= count)):
                    break
            self._clear_alarms()
        except Late:
            run.status, run.detail = "timeout", f"no end after {self.settings['wall_s']:g} s"
        except Ended as end:
            run.status, run.detail = end.status, end.detail
        except TooLong as error:
            run.status, run.detail = "output_limit", "returned more than the limit"
            if error.kind == b"L":
                run.status, run.detail = "memory", "a library request is too large"
        except Closed:
            run.status = ""
        self._clear_alarms()
        if not run.status:
            run.status, run.detail = cause()
        return run

    def _shown(self, true: "Run", moved: "list[Run]") -> bool:
        """Whether at least a quarter of the answers have clearly moved in runs that came to their end."""
        ended = [run.play.cases for run in moved if run.status == "ok"]
        clear = [
            any(run[i].error is None and apart(case.value, run[i].value) for run in ended)
            for i, case in enumerate(true.play.cases)
        ]
        return 4 * sum(clear) >= len(clear)

    def _set_alarms(self) -> None:
        wall_s = self.settings["wall_s"]
        # Repeated, in case the first one is raised where exceptions are only printed.
        signal.setitimer(signal.ITIMER_REAL, wall_s, 0.1)
        # CPU time, for code in C: its signal is not handled, so the kernel ends this process.
        signal.setitimer(signal.ITIMER_PROF, wall_s + _GRACE_S)

    def _clear_alarms(self) -> None:
        while True:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.setitimer(signal.ITIMER_PROF, 0)
                return
            except Late:  # one was under way
                pass

    def _prepare(self, job: dict[str, Any]) -> None:
        """Tell the zygote the program's package and input folder, unless it has them."""
        if job["library"] and job["package"] != self.prepared:
            name = self.prepared = job["package"]
            self.zygote.sendall(b"L" + bytes([len(name.encode())]) + name.encode())
        if job["input"] != self.input:
            self.input = job["input"]
            self.zygote.sendall(b"I" + INPUT.pack(self.input))

    def cause(self) -> tuple[str, str]:
        """Why the zygote's child has gone."""
        waiting = select.poll()
        waiting.register(self.zygote, select.POLLIN)
        if not waiting.poll(100):
            return "runtime_error", "it closed its channel"
        return self.told(self.zygote.recv(ENDED.size, socket.MSG_PEEK))

    def told(self, ended: bytes) -> tuple[str, str]:
        """What a wait status says."""
        status, cpu_s = ENDED.unpack(ended)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status) == OUT_OF_MEMORY:
                return "memory", "MemoryError"
            return "runtime_error", f"it left early (exit status {os.WEXITSTATUS(status)})"
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_s >= self.settings["cpu_s"]):
            return "timeout", f"used {cpu_s:.1f} s of CPU"
        if number == signal.SIGKILL:
            return "memory", "killed by the kernel"
        return "runtime_error", f"it died of {signal.strsignal(number) or f'signal {number}'}"

    def stop(self) -> None:
        """End the child and all it left, and wait until it is gone."""
        with contextlib.suppress(BrokenPipeError):
            self.zygote.send(b"K")
        data = b""
        while len(data) < ENDED.size:
            more = self.zygote.recv(ENDED.size - len(data))
            if not more:
                raise RuntimeError("the zygote is gone")
            data += more


def _namespaces() -> list[tuple[str, Any]]:
    def network() -> None:
        confine.unshare("network")
        if not confine.loopback_is_down():
            raise OSError("the loopback device still answers")

    return [
        ("network namespace", network),
        ("ipc namespace", lambda: confine.unshare("ipc")),
        ("pid namespace", lambda: confine.unshare("pid")),
    ]


def _late(number: int, frame: Any) -> None:
    raise Late


def main(arguments: list[str]) -> None:
    pool = Link(int(arguments[0]), 1 << 31, exact=True)  # the next program is none of this one's business
    signal.signal(signal.SIGALRM, _late)
    _, payload = pool.recv()
    settings = marshal.loads(payload)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warden = Warden(pool, settings)
    pool.send(pack(b"H", marshal.dumps(warden.layers)))
    while True:
        try:
            kind, payload = pool.recv()
        except Closed:
            return
        if kind == b"B":
            warden.load(payload[:16], payload[16:])
        elif kind == b"P":
            pool.send(pack(b"O", marshal.dumps(warden.run(marshal.loads(payload)))))
