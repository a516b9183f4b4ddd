"""A Ray that a run starts for itself is this user's alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from actors import joining

LISTENERS = """
import psutil, ray
from actors.ray_runtime import RayRuntime
from protocols.runtime_settings import RuntimeSettings
runtime = RayRuntime(RuntimeSettings(object_store_mb=100))
ray.get(ray.remote(lambda: 1).remote())
mine = psutil.Process()
for process in (mine, *mine.children(recursive=True)):
    try:
        for connection in process.net_connections("inet"):
            if connection.status == "LISTEN":
                print(connection.laddr.ip)
    except psutil.Error:
        pass
runtime.close()
"""


def test_a_user_without_a_home_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobodys() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobodys)
    joining.quiet_ray()  # sets variables of its own
    before = dict(os.environ)
    with joining._for_this_user():
        assert os.environ != before
    assert dict(os.environ) == before


@pytest.mark.slow  # starts a Ray of its own
def test_a_ray_of_its_own_listens_on_this_machine_alone_and_its_token_is_nobody_elses(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True, mode=0o755)
    (home / ".ray" / "auth_token").write_text("a" * 64)
    (home / ".ray" / "auth_token").chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-c", LISTENERS],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    listening = done.stdout.split()
    assert len(listening) > 3
    assert {one.removeprefix("::ffff:") for one in listening} <= {"127.0.0.1", "::1"}
    for path in ((home / ".ray"), *(home / ".ray").iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
