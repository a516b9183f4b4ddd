"""Run databases that hold more than taskspace makes: nothing of it is run, and the rows can be saved."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from demo_run import make_demo_run

from memory import integrity, repair
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import StoreError

STRANGE = {
    "a view without end": "CREATE VIEW more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
    " FROM n) SELECT * FROM n",
    "another view of that name": "DROP VIEW episodes; CREATE VIEW episodes AS SELECT 1 AS reward",
    "a trigger": "CREATE TRIGGER paid AFTER INSERT ON attempts BEGIN UPDATE attempts SET reward = 1; END",
    "a trigger on a view": "CREATE TRIGGER paid INSTEAD OF INSERT ON episodes BEGIN SELECT 1; END",
    "an index": "CREATE INDEX mine ON attempts(lower(category))",
    "another index of that name": "DROP INDEX groups_task;CREATE INDEX groups_task ON groups(upper(task_id))",
    "a table": "CREATE TABLE songs (title TEXT)",
    "a virtual table": "CREATE VIRTUAL TABLE words USING fts5(body)",
    "a computed column": "ALTER TABLE attempts ADD COLUMN more AS (reward + 1)",
    "a column": "ALTER TABLE attempts ADD COLUMN note TEXT",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_run(tmp_path_factory.mktemp("runs") / "run", rounds=1, topics=2, groups_per_round=8)


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir()
    with (
        closing(sqlite3.connect(whole / "run.db")) as source,
        closing(sqlite3.connect(made / "run.db")) as target,
    ):
        source.backup(target)
    return made


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_strange_objects_are_refused_and_the_rows_are_saved_without_them(run: Path, change: str) -> None:
    with RunReader(run) as reader:
        before = reader.rows("SELECT * FROM attempts ORDER BY seq"), reader.rows("SELECT * FROM episodes")
    with closing(sqlite3.connect(run / "run.db")) as connection:
        connection.executescript(change)
    for open_ in (RunReader, lambda folder: Store.open(folder / "run.db")):
        with pytest.raises(StoreError, match=r"does not make \(.*check --repair") as told:
            open_(run)
        assert "\n" not in str(told.value)
    (found,) = (check for check in integrity.checks(run) if check.problems)
    assert found.name == "schema"
    done = repair.repair(run)
    assert done.kept and not done.lost
    with RunReader(run) as reader:
        after = reader.rows("SELECT * FROM attempts ORDER BY seq"), reader.rows("SELECT * FROM episodes")
    assert after == before
    Store.open(run / "run.db").close()


def test_statistics_of_sqlite_are_nothing_strange(run: Path) -> None:
    with closing(sqlite3.connect(run / "run.db")) as connection:
        connection.execute("ANALYZE")
    RunReader(run).close()


@pytest.mark.parametrize("call", ["load_extension('x')", "fts3_tokenizer('simple')", "sqlite_version()"])
def test_functions_that_do_more_than_compute_are_not_called(whole: Path, call: str) -> None:
    with RunReader(whole) as reader, pytest.raises(StoreError, match=r"^query: .*may not be called"):
        reader.query(f"SELECT {call}")


GROWING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200)"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (f"{GROWING} SELECT zeroblob(30000000) FROM n", "more room than"),
        (f"{GROWING} SELECT hex(zeroblob(20000000)) FROM n", "more room than"),
        (f"{GROWING} SELECT group_concat(hex(zeroblob(20000000))) FROM n", "too big|more room|stopped"),
        (
            "SELECT instr(hex(zeroblob(30000000)), hex(zeroblob(15000000)) || 'x')",
            "stopped after",
        ),
        (f"{GROWING} SELECT * FROM n a, n b, n c, n d ORDER BY random()", "stopped after|more room"),
    ],
)
def test_a_question_takes_no_more_time_or_room_than_there_is(whole: Path, sql: str, told: str) -> None:
    began = time.monotonic()
    with RunReader(whole) as reader, pytest.raises(StoreError, match=f"^query: .*({told})"):
        reader.query(sql, seconds=2.0)
    assert time.monotonic() - began < 40  # and not the minutes that SQLite would take


def test_values_of_every_type_come_back_as_they_are(whole: Path) -> None:
    with RunReader(whole) as reader:
        sql = "SELECT 1 AS a, -9223372036854775808 AS b, 0.5 AS c, 'é' AS d, x'00ff' AS e, NULL AS f"
        (row,) = reader.query(sql)
        assert row == {"a": 1, "b": -(2**63), "c": 0.5, "d": "é", "e": b"\x00\xff", "f": None}
        assert reader.query("SELECT ? AS a, ? AS b", [b"\x00", None]) == [{"a": b"\x00", "b": None}]
        with pytest.raises(StoreError, match=r"^query: "):
            reader.query("SELECT cast(x'ff' AS TEXT)")
