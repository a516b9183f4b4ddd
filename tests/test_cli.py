"""The command line: quick, helpful, and the same for scripts and for people."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment, refused, taskspace

from experiments import cli

COMMANDS = sorted(cli.COMMANDS)
HEAVY = ("torch", "transformers", "ray", "streamlit", "numpy", "pandas", "pydantic", "rich", "yaml")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    """What makes help slow is imports, so they are what is checked: a clock would be flaky."""
    code = (
        "import sys; sys.argv = ['taskspace', '--help']\n"
        "from experiments import cli\n"
        "try: cli.main()\n"
        f"except SystemExit: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr.strip() == "[]", done.stderr
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(name: str, tmp_path: Path) -> None:
    done = taskspace(name, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert f"  taskspace {name}" in done.stdout


def test_no_arguments_shows_help(tmp_path: Path) -> None:
    done = taskspace(cwd=tmp_path)
    assert "Commands:" in done.stdout + done.stderr


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    quiet = taskspace("run", "nonsense", cwd=tmp_path)
    loud = taskspace("--debug", "run", "nonsense", cwd=tmp_path)
    by_variable = taskspace("run", "nonsense", cwd=tmp_path, TASKSPACE_DEBUG="1")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr and "Traceback" in by_variable.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m experiments.cli tasks zwc --set zwc.functions=8 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)["id"]


def test_a_reader_that_leaves_is_not_taken_for_damage(tmp_path: Path) -> None:
    from small_stores import a_run

    a_run(tmp_path / "runs" / "one")
    command = f"{sys.executable} -m experiments.cli check one | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    first, code = done.stdout.splitlines()
    assert first.startswith("ok") and code in ("0", "141") and done.stderr == ""


def test_tasks_lines_hold_what_a_model_and_a_grader_need(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "tasks.jsonl"
    done = taskspace(
        "tasks", "zwc", "--split", "test", "--kind", "single", "--limit", "20", "--out", out, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 20 and len({row["id"] for row in rows}) == 20
    for row in rows:
        assert set(row) >= {"id", "prompt", "entry_point", "functions", "documentation", "task", "package"}
        assert f"def {row['entry_point']}(" in row["prompt"]
        assert row["functions"] and set(row["documentation"]) == set(row["functions"])
        for text in row["documentation"].values():
            assert text.strip() not in row["prompt"]  # closed book
        assert row["task"]["id"] == row["id"] and len(row["task"]["payload"]["cases"]) >= 6
    assert len({row["functions"][0] for row in rows}) == 20  # spread over functions, not one by one


def test_tasks_are_the_same_for_the_same_seed_only(tmp_path: Path) -> None:
    def lines(seed: int) -> str:
        return taskspace("tasks", "zwc", "--limit", "5", "--seed", str(seed), cwd=tmp_path).stdout

    assert lines(7) == lines(7) != lines(8)


def test_obfuscate_writes_an_importable_package(tmp_path: Path) -> None:
    done = taskspace(
        "obfuscate", "math", "--names", "sqrt", "--names", "hypot", "--out", "made", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["functions"] == 2 and result["failures"] == []
    assert result["examples_matched"] == result["examples_executed"] > 0
    doc = [json.loads(line) for line in (tmp_path / "made" / "api_doc.jsonl").read_text().splitlines()]
    names = {row["original_name"]: row["curr_name"] for row in doc}
    code = f"import zwc; print(zwc.{names['sqrt']}(9.0), zwc.{names['hypot']}(3.0, 4.0))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "made", capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.split() == ["3.0", "5.0"], ran.stderr


def test_doctor_names_every_isolation_layer_with_its_state(tmp_path: Path) -> None:
    found = json.loads(taskspace("doctor", "--json", cwd=tmp_path).stdout)
    machine = found["machine"]
    assert found["versions"]["torch"] and machine["CPU quota"]
    assert 1 <= machine["cores"] <= machine["cores allowed"] <= machine["cores in all"]
    *layers, programs = found["sandbox"]
    assert layers and programs["name"] == "programs" and programs["state"] in ("run", "refused")
    for layer in layers:
        assert layer["state"] in ("on", "off", "missing")
        assert layer["state"] == "on" or layer["reason"]


def test_make_targets_exist() -> None:
    text = (ROOT / "Makefile").read_text()
    for target in ("quickstart", "test", "lint", "ui", "bench"):
        assert f"\n{target}:" in text


@pytest.mark.parametrize("domain", ["math", "tools", "mle"])
def test_tasks_of_every_domain_are_written(domain: str, tmp_path: Path) -> None:
    done = taskspace("tasks", domain, "--split", "train", "--limit", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2 and all(line["prompt"] and line["task"]["domain"] == domain for line in lines)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../up", "a/b", "/tmp/a", "a\nb"])
def test_a_name_is_that_of_one_folder(name: str, tmp_path: Path) -> None:
    line = refused("run", "smoke", "--name", name, cwd=tmp_path)
    assert f"--name {name!r}: not the name of a folder" in line
    assert list(tmp_path.iterdir()) == []
