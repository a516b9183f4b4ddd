"""Judges answers to exported tasks: every line by itself, so that a broken one costs no other.

    tasks.jsonl (from `taskspace tasks`)  +  answers.jsonl {"task_id", "response"}
        →  verdicts.jsonl {"task_id", "reward", "category", "evidence", "infra_error", "seconds"}

A task's line carries its hidden cases (`task`) and what its library is built from (`package`). Verdicts come
in the order of the answers. Does not cover: SE-Bench's own rows and the authors' grader (`grade_rows`),
making tasks (`tasks_export`), or asking a model.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TextIO

import msgspec

from actors.sandbox.pool import SandboxPool
from experiments import config, isolation_checks
from experiments.outputs import is_stdout
from experiments.progress import counting
from protocols import jsonlines
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


class AuthorsSummary(Record):
    """What is known beside the verdicts when SE-Bench's own rows are graded."""

    codes: dict[str, int]  # verdicts of the authors' grader by the name of their code
    strict: dict[str, int]  # verdicts of the strict grader by category
    disagreements: dict[str, int]  # by reason
    rows: dict[str, int]  # rows used and skipped, and issues by kind


class GradeSummary(Record):
    answers: int  # lines that were graded
    correct: int
    accuracy: float | None  # mean reward; None when no answer has one
    categories: dict[str, int]
    infra_errors: int
    broken: tuple[Broken, ...]
    authors: AuthorsSummary | None = None


class Answer(Record):
    task_id: str
    response: str


class Judge(Protocol):
    """Tasks by id, and what answers to them are worth."""

    def __contains__(self, task_id: str) -> bool: ...

    def judge(self, batch: Sequence[Answer], pool: SandboxPool) -> list[tuple[Verdict, dict[str, Any]]]:
        """For each answer its verdict, and what its line says besides."""

    def summary(self) -> AuthorsSummary | None: ...


def grade(
    tasks_path: Path,
    answers_path: Path,
    out_path: Path | None = None,
    settings: RunSettings | None = None,
    progress: Callable[[int], None] | None = None,
    out: TextIO | None = None,
    make_judge: Callable[[list[Broken]], Judge] | None = None,
) -> GradeSummary:
    """Judge each answer and write its verdict.

    Args:
        make_judge: what judges instead of the tasks' own domains; it adds the lines it cannot use.
        out_path: file for the verdicts; with None they go to `out`, if that is given.
        settings: limits of the sandbox and tolerances; each task's line says what its package is.
        progress: called with the number of answers judged since the last call.

    Raises:
        SettingError: a file cannot be read or written, or there is no usable task in it.
        SandboxError: the sandbox does not start.
    """
    settings = settings or RunSettings()
    broken: list[Broken] = []
    tasks = make_judge(broken) if make_judge else _Tasks(tasks_path, settings, broken)
    counts: Counter[str] = Counter()
    rewards: list[float] = []
    with (
        SandboxPool(settings.sandbox) as pool,
        _verdicts(out_path, out) as file,
    ):
        isolation_checks.warn(pool.layers)
        for batch in _batches(_answers(answers_path, tasks, broken)):
            for answer, (verdict, besides) in zip(batch, tasks.judge(batch, pool)):
                counts[verdict.category] += 1
                rewards += [] if verdict.reward is None else [verdict.reward]
                if file is not None:
                    _write(file, out_path, _line(answer.task_id, verdict) | besides)
            if progress is not None:
                progress(len(batch))
    return GradeSummary(
        answers=counts.total(),
        correct=counts["correct"],
        accuracy=sum(rewards) / len(rewards) if rewards else None,
        categories=dict(counts.most_common()),
        infra_errors=counts["infra_error"],
        broken=tuple(broken),
        authors=tasks.summary(),
    )


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
                domain.check(task, ["```python\npass\n```"])
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

    def judge(self, batch: Sequence[Answer], pool: SandboxPool) -> list[tuple[Verdict, dict[str, Any]]]:
        checks = [self.domain(a.task_id).check(self[a.task_id], [a.response]) for a in batch]
        outcomes = iter(pool.run([c for c in checks if isinstance(c, Program)]))
        return [
            (
                self.domain(answer.task_id).judge(self[answer.task_id], "", next(outcomes))
                if isinstance(check, Program)
                else check,
                {},
            )
            for answer, check in zip(batch, checks)
        ]

    def summary(self) -> None:
        return None


def _answers(path: Path, tasks: Judge, broken: list[Broken]) -> Iterator[Answer]:
    for number, data in _lines(path, broken):
        try:
            answer = msgspec.convert(data, Answer)
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
    return jsonlines.objects(
        path, lambda number, problem: broken.append(Broken(file=str(path), line=number, problem=problem))
    )


def _verdicts(path: Path | None, out: TextIO | None) -> AbstractContextManager[Any]:
    """Where they go, one by one: what has been judged stays there, whatever happens next."""
    if path is None:
        return nullcontext(out)
    return nullcontext(sys.stdout) if is_stdout(path) else _open(path, "w")


def _open(path: Path, mode: str) -> Any:
    try:
        if "w" in mode:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode, encoding=None if "b" in mode else "utf-8")
    except OSError as error:
        what = "written" if "w" in mode else "read"
        raise SettingError(f"{path}: cannot be {what} ({error.strerror}); give another file") from None


def _batches(answers: Iterator[Answer]) -> Iterator[list[Answer]]:
    batch: list[Answer] = []
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
    grader: str = "strict",
    documentation: Path | None = None,
) -> GradeSummary:
    """What `taskspace grade` does: verdicts to a file or to stdout, a bar and broken lines to stderr.

    With `as_json` stdout holds the summary alone. With `documentation` the tasks are SE-Bench's own rows.

    Raises:
        TaskspaceError: see `grade`; or a setting is wrong.
    """
    make_judge, defaults = None, {}
    if grader != "strict" or documentation is not None:
        from experiments import grade_rows

        make_judge = grade_rows.maker(tasks_path, documentation, grader)
        defaults = {"sandbox": {"wall_s": grade_rows.TIME_S}}
    settings = config.resolve(config.merged({"preset": "custom", **defaults}, list(overrides)))
    with _open(answers_path, "rb") as file:
        total = sum(1 for line in file if line.strip())
    out = None if as_json or out_path is not None else sys.stdout
    with counting("answers", total, quiet or as_json or (out is not None and out.isatty())) as advance:
        summary = grade(tasks_path, answers_path, out_path, settings, advance, out, make_judge)
    for line in summary.broken:
        print(f"{line.file}:{line.line}: {line.problem}; passed over", file=sys.stderr)
    if as_json:
        print(msgspec.json.encode(summary).decode())
    elif not quiet:
        shown = "no reward" if summary.accuracy is None else f"accuracy {summary.accuracy:.3f}"
        kinds = ", ".join(f"{name} {count}" for name, count in summary.categories.items())
        print(f"{summary.answers} answers, {shown}: {kinds or 'none'}", file=sys.stderr)
        for besides in [] if summary.authors is None else _besides(summary.authors):
            print(besides, file=sys.stderr)
    return summary


def _besides(authors: AuthorsSummary) -> Iterator[str]:
    """Lines for people: one for each thing that there is something to say about."""
    for what, counts in (
        ("authors' codes", authors.codes),
        ("strict grader", authors.strict),
        ("disagreements", authors.disagreements),
        ("rows", authors.rows),
    ):
        if counts:
            yield f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts.items())
