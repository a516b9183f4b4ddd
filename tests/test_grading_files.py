"""`experiments.grade`: answers in, verdicts out, broken lines reported and passed over."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments import config, tasks_export
from experiments.grade import command, grade
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.errors import SettingError
from protocols.settings import RunSettings, SandboxSettings

SETTINGS = RunSettings(sandbox=SandboxSettings(workers=2))


@pytest.fixture(scope="module")
def tasks() -> list[dict[str, Any]]:
    settings = config.resolve(config.merged({"preset": "custom"}, ["domain=zwc", "zwc.functions=4"]))
    return list(tasks_export.lines(settings, "test", "all", 6))


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text(
        "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8"
    )
    return path


def fenced(source: str) -> str:
    return f"Here it is:\n```python\n{source}\n```\n"


def solution(task: dict[str, Any]) -> str:
    return fenced("import zwc\n\n" + task["task"]["payload"]["solution"])


def test_verdicts_come_in_the_order_of_the_answers(tasks: list[dict[str, Any]], tmp_path: Path) -> None:
    answers = [{"task_id": t["id"], "response": solution(t)} for t in tasks]
    answers.insert(1, {"task_id": tasks[0]["id"], "response": "I do not know."})
    answers.append({"task_id": tasks[0]["id"], "response": fenced("import numpy\ndef solve(x): return 1")})
    out = tmp_path / "deep" / "verdicts.jsonl"
    seen: list[int] = []
    summary = grade(
        write(tmp_path / "t", tasks), write(tmp_path / "a", answers), out, SETTINGS, progress=seen.append
    )
    verdicts = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [v["task_id"] for v in verdicts] == [a["task_id"] for a in answers]
    assert set(verdicts[0]) == {"task_id", "reward", "category", "evidence", "infra_error", "seconds"}
    assert [v["category"] for v in verdicts] == ["correct", "malformed", *["correct"] * 5, "forbidden_import"]
    assert [v["reward"] for v in verdicts] == [1.0, 0.0, *[1.0] * 5, 0.0]
    assert (summary.answers, summary.correct, summary.infra_errors) == (8, 6, 0)
    assert summary.accuracy == 0.75
    assert sum(seen) == 8
    assert summary.broken == ()


def test_broken_lines_are_reported_with_their_number(tasks: list[dict[str, Any]], tmp_path: Path) -> None:
    good, other = tasks[0], tasks[1]
    bare = {"entry_point": "solve", "cases": [{"args": 5}]}
    task_rows = [
        good,
        "{not json",
        {k: v for k, v in other.items() if k != "task"},
        {**other, "task": {**other["task"], "payload": bare}},
        {**other, "task": {**other["task"], "domain": "nowhere"}},
        {**other, "package": {"package": 3}},
        {**other, "id": "edited"},
        good,
        "[1, 2]",
        "",
    ]
    answer_rows = [
        {"task_id": good["id"], "response": solution(good)},
        "{",
        {"task_id": good["id"]},
        {"task_id": "unknown", "response": "x"},
        {"task_id": good["id"], "response": 7},
        "",
        "[" * 100_000,
        {"task_id": good["id"], "response": "\ud800 half a character"},
    ]
    answers = write(tmp_path / "a", answer_rows)
    answers.write_bytes(answers.read_bytes() + b"\xff\xfe broken text\n")
    summary = grade(write(tmp_path / "t", task_rows), answers, tmp_path / "o", SETTINGS)
    numbers = [(Path(b.file).name, b.line) for b in summary.broken]
    assert numbers == [("t", n) for n in (2, 3, 4, 5, 6, 7, 8, 9)] + [("a", n) for n in (2, 3, 4, 5, 7, 9)]
    assert all(b.problem and "\n" not in b.problem for b in summary.broken)
    assert summary.answers == 2
    assert summary.correct == 1


def test_files_that_cannot_be_used_are_named(tasks: list[dict[str, Any]], tmp_path: Path) -> None:
    good = write(tmp_path / "t", tasks[:1])
    with pytest.raises(SettingError, match="missing: cannot be read"):
        grade(tmp_path / "missing", good, None, SETTINGS)
    with pytest.raises(SettingError, match="missing: cannot be read"):
        grade(good, tmp_path / "missing", None, SETTINGS)
    with pytest.raises(SettingError, match="cannot be written"):
        grade(good, write(tmp_path / "a", []), tmp_path, SETTINGS)
    with pytest.raises(SettingError, match="no usable task"):
        grade(write(tmp_path / "empty", ["{}"]), good, None, SETTINGS)


def test_tasks_of_another_package_are_graded_with_it(tmp_path: Path) -> None:
    settings = config.resolve(
        config.merged(
            {"preset": "custom"}, ["domain=zwc", "zwc.functions=2", "zwc.seed=3", "zwc.package=qux"]
        )
    )
    rows = list(tasks_export.lines(settings, "train", "single", 2))
    assert rows[0]["functions"][0] in obfuscate("numpy", seed=3, package="qux").public
    source = "import qux\n\n" + rows[0]["task"]["payload"]["solution"]
    answers = [{"task_id": rows[0]["id"], "response": fenced(source)}]
    summary = grade(write(tmp_path / "t", rows), write(tmp_path / "a", answers), None, SETTINGS)
    assert summary.categories == {"correct": 1}


def test_the_command_keeps_stdout_for_results(
    tasks: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "t", tasks)
    answers = write(tmp_path / "a", [{"task_id": tasks[0]["id"], "response": solution(tasks[0])}, "{"])
    command(file, answers, None, ["sandbox.workers=1"])
    shown = capsys.readouterr()
    assert json.loads(shown.out)["category"] == "correct"
    assert f"{answers}:2: broken JSON" in shown.err
    assert "1 answers, accuracy 1.000: correct 1" in shown.err
    command(file, answers, None, ["sandbox.workers=1"], as_json=True)
    assert json.loads(capsys.readouterr().out)["categories"] == {"correct": 1}
    with pytest.raises(SettingError, match="sandbox"):
        command(file, answers, None, ["sandbox.workers=-1"])
