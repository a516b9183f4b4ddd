"""The screen starts on this machine only, on a free port, and says why when it cannot."""

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from protocols.errors import TaskspaceError
from ui import launch


def taken() -> tuple[socket.socket, int]:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    return held, held.getsockname()[1]


def handshake(port: int, host: str, origin: str | None = None) -> int:
    """Status of asking for the page's data channel under a host name, from a page of an origin."""
    origin = origin or f"http://{host}:{port}"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {origin}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return int(connection.recv(64).split()[1])


def test_a_port_in_use_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    held, port = taken()
    with held, pytest.raises(TaskspaceError) as caught:
        launch.start(tmp_path, port)
    assert f"port {port} is in use" in str(caught.value)
    assert "\n" not in str(caught.value)
    named = int(str(caught.value).rsplit("--port ", 1)[1])
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", named))


def test_where_all_ports_are_in_use_a_free_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, port = taken()
    monkeypatch.setattr(launch, "FIRST_PORT", port)
    monkeypatch.setattr(launch, "PORTS_TRIED", 1)
    with (
        held,
        pytest.raises(TaskspaceError, match=rf"ports {port} to {port} are all in use.*write --port \d+$"),
    ):
        launch.start(tmp_path)


def test_above_the_last_port_there_is_none_to_count_up_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_free", lambda port: False)
    assert 1024 <= launch._next_free(65535) <= 65535


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_does_not_exist(tmp_path: Path, port: int) -> None:
    with pytest.raises(TaskspaceError, match="does not exist"):
        launch.start(tmp_path, port)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TaskspaceError, match="no such folder"):
        launch.start(tmp_path / "nothing")


def test_a_server_that_ends_at_once_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_APP", tmp_path / "missing" / "app.py")
    (tmp_path / "missing").mkdir()
    with pytest.raises(TaskspaceError, match=r"ended at once.*app\.py"):
        launch.start(tmp_path)


def test_it_takes_the_next_free_port_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, port = taken()
    monkeypatch.setattr(launch, "FIRST_PORT", port)
    with held:
        screen = launch.start(tmp_path, run="a b&c")
        try:
            assert isinstance(screen, launch.Screen) and screen.port > port
            assert launch.url(screen) == f"http://127.0.0.1:{screen.port}/?run=a+b%26c"
            with urllib.request.urlopen(launch.url(screen), timeout=10) as page:
                assert page.status == 200
                assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
                assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
            asked = urllib.request.Request(launch.url(screen), headers={"Host": "rebound.example"})
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(asked, timeout=10)
            assert handshake(screen.port, "127.0.0.1") == 101
            assert handshake(screen.port, "localhost") == 101
            assert handshake(screen.port, "rebound.example") == 403
            for other in (f"http://127.0.0.1:{port}", "http://127.0.0.1", f"http://localhost:{screen.port}",
                          f"http://127.0.0.1:{screen.port}.example", "null", "file://"):  # fmt: skip
                assert handshake(screen.port, "127.0.0.1", other) == 403, other
            # Bound to this machine alone: no other address of it answers.
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.2", screen.port), timeout=2).close()
        finally:
            screen.terminate()
            screen.wait(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_screen_goes_with_its_command(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "experiments.cli", "ui", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as ui:
        assert ui.stderr is not None
        told = ui.stderr.readline()
        (screen,) = psutil.Process(ui.pid).children()
        assert "http://127.0.0.1:" in told and screen.is_running()
        ui.send_signal(number)
        assert ui.wait(timeout=30) == (-9 if number == signal.SIGKILL else 0)
    gone, _ = psutil.wait_procs([screen], timeout=15)
    assert gone or not screen.is_running()
