"""The Data page: any SELECT, safely; and files that hold what the store holds."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from demo_run import MARK, make_demo_run
from pages import APP, Show, texts
from streamlit.testing.v1 import AppTest

from memory import space_graphml
from memory.reader import RunReader
from ui import queries_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    make_demo_run(root / "demo", rounds=2, topics=4, groups_per_round=16)
    make_demo_run(root / "hostile", rounds=1, topics=4, groups_per_round=8, hostile=True)
    return root


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    yield Show(monkeypatch)


def test_the_address_holds_the_sql(folder: Path, show: Show) -> None:
    sql = "SELECT category, count(*) AS n FROM attempts GROUP BY category ORDER BY n DESC"
    app = show(folder, "data", "demo", sql=sql)
    with RunReader(folder / "demo") as reader:
        expected = reader.rows(sql)
    assert app.dataframe[0].value.to_dict("records") == expected
    assert f"{len(expected)} rows." in texts(app)
    assert app.text_area[0].value == sql


def test_an_address_asks_nothing_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = queries_data.asked
    monkeypatch.setattr(queries_data, "asked", lambda reader, sql: asked.append(sql) or ask(reader, sql))
    monkeypatch.setenv("TASKSPACE_RUNS", str(folder))
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params.update({"page": "data", "run": "demo", "sql": "SELECT 41 + 1 AS n"})
    app.run()
    assert "stood in the address" in texts(app) and not app.dataframe and asked == []
    app.button(key="ask").click().run()
    assert app.dataframe[0].value.to_dict("records") == [{"n": 42}] and asked == ["SELECT 41 + 1 AS n"]
    app.text_area[0].set_value("SELECT 2 AS n").run()  # what is typed is asked
    assert app.dataframe[0].value.to_dict("records") == [{"n": 2}]


@pytest.mark.parametrize("name", queries_data.EXAMPLES)
def test_examples_give_rows(folder: Path, show: Show, name: str) -> None:
    app = show(folder, "data", "demo")
    assert "Nothing asked yet." in texts(app)
    app.selectbox(key="example").select(name).run()
    assert not app.exception
    assert app.text_area[0].value == queries_data.EXAMPLES[name]
    assert len(app.dataframe[0].value), texts(app)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM attempts", "only SELECT"),
        ("ATTACH 'other.db' AS other", "only SELECT"),
        ("PRAGMA user_version = 7", "only SELECT"),
        ("SELECT load_extension('x')", "query:"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELEC 1", "syntax error"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
            "stopped after",
        ),
        ("SELECT length(zeroblob(900000000))", "too big"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    folder: Path, show: Show, monkeypatch: pytest.MonkeyPatch, sql: str, told: str
) -> None:
    monkeypatch.setattr(queries_data, "SHOWN_S", 0.5)
    before = (folder / "demo" / "run.db").read_bytes()
    app = show(folder, "data", "demo", sql=sql)
    assert "This SQL gives no answer." in texts(app) and told in texts(app)
    assert not app.dataframe
    assert (folder / "demo" / "run.db").read_bytes() == before


def test_many_rows_are_cut_and_said_to_be(folder: Path, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries_data, "SHOWN", 5)
    app = show(folder, "data", "demo", sql="SELECT id FROM attempts")
    assert len(app.dataframe[0].value) == 5
    assert "The first 5 rows; files hold up to 200,000." in texts(app)


def test_hostile_texts_and_column_names_stay_text(folder: Path, show: Show) -> None:
    sql = 'SELECT response AS "<img src=x onerror=alert(1)>", zeroblob(3) AS raw FROM episodes'
    app = show(folder, "data", "hostile", sql=sql)
    assert MARK in texts(app) and "3 bytes: 000000" in texts(app)
    for element in [*app.markdown, *app.caption, *app.info, *app.subheader]:
        assert MARK not in str(element.value) and "<img" not in str(element.value)
    assert all(len(str(cell)) <= 300 for cell in app.dataframe[0].value.iloc[:, 0])


def test_files_hold_what_the_store_holds(folder: Path) -> None:
    run, sql = folder / "demo", "SELECT seq, id, reward, category FROM attempts ORDER BY seq"
    with RunReader(run) as reader:
        expected = reader.rows(sql)
    table = pq.read_table(io.BytesIO(queries_data.as_parquet(run, sql)))
    assert table.to_pylist() == expected
    assert str(table.schema.field("reward").type) == "double"
    read = pd.read_csv(io.BytesIO(queries_data.as_csv(run, sql)))
    assert list(read["id"]) == [row["id"] for row in expected]
    assert list(read["reward"].dropna()) == [r["reward"] for r in expected if r["reward"] is not None]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n="])
def test_no_cell_of_a_csv_file_is_a_formula(folder: Path, start: str) -> None:
    sql = f"SELECT '{start}cmd|x' AS \"{start}name\", -1.5 AS number, 'a=b' AS plain"
    rows = list(csv.reader(io.StringIO(queries_data.as_csv(folder / "demo", sql).decode(), newline="")))
    assert rows == [[f"'{start}name", "number", "plain"], [f"'{start}cmd|x", "-1.5", "a=b"]]


def test_graphml_holds_whatever_a_model_wrote() -> None:
    graph = nx.DiGraph()
    graph.add_node("a\x00b", text="x\x1b]0;\x07 \ufffe \ud800 <&>", nothing=None, many=["\x08"])
    graph.add_edge("a\x00b", "c", text="\x0b")
    out = io.BytesIO()
    space_graphml.write(graph, out)
    out.seek(0)
    read = nx.read_graphml(out)
    assert read.nodes["a\\x00b"] == {"text": "x\\x1b]0;\\x07 \\ufffe \\ud800 <&>", "many": '["\\b"]'}
    assert read.edges["a\\x00b", "c"] == {"text": "\\x0b"}


def test_files_take_blobs_mixed_types_and_nothing(folder: Path) -> None:
    run = folder / "demo"
    sql = "SELECT 1 AS v, x'00ff' AS b UNION ALL SELECT 'two', NULL"
    assert queries_data.as_csv(run, sql).decode() == "v,b\r\n1,00ff\r\ntwo,\r\n"
    assert pq.read_table(io.BytesIO(queries_data.as_parquet(run, sql))).to_pylist() == [
        {"v": "1", "b": b"\x00\xff"},
        {"v": '"two"', "b": None},
    ]
    none = "SELECT id FROM attempts WHERE 0"
    assert queries_data.as_csv(run, none).strip() == b""
    assert pq.read_table(io.BytesIO(queries_data.as_parquet(run, none))).num_rows == 0


@pytest.mark.parametrize("name", ["demo", "hostile"])
def test_graphml_is_the_task_space(folder: Path, name: str) -> None:
    read = nx.read_graphml(io.BytesIO(queries_data.as_graphml(folder / name)))
    with RunReader(folder / name) as reader:
        space = reader.space()
    assert set(read) == set(space.graph) and set(read.edges) == set(space.graph.edges)
    task = next(node for node, data in read.nodes(data=True) if data["kind"] == "task")
    assert json.loads(read.nodes[task]["topics"]) == list(space.graph.nodes[task]["topics"])
    assert (read.nodes[task]["x"], read.nodes[task]["y"]) == pytest.approx(space.layout()[task])
