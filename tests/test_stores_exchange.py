"""Runs carried elsewhere and back: what was exported comes back equal, by every way."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command import refused, taskspace
from small_stores import a_run, change, rows

from experiments import exchange, replay, runs
from memory import datasette, dictionary, integrity, lines
from memory.building import TABLES
from memory.codec import to_json
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import StoreError

#: What lines do not carry: the order of admission, its times, and the counters that differ by rounding.
NOT_CARRIED = {
    "tasks": ("seq",),
    "groups": ("seq", "created"),
    "attempts": ("seq",),
    "tokens": (),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return a_run(tmp_path_factory.mktemp("exchange") / "played")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    folder = a_run(tmp_path_factory.mktemp("exchange") / "hostile", rounds=1, hostile=True)
    response = rows(folder, "attempts")[4]["response_text"]
    change(folder, "UPDATE attempts SET exchanges_json = ? WHERE seq = 5", _exchanges(response))
    return folder


def _exchanges(last: str) -> str:
    """Of an attempt with two answers, as a store keeps them."""
    rest = {"tokens": 3, "prefilled": 0, "prefill": "", "fresh": False}
    told = [{"role": "user", "content": "go on \x00"}]
    said = ({"told": [], "response": "first"}, {"told": told, "response": last})
    return to_json([{**one, **rest} for one in said])


def whole(folder: Path) -> None:
    assert [check for check in integrity.checks(folder) if check.problems] == []


@pytest.mark.parametrize("name", ("run", "hostile"))
def test_tables_come_back_as_they_were(name, request, tmp_path):
    run = request.getfixturevalue(name)
    told = exchange.to_parquet(run, tmp_path / "tables")
    exchange.load(tmp_path / "tables", tmp_path / "again", [])
    whole(tmp_path / "again")
    for table in (t for t in TABLES if t != "run"):
        assert rows(tmp_path / "again", table) == rows(run, table)
        if table != "tokens":
            assert told["rows"][table] == len(rows(run, table))
    with RunReader(run) as before, RunReader(tmp_path / "again") as after:
        assert (before.config(), before.state(), before.created()) == (
            after.config(), after.state(), after.created(),
        )  # fmt: skip
        assert after.facts()["not_resumable"] == ["imported from tables"]
        assert before.overview() == after.overview()


@pytest.mark.parametrize("name", ("run", "hostile"))
def test_lines_come_back_as_the_same_episodes(name, request, tmp_path):
    run = request.getfixturevalue(name)
    exchange.to_lines(run, tmp_path / "episodes.jsonl")
    exchange.load(tmp_path / "episodes.jsonl", tmp_path / "again", [])
    whole(tmp_path / "again")
    named = {row["task_id"] for row in rows(run, "groups")}
    for table, leave in NOT_CARRIED.items():
        before = rows(run, table, *leave)
        if table == "tasks":  # those that somebody answered
            before = [row for row in before if row["id"] in named]
            for row in before:
                row["parent_id"] = row["parent_id"] if row["parent_id"] in named else None
        after = rows(tmp_path / "again", table, *leave)
        assert after == before, table


def test_the_episodes_file_alone_is_enough(run, tmp_path):
    exchange.to_parquet(run, tmp_path / "tables")
    exchange.load(tmp_path / "tables" / "episodes.parquet", tmp_path / "again", [])
    whole(tmp_path / "again")
    for table in ("attempts", "groups"):
        leave = NOT_CARRIED[table]
        assert rows(tmp_path / "again", table, *leave) == rows(run, table, *leave)


def test_tokens_are_lists_and_verdicts_stand_apart(run, tmp_path):
    exchange.to_parquet(run, tmp_path / "tables")
    attempts = pq.read_table(tmp_path / "tables" / "attempts.parquet")
    assert str(attempts.schema.field("token_ids").type) == "list<element: uint32>"
    assert "reward" not in attempts.column_names
    verdicts = pq.read_table(tmp_path / "tables" / "verdicts.parquet").to_pylist()
    assert [row["reward"] for row in verdicts] == [row["reward"] for row in rows(run, "attempts")]
    with RunReader(run) as reader:
        attempt = reader.attempt(verdicts[3]["id"]).attempt
    row = attempts.to_pylist()[3]
    assert tuple(row["token_ids"]) == attempt.token_ids
    assert tuple(row["logprobs"]) == pytest.approx(attempt.logprobs)


def test_datasets_opens_the_folder_by_its_card(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    told = exchange.to_dataset(run, tmp_path / "out")
    episodes = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "c"))["train"]
    assert len(episodes) == told["rows"]["episodes"] == len(rows(run, "attempts"))
    first = episodes[0]
    assert first["prompt"][-1]["role"] == "user" and first["completion"][0]["role"] == "assistant"
    assert json.loads(first["info"])["id"] == rows(run, "attempts")[0]["id"]
    verdicts = datasets.load_dataset(str(tmp_path / "out"), "verdicts", cache_dir=str(tmp_path / "c"))
    assert len(verdicts["train"]) == len(episodes)
    # What datasets saved itself comes back, too.
    episodes.save_to_disk(str(tmp_path / "saved"))
    exchange.load(tmp_path / "saved", tmp_path / "again", [])
    assert rows(tmp_path / "again", "attempts", "seq") == rows(run, "attempts", "seq")


FOREIGN = (
    {"prompt": [{"role": "user", "content": "2 + 2?"}], "completion": [{"role": "assistant", "content": "4"}],
     "reward": 1.0, "answer": "4", "task": "sums", "example_id": 7, "info": {"level": 1}},
    {"prompt": [{"role": "user", "content": "2 + 2?"}], "completion": "5", "reward": 0, "answer": "4",
     "task": "sums", "example_id": 7},
    {"prompt": "What now?", "completion": [{"role": "assistant", "content": "a"},
     {"role": "user", "content": "more"}, {"role": "assistant", "content": "b"}]},
    {"prompt": "Again?", "completion": "x", "reward": 0.5, "error": "server gone"},
)  # fmt: skip


def test_episodes_of_other_origin_give_what_they_have(tmp_path):
    file = tmp_path / "rollouts.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in FOREIGN) + "\n\n")
    exchange.load(file, tmp_path / "theirs", ["domain=math"])
    whole(tmp_path / "theirs")
    with RunReader(tmp_path / "theirs") as reader:
        found = reader.episodes()[::-1]
        assert [(e["reward"], e["category"]) for e in found] == [
            (1.0, "correct"), (0.0, "wrong_answer"), (None, "unreferenced"), (None, "infra_error"),
        ]  # fmt: skip
        assert [group["attempts"] for group in reader.groups()[::-1]] == [2, 1, 1]
        first = reader.attempt(found[0]["id"])
        assert (first.task.domain, first.task.reference, first.task.statement) == ("sums", "4", "2 + 2?")
        assert first.task.payload == {"example_id": 7, "info": {"level": 1}}
        assert (first.start.book, first.start.step, first.group["round"]) == ("closed", "initial", 1)
        assert reader.attempt(found[2]["id"]).attempt.answers == ("a", "b")
        assert reader.attempt(found[3]["id"]).verdict.infra_error == "server gone"
        assert reader.config()["domain"] == "math" and reader.rounds()[0]["groups"] == 3
        assert len(reader.space().graph) == 7  # three tasks, four attempts
    replay.show(tmp_path / "theirs", replay.choose(tmp_path / "theirs", None, None, None, 2))
    with pytest.raises(StoreError, match="cannot be gone on with"):
        runs.resume(tmp_path / "theirs", None, [])


def test_every_default_is_used_and_stated():
    stated = (Path(__file__).parent.parent / "docs" / "stores.md").read_text()
    (found,) = lines.played([{"prompt": "p", "completion": "c"}], "x")
    assert found.status == lines.DEFAULTS["status"] and found.group.round == lines.DEFAULTS["round"]
    for name in ("kind", "origin", "split", "book", "step"):
        assert f"`{lines.DEFAULTS[name]}`" in stated


@pytest.mark.parametrize(
    ("text", "said"),
    (
        ('{"prompt": "a", "completion": "b", "reward": 3}', "line 2: reward 3 is not in 0 .. 1"),
        ('{"prompt": "a"}', "line 2: no episode"),
        ('{"prompt": [{"text": 1}], "completion": "b"}', "line 2: a prompt is a text, or a list"),
        ("{", "line 2: broken JSON"),
        ('{"prompt": "a", "completion": "b", "info": {"step": "jump"}}', "line 2: ValueError"),
    ),
)
def test_a_line_that_cannot_be_used_is_named_and_nothing_is_left(text, said, tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"prompt": "a", "completion": "b"}\n' + text + "\n")
    assert said in refused("import", file, "--out", tmp_path / "out", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl"]


def test_wrong_input_is_one_line(run, tmp_path):
    assert "nothing was asked for" in refused("export", run, cwd=tmp_path)
    assert "--version: is of --model" in refused("export", run, "--jsonl", "a", "--version", 1, cwd=tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for option in ("--parquet", "--dataset", "--datasette"):
        assert f"{option} full: something is there" in refused("export", run, option, "full", cwd=tmp_path)
    assert "is a folder" in refused("export", run, "--jsonl", "full", cwd=tmp_path)
    assert "no .jsonl, .parquet, .arrow" in refused("import", "nothing", "--out", "o", cwd=tmp_path)
    assert "a folder without" in refused("import", "full", "--out", "o", cwd=tmp_path)
    exchange.to_parquet(run, tmp_path / "tables")
    (tmp_path / "tables" / "verdicts.parquet").unlink()
    assert "verdicts.parquet: is missing" in refused("import", "tables", "--out", "o", cwd=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_tables_that_lack_something_are_refused(run, tmp_path):
    exchange.to_parquet(run, tmp_path / "tables")
    file = tmp_path / "tables" / "groups.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["engine"]), file)
    with pytest.raises(StoreError, match=r"groups\.parquet: lacks engine"):
        exchange.load(tmp_path / "tables", tmp_path / "again", [])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"groups\.parquet: cannot be read"):
        exchange.load(tmp_path / "tables", tmp_path / "again", [])
    exchange.to_parquet(run, tmp_path / "more")
    tasks = pq.read_table(tmp_path / "more" / "tasks.parquet")
    pq.write_table(tasks.slice(1), tmp_path / "more" / "tasks.parquet")
    with pytest.raises(StoreError, match="name rows of tasks that are not there"):
        exchange.load(tmp_path / "more", tmp_path / "again", [])
    assert not (tmp_path / "again").exists()


def test_the_commands_go_round(run, tmp_path):
    done = taskspace(
        "export", run, "--jsonl", "e.jsonl", "--datasette", "looking", "--json", cwd=tmp_path
    )  # fmt: skip
    assert [next(iter(one)) for one in json.loads(done.stdout)["written"]] == ["jsonl", "datasette"]
    done = taskspace("import", "e.jsonl", "--out", "again", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["rows"]["attempts"] == len(rows(run, "attempts"))
    assert taskspace("space", "again", cwd=tmp_path).returncode == 0
    assert taskspace("check", "again", cwd=tmp_path).returncode == 0


def test_a_run_in_progress_is_exported_as_it_was_committed(run, tmp_path):
    with Store.open(run / "run.db") as store, pytest.raises(ZeroDivisionError), store.batch():
        store.db.execute("DELETE FROM events")
        exchange.to_parquet(run, tmp_path / "tables")
        exchange.to_datasette(run, tmp_path / "looking")
        raise ZeroDivisionError  # so that nothing of the batch is kept
    assert pq.read_table(tmp_path / "tables" / "events.parquet").num_rows == len(rows(run, "events")) > 0
    assert rows(tmp_path / "looking", "events") == rows(run, "events")


# --- Datasette ---


def test_every_query_and_view_of_the_datasette_folder_runs(run, tmp_path):
    exchange.to_datasette(run, tmp_path / "looking")
    described = json.loads((tmp_path / "looking" / "metadata.json").read_text())["databases"]["run"]
    with closing(sqlite3.connect(f"file:{tmp_path}/looking/run.db?mode=ro&immutable=1", uri=True)) as db:
        attempt = db.execute("SELECT attempt_id FROM samples LIMIT 1").fetchone()[0]
        for name, query in described["queries"].items():
            found = db.execute(query["sql"], {"attempt": attempt, "version": 1}).fetchall()
            assert found, name
        for view in datasette.VIEWS:
            assert db.execute(f"SELECT count(*) FROM {view}").fetchone()[0] > 0, view
        names = {n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
        assert {name for name in names if not name.startswith("sqlite_")} == described["tables"].keys()
        for table, told in described["tables"].items():
            columns = {n for (n,) in db.execute("SELECT name FROM pragma_table_info(?)", [table])}
            assert told["description"]
            assert set(told.get("facets", ())) <= columns and told.get("sort_desc", "seq") in {
                *columns,
                "seq",
            }
            if table in dictionary.tables():
                assert told["columns"].keys() == columns
    whole(tmp_path / "looking")
