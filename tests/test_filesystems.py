"""Run folders on file systems that have no shared memory, or no locks that hold."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from demo_run import make_demo_run

from memory import filesystems, integrity
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import StoreError


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    def mount(folder: Path, kind: str) -> None:
        told = [
            SimpleNamespace(mountpoint="/", fstype="ext4"),
            SimpleNamespace(mountpoint=str(folder), fstype=kind),
        ]
        monkeypatch.setattr(psutil, "disk_partitions", lambda all: told)

    return mount


def mode(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_the_mount_that_holds_a_folder_is_found(mounted: Callable[[Path, str], None], tmp_path: Path) -> None:
    mounted(tmp_path / "far", "NFS4")
    assert filesystems.kind(tmp_path / "far" / "runs" / "one") == "nfs4"
    assert filesystems.kind(tmp_path / "farther") == filesystems.kind(tmp_path) == "ext4"


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "lustre", "cifs", "ceph", "fuse.sshfs", "9p"])
def test_a_run_on_a_network_file_system_keeps_a_rollback_journal(
    mounted: Callable[[Path, str], None], tmp_path: Path, kind: str
) -> None:
    mounted(tmp_path, kind)
    run = tmp_path / "run"
    make_demo_run(run, rounds=1)
    assert mode(run) == "delete" and not (run / "run.db-wal").exists()
    with RunReader(run) as reader:
        assert reader.overview()["attempts"] > 0
    assert [check for check in integrity.checks(run) if check.problems] == []


def test_a_run_that_moves_goes_on_in_the_way_of_its_place(
    mounted: Callable[[Path, str], None], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    make_demo_run(run, rounds=1)
    assert mode(run) == "wal"
    for kind, wanted in (("nfs4", "delete"), ("ext4", "wal")):
        mounted(tmp_path, kind)
        Store.open(run / "run.db").close()
        assert mode(run) == wanted


def test_without_shared_memory_there_is_no_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(filesystems, "_shares_memory", lambda file: False)
    assert filesystems.journal_mode(tmp_path) == "DELETE"
    assert list(tmp_path.iterdir()) == []


def test_locks_that_do_not_hold_are_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert filesystems.journal_mode(tmp_path) == "WAL"  # real locks, of this machine
    monkeypatch.setattr("fcntl.fcntl", lambda *_: b"")  # both succeed
    with pytest.raises(
        StoreError, match=r"has no locks that hold, .*; put the run on a local disk \(--runs\)"
    ):
        filesystems.journal_mode(tmp_path)
    monkeypatch.setattr("fcntl.fcntl", _no_locks)
    with pytest.raises(StoreError, match="no locks that hold"):
        Store.create(tmp_path / "run" / "run.db", {}, {})


def _no_locks(*_: object) -> None:
    raise OSError(37, "No locks available")


_KILLED = """
import sqlite3, sys, os, time
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA cache_size = 4")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE attempts SET reward = 0.125, category = category || printf('%.2000c', 'x')")
print("half", flush=True)
time.sleep(60)
"""


def test_half_a_batch_of_a_killed_writer_is_undone_for_readers(
    mounted: Callable[[Path, str], None], tmp_path: Path
) -> None:
    mounted(tmp_path, "nfs4")
    run = tmp_path / "run"
    make_demo_run(run, rounds=1)
    with RunReader(run) as reader:
        before = reader.overview()
    writer = subprocess.Popen([sys.executable, "-c", _KILLED, run / "run.db"], stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"half\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert (run / "run.db-journal").stat().st_size > 0
    with RunReader(run) as reader:
        assert reader.overview() == before
        assert reader.value("SELECT count(*) FROM attempts WHERE reward = 0.125") == 0
