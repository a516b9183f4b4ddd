"""Runs put into one store, and runs without their bodies: what stays the same, what is refused."""

import json
import shutil
from pathlib import Path

import pytest
from command import refused, taskspace
from small_stores import a_run, change, rows

from actors import borrowing
from experiments import branch, config, regenerate, replay, runs, stores, verify
from memory import integrity, merging, pruning
from memory.bodies import PRUNED, require_tokens
from memory.reader import RunReader
from memory.schema import MIGRATIONS
from memory.store import Store
from protocols.errors import SettingError, StoreError


@pytest.fixture(scope="module")
def several(tmp_path_factory) -> list[Path]:
    """Two runs of different seeds; and one of the first one's seed that went on, whose ids are the same."""
    root = tmp_path_factory.mktemp("several")
    return [a_run(root / "one"), a_run(root / "two", seed=2), a_run(root / "again", seed=1, rounds=3)]


@pytest.fixture
def run(several, tmp_path) -> Path:
    return Path(shutil.copytree(several[0], tmp_path / "run"))


def whole(folder: Path) -> None:
    assert [check for check in integrity.checks(folder) if check.problems] == []


# --- merge ---


@pytest.fixture(scope="module")
def merged(several, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("merged") / "all"
    stores.merge(several, out)
    return out


def test_nothing_is_lost_and_nothing_collides(several, merged):
    whole(merged)
    for table in ("groups", "attempts", "tokens", "proposals", "decisions", "samples", "updates", "stages"):
        assert len(rows(merged, table)) == sum(len(rows(run, table)) for run in several), table
    names = {row["id"].split(":")[0] for row in rows(merged, "attempts")}
    assert names == {"one", "two", "again"}


def test_answers_that_another_processor_rounded_make_no_second_task(several, tmp_path):
    folders = [Path(shutil.copytree(several[0], tmp_path / name)) for name in ("here", "there", "elsewhere")]
    for folder, expected in zip(folders, (0.3, 0.1 + 0.2, 0.31)):
        payload = json.dumps({"cases": [{"args": [[1, 2]], "expected": expected}]})
        change(folder, "UPDATE tasks SET payload_json = ?, reference_json = ?", payload, str(expected))
    count = len(rows(folders[0], "tasks"))
    told = stores.merge(folders, tmp_path / "all")["merged"]
    assert [part["shared_tasks"] for part in told] == [0, count, 0]
    whole(tmp_path / "all")


def test_statistics_of_each_run_can_be_had_from_the_merged_one(several, merged):
    with RunReader(merged) as reader:
        parts = reader.facts()["merged"]
        assert [part["first_round"] for part in parts] == [0, 3, 6]
        assert [part["first_version"] for part in parts] == [0, 3, 6]
        for run, part in zip(several, parts):
            with RunReader(run) as single:
                before = {row["round"]: row for row in single.rounds()}
                for row in reader.rounds():
                    number = row["round"] - part["first_round"]
                    if number in before and row["groups"] and part["first_round"] < row["round"]:
                        same = ("attempts", "verified", "tokens", "mean_reward", "learnability", "proposals")
                        if row["round"] <= part["first_round"] + part["rounds"]:
                            assert [row[n] for n in same] == [before[number][n] for n in same]
        assert reader.overview()["updates"] == 7
        assert len(reader.evaluations()) == 3 * 2 + 7


def test_equal_tasks_stand_once_and_different_ones_apart(several, merged):
    one, two, again = ({row["id"] for row in rows(run, "tasks")} for run in several)
    there = {row["id"] for row in rows(merged, "tasks")}
    assert one <= there, "the first run's tasks keep their ids"
    apart = {id.split(":")[1] for id in there if ":" in id}
    assert apart <= two | again
    ends = {row["id"]: row for row in rows(merged, "tasks")}
    for run, name in zip(several[1:], ("two", "again")):
        for row in rows(run, "tasks"):
            found = ends.get(f"{name}:{row['id']}", ends[row["id"]])
            for column in ("statement_text", "payload_json", "status", "reference_json"):
                assert found[column] == row[column]


def test_references_lead_to_the_same_things_as_before(several, merged):
    with RunReader(several[1]) as single, RunReader(merged) as reader:
        for row in single.rows("SELECT id FROM attempts")[::17]:
            before, after = single.attempt(row["id"]), reader.attempt(f"two:{row['id']}")
            assert after.attempt.response == before.attempt.response
            assert after.attempt.token_ids == before.attempt.token_ids
            assert after.task.statement == before.task.statement
            assert [d["reason"] for d in after.decisions] == [d["reason"] for d in before.decisions]
            assert [turn.attempt_id for turn in after.start.history] == [
                f"two:{turn.attempt_id}" for turn in before.start.history
            ]
            assert [u["checksum"] for u in after.updates] == [u["checksum"] for u in before.updates]
            lineage = [step["id"] for step in reader.lineage(f"two:{row['id']}")]
            assert lineage == [f"two:{step['id']}" for step in single.lineage(row["id"])]
        assert reader.updates()[2]["path"] == "two/checkpoints/v1"
        space, own = reader.space().graph, single.space().graph
        assert sum(1 for n in space if n.startswith("two:") and space.nodes[n]["kind"] == "attempt") == sum(
            1 for n in own if own.nodes[n]["kind"] == "attempt"
        )


def test_every_column_that_holds_an_id_is_renamed(merged, several):
    """A column that comes with a later version must not be forgotten."""
    known = {"id", "task_id", "parent_id", "subject_id", "group_id", "attempt_id", "proposal_id",
             "parent_attempt_id", "start_id"}  # fmt: skip
    with RunReader(several[0]) as reader:
        for table in merging._TABLES:
            ids = {c for c in reader.columns(table) if c.endswith("_id") or c == "id"}
            assert ids <= known, table
            numbers = {c for c in reader.columns(table) if c.endswith(("version", "round"))}
            assert numbers <= {"version", "policy_version", "round"}, table


def test_a_merged_run_is_not_gone_on_with(merged, several, tmp_path):
    with pytest.raises(StoreError, match=r"cannot be gone on with \(merged from one, two, again\)"):
        runs.resume(merged, None, [])
    assert "two or more runs, each of them once" in refused(
        "merge", several[0], several[0], "--out", "x", cwd=tmp_path
    )
    other = Path(shutil.copytree(several[1], tmp_path / "other"))
    change(
        other, "UPDATE run SET value_json = replace(value_json, 'smollm2', 'tinyllm') WHERE key = 'config'"
    )
    line = refused("merge", several[0], other, "--out", "x", cwd=tmp_path)
    assert "model of" in line and "differs" in line
    assert not (tmp_path / "runs").exists()


def test_a_damaged_run_is_mended_first(run, several, tmp_path):
    change(run, "UPDATE groups SET task_id = 'nobody' WHERE seq = 3")
    assert "is damaged; mend it first" in refused("merge", several[1], run, "--out", "x", cwd=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_the_command_tells_which_run_became_what(several, tmp_path):
    done = taskspace("merge", *several, "--out", "all", "--json", cwd=tmp_path)
    assert [part["rounds"] for part in json.loads(done.stdout)["merged"]] == [2, 2, 3]
    assert taskspace("check", "all", cwd=tmp_path).returncode == 0
    assert taskspace("space", "all", "revisions", cwd=tmp_path).returncode == 0


# --- prune ---


def test_all_that_is_counted_stays(run, several):
    pruning.prune(run, None)
    whole(run)
    with RunReader(several[0]) as before, RunReader(run) as after:
        assert after.overview() == before.overview()
        assert [drop(row) for row in after.rounds()] == [drop(row) for row in before.rounds()]
        assert after.evaluations() == before.evaluations()
        assert after.solve_rates(99) == before.solve_rates(99)
        old, new = before.space(), after.space()
        assert list(new.graph.edges(data=True)) == list(old.graph.edges(data=True))
        assert list(new.nodes()) == list(old.nodes())
        for row in before.rows("SELECT id FROM attempts")[::23]:
            assert after.lineage(row["id"]) == before.lineage(row["id"])
    for table in ("decisions", "updates", "tasks", "stages", "events"):
        assert rows(run, table) == rows(several[0], table)


def drop(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "plan"}


def test_no_body_is_left_in_the_file(run):
    answers = {row["response_text"][-60:] for row in rows(run, "attempts")}
    size = (run / "run.db").stat().st_size
    told = pruning.prune(run, None)
    data = (run / "run.db").read_bytes()
    assert told["file_bytes_after"] == len(data) < size
    assert not any(answer.encode() in data for answer in answers)
    assert {row["response_text"] for row in rows(run, "attempts")} == {PRUNED}
    assert all(row["token_ids"] == b"" for row in rows(run, "tokens"))


def test_later_rounds_keep_theirs(run, several):
    told = pruning.prune(run, 2)
    kept = [row for row in rows(run, "episodes") if row["round"] >= 2]
    assert kept == [row for row in rows(several[0], "episodes") if row["round"] >= 2]
    gone = [row for row in rows(run, "episodes") if row["round"] < 2]
    assert len(gone) == told["attempts"] and {row["response"] for row in gone} == {PRUNED}
    whole(run)


def test_pruning_is_said_before_it_is_done(run, tmp_path):
    before = (run / "run.db").read_bytes()
    done = taskspace("prune", run, "--bodies", "--before-round", 2, cwd=tmp_path)
    assert "would remove the bodies of" in done.stdout and "--yes does it" in done.stdout
    assert (run / "run.db").read_bytes() == before
    done = taskspace("prune", run, "--bodies", "--yes", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["attempts"] == len(rows(run, "attempts"))
    assert "no bodies are left" in refused("prune", run, "--bodies", cwd=tmp_path)
    assert "nothing to remove was named" in refused("prune", run, cwd=tmp_path)


def test_replay_shows_where_something_was_and_verifies_nothing_without_it(run, tmp_path):
    pruning.prune(run, None)
    done = taskspace("replay", run, "--limit", 1, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count(PRUNED) >= 2
    with pytest.raises(SettingError, match="answers were pruned or lost"):
        verify.verify(run, replay.choose(run, None, None, None, None))
    with pytest.raises(SettingError, match="nothing to compare with"):
        regenerate.regenerate(run, replay.choose(run, None, None, None, None))
    with pytest.raises(StoreError, match="cannot be branched"):
        branch.plan(run, 1, [], tmp_path, None)
    with pytest.raises(StoreError, match="cannot be gone on with"):
        runs.resume(run, None, [])
    with RunReader(run) as reader, pytest.raises(StoreError, match="have no token ids"):
        require_tokens(reader)
    settings = config.resolve(config.merged({}, [f"curator.source={run}"]))
    with pytest.raises(StoreError, match="cannot be learned from"):
        borrowing.check(settings)


def test_a_run_in_use_or_unfinished_is_not_pruned(run, tmp_path):
    with Store.open(run / "run.db") as store:
        assert "in use by process" in refused("prune", run, "--bodies", "--yes", cwd=tmp_path)
        store.begin_round(3, [], 2)
    assert "round 3 is not finished" in refused("prune", run, "--bodies", "--yes", cwd=tmp_path)


def test_versions_of_other_schemas_are_one_line(run, several, tmp_path):
    change(run, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for command in (("check", run), ("check", run, "--repair"), ("prune", run, "--bodies"),
                    ("merge", run, several[1], "--out", "x"), ("export", run, "--parquet", "x")):  # fmt: skip
        assert "is newer than this taskspace's" in refused(*command, cwd=tmp_path)
