"""Real Ray nodes on this machine, each a process group of its own, for tests of clusters.

`ray stop` would end every Ray on the machine, so nodes are ended by their own processes.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

START = (sys.executable, "-m", "ray.scripts.scripts")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Nodes:
    """A head and further nodes; `address` joins it, `outside` is its Ray Client's, `dashboard` its jobs'."""

    def __init__(
        self,
        dashboard: bool = False,
        client: bool = False,
        auth: str = "disabled",
        path: str = "",
        start: tuple[str, ...] = START,
        **head: float,
    ) -> None:
        """`auth`: RAY_AUTH_MODE; `path`: what workers' PYTHONPATH is; `start`: the command `ray start`."""
        self._env = {"RAY_AUTH_MODE": auth, "PYTHONPATH": path}
        self.folder = Path(tempfile.mkdtemp(prefix="ts-ray-", dir="/tmp"))  # short: sockets lie in it
        self.folder.chmod(0o755)
        self.address = f"127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        more = ["--head", f"--port={self.address.split(':')[1]}", f"--temp-dir={self.folder}/r"]
        more += [f"--include-dashboard={str(dashboard).lower()}"]
        if dashboard:
            port = free_port()
            self.dashboard = f"http://127.0.0.1:{port}"
            more += [f"--dashboard-port={port}", f"--dashboard-agent-listen-port={free_port()}"]
        if client:
            port = free_port()
            self.outside = f"ray://127.0.0.1:{port}"
            more += [f"--ray-client-server-port={port}"]
        self._start(start, more, head)
        if client:
            self._until_answered(port)

    def add(self, hidden: Path | None = None, **resources: float) -> None:
        """Another node; what lies in `hidden` is not seen there, as on a machine without shared storage."""
        hide = f"mount -t tmpfs none {hidden} && " if hidden else ""
        start = ("unshare", "--mount", "sh", "-c", f'{hide}exec "$0" "$@"', *START) if hidden else START
        self._start(start, [f"--address={self.address}"], resources)

    def _start(self, start: tuple[str, ...], more: list[str], resources: dict[str, float]) -> None:
        cpus = resources.pop("num_cpus", 4)
        command = [
            *start, "start", "--block", f"--num-cpus={cpus:g}",
            "--node-ip-address=127.0.0.1", f"--object-store-memory={80 * 2**20}",
            f"--resources={json.dumps(resources)}", *more,
        ]  # fmt: skip
        # Another directory, and nothing of this checkout on the path: as on another machine.
        env = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | self._env
        env |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": "a-token-of-the-tests-and-of-nobody-else"}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"  # as in an activated environment
        log = (self.folder / f"node-{len(self._processes)}.log").open("wb")
        process = subprocess.Popen(
            command, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
        self._processes.append(process)
        self._until_alive(len(self._processes), log.name)

    def _until_alive(self, count: int, log: str) -> None:
        ends = time.monotonic() + 90
        while time.monotonic() < ends:
            if b"will now block forever" in Path(log).read_bytes():
                return
            if self._processes[-1].poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"node {count} did not start: {Path(log).read_text()[-2000:]}")

    def _until_answered(self, port: int) -> None:
        """Ray Client's server is a process of its own, and listens later than the node is up."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"nobody listens at {self.outside}")

    def close(self) -> None:
        family = []
        for process in reversed(self._processes):
            with contextlib.suppress(psutil.Error):
                family += psutil.Process(process.pid).children(recursive=True)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
        for child in family:
            with contextlib.suppress(psutil.Error):
                child.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def nodes(**options: Any) -> Iterator[Nodes]:
    made = Nodes(**options)
    try:
        yield made
    finally:
        made.close()
