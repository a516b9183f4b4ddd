"""The command about a run's task space: space."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.runs import RUNS, JsonOption, RunsOption


def space(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    lineage: Annotated[
        str | None, typer.Option(help="A task's or attempt's id, or its beginning: what led to it.")
    ] = None,
    descendants: Annotated[
        str | None, typer.Option(help="A task's or attempt's id, or its beginning: what came of it.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write the graph: FILE.graphml or FILE.json.")] = None,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Ask a run's task space: how it grew, what revisions changed, what came from where.

    \b
    Examples:
      taskspace space quickstart-1
      taskspace space quickstart-1 --lineage 3fa9
      taskspace space quickstart-1 --export space.graphml
    """
    from experiments import space as asking
    from experiments.runs import find
    from memory.reader import RunReader
    from protocols.errors import SettingError

    if lineage is not None and descendants is not None:
        raise SettingError("--lineage and --descendants: choose one of them")
    with RunReader(find(run, runs)) as reader:
        found = reader.space()
        if export is not None:
            asking.export(found, export)
            print(export)
            return
        told: Any
        if lineage is not None:
            told = asking.lineage(found, reader, lineage)
        elif descendants is not None:
            told = asking.descendants(found, descendants)
        else:
            told = asking.overview(found)
    if as_json:
        print(json.dumps(told))
    else:
        print(asking.text(told) if isinstance(told, dict) else asking.table(told) or "nothing")
