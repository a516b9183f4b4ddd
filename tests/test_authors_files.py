"""The authors' files: what is read from them, what is wrong with them, and rows that prove themselves."""

import json
from pathlib import Path
from typing import Any

import pytest
from authors_files import API_DOC, FOLDER, documentation, raw
from command import refused, taskspace

from protocols.domains.zwc.authors import files
from protocols.errors import SettingError

BROKEN_ROWS = FOLDER / "broken_rows.jsonl"


def test_documentation_gives_names_with_their_namespace() -> None:
    read = documentation()
    assert read.issues == ()
    assert read.array == "yitaf"
    assert read.entries["mean"] == "kocito" and read.entries["linalg.inv"] == "rfx.quvohe"
    assert read.named("cross") == [read.entries["cross"], read.entries["linalg.cross"]]
    assert read.named("np.mean") == read.named("numpy.mean") == ["kocito"]
    assert read.named("inv") == read.named("linalg.inv") == ["rfx.quvohe"]
    assert read.named("nothing") == []
    assert "zwc.kocito" in read.texts["kocito"]
    assert set(read.library().entries.values()) == set(read.texts)


def test_what_is_wrong_with_documentation_is_named() -> None:
    read = files.read_documentation(FOLDER / "broken_api_doc.jsonl")
    found = [(i.line, i.key, i.kind, i.skipped) for i in read.issues]
    assert found == [
        (2, "", "malformed", True),
        (3, "original_name", "duplicate", True),
        (4, "curr_name", "collision", True),
        (5, "original_name", "missing_function", False),
        (6, "rewritten_doc", "malformed", True),
        (7, "func_mapping", "malformed", True),
        (8, "func_mapping", "malformed", True),
        (9, "curr_name", "malformed", True),
    ]
    assert list(read.entries) == ["abs", "frobnicate", "array"]
    assert read.missing == {"frobnicate"}
    assert "frobnicate" not in read.library().entries
    assert str(read.issues[0]).startswith(f"{FOLDER / 'broken_api_doc.jsonl'}:2: broken JSON")


@pytest.mark.parametrize(
    "name", ["fromfile", "os.system", "lib.npyio.load", "show_config", "__builtins__", "inf"]
)
def test_a_file_names_public_functions_that_compute_and_no_others(tmp_path: Path, name: str) -> None:
    right, wrong = (
        {
            "original_name": n,
            "curr_name": c,
            "func_mapping": json.dumps({f"np.{n}": f"zwc.{c}"}),
            "rewritten_doc": "x",
        }
        for n, c in (("mean", "kocito"), (name, "bad"))
    )
    path = tmp_path / "api_doc.jsonl"
    path.write_text(f"{json.dumps(wrong)}\n{json.dumps(right)}\n")
    read = files.read_documentation(path)
    assert list(read.library().entries) == ["mean"]
    assert [issue.line for issue in read.issues] == [1]


def test_rows_are_typed() -> None:
    read = files.read_rows(FOLDER / "single_test.jsonl", documentation())
    assert read.issues == () and len(read.rows) == 20
    assert read.counts() == {"rows": 20, "skipped": 0}
    row = read.rows[0]
    assert row.id == "single_test:1"
    assert (row.name, row.parameters, row.functions) == (
        "average_temperature",
        ("temperatures",),
        ("kocito",),
    )
    assert row.truth == ("20.0", "0.5", "7.0") and len(row.cases) == 3
    assert read.rows[17].functions == tuple(documentation().named("cross"))
    assert len(read.rows[17].functions) == 2
    assert len(raw("single_test")) + len(raw("multiple_test")) + len(raw("train")) >= 30


def test_what_is_wrong_with_rows_is_named() -> None:
    read = files.read_rows(BROKEN_ROWS, documentation())
    skipped = [(i.line, i.key) for i in read.issues if i.skipped]
    assert skipped == [
        (2, ""),
        (3, ""),
        (4, "right_exe_result"),
        (5, "function_name"),
        (6, "test_cases"),
        (7, "test_cases"),
        (8, "selected_functions"),
        (9, "example"),
        (10, "query"),
    ]
    marked = [(i.line, i.kind) for i in read.issues if not i.skipped]
    assert marked == [
        (11, "duplicate"),
        (12, "unknown_function"),
        (13, "unknown_function"),
        (14, "not_valid"),
        (15, "counts"),
        (16, "unreadable_truth"),
    ]
    assert {row.id for row in read.rows}.isdisjoint({f"broken_rows:{line}" for line, _ in skipped})
    assert [row.marks for row in read.rows][:3] == [(), ("duplicate",), ("unknown_function",)]
    assert read.counts() == {
        "rows": 10,
        "skipped": 9,
        "malformed": 9,
        "duplicate": 1,
        "unknown_function": 2,
        "not_valid": 1,
        "counts": 1,
        "unreadable_truth": 1,
    }
    assert set(read.counts()) - {"rows", "skipped"} <= set(files.ISSUES)


@pytest.mark.parametrize(
    ("stub", "name", "parameters"),
    [
        ("def f(a, b=2):", "f", ("a", "b")),
        ("def f(a, b)", "f", ("a", "b")),
        ("def f(a: list[int]) -> float:\n    '''Doc.'''\n", "f", ("a",)),
        ("import math\n\ndef f():\n    pass", "f", ()),
    ],
)
def test_stubs(tmp_path: Path, stub: str, name: str, parameters: tuple[str, ...]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**raw("train")[0], "function_name": stub}) + "\n")
    row = files.read_rows(path, documentation()).rows[0]
    assert (row.name, row.parameters) == (name, parameters)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        files.read_documentation(tmp_path / "missing")
    (tmp_path / "empty").write_text("{}\n")
    with pytest.raises(SettingError, match="no function in it"):
        files.read_documentation(tmp_path / "empty")
    with pytest.raises(SettingError, match="no usable row"):
        files.read_rows(tmp_path / "empty", documentation())


def found(*args: Any, cwd: Path) -> tuple[int, dict[str, Any]]:
    done = taskspace("rows", *args, "--documentation", API_DOC, "--json", cwd=cwd)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_rows_that_reproduce_their_truth(tmp_path: Path) -> None:
    code, result = found(
        *(FOLDER / f"{n}.jsonl" for n in ("train", "single_test", "multiple_test")), cwd=tmp_path
    )
    assert code == 0
    assert result["documentation"]["functions"] == 38
    assert [f["references"] for f in result["files"]] == [{"reproduced": n} for n in (8, 20, 8)]
    assert all(f["issues"] == [] for f in result["files"])


def test_rows_that_do_not_are_counted_and_marked(tmp_path: Path) -> None:
    code, result = found(BROKEN_ROWS, "--out", tmp_path / "marks.jsonl", cwd=tmp_path)
    assert code == 1
    (file,) = result["files"]
    assert file["references"] == {"reproduced": 6, "differs": 2, "failed": 1, "none": 1}
    assert (file["rows"], file["skipped"], file["reference"]) == (10, 9, 3)
    wrong = {i["line"]: i["problem"] for i in file["issues"] if i["kind"] == "reference"}
    assert set(wrong) == {16, 17, 18}
    assert "case 2 prints 'True', the truth is 'False'" in wrong[17]
    assert "AttributeError" in wrong[18]
    marks = {m["task_id"]: m["marks"] for m in map(json.loads, (tmp_path / "marks.jsonl").open())}
    assert marks["broken_rows:17"] == ["reference"] and marks["broken_rows:1"] == []
    assert len(marks) == 10
    shown = taskspace("rows", BROKEN_ROWS, "--documentation", API_DOC, cwd=tmp_path)
    assert f"{BROKEN_ROWS}:5: function_name: no `def name(parameters):` but 'rank the times'" in shown.stdout
    assert shown.stdout.count("passed over") == 9


def test_a_row_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    line = refused("rows", "missing.jsonl", "--documentation", API_DOC, cwd=tmp_path)
    assert "missing.jsonl: cannot be read" in line


def test_an_example_that_is_filled_with_null_shows_its_own_input(tmp_path: Path) -> None:
    first, second, *_ = raw("train")
    everything = dict.fromkeys([*first["example"], *second["example"]])
    path = tmp_path / "rows.jsonl"
    lines = [
        {**first, "example": everything | first["example"]},
        {**second, "example": everything | second["example"]},
        {**second, "query": "another", "example": everything},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    read = files.read_rows(path, documentation())
    plain = files.read_rows(_written(tmp_path, [first, second]), documentation())
    assert [row.example for row in read.rows[:2]] == [row.example for row in plain.rows]
    assert [row.marks for row in read.rows] == [(), (), ("example",)] and "None" not in read.rows[1].example


def _written(folder: Path, rows: list[dict]) -> Path:
    path = folder / "plain.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
