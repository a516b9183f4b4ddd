"""`taskspace check`: each kind of damage is found by its check; and what a repair saves and says."""

import json
import random
import shutil
from pathlib import Path

import pytest
from command import refused, taskspace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_stores import a_run, change, rows

from experiments import config, runs
from memory import integrity, repair
from memory.building import TABLES
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import StoreError

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return a_run(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def run(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def problems(folder: Path) -> dict[str, tuple[str, ...]]:
    return {check.name: check.problems for check in integrity.checks(folder) if check.problems}


def test_a_whole_store_passes_every_check(whole):
    made = list(integrity.checks(whole))
    assert [check.name for check in made] == list(integrity._LOOKS)
    assert [check.problems for check in made] == [()] * len(made)


#: By the check that has to find it: what is done to the store.
DAMAGE = {
    "schema": "DROP INDEX groups_round",
    "references": "UPDATE groups SET task_id = 'nobody' WHERE seq = 3",
    "texts": "UPDATE texts SET body = body || ' ' WHERE id = 5",
    "json": "UPDATE decisions SET numbers_json = '{\"solve' WHERE seq = 2",
    "counters": "UPDATE groups SET verified = verified + 1 WHERE seq = 4",
    "attempts": "DELETE FROM tokens WHERE attempt_seq = 7",
    "positions": "DELETE FROM rounds WHERE round = 1",
    "versions": "UPDATE groups SET policy_version = 2 WHERE round = 2 AND position = 0",
    "views": "DELETE FROM texts WHERE id = (SELECT response_text FROM attempts WHERE seq = 9)",
    "graph": "UPDATE groups SET parent_attempt_id = (SELECT id FROM attempts WHERE group_id = groups.id)"
    " WHERE seq = (SELECT max(seq) FROM groups WHERE purpose = 'collect')",
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_by_its_check(run, name):
    change(run, DAMAGE[name])
    assert name in problems(run)


def test_counters_that_are_off_name_the_group(run):
    (group,) = (row["id"] for row in rows(run, "groups") if row["seq"] == 4)
    change(run, "UPDATE groups SET mean_reward = 0.123 WHERE seq = 4")
    assert problems(run) == {"counters": (f"a group's counters differ from its attempts: {group}",)}


def test_weights_are_compared_with_their_checksums(run):
    folder = run / "checkpoints" / "v2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert problems(run) == {"checkpoints": ("version 2: the checkpoint is not what was learned",)}


def test_positions_of_unknown_nodes_are_found(run):
    (run / "positions.json").write_text(json.dumps({"nobody": [0, 1]}))
    assert problems(run) == {"places": ("a position belongs to no node: nobody",)}


def test_a_run_in_progress_can_be_checked(tmp_path):
    folder = tmp_path / "run"
    a_run(folder, rounds=1)
    with Store.open(folder / "run.db") as store:
        store.begin_round(2, [{"start": "s"}], 1)
        assert problems(folder) == {}


def test_the_command_says_each_check_and_exits_with_1(run, tmp_path):
    done = taskspace("check", run, cwd=tmp_path)
    assert done.returncode == 0 and all(line.startswith("ok ") for line in done.stdout.splitlines())
    change(run, DAMAGE["counters"])
    done = taskspace("check", run, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and not told["ok"]
    assert [one["name"] for one in told["checks"] if one["problems"]] == ["counters"]


# --- repair ---


def test_nothing_is_done_to_a_whole_store(run):
    before = (run / "run.db").read_bytes()
    assert repair.repair(run).note == "the store is whole"
    assert (run / "run.db").read_bytes() == before


def test_wrong_counters_are_mended_without_a_loss(run, whole):
    change(run, "UPDATE groups SET verified = 0, mean_reward = 0.9 WHERE seq <= 5")
    done = repair.repair(run)
    assert (done.lost, done.mended) == ((), ("groups: counters of 5, counted anew",))
    for table in TABLES:
        floats = ("mean_reward", "learnability")
        assert rows(run, table, *floats) == rows(whole, table, *floats)
    with RunReader(run) as reader:
        assert "not_resumable" not in reader.facts()


def test_a_damaged_index_costs_nothing(run, whole):
    data = bytearray((run / "run.db").read_bytes())
    with RunReader(run) as reader:
        page = reader.value("SELECT rootpage FROM sqlite_master WHERE name = 'decisions_subject'")
    data[(page - 1) * PAGE : page * PAGE] = random.Random(1).randbytes(PAGE)
    (run / "run.db").write_bytes(data)
    assert "file" in problems(run)
    done = repair.repair(run)
    assert done.lost == () and problems(run) == {}
    assert all(rows(run, table) == rows(whole, table) for table in TABLES)
    assert (run / str(done.kept)).read_bytes() == data, "the damaged file is kept as it was"


def test_a_lost_text_is_said_and_stands_as_lost(run):
    change(run, "DELETE FROM texts WHERE id = (SELECT response_text FROM attempts WHERE seq = 9)")
    done = repair.repair(run)
    assert done.lost == ("attempts: response of 1",)
    assert problems(run) == {}
    (row,) = (row for row in rows(run, "attempts") if row["seq"] == 9)
    assert row["response_text"] == "(lost with the damaged store)"
    with RunReader(run) as reader:
        assert reader.facts()["not_resumable"] == ["repaired after a loss"]


def test_the_end_that_is_missing_costs_its_own_rows_only(run, whole):
    data = (run / "run.db").read_bytes()
    (run / "run.db").write_bytes(data[: -3 * PAGE])
    assert "file" in problems(run)
    done = repair.repair(run)
    assert done.lost and problems(run) == {}
    saved = {row["id"] for row in rows(run, "attempts")}
    assert saved <= {row["id"] for row in rows(whole, "attempts")}
    assert len(saved) > len(rows(whole, "attempts")) / 2


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_pages_are_lost_what_is_saved_was_there_and_is_whole(whole, tmp_path_factory, data):
    original = (whole / "run.db").read_bytes()
    pages = len(original) // PAGE
    damaged = bytearray(original)
    for page in data.draw(st.lists(st.integers(1, pages - 1), min_size=1, max_size=4, unique=True)):
        damaged[page * PAGE : (page + 1) * PAGE] = bytes([data.draw(st.sampled_from((0, 13)))]) * PAGE
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "run.db").write_bytes(damaged)
    wrong = problems(folder)
    try:
        done = repair.repair(folder)
    except StoreError as error:  # where SQLite keeps what tables there are
        assert "its list of tables cannot be read" in str(error)
        assert (folder / "run.db").read_bytes() == damaged
        return
    assert bool(done.kept) == bool(wrong)
    assert problems(folder) == {}
    for table in ("attempts", "groups", "tasks", "tokens"):
        key = "attempt_seq" if table == "tokens" else "id"
        there = {row[key] for row in rows(whole, table)}
        assert {row[key] for row in rows(folder, table)} <= there
    if not done.lost:
        assert all(rows(folder, table) == rows(whole, table) for table in TABLES)


def test_lost_settings_are_taken_from_the_file_beside(run):
    config.save(config.load("smoke"), run / "config.yaml")
    change(run, "DELETE FROM run WHERE key = 'config'")
    change(run, DAMAGE["counters"])
    assert "run: config is lost; the settings in config.yaml stand for it" in repair.repair(run).lost
    with RunReader(run) as reader:
        assert reader.config()["preset"] == "smoke"


def test_the_command_says_what_was_lost_and_the_run_is_not_gone_on_with(run, tmp_path):
    change(run, "DELETE FROM attempts WHERE seq = 9")
    done = taskspace("check", run, "--repair", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "lost: tokens: 1 whose attempt is lost" in done.stdout
    assert "kept as run.damaged-1.db" in done.stdout
    with pytest.raises(StoreError, match=r"cannot be gone on with \(repaired after a loss"):
        runs.resume(run, None, [])
    assert "no run.db there" in refused("check", tmp_path / "nothing", cwd=tmp_path)


def test_what_cannot_be_repaired_is_one_line(run, tmp_path):
    with Store.open(run / "run.db"):
        assert "in use by process" in refused("check", run, "--repair", cwd=tmp_path)
    data = (run / "run.db").read_bytes()
    (run / "run.db").write_bytes(bytes(PAGE) + data[PAGE:])
    assert "its list of tables cannot be read" in refused("check", run, "--repair", cwd=tmp_path)
    assert taskspace("check", run, cwd=tmp_path).returncode == 1
