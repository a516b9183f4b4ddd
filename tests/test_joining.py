"""Addresses of clusters: wrong ones are refused in one line and soon, where Ray itself takes minutes."""

import socket
import sys
import time
from pathlib import Path

import pytest
from command import refused

from actors import joining
from experiments import on_head
from protocols.errors import SettingError
from protocols.runtime_settings import RuntimeSettings

MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.59.0
    Python: 3.12.1
This process on Ray Client was started with:
    Ray: 2.60.0
    Python: 3.11.9
"""


@pytest.fixture
def silent():
    """A port where somebody listens and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:1", ["127.0.0.1:1", "nobody answers", "check the address"]),
        ("no-such-host.invalid:6379", ["no-such-host.invalid:6379", "nobody answers"]),
        ("wibble", ["not of the form HOST:PORT"]),
        ("1.2.3.4:99999", ["not of the form HOST:PORT"]),
        ("ray://127.0.0.1:1", ["ray://127.0.0.1:1", "nobody answers"]),
        ("http://head:8265", ["ray job submit --address http://head:8265 --working-dir ."]),
    ],
)
def test_an_address_that_does_not_answer(address: str, parts: list[str], tmp_path: Path) -> None:
    line = refused("run", "smoke", "--address", address, cwd=tmp_path)
    for part in parts:
        assert part in line
    assert not (tmp_path / "runs").exists()


def test_an_address_in_the_settings_is_one_from_within() -> None:
    with pytest.raises(
        SettingError, match=r"runtime\.address ray://head:10001: a run joins .* --address ray://"
    ):
        joining.require_answer("ray://head:10001", 1)


def test_something_else_that_listens_is_waited_for_no_longer_than_the_deadline(silent: str) -> None:
    started = time.monotonic()
    with pytest.raises(
        SettingError, match=r"gave no answer as a Ray cluster within 3 s \(runtime.start_deadl"
    ):
        joining.connect(RuntimeSettings(address=silent, start_deadline_s=3))
    assert time.monotonic() - started < 10


def test_inline_joins_nothing(tmp_path: Path) -> None:
    line = refused("run", "smoke", "--address", "auto", "--set", "runtime.kind=inline", cwd=tmp_path)
    assert "runtime.kind: inline" in line and "runtime.address is auto" in line


def test_another_version_is_told_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**options) -> None:
        raise RuntimeError(MISMATCH)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(SettingError) as caught:
        joining.connect(RuntimeSettings(address="auto"))
    assert str(caught.value) == (
        "runtime.address auto: version mismatch, the cluster has Ray 2.59.0 on Python 3.12.1 and this "
        "process Ray 2.60.0 on Python 3.11.9; install the same versions of both here and there"
    )


def test_the_token_that_a_cluster_wants_is_named() -> None:
    assert "RAY_AUTH_MODE=token" in joining.refusal(
        "a:1", RuntimeError("RPC error: InvalidAuthToken: missing")
    )


def test_ray_client_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(
        SettingError, match=r"Ray Client cannot be imported .*pip install 'taskspace\[cluster\]'"
    ):
        on_head.run(f"ray://{silent}", ["smoke"])


def test_a_jobs_working_directory_is_no_place_for_runs(tmp_path: Path) -> None:
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_1"
    folder.mkdir(parents=True)
    line = refused("run", "smoke", cwd=folder)
    assert "--runs /shared/runs" in line
    assert list(folder.iterdir()) == []


def test_what_is_uploaded_lies_in_one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with joining.environment(upload=True) as made:
        sent = Path(made["working_dir"])
        assert {path.name for path in sent.iterdir()} == set(joining.PACKAGES)
        assert (sent / "actors" / "sandbox" / "boot.py").is_file()
        assert not list(sent.rglob("__pycache__"))
    assert not sent.exists()
