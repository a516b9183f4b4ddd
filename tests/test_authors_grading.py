"""The authors' grader, the strict one beside it, and why they disagree."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authors_files import API_DOC, FOLDER, documentation, fenced, raw, row, translated
from command import refused, taskspace

from actors.sandbox.pool import SandboxPool
from protocols.domains.zwc.authors import compare, files, grading, strict
from protocols.records import Outcome, Program, Verdict
from protocols.settings import SandboxSettings

DOCUMENTATION = documentation()
LIBRARY = DOCUMENTATION.library()
N = DOCUMENTATION.entries


@pytest.fixture(scope="module")
def pool() -> Iterator[SandboxPool]:
    with SandboxPool(SandboxSettings(workers=1, wall_s=3.0)) as made:
        yield made


def both(pool: SandboxPool, task: files.Row, response: str) -> tuple[Verdict, Verdict, str | None]:
    """Verdicts of both graders, and why they differ."""
    checks = [grading.check(task, response, DOCUMENTATION), strict.check(task, response, LIBRARY)]
    outcomes = [pool.run([c])[0] if isinstance(c, Program) else None for c in checks]
    a = checks[0] if outcomes[0] is None else grading.judge(task, outcomes[0])
    s = checks[1] if outcomes[1] is None else strict.judge(task, outcomes[1], LIBRARY)
    assert isinstance(a, Verdict) and isinstance(s, Verdict)
    return a, s, compare.disagreement(task, response, (a, outcomes[0]), (s, outcomes[1]))


def code(pool: SandboxPool, task: files.Row, response: str) -> int:
    check = grading.check(task, response, DOCUMENTATION)
    verdict = check if isinstance(check, Verdict) else grading.judge(task, pool.run([check])[0])
    assert verdict.reward == float(verdict.evidence["authors_code"] == 1)
    return int(verdict.evidence["authors_code"])


MEAN = row("", "x=[1.0, 2.0, 6.0]", "x=np.array([1.0, 2.0])", truth="3.0#1.5")
CALL = f"zwc.{N['mean']}(x)"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"def f(x):\n    return {CALL}", 1),
        (f"def f(x):\n    return [{CALL} + 0.009]", 1),
        ("def f(x):\n    return zwc._np.mean(x)", 1),
        (f"def f(x):\n    import os, itertools\n    return {CALL}", 1),
        (f"import warnings\ndef f(x):\n    warnings.warn('loud')\n    return {CALL}", 1),
        (f"def f(x):\n    print('note: #')\n    return {CALL}", 1),
        (f"import importlib as i\ndef f(x):\n    {CALL}\n    return i.import_module('numpy').mean(x)", 1),
        (f"def f(x):\n    {CALL}\n    return __import__('numpy').mean(x)", 1),
        (f"def f(x):\n    return {CALL} + 0.02", 0),
        (f"def f(x):\n    print('shown')\n    return {CALL} + None", 0),
        (f"def f(x):\n    return complex({CALL})", 0),
        (f"import numpy as np\ndef f(x):\n    return {CALL}", 2),
        (f"def f(x):\n    if False:\n        from numpy import mean\n    return {CALL}", 2),
        ("import numpy\ndef f(x):\n    return numpy.mean(x)", 4),  # without zwc comes first
        (f"def f(x):\n    assert False\n    return {CALL}", 3),
        (f"def f(y):\n    return {CALL}", 3),
        (f"def f(x):\n    while True:\n        {CALL}\n    return 1", 3),
        (f"import pandas\ndef f(x):\n    return {CALL}", 3),
        ("def f(x):\n    return zwc.mean(x)", 3),
        (f"def f(x):\n    return -zwc.{N['array']}(x) + {CALL}", 3),
        (f"import os\ndef f(x):\n    os._exit({CALL})\n    return 1", 3),
        ("def f(x):\n    return sum(x) / len(x)", 4),
        (f"def f(x)\n    return {CALL}", 4),
        (f"def g(x):\n    return {CALL}\ndef f(x):\n    return {CALL}", 1),  # a helper that happens to fit
        (f"def g(a, b):\n    return zwc.{N['mean']}(a)\ndef f(x):\n    return {CALL}", 3),
        (f"def f(x):\n    return test_cases[0] and {CALL}", 1),  # the cases are in reach
    ],
)
def test_codes_of_programs(pool: SandboxPool, source: str, expected: int) -> None:
    assert code(pool, MEAN, fenced(source)) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("no code at all", 4),
        (f"```py\ndef f(x):\n    return {CALL}\n```", 4),
        (f"```python\ndef f(x):\n    return {CALL}\n", 4),
        (fenced(f"def f(x):\n    return {CALL}") + "```python\nprint('an example')\n```", 4),
        (fenced("def f(x):\n    return 1") + fenced(f"def f(x):\n    return {CALL}"), 1),
        (f"```python\ndef f(x):\n    return {CALL}```", 4),  # the import lands on the last line
    ],
)
def test_codes_of_responses(pool: SandboxPool, response: str, expected: int) -> None:
    assert code(pool, MEAN, response) == expected


def test_a_crash_after_results_were_printed_is_judged_by_them(pool: SandboxPool) -> None:
    source = f"""\
class Odd:
    def __str__(self):
        raise ValueError
def f(x):
    return {CALL} if len(x) == 3 else Odd()
"""
    first = row("", "x=[1.0, 2.0, 6.0]", "x=[1.0, 2.0]", truth="3.0")
    wrong = fenced(source)  # the first `def` of the text is the method
    assert code(pool, first, wrong) == 4
    right = fenced(
        source.replace("class Odd", "pass\nclass Odd").replace("    def __str__", "    def __str__")
    )
    assert code(pool, first, right) == 4
    moved = "def f(x):\n    return " + CALL + " if len(x) == 3 else Odd()\n" + source.partition("def f(x)")[0]
    assert code(pool, first, fenced(moved)) == 1


def test_a_failure_of_the_sandbox_is_no_verdict() -> None:
    verdict = grading.judge(MEAN, Outcome(status="infra_error", detail="no helper"))
    assert verdict.reward is None and verdict.infra_error == "no helper"
    verdict = strict.judge(MEAN, Outcome(status="infra_error", detail="no helper"), LIBRARY)
    assert verdict.reward is None and verdict.infra_error == "no helper"


def test_evidence_names_the_first_difference(pool: SandboxPool) -> None:
    check = grading.check(MEAN, fenced(f"def f(x):\n    return {CALL} if len(x) > 2 else 9"), DOCUMENTATION)
    assert isinstance(check, Program)
    verdict = grading.judge(MEAN, pool.run([check])[0])
    assert verdict.evidence == {"authors_code": 0, "case": 1, "expected": "'1.5'", "got": "'9'"}
    assert verdict.category == "wrong_answer"


#: Reason, truth of f on [1.0, 2.0, 6.0] and on [1.0, 2.0], program; None where both say that it is right.
DISAGREEMENTS: list[tuple[str | None, str, str]] = [
    (None, "3.0#1.5", f"def f(x):\n    return {CALL}"),
    ("first def is a helper", "3.0#1.5", f"def g(a, b):\n    return {CALL}\ndef f(x):\n    return {CALL}"),
    ("call not seen", "3.0#1.5", f"import zwc\nm = zwc\ndef f(x):\n    return m.{N['mean']}(x)"),
    ("call not seen", "3.0#1.5", f"def f(x):\n    return g(x)\ndef g(x):\n    return {CALL}"),
    (
        "numpy display digits",
        "[3.70370367e+13 3.00000000e+09]#[1.85185184e+13 1.50000000e+09]",
        f"def f(x):\n    return [12345678901234.5 * {CALL}, 1e9 * {CALL}]",
    ),
    ("complex printed", "(3+1j)#(1.5+1j)", f"def f(x):\n    return complex({CALL} + 1e-9, 1)"),
    ("no traced call", "3.0#1.5", f"def f(x):\n    if False:\n        {CALL}\n    return sum(x) / len(x)"),
    (
        "no traced call",
        "3.0#1.5",
        f"def f(x):\n    y = zwc.{N['array']}(x)\n    zwc.{N['array']}(y)\n    return sum(x) / len(x)",
    ),
    ("constant return", "7#7", f"def f(x):\n    {CALL}\n    return 7"),
    ("answers do not depend on the library", "3.0#1.5", f"def f(x):\n    {CALL}\n    return sum(x) / len(x)"),
    ("prints rounded beyond tolerance", "3.001#1.501", f"def f(x):\n    return {CALL}"),
    ("boolean for a number", "1#1", f"def f(x):\n    return bool({CALL} > 0)"),
    ("one-element container", "3.0#1.5", f"def f(x):\n    return [[{CALL}]]"),
    (
        "text dropped",
        "{'a': 0, 'b': 3.0}#{'a': 0, 'b': 1.5}",
        f"def f(x):\n    return {{'a': 5, 'b': float({CALL})}}",
    ),
    ("other function", "3.0#1.5", f"def solve(x):\n    return {CALL}"),
    ("import that strict forbids", "3.0#1.5", f"import os\ndef f(x):\n    return {CALL}"),
    ("strict package", "3.0#1.5", f"def f(x):\n    {CALL}\n    return zwc._np.mean(x)"),
]


@pytest.mark.parametrize(("reason", "truth", "source"), DISAGREEMENTS)
def test_reasons(pool: SandboxPool, reason: str | None, truth: str, source: str) -> None:
    task = row("", "x=[1.0, 2.0, 6.0]", "x=[1.0, 2.0]", truth=truth)
    a, s, found = both(pool, task, fenced(source))
    assert (found is None) == (a.reward == s.reward), (a, s)
    assert found == reason, (a, s)
    assert found is None or found in compare.REASONS


def test_a_fence_that_only_strict_accepts(pool: SandboxPool) -> None:
    a, s, reason = both(pool, MEAN, f"```py\ndef f(x):\n    return {CALL}\n```")
    assert (a.reward, s.reward, reason) == (0.0, 1.0, "code fence")


def test_only_cases_with_a_truth_count(pool: SandboxPool) -> None:
    task = row("", "x=[1.0, 2.0, 6.0]", "x=1/0", truth="3.0")
    a, s, _ = both(pool, task, fenced(f"def f(x):\n    return {CALL}"))
    assert (a.evidence["authors_code"], s.category) == (3, "correct")  # the published one calls every case


def test_a_truth_that_cannot_be_read_gives_strict_no_reward(pool: SandboxPool) -> None:
    task = row("", "x=[1.0, 2.0, 6.0]", truth="[1. ... 6.]")
    _, s, reason = both(pool, task, fenced(f"def f(x):\n    return {CALL}"))
    assert (s.reward, s.category, reason) == (None, "unreferenced", None)


def test_strings_are_compared_with_the_printed_text(pool: SandboxPool) -> None:
    task = row("", "x=[1.0, 2.0, 6.0]", truth="mean 3.0")
    _, s, reason = both(pool, task, fenced(f"def f(x):\n    return 'mean ' + str({CALL})"))
    assert (s.reward, reason) == (1.0, None)


def answers(tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"answers_{name}.jsonl"
    lines = [
        {"task_id": f"{name}:{number}", "response": fenced(translated(data["example_output"][0]))}
        for number, data in enumerate(raw(name), 1)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(*args: Any, cwd: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    done = taskspace("grade", *args, "--documentation", API_DOC, "--out", "v.jsonl", "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), [json.loads(line) for line in (cwd / "v.jsonl").open()]


def test_grading_rows_by_the_authors_grader(tmp_path: Path) -> None:
    file = answers(tmp_path, "single_test")
    summary, verdicts = run(FOLDER / "single_test.jsonl", file, "--grader", "authors", cwd=tmp_path)
    assert summary["answers"] == 20 and summary["authors"]["codes"]["right"] == summary["correct"] >= 16
    assert summary["authors"]["rows"] == {"rows": 20, "skipped": 0}
    for verdict in verdicts:
        assert set(verdict) >= {"task_id", "reward", "category", "evidence", "infra_error", "seconds"}
        assert verdict["authors_code"] in (1, 3)  # `.tolist()` of the package's arrays does not exist
        assert ("tolist" in str(verdict["evidence"])) == (verdict["authors_code"] == 3)


def test_grading_rows_by_both_and_by_strict(tmp_path: Path) -> None:
    file = answers(tmp_path, "multiple_test")
    helper = f"import zwc\ndef g(a, b): return zwc.{N['mean']}(a)\n" + translated(
        raw("multiple_test")[0]["example_output"][0]
    )
    with file.open("a") as lines:
        lines.write(json.dumps({"task_id": "multiple_test:1", "response": fenced(helper)}) + "\n")
    rows = FOLDER / "multiple_test.jsonl"
    summary, verdicts = run(rows, file, "--grader", "both", cwd=tmp_path)
    assert summary["authors"]["disagreements"] == {"first def is a helper": 1}
    assert sum(summary["authors"]["strict"].values()) == sum(summary["authors"]["codes"].values()) == 9
    last = verdicts[-1]
    assert (last["task_id"], last["disagreement"]) == ("multiple_test:1", "first def is a helper")
    assert (last["reward"], last["authors_code"], last["strict"]["category"]) == (0.0, 3, "correct")
    assert [v["disagreement"] for v in verdicts[:-1]] == [None] * 8
    summary, alone = run(rows, file, cwd=tmp_path)
    assert summary["authors"]["codes"] == {} and summary["authors"]["disagreements"] == {}
    assert [v["category"] for v in alone] == [v["strict"]["category"] for v in verdicts]
    assert "authors_code" not in alone[0]


def test_broken_rows_are_named_and_the_rest_is_graded(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        json.dumps(
            {
                "task_id": "broken_rows:1",
                "response": fenced(translated(raw("single_test")[0]["example_output"][0])),
            }
        )
        + "\n"
        + json.dumps({"task_id": "broken_rows:4", "response": "x"})
        + "\n"
    )
    arguments = (FOLDER / "broken_rows.jsonl", "a.jsonl", "--grader", "authors", "--documentation", API_DOC)
    done = taskspace("grade", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["authors_code"] == 1
    assert "broken_rows.jsonl:4: right_exe_result: no such field; passed over" in done.stderr
    assert "a.jsonl:2: the task 'broken_rows:4' is not among the tasks" in done.stderr
    assert "authors' codes: right 1" in done.stderr and "unknown_function 2" in done.stderr


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    assert "--documentation api_doc.jsonl" in refused("grade", "a", "a", "--grader", "authors", cwd=tmp_path)
    line = refused("grade", "a", "a", "--grader", "lenient", "--documentation", API_DOC, cwd=tmp_path)
    assert "--grader lenient: unknown; choose one of strict, authors, both" in line


_USES = {
    "ctypes": "ok = ctypes.c_int(3).value == 3",
    "csv": "ok = list(csv.reader(['a,b'])) == [['a', 'b']]",
    "glob": "ok = glob.glob('*') == []",
    "hashlib": "ok = len(hashlib.sha256(b'').hexdigest()) == 64",
    "importlib.util": "ok = importlib.util.find_spec('math') is not None",
    "logging": "logging.warning('seen'); ok = True",
    "pathlib": "ok = pathlib.Path('a/b').name == 'b'",
    "pickle": "ok = pickle.loads(pickle.dumps([1])) == [1]",
    "queue": "q = queue.Queue(); q.put(1); ok = q.get() == 1",
    "secrets": "ok = secrets.randbelow(1) == 0",
    "timeit": "ok = timeit.timeit('1', number=1) >= 0",
    "uuid": "ok = len(str(uuid.uuid4())) == 36",
}
_STARTS = {
    "asyncio": "async def g(): return 1\n    asyncio.run(g())",
    "concurrent.futures": "concurrent.futures.ThreadPoolExecutor(1).submit(int).result()",
    "concurrent.futures.process": "concurrent.futures.ProcessPoolExecutor(1).submit(int).result()",
    "concurrent.futures.thread": "concurrent.futures.thread.ThreadPoolExecutor(1).submit(int).result()",
    "multiprocessing": "multiprocessing.Process(target=int).start()",
    "multiprocessing.popen_fork": "multiprocessing.Process(target=int).start()",
    "socket": "socket.socket()",
    "subprocess": "subprocess.run(['true'])",
    "tempfile": "tempfile.TemporaryFile()",
    "threading": "threading.Thread(target=int).start()",
}


def test_modules_that_are_said_to_work_do(pool: SandboxPool) -> None:
    names = [name for name in grading.WORKING if not name.startswith("numpy")]
    uses = [f"import {name}\n    {_USES.get(name, 'ok = True')}\n    assert ok" for name in names]
    body = "\n    ".join(uses)
    assert code(pool, MEAN, fenced(f"def f(x):\n    {body}\n    return {CALL}")) == 1


@pytest.mark.parametrize("name", grading.IMPORT_ONLY)
def test_modules_that_start_nothing_can_be_imported(pool: SandboxPool, name: str) -> None:
    assert code(pool, MEAN, fenced(f"def f(x):\n    import {name}\n    return {CALL}")) == 1
    started = fenced(f"import {name}\ndef f(x):\n    {_STARTS[name]}\n    return {CALL}")
    assert code(pool, MEAN, started) == 3
