"""Who may open a run database, and what survives: locks, versions, damage, full disks, kill -9."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loop_driver import small_run
from store_records import a_group, a_task

from experiments import runs
from memory import opening
from memory.reader import RunReader
from memory.schema import MIGRATIONS
from memory.store import Store
from protocols.errors import StoreError

HERE = Path(__file__).parent

WRITER = """
import sys, time
from store_records import a_group, a_task
from memory.store import Store

path, size, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
task = a_task()
try:
    store = Store.open(path)
except Exception:
    store = Store.create(path, {}, {})
store.add_tasks([task])
first = store.db.execute("SELECT count(*) FROM groups").fetchone()[0] // size
print("ready", flush=True)
for batch in range(first, 10**6):
    judged = [a_group(task, round=batch, position=p, rewards=(0.0, 1.0, 1.0)) for p in range(size)]
    store.admit_groups(judged, state={"batch": batch})
    print(batch, flush=True)
    time.sleep(pause)
"""


@contextlib.contextmanager
def a_writer(path: Path, size: int = 4, pause: float = 0.0):
    """A process that admits batches for ever and prints each number once it is committed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(size), str(pause)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])},
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_a_second_writer_is_told_who_has_the_folder(tmp_path):
    path = tmp_path / "run.db"
    with a_writer(path, pause=0.01) as process:
        for refused in (lambda: Store.open(path), lambda: Store.create(path, {}, {})):
            with pytest.raises(StoreError, match=f"run folder in use by process {process.pid} on "):
                refused()
        with RunReader(path) as reader:  # readers are welcome
            seen = reader.overview()["attempts"]
            deadline = time.monotonic() + 30
            while reader.overview()["attempts"] == seen:
                assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with Store.open(path):  # the kernel dropped the lock
            pass


def test_a_store_cannot_be_opened_twice_in_one_process(tmp_path):
    with Store.create(tmp_path / "run.db", {}, {}) as store:
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
            Store.open(store.path)
        store.add_tasks([a_task()])
    with Store.open(store.path) as store:
        assert store.add_tasks([a_task()]) == 0


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    store = Store.create(tmp_path / "run.db", {}, {})
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        store.close()
        with Store.open(store.path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def whole(path: Path, size: int) -> int:
    """Committed batches; asserts that all are whole, and that nothing stands twice."""
    with Store.open(path) as store:
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert store.db.execute("PRAGMA foreign_key_check").fetchall() == []
    with RunReader(path) as reader:
        sizes = [row["n"] for row in reader.rows("SELECT count(*) AS n FROM groups GROUP BY round")]
        attempts = [row["n"] for row in reader.rows("SELECT count(*) AS n FROM attempts GROUP BY group_id")]
        tokens = reader.value("SELECT count(*) FROM tokens")
        assert set(sizes) <= {size} and set(attempts) <= {3}
        assert tokens == 3 * size * len(sizes)
        assert reader.state() == ({"batch": len(sizes) - 1} if sizes else {})
        return len(sizes)


def killed_at_random(path: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(kills):
        with a_writer(path, size=4) as process:
            wait = rng.uniform(0.0, 0.25)
            time.sleep(wait)
            process.kill()
            told = [int(line) for line in process.stdout.read().split("\n")[:-1]]
            process.wait()
        committed = whole(path, size=4)
        # Killed between the commit and the word of it, one more batch may be there.
        assert not told or committed - (told[-1] + 1) in (0, 1)


def test_kill_9_loses_no_committed_batch(tmp_path):
    killed_at_random(tmp_path / "run.db", kills=3, seed=1)


@pytest.mark.slow
def test_kill_9_at_many_moments_loses_no_committed_batch(tmp_path):
    killed_at_random(tmp_path / "run.db", kills=40, seed=2)


def test_readers_recover_what_a_killed_writer_left_in_the_log(tmp_path):
    path = tmp_path / "run.db"
    with a_writer(path) as process:
        told = [process.stdout.readline() for _ in range(3)]
    assert (tmp_path / "run.db-wal").stat().st_size > 0
    with RunReader(path) as reader:
        assert reader.overview()["groups"] >= 4 * len(told)


def test_a_newer_database_is_refused_with_both_numbers(tmp_path):
    path = tmp_path / "run.db"
    Store.create(path, {}, {}).close()
    newer = len(MIGRATIONS) + 1
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    before = path.read_bytes()
    for use in (Store.open, RunReader):
        with pytest.raises(StoreError, match=rf"version {newer} is newer than .* {newer - 1}; upgrade"):
            use(path)
    assert path.read_bytes() == before


def test_an_older_database_is_migrated_by_the_writer_only(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    with Store.create(path, {"seed": 1}, {}) as store:
        store.add_tasks([a_task()])
    monkeypatch.setattr(opening, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE tasks ADD COLUMN note TEXT;"))
    older, newer = len(MIGRATIONS), len(MIGRATIONS) + 1
    with pytest.raises(StoreError, match=rf"version {older} is older than .* {newer}; .*--repair"):
        RunReader(path)
    with Store.open(path) as store:
        assert store.db.execute("PRAGMA user_version").fetchone()[0] == newer
        assert store.db.execute("SELECT id, note FROM tasks").fetchall() == [(a_task().id, None)]
    with RunReader(path) as reader:
        assert reader.config() == {"seed": 1}


def test_a_run_of_an_earlier_version_is_migrated_by_resuming_it(tmp_path, monkeypatch):
    Store.create(tmp_path / "run.db", small_run().model_dump(mode="json"), {}).close()
    monkeypatch.setattr(opening, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE tasks ADD COLUMN note TEXT;"))
    assert runs.resume(tmp_path, None, []).resumed
    with RunReader(tmp_path / "run.db") as reader:
        assert "note" in {row["name"] for row in reader.rows("SELECT name FROM pragma_table_info('tasks')")}


def test_a_migration_that_fails_leaves_the_old_version(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    Store.create(path, {}, {}).close()
    broken = "ALTER TABLE tasks ADD COLUMN note TEXT; CREATE TABLE tasks (id);"
    with monkeypatch.context() as patched:
        patched.setattr(opening, "MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            Store.open(path)
    with Store.open(path) as store:
        assert "note" not in store.db.table("tasks").columns_dict


def test_files_that_are_no_run_are_refused_in_one_line(tmp_path):
    text, other, empty = (tmp_path / name for name in ("text.db", "other.db", "empty.db"))
    text.write_text("hello " * 1000)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE songs (name)")
    connection.close()
    empty.touch()
    cases = {
        text: "it is not a database",
        other: "not of a taskspace run",
        empty: "holds no run",
        tmp_path / "missing.db": "there is no run database",
    }
    for path, words in cases.items():
        before = path.read_bytes() if path.exists() else None
        for use in (Store.open, RunReader):
            with pytest.raises(StoreError, match=words) as caught:
                use(path)
            assert "\n" not in str(caught.value) and str(path) in str(caught.value)
        assert (path.read_bytes() if path.exists() else None) == before


def test_create_refuses_a_folder_with_a_run_and_goes_on_from_an_empty_file(tmp_path):
    path = tmp_path / "run.db"
    path.touch()  # what a start that was killed at once leaves
    Store.create(path, {"seed": 1}, {}).close()
    with pytest.raises(StoreError, match=r"holds a run already; .*--resume"):
        Store.create(path, {"seed": 2}, {})
    with RunReader(tmp_path) as reader:
        assert reader.config() == {"seed": 1}


def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "run.db"
    with Store.create(path, {}, {}) as store:
        store.add_tasks([a_task(number) for number in range(200)])
    whole_file = path.read_bytes()
    path.write_bytes(whole_file[: len(whole_file) // 2])
    with pytest.raises(StoreError, match="damaged") as caught:
        Store.open(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(whole_file[:4096] + b"\xff" * (len(whole_file) - 4096))
    with pytest.raises(StoreError, match="damaged"), RunReader(path) as reader:
        reader.task_records()


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path):
    path = tmp_path / "run.db"
    with Store.create(path, {}, {}) as store, RunReader(path) as reader:
        task = a_task()
        store.add_tasks([task])
        store.admit_groups([a_group(task)])
        pages = store.db.execute("PRAGMA page_count").fetchone()[0]
        store.db.execute(f"PRAGMA max_page_count = {pages + 2}")  # SQLite's own full disk
        batch = [a_group(task, position=p, response="x" * 5000) for p in range(1, 9)]
        with pytest.raises(StoreError, match="the disk is full; free some space") as caught:
            store.admit_groups(batch, state={"next": 9})
        assert "\n" not in str(caught.value)
        assert (reader.overview()["groups"], reader.state()) == (1, {})
        store.db.execute("PRAGMA max_page_count = 1000000")
        assert store.admit_groups(batch).groups == 8  # the same work goes in once there is room


def test_a_writing_connection_is_set_as_documented(tmp_path):
    with Store.create(tmp_path / "run.db", {}, {}) as store:

        def value(name: str) -> object:
            return store.db.execute(f"PRAGMA {name}").fetchone()[0]

        assert (value("journal_mode"), value("foreign_keys"), value("synchronous")) == ("wal", 1, 1)
        assert value("busy_timeout") == 10_000


def test_a_finished_run_is_one_file(tmp_path):
    with Store.create(tmp_path / "run.db", {}, {}) as store:
        store.add_tasks([a_task()])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.db", "run.lock"]


def test_a_run_from_before_proposals_were_learned_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    with monkeypatch.context() as patched:
        patched.setattr(opening, "MIGRATIONS", MIGRATIONS[:2])
        Store.create(path, {"seed": 1}, {}).close()
        connection = sqlite3.connect(path)
        connection.execute("INSERT INTO texts (id, hash, body) VALUES (1, x'00', '{\"messages\":[]}')")
        connection.execute("INSERT INTO rounds VALUES (1, '[{},{}]', 0, 1.0, 2.0)")
        connection.execute(
            "INSERT INTO proposals (id, round, position, topic, prompt_text, response_text, policy_version,"
            " reason, detail, reward, created) VALUES ('p', 1, 0, 'f', 1, 1, 0, 'no_input', '', -1.0, 1.0)"
        )
        connection.commit()
        connection.close()
    Store.open(path).close()
    with RunReader(path) as reader:
        assert reader.rounds()[0]["planned"] is None and reader.overview()["groups_resampled"] == 0
        assert len(reader.proposals()) == 1
        assert reader.rewarded_proposals(1, 1) == []  # without token ids there is nothing to learn
