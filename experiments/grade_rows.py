"""Judges answers to SE-Bench's own rows: by the authors' grader, by the strict one, or by both.

    single_test.jsonl + api_doc.jsonl + answers.jsonl {"task_id": "single_test:17", "response": ...}
        →  verdicts.jsonl as of `grade`, and besides
           authors_code   0 to 4, see `protocols.domains.zwc.authors.grading`     (authors, both)
           strict         the strict grader's reward, category and evidence       (both)
           disagreement   why the two differ; null where they agree               (both)

With both, a line's reward and category are those of the authors' grader. Does not cover: whether the rows
themselves are sound (`rows`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.sandbox.pool import SandboxPool
from experiments.grade import Answer, AuthorsSummary, Broken, Judge
from protocols.domains.zwc.authors import compare, files, grading, strict
from protocols.errors import SettingError
from protocols.records import Outcome, Program, Verdict

GRADERS = ("strict", "authors", "both")
TIME_S = grading.TIME_S

_Judged = tuple[Verdict, Outcome | None]


def maker(rows_path: Path, documentation: Path | None, grader: str) -> Callable[[list[Broken]], Judge]:
    """What makes the judge of a file of rows.

    Raises:
        SettingError: no such grader, or no documentation to take the names from.
    """
    if grader not in GRADERS:
        raise SettingError(f"--grader {grader}: unknown; choose one of {', '.join(GRADERS)}")
    if documentation is None:
        raise SettingError(
            f"--grader {grader}: judges SE-Bench's own rows, whose names are in its api_doc.jsonl; "
            f"give --documentation api_doc.jsonl"
        )
    return lambda broken: RowJudge(rows_path, documentation, grader, broken)


class RowJudge:
    """The rows of one file.

    Raises:
        SettingError: a file cannot be read, or nothing in it can be used.
    """

    def __init__(self, rows_path: Path, documentation: Path, grader: str, broken: list[Broken]) -> None:
        self._documentation = files.read_documentation(documentation)
        read = files.read_rows(rows_path, self._documentation)
        self._rows = {row.id: row for row in read.rows}
        self._library = self._documentation.library() if grader != "authors" else None
        self._by_authors = grader != "strict"
        self._codes: Counter[str] = Counter()
        self._strict: Counter[str] = Counter()
        self._disagreements: Counter[str] = Counter()
        self._counts = read.counts()
        broken += [
            Broken(
                file=issue.file, line=issue.line, problem=f"{issue.key}: {issue.problem}".removeprefix(": ")
            )
            for issue in (*self._documentation.issues, *read.issues)
            if issue.skipped
        ]

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._rows

    def judge(self, batch: Sequence[Answer], pool: SandboxPool) -> list[tuple[Verdict, dict[str, Any]]]:
        rows = [self._rows[answer.task_id] for answer in batch]
        checks: list[Program | Verdict] = []
        if self._by_authors:
            checks += [grading.check(r, a.response, self._documentation) for r, a in zip(rows, batch)]
        if self._library is not None:
            checks += [strict.check(r, a.response, self._library) for r, a in zip(rows, batch)]
        outcomes = iter(pool.run([check for check in checks if isinstance(check, Program)]))
        ended = iter([next(outcomes) if isinstance(check, Program) else check for check in checks])
        authors = [self._authors(row, next(ended)) for row in rows] if self._by_authors else None
        strict_ = [self._strictly(row, next(ended)) for row in rows] if self._library is not None else None
        if authors is None:
            return [(verdict, {}) for verdict, _ in strict_ or []]
        if strict_ is None:
            return [(verdict, _code(verdict)) for verdict, _ in authors]
        return [
            (a[0], _code(a[0]) | self._beside(row, answer, a, s))
            for row, answer, a, s in zip(rows, batch, authors, strict_)
        ]

    def _authors(self, row: files.Row, ended: Outcome | Verdict) -> _Judged:
        judged = (ended, None) if isinstance(ended, Verdict) else (grading.judge(row, ended), ended)
        code = judged[0].evidence["authors_code"]
        self._codes["infra_error" if code is None else grading.CODES[code]] += 1
        return judged

    def _strictly(self, row: files.Row, ended: Outcome | Verdict) -> _Judged:
        assert self._library is not None
        if isinstance(ended, Verdict):
            judged: _Judged = (ended, None)
        else:
            judged = (strict.judge(row, ended, self._library), ended)
        self._strict[judged[0].category] += 1
        return judged

    def _beside(self, row: files.Row, answer: Answer, authors: _Judged, strict_: _Judged) -> dict[str, Any]:
        reason = compare.disagreement(row, answer.response, authors, strict_)
        self._disagreements.update([reason] if reason else [])
        verdict = strict_[0]
        shown = {"reward": verdict.reward, "category": verdict.category, "evidence": verdict.evidence}
        return {"strict": shown, "disagreement": reason}

    def summary(self) -> AuthorsSummary:
        return AuthorsSummary(
            codes=dict(self._codes.most_common()),
            strict=dict(self._strict.most_common()),
            disagreements=dict(self._disagreements.most_common()),
            rows=self._counts,
        )


def _code(verdict: Verdict) -> dict[str, Any]:
    return {"authors_code": verdict.evidence["authors_code"]}
