"""Commands that carry runs elsewhere and back: export, import."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, JsonOption, QuietOption, RunsOption, SetOption

_FOLDER = "a new or empty folder."


def export(
    run: Annotated[Path, typer.Argument(help="A run folder, or the name of one.")],
    model: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=f"A version's weights: {_FOLDER}")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="With --model: the newest by default; 0 = as it came.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=f"A Parquet file a table: {_FOLDER}")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=f"For datasets.load_dataset: {_FOLDER}")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One episode a line: prompt, completion, reward.")
    ] = None,
    datasette: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=f"For `datasette FOLDER`: {_FOLDER}")
    ] = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run for other programs: its weights as a Hugging Face folder, or its episodes and tables.

    With --model, adapters are added to the model that they belong to. The others may be written while the
    run goes on, and hold one state of it; hidden checks of tasks are part of them.

    \b
    Examples:
      taskspace export quickstart-1 --model build/taught
      taskspace export runs/quickstart-1 --model build/first --version 1
      taskspace export quickstart-1 --parquet build/tables
      taskspace export quickstart-1 --dataset build/episodes
      taskspace export quickstart-1 --jsonl build/episodes.jsonl
      taskspace export quickstart-1 --datasette build/looking
    """
    from experiments import exchange
    from experiments import export as exporting
    from experiments.outputs import say
    from experiments.runs import find
    from protocols.errors import SettingError

    wanted = [
        (exchange.to_parquet, parquet),
        (exchange.to_dataset, dataset),
        (exchange.to_lines, jsonl),
        (exchange.to_datasette, datasette),
    ]
    if model is None and all(out is None for _, out in wanted):
        raise SettingError(
            f"export {run}: nothing was asked for; give --model, --parquet, --dataset, --jsonl or --datasette"
        )
    if version is not None and model is None:
        raise SettingError("--version: is of --model; give --model FOLDER, or leave it out")
    told = []
    if model is not None:
        written = exporting.export(run, model, version, runs, quiet or as_json)
        told.append({"model": str(model), "version": written})
        if not as_json:
            print(f"version {written} of {run} written to {model}")
    for write, out in wanted:
        if out is not None:
            told.append(write(find(run, runs), out))
            if not as_json:
                say(exchange.text(told[-1]), out)
    if as_json:
        say(json.dumps({"run": str(run), "written": told}), jsonl)


def import_(
    source: Annotated[
        Path, typer.Argument(help="What `taskspace export` wrote; or .jsonl, .parquet, .arrow of episodes.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A new run folder, or a name for one.")],
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Make a run folder of an export, or of episodes of other origin; for looking and learning from.

    Tables (--parquet, --dataset) come back as they were. Episodes come back as tasks, groups, attempts and
    verdicts; of other origin they need prompt and completion, and docs/stores.md says what stands for what
    they lack. --set names the settings that such episodes are taken to have been played with.

    \b
    Examples:
      taskspace import build/tables --out again
      taskspace import build/episodes.jsonl --out again --set model.name=smollm2-135m-instruct
      taskspace import rollouts.parquet --out theirs --set domain=math
    """
    from experiments import exchange

    told = exchange.load(source, exchange.new_folder(out, runs), list(set_ or []))
    print(json.dumps(told) if as_json else exchange.text(told))
