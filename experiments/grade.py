"""Judges answers to exported tasks: every line by itself, so that a broken one costs no other.

    tasks.jsonl (from `taskspace tasks`)  +  answers.jsonl {"task_id", "response"}
        →  verdicts.jsonl {"task_id", "reward", "category", "evidence", "infra_error", "seconds"}

A task's line carries its hidden cases (`task`) and what its library is built from (`package`). Verdicts come
in the order of the answers. Does not cover: making tasks (`tasks_export`), or asking a model.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

import msgspec

from actors.sandbox.pool import SandboxPool
from experiments import config
from experiments.progress import counting
from protocols.domain import Domain, make_domain
from protocols.errors import SettingError
from protocols.records import Outcome, Program, Record, Task, Verdict
from protocols.settings import RunSettings, ZwcSettings

_BATCH = 256  # answers judged together: bounds memory, and what an interruption costs


class Broken(Record):
    """A line that could not be used."""

    file: str
    line: int  # from 1
    problem: str


class GradeSummary(Record):
    answers: int  # lines that were graded
    correct: int
    accuracy: float | None  # mean reward; None when no answer has one
    categories: dict[str, int]
    infra_errors: int
    broken: tuple[Broken, ...]


class _Answer(Record):
    task_id: str
    response: str


def grade(
    tasks_path: Path,
    answers_path: Path,
    out_path: Path | None = None,
    settings: RunSettings | None = None,
    progress: Callable[[int], None] | None = None,
    out: TextIO | None = None,
) -> GradeSummary:
    """Judge each answer and write its verdict.

    Args:
        out_path: file for the verdicts; with None they go to `out`, if that is given.
        settings: limits of the sandbox and tolerances; each task's line says what its package is.
        progress: called with the number of answers judged since the last call.

    Raises:
        SettingError: a file cannot be read or written, or there is no usable task in it.
        SandboxError: the sandbox does not start.
    """
    settings = settings or RunSettings()
    broken: list[Broken] = []
    tasks = _Tasks(tasks_path, settings, broken)
    counts: Counter[str] = Counter()
    rewards: list[float] = []
    with (
        SandboxPool(settings.sandbox) as pool,
        _open(out_path, "w") if out_path is not None else nullcontext(out) as file,
    ):
        for batch in _batches(_answers(answers_path, tasks, broken)):
            for answer, verdict in zip(batch, _judge(batch, tasks, pool)):
                counts[verdict.category] += 1
                rewards += [] if verdict.reward is None else [verdict.reward]
                if file is not None:
                    _write(file, out_path, _line(answer.task_id, verdict))
            if progress is not None:
                progress(len(batch))
    return GradeSummary(
        answers=counts.total(),
        correct=counts["correct"],
        accuracy=sum(rewards) / len(rewards) if rewards else None,
        categories=dict(counts.most_common()),
        infra_errors=counts["infra_error"],
        broken=tuple(broken),
    )


def _judge(batch: Sequence[_Answer], tasks: "_Tasks", pool: SandboxPool) -> list[Verdict]:
    checks = [tasks.domain(a.task_id).check(tasks[a.task_id], a.response) for a in batch]
    outcomes = iter(pool.run([c for c in checks if isinstance(c, Program)]))
    return [
        tasks.domain(answer.task_id).judge(tasks[answer.task_id], "", next(outcomes))
        if isinstance(check, Program)
        else check
        for answer, check in zip(batch, checks)
    ]


def _write(file: TextIO, path: Path | None, line: dict[str, Any]) -> None:
    try:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()  # what has been judged stays, whatever happens next
    except OSError as error:
        raise SettingError(
            f"{path or 'standard output'}: cannot be written ({error.strerror}); free some space"
        ) from None


def _line(task_id: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "reward": verdict.reward,
        "category": verdict.category,
        "evidence": verdict.evidence,
        "infra_error": verdict.infra_error,
        "seconds": round(verdict.seconds, 4),
    }


class _Tasks:
    """Tasks by id, and the domains they belong to: one for each package that the lines name."""

    def __init__(self, path: Path, settings: RunSettings, broken: list[Broken]) -> None:
        self._settings = settings
        self._domains: dict[str, Domain] = {}
        self._by_id: dict[str, tuple[Task, str]] = {}
        for number, data in _lines(path, broken):
            try:
                task = msgspec.convert(data["task"], Task)
                key = self._make(task.domain, data["package"])
                # A line edited by hand may lack what grading needs: better known now than half-way.
                domain = self._domains[key]
                domain.check(task, "```python\npass\n```")
                domain.judge(task, "", Outcome(status="malformed"))
                if data.get("id", task.id) != task.id:
                    raise ValueError(f"its id is {data['id']!r}, but that of its task is {task.id!r}")
                if task.id in self._by_id:
                    raise ValueError(f"the task {task.id!r} was there before")
            except KeyError as error:
                problem = f"no field {error}; write it with `taskspace tasks`"
            except (msgspec.ValidationError, ValueError, TypeError, AttributeError, SettingError) as error:
                problem = " ".join(str(error).split())
            else:
                self._by_id[task.id] = (task, key)
                continue
            broken.append(Broken(file=str(path), line=number, problem=problem))
        if not self._by_id:
            raise SettingError(f"{path}: no usable task in it; write it with `taskspace tasks`")

    def _make(self, domain: str, package: dict[str, Any]) -> str:
        key = json.dumps([domain, package], sort_keys=True)
        if key not in self._domains:
            zwc = ZwcSettings.model_validate(package)
            self._domains[key] = make_domain(self._settings.model_copy(update={"domain": domain, "zwc": zwc}))
        return key

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._by_id

    def __getitem__(self, task_id: str) -> Task:
        return self._by_id[task_id][0]

    def domain(self, task_id: str) -> Domain:
        return self._domains[self._by_id[task_id][1]]


def _answers(path: Path, tasks: _Tasks, broken: list[Broken]) -> Iterator[_Answer]:
    for number, data in _lines(path, broken):
        try:
            answer = msgspec.convert(data, _Answer)
        except msgspec.ValidationError as error:
            broken.append(Broken(file=str(path), line=number, problem=str(error)))
            continue
        if answer.task_id in tasks:
            yield answer
        else:
            problem = f"the task {answer.task_id!r:.80} is not among the tasks"
            broken.append(Broken(file=str(path), line=number, problem=problem))


def _lines(path: Path, broken: list[Broken]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line that holds one; empty lines are passed over."""
    with _open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                if not isinstance(data, dict):
                    raise ValueError("not an object")
            except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8
                broken.append(Broken(file=str(path), line=number, problem=f"broken JSON: {error}"))
                continue
            yield number, data


def _open(path: Path, mode: str) -> Any:
    try:
        if "w" in mode:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, encoding=None if "b" in mode else "utf-8")
    except OSError as error:
        what = "written" if "w" in mode else "read"
        raise SettingError(f"{path}: cannot be {what} ({error.strerror}); give another file") from None


def _batches(answers: Iterator[_Answer]) -> Iterator[list[_Answer]]:
    batch: list[_Answer] = []
    for answer in answers:
        batch.append(answer)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def command(
    tasks_path: Path,
    answers_path: Path,
    out_path: Path | None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    as_json: bool = False,
) -> GradeSummary:
    """What `taskspace grade` does: verdicts to a file or to stdout, a bar and broken lines to stderr.

    With `as_json` stdout holds the summary alone.

    Raises:
        TaskspaceError: see `grade`; or a setting is wrong.
    """
    settings = config.resolve(config.merged({"preset": "custom"}, list(overrides)))
    with _open(answers_path, "rb") as file:
        total = sum(1 for line in file if line.strip())
    out = None if as_json or out_path is not None else sys.stdout
    with counting("answers", total, quiet or as_json or (out is not None and out.isatty())) as advance:
        summary = grade(tasks_path, answers_path, out_path, settings, advance, out)
    for line in summary.broken:
        print(f"{line.file}:{line.line}: {line.problem}; passed over", file=sys.stderr)
    if as_json:
        print(msgspec.json.encode(summary).decode())
    elif not quiet:
        shown = "no reward" if summary.accuracy is None else f"accuracy {summary.accuracy:.3f}"
        kinds = ", ".join(f"{name} {count}" for name, count in summary.categories.items())
        print(f"{summary.answers} answers, {shown}: {kinds or 'none'}", file=sys.stderr)
    return summary
