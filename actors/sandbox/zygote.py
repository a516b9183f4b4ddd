# ruff: noqa: PTH102, PTH106, PTH123, PTH208  (pathlib would be half a megabyte in every child)
"""The small process that programs are forked from. No NumPy, no answers, no files: nothing to find.

It confines itself once, then forks one child per program on request. Frames on the control socket:

    ← L            prepare a package: length of its name, then the name
    ← I            the input folder of the programs to come: its number, or NO_INPUT
    ← F + sockets  run a program: the child talks to the warden over this socket; with two, it runs twice
    ← K            kill it now, and everything it started
    → D            it is gone: wait status, CPU seconds

Modules that programs ask for are loaded before it confines itself: afterwards there is no file to load from.
Without any, a program finds only harmless parts of the standard library.

Programs that need none of that have no place to write to either. Then this process gives up all its powers
before the first of them, which costs a program nothing. Programs with modules may write files: there it keeps
the powers of its own namespaces, to give each program a new file system and to drop it with all it holds, and
each child gives them up before it reads its program. Nothing that a child could write to is there for the
next one: no file, no descriptor but its channel, no shared memory.

The zygote is the first process of its pid namespace where there is one, so `kill(-1)` reaches exactly the
program and all it left behind. Standard library only. Does not cover: what the child does (`runner`).
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from actors.sandbox import cleaning, confine, imports, runner
from actors.sandbox.wire import INPUT, NO_INPUT


class Zygote:
    def __init__(self, control: socket.socket, options: dict) -> None:
        self.control = control
        self.options = options
        self.pid_namespace = os.getpid() == 1
        self.base: str = options["scratch"]  # where scratch folders are made, without an empty root
        self.scratch = ""
        self.programs = 0
        self.owner = 0 if options["single_id"] else confine.NOBODY
        self.inputs: list[str] = options["inputs"]
        self.input = NO_INPUT
        self.filters = {who: confine.Filter(bytes.fromhex(code)) for who, code in options["filters"].items()}
        self.writing = bool(options["modules"] or options["inputs"])  # programs may have files
        self.shed = False  # what children are to give up is given up already
        self.package: runner.Package | None = None
        self.guard: imports.Guard | None = None
        self.layers: dict[str, str] = {}

    def confine(self) -> None:
        """Apply the layers that hold for all children; find out in one child which of the others do."""
        options, without = self.options, self.options["without"]
        loaded_mb = _address_space_mb() if options["modules"] else 0
        confine.die_with_parent()
        confine.adopt_orphans()
        if _layer(self.layers, without, "empty root", lambda: confine.empty_root(self.inputs)):
            self.inputs = [f"/inputs/{number}" for number in range(len(self.inputs))]
        else:
            os.mkdir(self.base, 0o711)
        if self.writing:
            self._fresh_scratch()
        confine.forgo_capabilities()
        confine.hide()
        _layer(self.layers, without, "no new privileges", confine.no_new_privileges)
        _layer(
            self.layers,
            without,
            "rlimits",
            lambda: confine.limit(options["memory_mb"] + loaded_mb, options["file_mb"]),
        )
        if "import policy" not in without:
            self.layers["import policy"] = ""
        self.layers["own process"] = ""
        tried: dict[str, str] = _in_child(lambda: self._shed("program"))
        self.layers |= tried
        # Nobody's limit on processes holds; root's does not. Signals stay in their own namespace.
        bounded = self.pid_namespace and all(self.layers.get(name) == "" for name in ("nobody", "rlimits"))
        self.shed = bounded and not self.writing
        if self.shed:
            self._shed("zygote")

    def _fresh_scratch(self) -> None:
        """Another scratch folder, empty, and the one before is no more."""
        if self.layers.get("empty root") == "":
            # A file of file_mb fits, and twice that is all there is for the files of one program.
            mounted, self.scratch = bool(self.scratch), "/scratch"
            confine.fresh_scratch(2 * self.options["file_mb"], self.owner, mounted)
            return
        if self.scratch:
            try:
                cleaning.empty(self.scratch)
                os.rmdir(self.scratch)
            except OSError:
                pass  # it stays until the helper ends; nobody is led to it
        self.programs += 1
        self.scratch = f"{self.base}/{self.programs}"
        os.mkdir(self.scratch, 0o700)
        if self.options["real_uid"] == 0 and not self.options["single_id"]:
            os.chown(self.scratch, confine.NOBODY, confine.NOBODY)

    def _shed(self, who: str) -> dict[str, str]:
        """What is given up before a program: layers by name, each "" or why it is missing."""
        layers: dict[str, str] = {}
        options, without = self.options, self.options["without"]
        os.chdir(self.scratch or "/")
        if options["real_uid"] != 0:
            layers["nobody"] = ""  # we are nobody special
        elif options["single_id"]:
            layers["nobody"] = "root, and no other user id in this user namespace"
        else:
            _layer(layers, without, "nobody", confine.become_nobody)
        # Capabilities that were kept until here go; so does the signal on the parent's death, with the ids.
        _layer(layers, without, "no capabilities", confine.drop_capabilities)
        # A program has its own input folder, of those that the helper can read.
        own = [] if self.input == NO_INPUT else [self.inputs[self.input]]
        _layer(
            layers, without, "landlock", lambda: confine.landlock(own, [self.scratch] if self.writing else [])
        )
        _layer(layers, without, "not dumpable", confine.hide)
        if who == "zygote" or not self.pid_namespace:
            confine.die_with_parent()
        if options["filters"]:
            _layer(layers, without, "seccomp", lambda: self.filters[who].install())
        elif "seccomp" not in without:
            layers["seccomp"] = options["bpf_missing"]
        return layers

    def unreadable(self) -> str:
        """The first input folder, or file in one, that programs cannot read; "" if there is none."""

        def look() -> str:
            if "nobody" in self.layers and not self.layers["nobody"] and self.options["real_uid"] == 0:
                confine.become_nobody()
            return self._unreadable()

        closed: str = _in_child(look) if self.inputs else ""
        return closed

    def serve(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self.control, 1, 2)
            if not data:
                return
            if data == b"F" and fds:
                self._run(fds)
            elif data == b"L":
                self._prepare()
            elif data == b"I":
                self.input = INPUT.unpack(self.control.recv(INPUT.size, socket.MSG_WAITALL))[0]

    def _prepare(self) -> None:
        """Build the package once, for all children to come."""
        length = self.control.recv(1)[0]
        name = self.control.recv(length, socket.MSG_WAITALL).decode()
        if self.package is not None:
            self.package.remove()
        self.package = runner.Package(name)
        runner.rehearse(self.package, self.guard)
        gc.collect()
        gc.freeze()

    def _run(self, channels: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self._become_program(channels)
            finally:
                os._exit(70)
        for channel in channels:
            os.close(channel)
        done = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(done, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        gone = False
        for fd, _ in poll.poll():
            if fd != done:
                gone = not self.control.recv(1)  # K, or the warden is no more
        self._clear(pid)
        _, status, usage = os.wait4(pid, 0)
        os.close(done)
        self._sweep()
        if gone:
            sys.exit()
        self.control.sendall(runner.ENDED.pack(status, usage.ru_utime + usage.ru_stime))

    def _clear(self, pid: int) -> None:
        """Kill the program and everything it started."""
        try:
            if self.pid_namespace:
                os.kill(-1, signal.SIGKILL)
            else:
                os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:  # its group is made of processes that have ended
            pass

    def _sweep(self) -> None:
        """Reap what is left, and drop the scratch folder."""
        try:
            while True:
                left = os.waitpid(-1, 0 if self.pid_namespace else os.WNOHANG)[0]
                if left == 0:  # outside a pid namespace: a descendant that left its process group
                    self._kill_children()
        except ChildProcessError:
            pass
        if self.writing:
            self._fresh_scratch()

    def _kill_children(self) -> None:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            for child in file.read().split():
                os.kill(int(child), signal.SIGKILL)

    def _become_program(self, channels: list[int]) -> None:
        self.control.close()
        if not self.pid_namespace:
            os.setpgid(0, 0)
        if self.input != NO_INPUT:
            os.environ["INPUT"] = self.inputs[self.input]
        # Open descriptions are shared with the children to come, and with them what can be set on them.
        for fd in (0, 1, 2):
            os.close(fd)
        if not self.shed:
            self._limit_program()
            self._shed("program")
        runner.run(channels, self.package, self.guard, self._limit_program if self.shed else None)

    def _limit_program(self) -> None:
        if "rlimits" not in self.options["without"]:
            confine.limit_program(self.options["cpu_s"])

    def _unreadable(self) -> str:
        for folder, inside in zip(self.options["inputs"], self.inputs):
            try:
                for name in os.listdir(inside):
                    if not os.access(f"{inside}/{name}", os.R_OK):
                        return f"{folder}/{name}"
            except OSError:
                return folder
        return ""


def _address_space_mb() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE") >> 20


def _in_child(work: Callable[[], object]) -> Any:
    """What a function gives in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, json.dumps(work()).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write)
    said = b""
    while data := os.read(read, 65536):
        said += data
    os.close(read)
    os.waitpid(pid, 0)
    return json.loads(said)


def _layer(layers: dict[str, str], without: Sequence[str], name: str, apply: Callable[[], object]) -> bool:
    """Apply one layer, unless it is to be left out, and note how that went."""
    if name in without:
        return False
    try:
        apply()
    except (OSError, ValueError) as error:
        layers[name] = str(error).replace("\n", " ") or type(error).__name__
        return False
    layers[name] = ""
    return True


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the first process of a namespace gets only what it handles
    control = socket.socket(fileno=int(arguments[0]))
    options = json.loads(sys.stdin.readline())
    null = os.open("/dev/null", os.O_RDWR)
    # `random` would draw a new seed in every child: programs start from the same state instead.
    os.register_at_fork = lambda **hooks: None
    imports.preload("import policy" not in options["without"])
    path, sys.path = sys.path, [*sys.path, *options["path"]]
    for name in options["modules"]:
        importlib.import_module(name)
    sys.path = path
    import random

    random.seed(0)
    zygote = Zygote(control, options)
    zygote.confine()
    closed = zygote.unreadable()
    if closed:
        control.sendall(json.dumps({"unreadable": closed}).encode() + b"\n")
        return
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    if "import policy" not in options["without"]:
        zygote.guard = imports.Guard()
    runner.rehearse(None, zygote.guard)
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise touch, and so copy, every page
    gc.disable()
    gc.set_threshold(20_000, 20, 100)  # for the children: they live for milliseconds
    control.sendall(json.dumps({"layers": zygote.layers, "twins": zygote.shed}).encode() + b"\n")
    zygote.serve()
