"""Files that a command was told to write: links, pipes and devices stay so, and nothing is half there."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command import ROOT, environment, refused, taskspace
from hypothesis import given
from hypothesis import strategies as st
from small_stores import a_run

from experiments import outputs
from protocols.errors import SettingError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run(tmp_path_factory.mktemp("runs") / "run")


#: Every command that writes a file, by what it is told to write: `OUT` stands for the file.
COMMANDS = {
    "lines": ["export", "RUN", "--jsonl", "OUT"],
    "html": ["report", "RUN", "--out", "OUT"],
    "markdown": ["report", "RUN", "--out", "HTML", "--markdown", "OUT"],
    "latex": ["report", "RUN", "--out", "HTML", "--latex", "OUT"],
    "graph": ["space", "RUN", "--export", "OUT.json"],
    "tasks": ["tasks", "zwc", "--limit", "2", "--set", "zwc.functions=2", "--out", "OUT"],
}


def told(name: str, run: Path, out: Path) -> list[str]:
    places = {"RUN": str(run), "OUT": str(out), "OUT.json": str(out), "HTML": str(out.parent / "else.html")}
    return [places.get(word, word) for word in COMMANDS[name]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_link_stays_a_link_and_a_pipe_a_pipe(name: str, run: Path, tmp_path: Path) -> None:
    kept, link, pipe = tmp_path / "kept.json", tmp_path / "link.json", tmp_path / "pipe.json"
    kept.write_text("old")
    kept.chmod(0o640)
    link.symlink_to(kept.name)
    done = taskspace(*told(name, run, link), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = kept.read_bytes()
    assert link.is_symlink() and written != b"old" and kept.stat().st_mode & 0o777 == 0o640
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    assert taskspace(*told(name, run, pipe), cwd=tmp_path).returncode == 0
    reader.join(30)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and len(found[0]) == pytest.approx(len(written), rel=0.1)
    assert not list(tmp_path.glob(".unfinished-*"))


@pytest.mark.parametrize("out", ["-", "/dev/stdout"])
def test_standard_output_holds_what_was_written_and_nothing_else(run: Path, tmp_path: Path, out: str) -> None:
    done = taskspace("export", run, "--jsonl", out, cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and lines and all("completion" in line for line in lines)
    assert "episodes" in done.stderr and list(tmp_path.iterdir()) == []


def test_a_device_is_written_into(tmp_path: Path) -> None:
    before = Path("/dev/null").stat()
    with outputs.writing(Path("/dev/null"), "--out") as file:
        file.write("x")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode) and (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)
    full = pytest.raises(SettingError, match=r"--out /dev/full: No space left")
    with full, outputs.writing(Path("/dev/full"), "--out") as file:
        file.write("x")


def test_links_that_lead_to_nothing_or_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "new").symlink_to("folder/made.txt")
    with outputs.writing(tmp_path / "new", "--out") as file:
        file.write("here")
    assert (tmp_path / "folder" / "made.txt").read_text() == "here" and (tmp_path / "new").is_symlink()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SettingError, match=r"--out .*/a: "), outputs.writing(tmp_path / "a", "--out"):
        pass


@given(st.integers(0, 3), st.booleans())
def test_what_fails_half_way_leaves_the_old_file(lines: int, there: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.txt"
        if there:
            path.write_text("old")
        with pytest.raises(KeyError), outputs.writing(path, "--out") as file:
            file.writelines("line\n" for _ in range(lines))
            raise KeyError
        assert [one.read_text() for one in Path(folder).iterdir()] == (["old"] if there else [])


def test_what_cannot_be_written_is_one_line(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a folder" in refused("export", run, "--jsonl", tmp_path, cwd=tmp_path)
    for below in (tmp_path / "file" / "x", tmp_path / "file" / "deep" / "x"):
        told = refused("export", run, "--jsonl", below, cwd=tmp_path)
        assert f"--jsonl {below}: {tmp_path / 'file'} is no folder" in told
    assert "is a folder" in refused("report", run, "--out", tmp_path, cwd=tmp_path)


def test_a_reader_that_goes_away_ends_it_quietly(run: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m experiments.cli export {run} --jsonl - | head -c 10"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert len(done.stdout) == 10 and "Traceback" not in done.stderr
    assert ROOT.is_dir()


def test_errors_of_what_is_written_are_not_the_outputs(tmp_path: Path) -> None:
    for error in (RuntimeError("out of memory"), FileNotFoundError(2, "No such file", "other.json")):
        with pytest.raises(type(error)), outputs.writing(tmp_path / "out", "--out"):
            raise error
    assert list(tmp_path.iterdir()) == []


def test_names_of_every_kind(tmp_path: Path) -> None:
    with outputs.writing(tmp_path / ("a" * 250), "--out") as file:
        file.write("x")
    assert (tmp_path / ("a" * 250)).read_text() == "x"
    with pytest.raises(SettingError, match="--out"), outputs.writing(Path("a\0b"), "--out"):
        pass


def test_a_link_to_standard_output_keeps_what_stands_there(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    command = f"echo first; {sys.executable} -m experiments.cli export {run} --jsonl link; echo last"
    with (tmp_path / "log").open("w") as log:
        subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment(), stdout=log, check=True)
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "first" and lines[-1] == "last" and len(lines) > 2
    assert (tmp_path / "link").is_symlink()
