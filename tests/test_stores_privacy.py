"""Local paths and secrets never enter a store or an export: every cell of a real run is looked through."""

import getpass
import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command import ROOT, taskspace
from store_records import a_group, a_task

from experiments import config, exchange
from memory import privacy
from memory.reader import RunReader
from memory.store import Store

KEYS = {
    "OPENAI_API_KEY": "sk-fake-0123456789abcdef",
    "HF_TOKEN": "hf_fake0123456789abcdef",
    "AWS_SECRET_ACCESS_KEY": "fake+secret/0123456789",
    "WANDB_PASSWORD": "correct horse battery",
}
SMALL = ("rounds=1", "zwc.functions=2", "zwc.tasks_per_function=1", "solver.groups_per_round=2",
         "runtime.kind=inline", "proposer.per_round=2", "evaluation.tasks=2")  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("somewhere") / "home-of-alice"


@pytest.fixture(scope="module")
def played(home) -> Path:
    """A run in alice's home folder, of a model that lies there, with keys in the environment."""
    home.mkdir()
    cache = home / ".cache" / "taskspace"
    surroundings = {"HOME": str(home), "TASKSPACE_CACHE": str(cache), "USER": "alice-the-user", **KEYS}
    done = taskspace("models", "fetch", "tiny-random", cwd=home, timeout=300, **surroundings)
    assert done.returncode == 0, done.stderr
    (model,) = (path.parent for path in cache.rglob("config.json"))
    settings = [f"--set={one}" for one in (*SMALL, f"model.name={model}")]
    done = taskspace("run", "smoke", "--name", "secret", *settings, cwd=home, timeout=300, **surroundings)
    assert done.returncode == 0, done.stderr
    return home / "runs" / "secret"


def needles(run: Path, home: Path) -> list[str]:
    """What must stand nowhere."""
    places = [str(home), str(run), home.name, "alice-the-user", str(ROOT), socket.gethostname()]
    user = getpass.getuser()
    return [*KEYS.values(), *(one for one in [*places, user] if len(one) >= 4 and one != "root")]


def cells(database: Path) -> list[str]:
    found = []
    with closing(sqlite3.connect(database)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                found += [value if isinstance(value, str) else str(value) for value in row]
    return found


@pytest.mark.slow
def test_no_cell_of_the_store_tells_where_or_who(played, home):
    there = cells(played / "run.db")
    assert len(there) > 500
    for needle in needles(played, home):
        assert not [cell[:200] for cell in there if needle in cell], needle
    data = (played / "run.db").read_bytes()
    assert not [needle for needle in needles(played, home) if needle.encode() in data]


@pytest.mark.slow
def test_no_export_does(played, home, tmp_path):
    exchange.to_dataset(played, tmp_path / "dataset")
    exchange.to_lines(played, tmp_path / "episodes.jsonl")
    exchange.to_datasette(played, tmp_path / "looking")
    texts = cells(tmp_path / "looking" / "run.db")
    texts += [(tmp_path / name).read_text() for name in ("episodes.jsonl", "dataset/README.md")]
    texts += [(tmp_path / "looking" / "metadata.json").read_text()]
    for file in (tmp_path / "dataset").glob("*.parquet"):
        texts += [str(value) for row in pq.read_table(file).to_pylist() for value in row.values()]
    for needle in [*needles(played, home), ".cache"]:
        assert not [text[:200] for text in texts if needle in text], needle


@pytest.mark.slow
def test_a_path_at_home_means_the_same_folder_when_it_is_read(played, home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    with RunReader(played) as reader:
        kept = reader.config()["model"]["name"]
        assert kept.startswith("~/.cache/taskspace")
        assert Path(config.resolve(reader.config()).model.name).is_dir()


def test_what_is_written_down_goes_through_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "bob"))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "bob" / "runs" / "mine"
    said = f"{folder}/run.db failed for {KEYS['HF_TOKEN']} in {tmp_path}/bob/other, not {tmp_path}/bobby"
    group, (first, second) = a_group(a_task(), rewards=(1.0, None))
    with Store.create(folder / "run.db", {"zwc": {"files": f"{tmp_path}/bob/rows"}}, {}) as store:
        store.add_event(1, "arena", "error", said)
        store.save_facts({"why": [said]})
        store.add_tasks([a_task()])
        failed = type(second)(
            **{**{n: getattr(second, n) for n in second.__struct_fields__}, "infra_error": said}
        )
        store.admit_groups([(group, [first, failed])])
    with RunReader(folder) as reader:
        hidden = f"mine/run.db failed for (secret HF_TOKEN) in ~/other, not {tmp_path}/bobby"
        assert reader.events()[0]["message"] == hidden
        assert reader.facts() == {"why": [hidden]}
        assert reader.config() == {"zwc": {"files": "~/rows"}}
        problem = reader.value("SELECT infra_error FROM attempts WHERE infra_error IS NOT NULL")
        assert problem == hidden.replace("mine/", "~/runs/mine/")


def test_answers_are_kept_as_they_came(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", KEYS["HF_TOKEN"])
    answer = f"{Path.home()} and {KEYS['HF_TOKEN']}"  # as if a model had guessed it
    group, verdicts = a_group(a_task(), response=answer)
    with Store.create(tmp_path / "run.db", {}, {}) as store:
        store.add_tasks([a_task()])
        store.admit_groups([(group, verdicts)])
    with RunReader(tmp_path) as reader:
        assert reader.attempt(group.attempts[0].id).attempt.response == group.attempts[0].response


def test_settings_for_another_machine_keep_last_names_only():
    told = {"model": {"name": "/data/models/own"}, "prompt": "/solve\nthis", "rows": ["~/rows", "org/rows"]}
    assert privacy.portable(told) == {
        "model": {"name": "own"}, "prompt": "/solve\nthis", "rows": ["rows", "org/rows"],
    }  # fmt: skip


def test_only_names_that_say_so_are_secrets():
    values = {"API_KEY": "x" * 8, "KEYBOARD": "x" * 8, "MY_TOKENS": "y" * 8, "SHORT_KEY": "abc", "HOME": "/h"}
    assert privacy.secrets(values) == {"API_KEY": "x" * 8, "MY_TOKENS": "y" * 8}
    assert json.loads(json.dumps(privacy.private({"a": [1, None, "b"]}))) == {"a": [1, None, "b"]}
