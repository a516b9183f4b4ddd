"""Two hosts on one machine: network namespaces that see each other over a cable, which can be pulled.

Needs root and iproute2; `Hosts.make` says why where it cannot.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import psutil

ENVIRONMENT = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "6",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",  # or a token in the home folder decides what the head asks for
    "RAY_AUTH_TOKEN": "a-token-for-these-two-hosts-and-no-others",
}


class Hosts:
    """`a` with 10.77.0.1 and `b` with 10.77.0.2."""

    def __init__(self) -> None:
        token = uuid.uuid4().hex[:5]
        self.a, self.b = f"tsa{token}", f"tsb{token}"
        self._cable = f"tsv{token}"  # the end in a; the other one has an x behind its name
        self.processes: list[subprocess.Popen] = []
        # Short: Ray puts sockets into it, whose names may have 107 characters.
        self.folder = tempfile.TemporaryDirectory(prefix="ts-", dir="/tmp", ignore_cleanup_errors=True)

    @staticmethod
    def lacking() -> str:
        """Why there can be none here; empty where there can."""
        if shutil.which("ip") is None:
            return "iproute2 is not installed"
        probe = f"ts{uuid.uuid4().hex[:6]}"
        done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
        if done.returncode:
            return f"network namespaces are not permitted: {done.stderr.strip()}"
        subprocess.run(["ip", "netns", "del", probe], check=True)
        return ""

    def open(self) -> None:
        for host in (self.a, self.b):
            _ip("netns", "add", host)
            _ip("-n", host, "link", "set", "lo", "up")
        far = f"{self._cable}x"
        _ip("link", "add", self._cable, "netns", self.a, "type", "veth", "peer", "name", far, "netns", self.b)
        for host, device, address in ((self.a, self._cable, 1), (self.b, far, 2)):
            _ip("-n", host, "addr", "add", f"10.77.0.{address}/24", "dev", device)
            _ip("-n", host, "link", "set", device, "up")

    def cut(self) -> None:
        _ip("-n", self.a, "link", "set", self._cable, "down")

    def mend(self) -> None:
        _ip("-n", self.a, "link", "set", self._cable, "up")

    def start(self, host: str, command: list[str], log: Path, **environment: str) -> subprocess.Popen:
        """A process on a host; it ends with the hosts."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                ["ip", "netns", "exec", host, *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **ENVIRONMENT, **environment},
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def titles(self, host: str) -> set[str]:
        """What the processes of a host call themselves."""
        return {(psutil.Process(pid).cmdline() or [""])[0] for pid in self._pids(host)}

    def _pids(self, host: str) -> list[int]:
        found = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout
        return [int(pid) for pid in found.split() if psutil.pid_exists(int(pid))]

    def close(self) -> None:
        """End everything that still runs on the hosts, and take them away."""
        for host in (self.a, self.b):
            for pid in self._pids(host):
                subprocess.run(["kill", "-9", str(pid)], capture_output=True)
            subprocess.run(["ip", "netns", "del", host], capture_output=True)
        for process in self.processes:
            process.wait(timeout=30)
        self.folder.cleanup()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
