"""Looks through SE-Bench's own files: what is wrong with their lines, and which rows prove themselves.

A row holds a NumPy program that its writer gave as the solution (`example_output`). Here it runs in the
sandbox like an answer, with nothing checked beforehand; what it prints is compared with the row's truth by
the authors' equality. A row whose program prints something else has a bad program or a bad truth: which,
nobody knows. It is counted and marked, never dropped.

Does not cover: answers of models (`grade_rows`).
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.sandbox.pool import SandboxPool
from experiments import config, isolation_checks
from experiments.outputs import writing
from experiments.progress import counting
from protocols.domains.zwc.authors import equality, files, grading, script
from protocols.errors import SandboxError
from protocols.records import Outcome, Record
from protocols.settings import RunSettings

_BATCH = 256


class Checked(Record):
    """What became of the rows of one file."""

    file: str
    counts: dict[str, int]  # rows, skipped, and issues by kind
    references: dict[str, int]  # reproduced, differs, failed, none
    issues: tuple[files.Issue, ...]
    marks: dict[str, tuple[str, ...]]  # of every row that is used, by id


def check(
    paths: Sequence[Path], documentation: files.Documentation, settings: RunSettings, quiet: bool = False
) -> list[Checked]:
    """Read every file, run every row's own program, and name what is wrong.

    Raises:
        SettingError: a file cannot be read, or no row in it can be used.
        SandboxError: the sandbox does not start, or fails.
    """
    read = [files.read_rows(path, documentation) for path in paths]
    total = sum(len(found.rows) for found in read)
    with SandboxPool(settings.sandbox) as pool, counting("rows", total, quiet) as advance:
        isolation_checks.warn(pool.layers)
        checked = []
        for path, found in zip(paths, read):
            states: dict[str, str] = {}
            for start in range(0, len(found.rows), _BATCH):
                batch = found.rows[start : start + _BATCH]
                states |= _references(batch, documentation, pool)
                advance(len(batch))
            checked.append(_checked(path, found, states))
    return checked


def _references(
    rows: Sequence[files.Row], documentation: files.Documentation, pool: SandboxPool
) -> dict[str, str]:
    """By row id: `reproduced`, `none`, or what its program did instead."""
    having = [row for row in rows if row.reference]
    programs = [
        grading.program(documentation.entries, script.script(_code(row.reference), row.cases))
        for row in having
    ]
    found = {row.id: _state(row, outcome) for row, outcome in zip(having, pool.run(programs))}
    return {row.id: found.get(row.id, "none") for row in rows}


def _code(reference: str) -> str:
    """A program that may stand in a fenced block, ended by a line feed."""
    return (script.last_block(reference) or reference).rstrip() + "\n"


def _state(row: files.Row, outcome: Outcome) -> str:
    if outcome.status == "infra_error":
        raise SandboxError(f"{row.id}: the sandbox failed ({outcome.detail}); try again")
    stdout, error = grading.printed(outcome)
    found = script.outputs(stdout)
    if equality.all_equal(found, row.truth):
        return "reproduced"
    if error or outcome.status != "ok":
        return f"failed: {error or outcome.detail}"
    case = next(i for i, text in enumerate(row.truth) if not equality.all_equal(found[i : i + 1], [text]))
    got = f"{found[case]!r:.40}" if case < len(found) else "nothing"
    return f"differs: case {case + 1} prints {got}, the truth is {row.truth[case].strip()!r:.40}"


def _checked(path: Path, found: files.Rows, states: dict[str, str]) -> Checked:
    issues = list(found.issues)
    marks = {}
    for row in found.rows:
        state = states[row.id]
        bad = state.startswith(("differs", "failed"))
        marks[row.id] = (*row.marks, "reference") if bad else row.marks
        if bad:
            line = int(row.id.rpartition(":")[2])
            problem = " ".join(f"its program {state}".split())
            issues.append(
                files.Issue(
                    file=str(path), line=line, key="example_output", kind="reference", problem=problem
                )
            )
    issues.sort(key=lambda issue: issue.line)
    return Checked(
        file=str(path),
        counts=files.Rows(rows=found.rows, issues=tuple(issues)).counts(),
        references=dict(Counter(state.partition(":")[0] for state in states.values())),
        issues=tuple(issues),
        marks=marks,
    )


def command(
    paths: Sequence[Path],
    documentation_path: Path,
    out: Path | None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    as_json: bool = False,
) -> bool:
    """What `taskspace rows` does: counts to stdout, what is wrong to stderr, marks to a file.

    Returns:
        Whether every line could be used.

    Raises:
        TaskspaceError: see `check`; or a setting is wrong.
    """
    defaults = {"preset": "custom", "sandbox": {"wall_s": grading.TIME_S}}
    settings = config.resolve(config.merged(defaults, list(overrides)))
    documentation = files.read_documentation(documentation_path)
    checked = check(paths, documentation, settings, quiet or as_json)
    issues = [*documentation.issues, *(issue for one in checked for issue in one.issues)]
    if out is not None:
        _write(out, checked)
    if as_json:
        print(json.dumps(_plain(documentation_path, documentation, checked)))
    else:
        for issue in [] if quiet else issues:
            print(issue)
        print(f"{documentation_path}: {len(documentation.entries)} functions")
        for one in checked:
            counts = ", ".join(f"{name} {count}" for name, count in one.counts.items())
            programs = ", ".join(f"{name} {count}" for name, count in sorted(one.references.items()))
            print(f"{one.file}: {counts}; own programs: {programs}")
    return not any(issue.skipped for issue in issues)


def _plain(path: Path, documentation: files.Documentation, checked: Sequence[Checked]) -> dict[str, Any]:
    return {
        "documentation": {
            "file": str(path),
            "functions": len(documentation.entries),
            "issues": msgspec.to_builtins(documentation.issues),
        },
        "files": [
            {"file": c.file, **c.counts, "references": c.references, "issues": msgspec.to_builtins(c.issues)}
            for c in checked
        ],
    }


def _write(out: Path, checked: Sequence[Checked]) -> None:
    lines = [{"task_id": id, "marks": marks} for one in checked for id, marks in one.marks.items()]
    with writing(out, "--out") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
