"""A report of several runs, and the same report as Markdown and LaTeX: the numbers hold, and nothing acts."""

import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from command import refused, taskspace
from demo_run import MARK, DemoRun, make_demo_run
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from experiments import report
from experiments.reports import latex, markdown
from experiments.reports.document import Column, Report, Section, Share, Table, shown
from memory import comparing
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import SettingError
from protocols.intervals import wilson

MARKDOWN = MarkdownIt("commonmark").enable("table")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    make_demo_run(made / "one", rounds=2, seed=1)
    make_demo_run(made / "two", rounds=1, seed=2)
    make_demo_run(made / "hostile", rounds=1, hostile=True)
    return made


@pytest.fixture(scope="module")
def compared(folder: Path) -> Report:
    return report.build([folder / "one", folder / "two"])


def table(of: Report, title: str) -> list[dict[str, object]]:
    found = [p for s in of.sections for p in s.parts if isinstance(p, Table) and p.title == title]
    return [dict(zip([c.name for c in t.columns], row)) for t in found for row in t.rows]


def notes(of: Report, title: str) -> str:
    return "\n".join(note for s in of.sections if s.title == title for note in s.notes)


def last_results(run: Path) -> dict[str, float]:
    """By the attempts themselves, not by the counters that reports read."""
    with RunReader(run) as reader:
        rows = reader.rows(
            "SELECT g.task_id, avg(a.reward) AS mean FROM attempts a JOIN groups g ON g.id = a.group_id"
            " WHERE g.purpose = 'evaluate' AND g.book = 'closed' AND a.reward IS NOT NULL AND g.round ="
            " (SELECT max(round) FROM evaluations WHERE book = 'closed') GROUP BY g.task_id"
        )
    return {row["task_id"]: row["mean"] for row in rows}


def test_runs_are_paired_by_what_the_store_says_of_each_task(folder: Path, compared: Report) -> None:
    (row,) = table(compared, "Paired tests")
    one, two = last_results(folder / "one"), last_results(folder / "two")
    shared = one.keys() & two.keys()
    better = sum(two[t] > one[t] for t in shared)
    worse = sum(two[t] < one[t] for t in shared)
    assert row["tasks"] == len(shared) > 20
    assert (row["tasks better"], row["tasks worse"]) == (better, worse)
    assert row["p"] == comparing.mcnemar(worse, better)
    difference = row["difference"]
    assert isinstance(difference, Share)
    assert difference.mean == pytest.approx(sum(two[t] - one[t] for t in shared) / len(shared))


def test_runs_that_differ_by_the_seed_are_one_row(compared: Report) -> None:
    (row,) = table(compared, "Over seeds")
    ends = [row["closed book, after"] for row in table(compared, "Runs")]
    means = [share.mean for share in ends if isinstance(share, Share)]
    assert isinstance(row["closed book, after"], Share)
    assert row["closed book, after"].mean == pytest.approx(sum(means) / 2)
    assert row["seeds"] == "1, 2"
    assert [found["setting"] for found in table(compared, "Settings that differ")] == ["seed"]


def test_intervals_are_of_the_tasks(compared: Report, folder: Path) -> None:
    last = table(compared, "Evaluations")[-1]
    with RunReader(folder / "two") as reader:
        evaluation = reader.evaluations()[-1]
    accuracy = last["accuracy"]
    assert isinstance(accuracy, Share) and accuracy.mean == evaluation["accuracy"]
    low, high = wilson(evaluation["accuracy"], len(last_results(folder / "two")))
    assert (accuracy.low, accuracy.high) == (low, high)


def test_other_tasks_are_not_paired(tmp_path: Path, folder: Path) -> None:
    make_demo_run(tmp_path / "other", rounds=1, topics=3)
    with Store.open(tmp_path / "other" / "run.db") as store:
        store.db.execute("PRAGMA foreign_keys = OFF")
        store.db.execute("UPDATE groups SET task_id = 'x' || task_id")
        store.db.conn.commit()
    made = report.build([folder / "one", tmp_path / "other"])
    assert "other less one: not paired, other was asked other held-out tasks" in notes(
        made, "Against one, paired by task"
    )
    assert table(made, "Paired tests") == []


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_demo_run(tmp_path / name / "run", rounds=0)
    made = report.build([tmp_path / "a" / "run", tmp_path / "b" / "run"])
    assert [row["run"] for row in table(made, "Runs")] == ["a/run", "b/run"]


def test_caveats_tell_noise_errors_and_what_is_gone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with DemoRun(run, seed=4) as played:
        played.play_round()
        played.store.add_event(1, "curator", "warning", "verifier-0 was replaced")
        played.store.db.execute("UPDATE attempts SET flipped = 1 WHERE seq <= 3")
        facts = '{"not_resumable": ["pruned: bodies of rounds 1 to 1 were removed"]}'
        played.store.db.execute("UPDATE run SET value_json = ? WHERE key = 'facts'", [facts])
        played.store.db.conn.commit()
        infra = played.store.db.execute("SELECT count(*) FROM attempts WHERE infra_error NOTNULL").fetchone()
    told = notes(report.build([run]), "Caveats")
    assert "Not finished: 1 of 4 rounds" in told
    assert "is of 24 held-out tasks (single), one attempt each, measured at 2 versions" in told
    assert "3 rewards were turned round" in told
    assert f"{infra[0]} attempts have no verdict" in told
    assert "weights of version 1 are no longer in the folder" in told.lower()
    assert "1 warnings or errors on the way, the last: round 1: verifier-0 was replaced" in told
    assert "The store is not as it was played: pruned: bodies of rounds 1 to 1 were removed" in told
    assert "One run with seed 4" in told


def test_an_audit_that_cannot_be_made_is_said(compared: Report) -> None:
    assert "one: not audited: the folder holds no config.yaml" in notes(compared, "Audit")


def tokens(text: str) -> list[Token]:
    found = MARKDOWN.parse(text)
    return [*found, *(child for token in found for child in token.children or ())]


def test_markdown_of_hostile_texts_is_text(folder: Path) -> None:
    text = markdown.render(report.build([folder / "hostile"]))
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "em_open", "strong_open"}
    assert MARK in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    for line in re.split(r"\n", text):
        if line.startswith("| "):  # every row of a table has the cells of its head
            assert line.endswith(" |")


def test_markdown_tables_have_all_rows(compared: Report) -> None:
    found = MARKDOWN.parse(markdown.render(compared))
    rows = sum(token.type == "tr_open" for token in found)
    tables = [p for s in compared.sections for p in s.parts if isinstance(p, Table) and p.rows]
    heats = [p for s in compared.sections for p in s.parts if type(p).__name__ == "Heat"]
    assert rows == sum(1 + len(t.rows) for t in tables) + sum(1 + len(h.rows) for h in heats)


@given(st.text(max_size=60))
def test_any_text_stays_what_it_is_in_a_markdown_cell(text: str) -> None:
    told = Table(title="t", columns=(Column(name="a"), Column(name="b")), rows=((text, "end"),))
    made = Report(title="t", lines=(), figures=(), sections=(Section(title="s", parts=(told,)),))
    found = MARKDOWN.parse(markdown.render(made))
    cells = [found[i + 1].children or [] for i, token in enumerate(found) if token.type == "td_open"]
    assert len(cells) == 2
    assert all(child.type in ("text", "text_special") for child in cells[0])
    assert "".join(child.content for child in cells[0]) == markdown.one_line(text, 160)


def test_latex_of_hostile_texts_is_text(folder: Path) -> None:
    text = latex.render(report.build([folder / "hostile", folder / "one"]))
    assert MARK in text and r"\textless{}script\textgreater{}" in text
    body = text.replace("% \\usepackage{booktabs}\n", "")
    assert not re.search(r"(?<!\\)[%#~^_]", body)
    tabulars = re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    assert len(tabulars) == text.count(r"\toprule") == text.count(r"\bottomrule") >= 3
    for spec, rows in tabulars:
        for row in re.findall(r"^    (.* \\\\)$", rows, re.MULTILINE):
            assert len(re.findall(r"(?<!\\)&", row)) == len(spec) - 1
    assert text.isascii()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no pdflatex (texlive-latex-recommended)")
def test_latex_is_typeset_without_a_complaint(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "report.tex").write_text(latex.render(report.build([folder / "hostile", folder / "one"])))
    characters = latex.escaped("".join(map(chr, range(0x20, 0x180))) + "… – → 🂡 ﷽", 10_000)
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
        f"{characters}\n\\input{{report}}\n\\end{{document}}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")


_UNESCAPED = {command: c for c, command in latex._ESCAPES.items()}


@given(st.text(max_size=40))
def test_latex_says_what_the_text_says(text: str) -> None:
    wanted, typeset = latex.one_line(text, 160), latex.escaped(text)
    read = re.sub(r"\\texttt\{U\+([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), typeset)
    commands = "|".join(re.escape(c) for c in sorted(_UNESCAPED, key=len, reverse=True))
    read = re.sub(rf"({commands})|\{{\}}", lambda found: _UNESCAPED.get(found[0], ""), read)
    assert read == wanted
    assert not re.search(r"--|''|,,", typeset)


@pytest.mark.parametrize(
    ("cell", "column", "text"),
    [
        (None, Column(name="n", kind="count"), "-"),
        (None, Column(name="t"), ""),
        (1234567, Column(name="n", kind="count"), "1,234,567"),
        (0.00001, Column(name="p", kind="p"), "< 0.0001"),
        (0.5, Column(name="s", kind="percent", signed=True), "+50.0 %"),
        (Share(mean=0.5, low=0.25, high=0.75), Column(name="s", kind="percent"), "50.0 % (25.0 to 75.0)"),
        (Share(mean=0.0), Column(name="s", kind="percent"), "0.0 %"),
    ],
)
def test_cells(cell: object, column: Column, text: str) -> None:
    assert shown(cell, column) == text  # type: ignore[arg-type]


def test_a_run_that_is_named_twice_and_none_at_all(folder: Path) -> None:
    with pytest.raises(SettingError, match="one is named twice"):
        report.build([folder / "one", folder / "two", folder / ".." / folder.name / "one"])
    with pytest.raises(SettingError, match="no run"):
        report.build([])


def test_the_command_writes_all_three(folder: Path, tmp_path: Path) -> None:
    md, tex = tmp_path / "deep" / "r.md", tmp_path / "r.tex"
    done = taskspace(
        "report", "one", "two", "--runs", folder, "--markdown", md, "--latex", tex, "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "report": str(folder / "report.html"), "markdown": str(md), "latex": str(tex),
    }  # fmt: skip
    assert "2 runs: one, two" in (folder / "report.html").read_text()
    assert md.read_text().startswith("# 2 runs: one, two")
    assert r"\begin{table}" in tex.read_text()


def test_what_is_wrong_is_one_line(folder: Path, tmp_path: Path) -> None:
    at = ("--runs", folder)
    assert "no run.db there; there are hostile, one, two" in refused("report", "three", *at, cwd=tmp_path)
    assert "did you mean hostile?" in refused("report", "hostil", *at, cwd=tmp_path)
    assert "is a folder" in refused("report", "one", *at, "--latex", tmp_path, cwd=tmp_path)
    assert "name one file" in refused("report", "one", *at, "--out", "a", "--markdown", "a", cwd=tmp_path)
    for out in ("/dev/stdout", "-"):
        told = refused("report", "one", *at, "--out", "-", "--markdown", out, cwd=tmp_path)
        assert "name one file" in told


def test_no_path_of_this_machine_is_in_a_report(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved"
    shutil.copytree(folder / "one", run)
    with sqlite3.connect(run / "run.db") as db:
        set_source = (
            "UPDATE run SET value_json = json_set(value_json, '$.model.name', ?) WHERE key = 'config'"
        )
        db.execute(set_source, (f"{Path.home()}/models/mine",))
    told = markdown.render(report.build([run]))
    assert "mine" in told and str(Path.home()) not in told
