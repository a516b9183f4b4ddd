"""Wrong input and bad surroundings: one line, exit code 2, and nothing lost or left behind."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from command import refused, taskspace
from demo_run import DemoRun

from experiments import cli, config
from memory.store import Store

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "PIP_NO_INDEX": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "/nonexistent",
}
SMOKE = ("run", "smoke", "--set", "runtime.kind=inline")


def a_run(folder: Path) -> Path:
    """A run folder as `taskspace run smoke` begins one."""
    settings = config.load("smoke")
    Store.create(folder / "run.db", settings.model_dump(mode="json"), {}).close()
    config.save(settings, folder / "config.yaml")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """What is kept in a run folder. SQLite's shared index and log come and go with their readers."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "quikstart"), ["'quikstart'", "did you mean 'quickstart'"]),
        (("run",), ["taskspace run quickstart"]),
        ((*SMOKE, "--set", "solver.group_siz=3"), ["'solver.group_siz'", "'solver.group_size'"]),
        ((*SMOKE, "--set", "learner.learning_rate=5"), ["learner.learning_rate", "0 < value <= 1"]),
        ((*SMOKE, "--set", "domain=chess"), ["chess", "zwc"]),
        ((*SMOKE, "--set", "zwc.names=[mean, wibble]"), ["zwc.names", "wibble"]),
        (("run", "--resume", "nowhere"), ["nowhere", "run.db"]),
        (("replay", "nowhere"), ["nowhere"]),
        (("report", "nowhere"), ["nowhere"]),
        (("tasks", "chess"), ["chess", "zwc"]),
        (("tasks", "zwc", "--kind", "double"), ["double", "multi"]),
        (("tasks", "zwc", "--split", "dev"), ["dev", "train"]),
        (("obfuscate", "no_such_module", "--check"), ["no_such_module"]),
        (("obfuscate", "math"), ["--out"]),
        (("bench", "nothing"), ["nothing", "sandbox"]),
        (("models", "burn"), ["burn", "fetch"]),
        (("models", "fetch"), ["which one"]),
        (("eval", "smollm2-135m-instruct", "--book", "ajar"), ["ajar", "closed"]),
        (("ui", "no-such-folder"), ["no-such-folder"]),
    ],
)
def test_bad_arguments(
    arguments: tuple[str, ...],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["taskspace", *arguments])
    monkeypatch.delenv("TASKSPACE_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    line = capfd.readouterr().err.rstrip("\n")
    assert line.startswith("taskspace: ") and "\n" not in line
    for part in parts:
        assert part in line
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_a_model_folder_that_does_not_exist(tmp_path: Path) -> None:
    line = refused(*SMOKE, "--set", "model.name=/no/such/model", cwd=tmp_path)
    assert "/no/such/model" in line
    assert not (tmp_path / "runs").exists()


def test_a_model_that_is_not_cached_without_network(tmp_path: Path) -> None:
    line = refused(
        *SMOKE, "--set", "model.name=nobody/nothing", cwd=tmp_path, HF_HOME=str(tmp_path / "hf"), **OFFLINE
    )
    assert "nobody/nothing" in line and "HF_HUB_OFFLINE" in line
    assert not (tmp_path / "runs").exists()


def test_no_network_and_no_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    line = refused("run", "quickstart", cwd=tmp_path, TASKSPACE_CACHE=str(cache), **OFFLINE)
    assert "network" in line and "model.name" in line
    assert not (tmp_path / "runs").exists()
    assert not [path for path in cache.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


def test_a_damaged_cache_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    cache = {"TASKSPACE_CACHE": str(tmp_path / "cache")}
    assert taskspace("models", "fetch", "tiny-random", cwd=tmp_path, **cache).returncode == 0
    weights = tmp_path / "cache" / "models" / "tiny-random" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    line = refused(*SMOKE, cwd=tmp_path, **cache)
    assert str(weights) in line and "taskspace models remove tiny-random" in line
    assert taskspace("models", "remove", "tiny-random", cwd=tmp_path, **cache).returncode == 0
    assert not weights.exists()


def test_too_little_memory(tmp_path: Path) -> None:
    """A folder that claims to hold more weights than any machine can: a sparse file of 64 TB."""
    model = tmp_path / "huge"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama", "dtype": "bfloat16"}')
    with (model / "model.safetensors").open("wb") as file:
        try:
            file.truncate(64 * 10**12)
        except OSError:
            file.truncate(8 * 10**12)
    line = refused(*SMOKE, "--set", f"model.name={model}", cwd=tmp_path)
    assert "memory" in line and "GB are needed" in line
    assert not (tmp_path / "runs").exists()


def test_a_run_folder_in_use(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "mine")
    with Store.open(run / "run.db"):
        before = contents(run)
        line = refused("run", "--resume", run, cwd=tmp_path)
        assert "in use" in line and str(os.getpid()) in line
        assert contents(run) == before


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "mine")
    before = contents(run)
    line = refused(*SMOKE, "--name", "mine", cwd=tmp_path)
    assert "--resume" in line
    assert contents(run) == before


def test_resuming_as_another_experiment(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "mine")
    before = contents(run)
    line = refused("run", "--resume", "mine", "--set", "solver.group_size=7", cwd=tmp_path)
    assert "solver.group_size (2 -> 7)" in line
    assert contents(run) == before


def test_resuming_with_another_model(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "mine")
    line = refused("run", "--resume", "mine", "--set", "model.name=smollm2-135m-instruct", cwd=tmp_path)
    assert "model.name ('tiny-random' -> 'smollm2-135m-instruct')" in line
    assert sorted(contents(run)) == ["config.yaml", "run.db", "run.lock"]


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU here")
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (("engine.device=cuda",), "setting engine.device: cuda"),
        (("learner.device=cuda",), "setting learner.device: cuda"),
        (("runtime.kind=ray", "runtime.resources={learner: {num_gpus: 1}}"), "learner asks for 1 num_gpus"),
    ],
)
def test_a_gpu_where_there_is_none(asked: tuple[str, ...], named: str, tmp_path: Path) -> None:
    line = refused(*SMOKE, *(f"--set={one}" for one in asked), "--set", "engine.kind=auto", cwd=tmp_path)
    assert named in line and "this machine has no GPU that works" in line
    assert not (tmp_path / "runs").exists()


def test_a_database_from_a_newer_version(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "mine")
    with sqlite3.connect(run / "run.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = (run / "run.db").read_bytes()
    for command in (("run", "--resume", run), ("replay", run), ("report", run), ("eval", str(run))):
        line = refused(*command, cwd=tmp_path)
        assert "99" in line and "newer" in line
    assert (run / "run.db").read_bytes() == before


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "run.db").write_bytes(b"no database at all, but long enough to be read as one" * 40)
    assert "not a database" in refused("run", "--resume", "mine", cwd=tmp_path)


def test_a_port_in_use(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("ui", "--port", str(port), cwd=tmp_path)
    assert str(port) in line and "--port" in line


def test_runs_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refused(*SMOKE, "--runs", "file/runs", cwd=tmp_path)
    assert "file/runs" in line


def test_broken_lines_are_reported_and_the_rest_is_graded(tmp_path: Path) -> None:
    done = taskspace("tasks", "zwc", "--kind", "single", "--limit", "2", "--out", "tasks.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ids = [json.loads(line)["id"] for line in (tmp_path / "tasks.jsonl").read_text().splitlines()]
    answer = {"response": "```python\ndef solve(*a):\n    return None\n```"}
    lines = [
        json.dumps({"task_id": ids[0], **answer}),
        "{broken",
        json.dumps({"task_id": "unknown", **answer}),
        json.dumps({"task_id": ids[1], **answer}),
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines) + "\n")
    done = taskspace("grade", "tasks.jsonl", "answers.jsonl", "--out", "verdicts.jsonl", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "answers.jsonl:2:" in done.stderr and "answers.jsonl:3:" in done.stderr
    assert "Traceback" not in done.stderr
    verdicts = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    assert [v["task_id"] for v in verdicts] == ids
    for verdict in verdicts:
        assert set(verdict) >= {"task_id", "reward", "category", "evidence", "infra_error", "seconds"}
        assert verdict["reward"] == 0.0


def test_an_episode_that_does_not_exist(tmp_path: Path) -> None:
    with DemoRun(tmp_path / "runs" / "demo", seed=1) as demo:
        demo.play_round()
    assert "--episode zzz" in refused("replay", "demo", "--episode", "zzz", cwd=tmp_path)


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", "tasks", "zwc", "--limit", "5"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
            cwd=tmp_path,
        )
    assert done.returncode == 2
    assert done.stderr == "taskspace: [Errno 28] No space left on device\n"
