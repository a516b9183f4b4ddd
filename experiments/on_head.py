"""`taskspace run --address ray://HOST:PORT`: the same command, run on a cluster's head from outside of it.

    terminal ── Ray Client ──▶ HeadCommand, an actor on the head ── starts ──▶ taskspace run --address HEAD
       ▲                                   │
       └───────────── its lines ───────────┘

The store is a file, so a run's driver lives where the file does. Ctrl-C here is Ctrl-C there: once finishes
the batch, twice stops now. Where the terminal is lost the run is told to stop, and can be resumed. Relative
paths are those of the home directory on the head.
"""

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, TextIO

from protocols.errors import SettingError

SCHEME = "ray://"
#: Longest wait of one question for new lines; Ctrl-C is seen in between.
POLL_S = 0.5
START_DEADLINE_S = 120.0
PR_SET_PDEATHSIG = 1


class HeadCommand:
    """The command on the head. `take` gives its new lines."""

    def __init__(self, arguments: list[str], preset: tuple[str, str] | None) -> None:
        """`preset`: name and text of a YAML file of the terminal's machine, which `arguments` name."""
        import ray

        self._lines: queue.Queue[tuple[str, str]] = queue.Queue()
        self._folder = tempfile.TemporaryDirectory(prefix="taskspace-preset-")
        if preset is not None:
            Path(self._folder.name, preset[0]).write_text(preset[1], encoding="utf-8")
            arguments = [
                str(Path(self._folder.name, preset[0])) if one == preset[0] else one for one in arguments
            ]
        address = ray.get_runtime_context().gcs_address
        environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "experiments.cli", "run", *arguments, "--address", address],
            cwd=Path.home(),
            env=environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_stop_with_parent,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(name, getattr(self._process, name)), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for reader in self._readers:
            reader.start()

    def take(self) -> tuple[list[tuple[str, str]], int | None]:
        """New (stream, line) pairs, after a short wait where there are none, and the exit code at the end."""
        lines = []
        with contextlib.suppress(queue.Empty):
            lines.append(self._lines.get(timeout=POLL_S))
            while True:
                lines.append(self._lines.get_nowait())
        ended = not any(reader.is_alive() for reader in self._readers) and self._lines.empty()
        return lines, self._process.wait() if ended else None

    def interrupt(self) -> None:
        """As Ctrl-C on the head; nothing where it has ended."""
        self._process.send_signal(signal.SIGINT)

    def _read(self, name: str, stream: TextIO) -> None:
        for line in stream:
            self._lines.put((name, line))


def _stop_with_parent() -> None:
    """In the new process: signals come through, which threads of Ray block, and its actor's end is one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def is_outside(address: str) -> bool:
    """Whether the address is one to reach a cluster by from outside.

    Raises:
        SettingError: it is that of a dashboard.
    """
    if address.startswith(("http://", "https://")):
        raise SettingError(
            f"--address {address}: this is a dashboard, which takes jobs; write ray job submit --address "
            f"{address} --working-dir . -- python -m experiments.cli run PRESET --address auto"
        )
    return address.startswith(SCHEME)


def run(address: str, arguments: list[str]) -> int:
    """Run `taskspace run ARGUMENTS` on the cluster's head; its lines come out here. Returns its exit code.

    Raises:
        SettingError: the cluster cannot be reached, has other versions, or lacks taskspace.
    """
    ray = _join(address)
    asked: list[int] = []  # Ctrl-C, kept until Ray Client is between two calls
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        command = _start(ray, arguments)
        while True:
            lines, code = ray.get(command.take.remote(), timeout=START_DEADLINE_S)
            while asked:
                ray.get(command.interrupt.remote(), timeout=START_DEADLINE_S)
                asked.pop()
            for stream, line in lines:
                print(line, end="", file=getattr(sys, stream), flush=True)
            if code is not None:
                return int(code)
    except (ray.exceptions.RayError, ConnectionError) as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise SettingError(
            f"--address {address}: the command on the head failed ({last}); is taskspace installed there, in "
            "the version that is here? A run that had begun can be resumed"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
        ray.shutdown()


def _join(address: str) -> Any:
    from actors.joining import NAMESPACE, environment, quiet_ray, refusal, require_port

    require_port("--address", address, 30.0)
    ray = quiet_ray()
    for tries_left in (1, 0):
        try:
            import grpc  # noqa: F401

            with environment(upload=False) as runtime_env:
                ray.init(address, namespace=NAMESPACE, runtime_env=runtime_env, log_to_driver=False)
            break
        except ImportError as error:
            raise SettingError(
                f"--address {address}: Ray Client cannot be imported ({error}); "
                "pip install 'taskspace[cluster]'"
            ) from None
        except Exception as error:  # Ray raises the bare class, too
            # The head starts a process for each client, and gives it half a minute: a busy one may miss it.
            if not (tries_left and isinstance(error, ConnectionError)):
                raise SettingError(refusal(address, error)) from None
            ray.shutdown()
    return ray


def _start(ray: Any, arguments: list[str]) -> Any:
    """The actor on the head; lines are taken while Ctrl-C comes in beside."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    (head,) = (
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and "node:__internal_head__" in node["Resources"]
    )
    preset = None
    if arguments and arguments[0].endswith((".yaml", ".yml")) and Path(arguments[0]).is_file():
        path = Path(arguments[0])
        preset = (path.name, path.read_text(encoding="utf-8"))
        arguments = [path.name, *arguments[1:]]
    place = NodeAffinitySchedulingStrategy(head, soft=False)
    actor = ray.remote(HeadCommand).options(num_cpus=0, max_concurrency=2, scheduling_strategy=place)
    return actor.remote(arguments, preset)
