"""Commands about data: tasks, grade, rows, obfuscate."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import JsonOption, QuietOption, SetOption

DocumentationOption = Annotated[
    Path | None,
    typer.Option(metavar="API_DOC", help="SE-Bench's api_doc.jsonl: the file of tasks holds its own rows."),
]


def tasks(
    domain: Annotated[str, typer.Argument(help="The world the tasks come from: zwc.")],
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    kind: Annotated[str, typer.Option(help="single, multi or all.")] = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; stdout by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the package and of the tasks.")] = None,
    set_: SetOption = None,
) -> None:
    """Write a domain's tasks as JSON lines, each with its closed-book prompt and its documentation.

    \b
    Examples:
      taskspace tasks zwc --split test --kind single --limit 20 --out tasks.jsonl
      taskspace tasks zwc --split train --kind multi --set zwc.functions=40
    """
    from experiments import tasks_export
    from experiments.outputs import say

    count = tasks_export.export(domain, split, kind, limit, out, seed, list(set_ or []))
    if out is not None:
        say(f"{count} tasks written to {out}", out)


def grade(
    tasks_file: Annotated[
        Path, typer.Argument(metavar="TASKS", help="From `taskspace tasks`; or SE-Bench's own rows.")
    ],
    answers_file: Annotated[Path, typer.Argument(metavar="ANSWERS", help="JSON lines: task_id, response.")],
    out: Annotated[Path | None, typer.Option(help="Verdicts as JSON lines; stdout by default.")] = None,
    grader: Annotated[
        str, typer.Option(help="strict; or for SE-Bench's rows: authors (as published), both.")
    ] = "strict",
    documentation: DocumentationOption = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge answers in the sandbox. Broken lines are reported with their number; the rest is graded.

    \b
    Examples:
      taskspace grade tasks.jsonl answers.jsonl --out verdicts.jsonl
      taskspace grade tasks.jsonl answers.jsonl --set sandbox.wall_s=2 --json
      taskspace grade --grader both --documentation api_doc.jsonl single_test.jsonl answers.jsonl
    """
    from experiments import grade as grading
    from protocols.errors import SettingError

    summary = grading.command(
        tasks_file, answers_file, out, set_ or (), quiet, as_json, grader, documentation
    )
    if summary.broken:
        raise SettingError(
            f"grade: {len(summary.broken)} broken lines were passed over, {summary.answers} answers are "
            f"graded; correct the lines named above"
        )


def rows(
    files: Annotated[list[Path], typer.Argument(metavar="ROWS", help="SE-Bench's own rows, as they are.")],
    documentation: Annotated[Path, typer.Option(metavar="API_DOC", help="SE-Bench's api_doc.jsonl.")],
    out: Annotated[Path | None, typer.Option(help="Marks of every usable row, as JSON lines.")] = None,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check SE-Bench's own files: lines that are broken, and rows whose own program gives another truth.

    Nothing is changed or dropped. Exit code 1 when a line cannot be used.

    \b
    Examples:
      taskspace rows train.jsonl single_test.jsonl --documentation api_doc.jsonl
      taskspace rows single_test.jsonl --documentation api_doc.jsonl --out marks.jsonl --json
    """
    from experiments import rows as checking

    if not checking.command(files, documentation, out, set_ or (), quiet, as_json):
        raise typer.Exit(1)


def obfuscate(
    module: Annotated[str, typer.Argument(help="An importable module: numpy, math, statistics, ...")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the identifiers.")] = 7,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write the package and its documentation to.")
    ] = None,
    names: Annotated[list[str] | None, typer.Option(help="Only this function; may be repeated.")] = None,
    package: Annotated[str, typer.Option(help="Name the package is imported by.")] = "zwc",
    check: Annotated[bool, typer.Option("--check", help="Write nothing; execute every example.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a module into a package that no model has seen, with documentation that is proven.

    Every example in the documentation is executed against the package. For numpy it also says for how many
    functions there are tasks, and tasks of three and more functions.

    \b
    Examples:
      taskspace obfuscate numpy --seed 7 --out build
      taskspace obfuscate math --names sqrt --names hypot --package qux --out build
      taskspace obfuscate numpy --check
    """
    from protocols.domains.zwc import bank, documentation
    from protocols.domains.zwc.obfuscate import obfuscate as make
    from protocols.errors import SettingError

    if out is None and not check:
        raise SettingError("obfuscate: nowhere to write to; give --out FOLDER, or --check to write nothing")
    library = make(module, names=names, seed=seed, package=package)
    proof = documentation.prove(library)
    asked = [name for name in library.entries if name in bank.NAMES] if module == "numpy" else []
    leads = bank.leads(asked, 3)
    written = out is not None and not check and not proof.failures
    if out is not None and written:
        try:
            library.write(out)
        except OSError as error:
            raise SettingError(f"--out {out}: {error.strerror}; choose another folder") from None
    result = {
        "module": module,
        "package": package,
        "seed": seed,
        "functions": len(library.entries),
        "documents": proof.documents,
        "examples_executed": proof.ran,
        "examples_matched": proof.matched,
        "functions_with_tasks": len(asked),
        "functions_with_tasks_of_three": len(leads),
        "failures": list(proof.failures),
        "out": str(out) if written else None,
    }
    if as_json:
        print(json.dumps(result))
    else:
        print(
            f"{module} as {package}: {len(library.entries)} functions, {proof.documents} documents, "
            f"{proof.ran} examples executed, {proof.matched} print what they say"
        )
        if asked:
            print(f"tasks: about {len(asked)} functions; {len(leads)} of them lead tasks of three and more")
        for failure in proof.failures:
            print(failure)
        if written:
            print(f"written: {out}/{package}/ and {out}/api_doc.jsonl")
    if proof.failures:
        raise typer.Exit(1)
