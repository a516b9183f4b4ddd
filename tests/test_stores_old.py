"""Stores of every schema version, written by the code of their time, open and say the same as then."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command import refused, taskspace
from small_stores import change, rows

from experiments import exchange, replay
from memory import integrity, opening, repair
from memory.reader import RunReader
from memory.schema import MIGRATIONS
from memory.store import Store
from protocols.errors import StoreError

DUMPS = Path(__file__).parent / "data" / "schemas"
VERSIONS = range(1, len(MIGRATIONS) + 1)


def stored(version: int, folder: Path) -> Path:
    """A run folder with the store of that version."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        connection.executescript((DUMPS / f"v{version}.sql").read_text())
    return folder


def test_there_is_a_store_of_every_version():
    assert sorted(int(path.stem[1:]) for path in DUMPS.glob("*.sql")) == list(VERSIONS)
    for version in VERSIONS:
        text = (DUMPS / f"v{version}.sql").read_text()
        assert re.findall(r"PRAGMA user_version = (\d+);", text) == [str(version)]


@pytest.fixture(params=VERSIONS)
def migrated(request, tmp_path) -> Path:
    folder = stored(request.param, tmp_path / "run")
    Store.open(folder / "run.db").close()
    return folder


def test_rows_of_old_tables_stay_as_they_were(migrated, tmp_path, request):
    version = request.node.callspec.params["migrated"]
    old = stored(version, tmp_path / "old")
    with closing(sqlite3.connect(old / "run.db")) as connection:
        tables = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        before, after = rows(old, table), rows(migrated, table)
        assert len(before) > 0 or table == "proposal_samples", table
        assert [{name: row[name] for name in (before or after)[0]} for row in after] == before, table


def test_what_later_versions_added_has_its_meaning(migrated, request):
    version = request.node.callspec.params["migrated"]
    with RunReader(migrated) as reader:
        (update,) = reader.updates()
        assert (update["metrics"], update["baselines"]) == ({}, {})
        assert reader.rounds()[0]["planned"] == (None if version < 3 else 1)
        # Places follow the order of entry: the start that entered first stands first.
        assert [(entry.entered, entry.slot) for entry in reader.buffer()] == [(2, 0), (3, 1)]
        proposals = reader.rows("SELECT token_ids, finish FROM proposals ORDER BY seq")
        assert [row["finish"] for row in proposals] == [None if version < 3 else "stop"] * 2
        assert reader.value("SELECT count(*) FROM attempts WHERE exchanges_json IS NOT NULL") == 0


def test_a_migrated_store_is_whole_and_is_read_by_everything(migrated, tmp_path):
    assert [check for check in integrity.checks(migrated) if check.problems] == []
    with RunReader(migrated) as reader:
        assert reader.overview()["attempts"] == 3 and reader.overview()["evaluation_attempts"] == 2
        assert len(reader.space().graph) == 2 + 3  # a task and the one proposed from it, three attempts
        episode = reader.attempt(reader.episodes(verified=True, purpose="collect")[0]["id"])
        assert [update["version"] for update in episode.updates] == [1]
        assert episode.attempt.logprobs[:2] == (-0.5, -1.25)
        assert reader.lineage(episode.attempt.id)[-1]["id"] == episode.attempt.id
    replay.show(migrated, replay.choose(migrated, None, None, None, 3))
    exchange.to_parquet(migrated, tmp_path / "tables")
    exchange.load(tmp_path / "tables", tmp_path / "again", [])
    assert rows(tmp_path / "again", "attempts") == rows(migrated, "attempts")


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_readers_say_how_to_migrate_and_the_command_does_it(version, tmp_path):
    folder = stored(version, tmp_path / "run")
    with pytest.raises(opening.OlderSchemaError, match=rf"schema version {version} is older .* --repair"):
        RunReader(folder)
    assert repair.repair(folder).note == f"migrated to schema version {len(MIGRATIONS)}"
    with RunReader(folder) as reader:
        assert reader.facts() == {"sandbox": []}, "a migrated run can be gone on with"


def test_a_damaged_old_store_is_saved_in_its_version_and_migrated(tmp_path):
    folder = stored(1, tmp_path / "run")
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray((folder / "run.db").read_bytes())
    data[(page - 1) * size : page * size] = bytes(size)
    (folder / "run.db").write_bytes(data)
    repair.repair(folder)  # migrating reads no events, and so does not notice
    done = repair.repair(folder)
    assert any(line.startswith("events: ") for line in done.lost)
    assert [check for check in integrity.checks(folder) if check.problems] == []
    with RunReader(folder) as reader:
        assert [entry.slot for entry in reader.buffer()] == [0, 1]


def test_the_commands_on_an_old_run(tmp_path):
    stored(2, tmp_path / "old")
    assert "schema version 2 is older" in refused("check", "old", "--runs", ".", cwd=tmp_path)
    done = taskspace("check", "old", "--runs", ".", "--repair", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("nothing to repair: migrated to schema version")
    assert taskspace("replay", "old", "--runs", ".", "--json", cwd=tmp_path).returncode == 0


def test_a_newer_store_is_one_line(tmp_path):
    folder = stored(len(MIGRATIONS), tmp_path / "run")
    change(folder, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"schema version 99 is newer than this taskspace's"):
        Store.open(folder / "run.db")
    line = refused("replay", folder, cwd=tmp_path)
    assert "schema version 99 is newer" in line and "upgrade taskspace" in line
