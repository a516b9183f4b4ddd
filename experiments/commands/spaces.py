"""The command about a run's task space: space."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.runs import RUNS, JsonOption, RunsOption


def space(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    question: Annotated[
        str,
        typer.Argument(
            help="overview, growth, starts, revisions, branching, fertile, distances or positions."
        ),
    ] = "overview",
    lineage: Annotated[
        str | None, typer.Option(help="A task's or attempt's id, or its beginning: what led to it.")
    ] = None,
    descendants: Annotated[
        str | None, typer.Option(help="A task's or attempt's id, or its beginning: what came of it.")
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option(help="What embeds texts for positions (else their words) and distances (else minilm)."),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write the graph: FILE.graphml or FILE.json.")] = None,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Ask a run's task space: how it grew, what revisions changed, what came from where.

    `positions` works out where tasks and answers lie by what they say, and keeps it for exports; `distances`
    tells how far the answers that groups went on from lie from each other.

    \b
    Examples:
      taskspace space quickstart-1
      taskspace space quickstart-1 starts
      taskspace space quickstart-1 positions
      taskspace space quickstart-1 distances --embedder minilm
      taskspace space quickstart-1 --lineage 3fa9
      taskspace space quickstart-1 --export space.graphml
    """
    from experiments import space as asking
    from experiments.outputs import say
    from experiments.runs import find
    from memory.reader import RunReader
    from protocols.errors import SettingError

    embedding = ("distances", "positions")
    known = ("overview", *asking.QUESTIONS, *embedding)
    if question not in known:
        raise SettingError(f"space {question}: unknown; choose one of {', '.join(known)}")
    if sum(one is not None for one in (lineage, descendants, export)) + (question != "overview") > 1:
        raise SettingError("--lineage, --descendants, --export and questions: choose one of them")
    if embedder is not None and question not in embedding:
        raise SettingError(f"--embedder: only {' and '.join(embedding)} embed texts; leave it out")
    folder = find(run, runs)
    with RunReader(folder) as reader:
        found = reader.space()
        if export is not None:
            asking.placed(found, folder)
            asking.export(found, export)
            say(str(export), export)
            return
        told: Any
        if lineage is not None:
            told = asking.lineage(found, reader, lineage)
        elif descendants is not None:
            told = asking.descendants(found, descendants)
        elif question == "positions":
            told = asking.positions(found, reader, folder, embedder)
        elif question == "distances":
            told = asking.distances(reader, embedder or "minilm")
        else:
            told = asking.overview(found) if question == "overview" else asking.QUESTIONS[question](found)
    if as_json:
        print(json.dumps(told))
    elif question == "positions":
        print(f"{len(told)} positions in {folder / asking.POSITIONS}")
    elif question == "branching":
        print(asking.branches(told))
    elif question == "distances":
        print(asking.table([told]))
    else:
        print(asking.text(told) if isinstance(told, dict) else asking.table(told) or "nothing")
