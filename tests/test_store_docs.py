"""docs/store.md says what is there: every table and column, and statements that run."""

import re
from pathlib import Path

import pytest
from store_records import a_decision, a_group, a_sample, a_task, an_update

from memory import questions
from memory.reader import RunReader
from memory.store import Store
from protocols.records import Step

DOCS = (Path(__file__).parent.parent / "docs" / "store.md").read_text()
STATEMENTS = re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL)


@pytest.fixture
def run(tmp_path: Path):
    """A run folder with an attempt, a revision of it by version 1, and what led there."""
    task = a_task()
    first = a_group(task)
    revised = a_group(
        task, 2, revises=first[0].attempts[0], step=Step.DIVERGE, policy_version=1, rewards=(1.0,)
    )
    with Store.create(tmp_path / "run.db", {}, {}) as store:
        store.add_tasks([task])
        store.admit_groups([first], [a_decision(first[0].id)])
        store.record_update(an_update(), [a_sample(first[0].attempts[1])])
        store.admit_groups([revised], [a_decision(revised[0].id, "start")])
    return tmp_path, first[0], revised[0]


def documented() -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for section in re.split(r"^### ", DOCS, flags=re.MULTILINE)[1:]:
        name = section.split("\n", 1)[0].strip()
        tables[name] = re.findall(r"^\| (\w+) \| .+ \|$", section.split("\n## ")[0], re.MULTILINE)[1:]
    return tables


def test_every_table_and_column_is_documented_and_nothing_else(run):
    with RunReader(run[0]) as reader:
        names = reader.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        there = {
            row["name"]: [
                c["name"] for c in reader.rows("SELECT name FROM pragma_table_info(?)", [row["name"]])
            ]
            for row in names
            if not row["name"].startswith("sqlite_")
        }
    assert documented() == there


def test_the_statements_are_the_ones_the_reader_uses():
    code = [
        questions.TRAINED,
        questions.DECISIONS,
        questions.VERDICT,
        questions.WEIGHTS,
        questions.LINEAGE,
    ]
    assert [statement.split() for statement in STATEMENTS] == [sql.split() for sql in code]


def test_the_five_questions_have_answers(run):
    folder, first, revised = run
    attempt = revised.attempts[0].id
    with RunReader(folder) as reader:
        (trained,) = reader.query(STATEMENTS[0], {"version": 1})
        assert (trained["id"], trained["response"]) == (first.attempts[1].id, first.attempts[1].response)
        (decision,) = reader.query(STATEMENTS[1], {"attempt": attempt})
        assert (decision["kind"], decision["subject_id"]) == ("start", revised.id)
        (seen,) = reader.query(STATEMENTS[2], {"attempt": attempt})
        assert (seen["reward"], seen["evidence_json"]) == (1.0, '{"case":3,"got":[1.5]}')
        (weights,) = reader.query(STATEMENTS[3], {"attempt": attempt})
        assert (weights["version"], weights["checksum"]) == (1, "sum1")
        (untrained,) = reader.query(STATEMENTS[3], {"attempt": first.attempts[0].id})
        assert (untrained["version"], untrained["path"]) == (0, None)
        way = reader.query(STATEMENTS[4], {"attempt": attempt})
        assert [(row["id"], row["step"]) for row in way] == [
            (first.attempts[0].id, "initial"),
            (attempt, "diverge"),
        ]
        assert way == reader.lineage(attempt)
        assert reader.verdict_of(attempt)["evidence"] == {"case": 3, "got": [1.5]}


def test_every_question_is_answered_through_indexes(run):
    """None of the five may read a large table from end to end."""
    with RunReader(run[0]) as reader:
        for statement in STATEMENTS:
            plan = reader.rows(f"EXPLAIN QUERY PLAN {statement}", {"version": 1, "attempt": "x"})
            scans = [row["detail"] for row in plan if row["detail"].startswith("SCAN")]
            assert all(scan in ("SCAN way", "SCAN CONSTANT ROW") for scan in scans), scans


def test_the_shell_line_and_the_python_example_run(run, capsys):
    folder = run[0]
    (shell,) = re.findall(r'sqlite3 -readonly \S+ "(.*)"', DOCS)
    (python,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    with RunReader(folder) as reader:
        assert len(reader.query(shell)) == 3
    exec(python.replace("runs/quickstart", str(folder)), {})
    assert "answer" in capsys.readouterr().out
