"""Checkpoint folders: whole or not there, whatever happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memory import checkpoints
from protocols.errors import TaskspaceError


def _publish(run: Path, version: int, content: bytes = b"weights") -> Path:
    with checkpoints.publishing(run, version, len(content)) as folder:
        (folder / "model.safetensors").write_bytes(content)
        (folder / checkpoints.STATE).mkdir()
        (folder / checkpoints.STATE / "tensors.pt").write_bytes(content)
    return checkpoints.path_of(run, version)


def test_the_checksum_covers_names_and_bytes_of_the_weights_only(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, bytes]) -> str:
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_bytes(content)
        return checkpoints.weights_checksum(tmp_path / name)

    two = {"a.safetensors": b"12", "b.safetensors": b"3"}
    same = folder("one", two)
    assert folder("two", {**dict(reversed(two.items())), "config.json": b"{}"}) == same
    others = [
        folder("byte", {"a.safetensors": b"12", "b.safetensors": b"4"}),
        folder("name", {"a.safetensors": b"12", "c.safetensors": b"3"}),
        folder("border", {"a.safetensors": b"1", "b.safetensors": b"23"}),
    ]
    assert len({same, *others}) == 4


def test_a_folder_without_weights_has_no_checksum(tmp_path: Path) -> None:
    with pytest.raises(TaskspaceError, match=str(tmp_path)):
        checkpoints.weights_checksum(tmp_path)


def test_versions_are_found_and_a_newer_try_replaces_an_older_one(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) is None
    for version in (1, 2, 10_000):
        _publish(tmp_path, version)
    assert checkpoints.versions(tmp_path) == [1, 2, 10_000]
    assert checkpoints.latest(tmp_path) == 10_000
    again = _publish(tmp_path, 2, b"again")
    assert (again / "model.safetensors").read_bytes() == b"again"
    assert checkpoints.versions(tmp_path) == [1, 2, 10_000]


def test_a_failure_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    folder = _publish(tmp_path, 1, b"first")
    with pytest.raises(RuntimeError), checkpoints.publishing(tmp_path, 1, 0) as draft:
        (draft / "model.safetensors").write_bytes(b"half")
        raise RuntimeError
    assert (folder / "model.safetensors").read_bytes() == b"first"
    assert [path.name for path in folder.parent.iterdir()] == ["v0001"]


def test_pruning_keeps_all_weights_and_the_newest_states(tmp_path: Path) -> None:
    for version in range(1, 5):
        _publish(tmp_path, version)
    checkpoints.prune(tmp_path, keep_states=2)
    assert [checkpoints.has_state(tmp_path, version) for version in range(1, 5)] == [False, False, True, True]
    assert checkpoints.versions(tmp_path) == [1, 2, 3, 4]
    for version in range(1, 5):
        assert (checkpoints.path_of(tmp_path, version) / "model.safetensors").is_file()


def test_pruning_of_whole_checkpoints_leaves_the_one_to_resume_from(tmp_path: Path) -> None:
    for version in range(1, 6):
        _publish(tmp_path, version)
    checkpoints.prune(tmp_path, keep_states=1, keep_versions=3)
    assert checkpoints.versions(tmp_path) == [3, 4, 5]
    checkpoints.prune(tmp_path, keep_states=1, keep_versions=1)
    assert checkpoints.versions(tmp_path) == [4, 5] and checkpoints.has_state(tmp_path, 5)


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TaskspaceError) as caught, checkpoints.publishing(tmp_path, 1, 10**18):
        pytest.fail("must not begin")
    message = str(caught.value)
    assert "GB free" in message and "1000000000" in message and str(tmp_path) in message
    assert "\n" not in message
    assert checkpoints.versions(tmp_path) == [] and list((tmp_path / "checkpoints").iterdir()) == []


_WRITER = """
import sys
from pathlib import Path
from memory import checkpoints

run, content = Path(sys.argv[1]), b"x" * 200_000
print("ready", flush=True)
for turn in range(10**6):
    version = 1 + turn % 3
    with checkpoints.publishing(run, version, len(content)) as folder:
        for part in range(4):
            (folder / f"{part}.safetensors").write_bytes(content)
        (folder / "state").mkdir()
        (folder / "state" / "tensors.pt").write_bytes(content)
    checkpoints.prune(run, 1)
"""


def test_a_kill_at_any_moment_leaves_whole_checkpoints_or_none(tmp_path: Path) -> None:
    for moment in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd()
        ) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(0.003 + 0.011 * moment)
            os.kill(writer.pid, signal.SIGKILL)
        checkpoints.sweep(tmp_path)
        for folder in (tmp_path / "checkpoints").iterdir():
            assert folder.name in {"v0001", "v0002", "v0003"}
            parts = sorted(path.name for path in folder.glob("*.safetensors"))
            assert parts == [f"{part}.safetensors" for part in range(4)]
            assert all(path.stat().st_size == 200_000 for path in folder.rglob("*") if path.is_file())
            states = folder / checkpoints.STATE
            assert not states.exists() or [path.name for path in states.iterdir()] == ["tensors.pt"]
    assert checkpoints.versions(tmp_path), "the writer never got as far as one checkpoint"
    assert checkpoints.sweep(tmp_path) == []
