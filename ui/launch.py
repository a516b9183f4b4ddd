"""Start the screen as a process of its own, on this machine only, and wait until it answers.

Not here: the command line. Not covered: serving to other machines; the server listens on 127.0.0.1, and
whoever wants it elsewhere forwards the port.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from pathlib import Path
from typing import IO, Any

from protocols.errors import DeadlineError, TaskspaceError

ADDRESS = "127.0.0.1"
FIRST_PORT = 8501
PORTS_TRIED = 50
START_DEADLINE_S = 60.0  # a cold start imports pandas and plotly; seconds on a busy laptop
_APP = Path(__file__).with_name("served.py")


class Screen(subprocess.Popen[bytes]):
    """The running server. `terminate()` ends it; so does the end of this process, however it comes."""

    url: str = ""
    port: int = 0
    output: IO[bytes]


def url(screen: subprocess.Popen[bytes]) -> str:
    """Where the screen is to be seen."""
    return screen.url if isinstance(screen, Screen) else ""


def start(
    runs_dir: Path, port: int | None = None, headless: bool = True, run: str | None = None
) -> subprocess.Popen[bytes]:
    """Serve the runs in a folder.

    Args:
        runs_dir: folder of run folders, or one run folder.
        port: exactly this one; None takes the first free one from 8501 on.
        headless: False also opens the page in a browser, where there is a display.
        run: name of the run to show first.

    Returns:
        The server's process, answering; its address is `url(process)`.

    Raises:
        TaskspaceError: the folder or the port cannot be used, or the server ended at once.
        DeadlineError: the server did not answer in time.
    """
    runs_dir = Path(runs_dir)
    if not runs_dir.is_dir():
        raise TaskspaceError(f"{runs_dir}: no such folder; name the folder that holds the runs")
    for candidate in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if not _free(candidate):
            continue
        screen = _spawn(runs_dir, candidate, run)
        if _answers(screen):
            if not headless and _has_display():
                webbrowser.open(screen.url)
            return screen
        # It ended: somebody may have taken the port in between. Any other reason is told.
        if _free(candidate):
            raise TaskspaceError(f"the screen ended at once (exit code {screen.returncode}): {_last(screen)}")
    if port is not None:
        other = _next_free(port)
        raise TaskspaceError(f"port {port} is in use on {ADDRESS}; {other} is free, write --port {other}")
    last = FIRST_PORT + PORTS_TRIED - 1
    other = _next_free(last)
    raise TaskspaceError(
        f"ports {FIRST_PORT} to {last} are all in use on {ADDRESS}; {other} is free, write --port {other}"
    )


def _has_display() -> bool:
    """Whether a browser window can open; without one, a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _free(port: int) -> bool:
    if not 1 <= port <= 65535:
        raise TaskspaceError(f"port {port} does not exist; choose one from 1024 to 65535")
    with socket.socket() as probe:
        # As the server itself binds: a port that merely lingers after an earlier server is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except PermissionError as error:
            raise TaskspaceError(
                f"port {port} is not allowed for this user; choose one above 1023"
            ) from error
        except OSError:
            return False
    return True


def _next_free(port: int) -> int:
    """The nearest free port above one that is in use, else one that the kernel names."""
    for candidate in range(port + 1, min(port + PORTS_TRIED, 65535) + 1):
        if _free(candidate):
            return candidate
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def _spawn(runs_dir: Path, port: int, run: str | None) -> Screen:
    options: dict[str, Any] = {
        "server.address": ADDRESS,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "server.maxUploadSize": 1,
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": ADDRESS,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "runner.magicEnabled": "false",
        "theme.light.primaryColor": "#0072B2",
        "theme.dark.primaryColor": "#56B4E9",
    }
    flags = [f"--{key}={value}" for key, value in options.items()]
    # A web page from elsewhere whose name was made to point here (DNS rebinding) gets no data.
    flags += [f"--server.allowedHosts={host}" for host in (ADDRESS, "localhost")]
    output = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
    screen = Screen(
        [sys.executable, "-m", "ui.serving", str(os.getpid()), "run", str(_APP), *flags],
        cwd=_APP.parents[1],
        env={**os.environ, "TASKSPACE_RUNS": str(runs_dir.resolve())},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,  # Ctrl-C in the terminal is for the run, which ends its screen when it is done
    )
    query = "?" + urllib.parse.urlencode({"run": run}) if run else ""
    screen.url, screen.port, screen.output = f"http://{ADDRESS}:{port}/{query}", port, output
    return screen


def _answers(screen: Screen) -> bool:
    """Wait for the server; False when its process ended instead."""
    deadline = time.monotonic() + START_DEADLINE_S
    # Never through a proxy: the server is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if screen.poll() is not None:
            return False
        try:
            with opener.open(f"http://{ADDRESS}:{screen.port}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            pass  # not listening yet
        time.sleep(0.1)
    screen.terminate()
    screen.wait(timeout=10)
    raise DeadlineError(
        f"the screen did not answer on port {screen.port} within {START_DEADLINE_S:.0f} s: {_last(screen)}"
    )


def _last(screen: Screen) -> str:
    """The last line that the server printed."""
    screen.output.seek(0)
    lines = screen.output.read()[-4000:].decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
