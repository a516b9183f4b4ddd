"""The command from what a run's weights can do back to what made them so: why."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, JsonOption, QuietOption, RunsOption, SetOption


def why(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    function: Annotated[
        str | None, typer.Option(help="When accuracy on it rose or fell, and what was learned about it.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Its id, or the beginning: attempts, updates, accuracy around them.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Policy version: what its update learned from.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the chain: FILE.svg or FILE.png; or write FILE.graphml.")
    ] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Learn again without it and compare; costs a relearn.")
    ] = False,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go from what a run knows back to updates, the episodes they learned, tasks, proposals and decisions.

    With --ablate the run is learned once more without what was asked about (see taskspace relearn), and the
    accuracies are compared on the same held-out tasks; --set changes settings of that run.

    \b
    Examples:
      taskspace why quickstart-1 --function kopado
      taskspace why quickstart-1 --version 3 --picture why.svg
      taskspace why quickstart-1 --task 3fa9 --json
      taskspace why quickstart-1 --function kopado --ablate
    """
    import msgspec

    from experiments import ablation, why_picture
    from experiments import runs as launch
    from experiments import why as asking
    from memory.reader import RunReader
    from protocols.errors import SettingError

    if sum(one is not None for one in (function, task, version)) != 1:
        raise SettingError("why: give one of --function, --task and --version, e.g. --version 1")
    if set_ and not ablate:
        raise SettingError(f"--set {set_[0]}: only --ablate learns anything; leave it out, or add --ablate")
    if picture is not None:
        why_picture.require_ending(picture)
    source = launch.find(run, runs)
    told: asking.Told
    with RunReader(source) as reader:
        learned_from = reader.facts().get("source", {}).get("run")
        if function is not None:
            told = asking.of_function(reader, function)
        elif task is not None:
            told = asking.of_task(reader, task)
        else:
            told = asking.of_version(reader, version or 0)
    if picture is not None:
        why_picture.write(told, picture)
    if not as_json:
        print(asking.text(told))
        if learned_from is not None:
            print(f"its experience is that of {learned_from}, and so are the versions that played it")
        if picture is not None:
            print(picture)
    found = ablation.ablate(source, told, list(set_ or []), quiet or as_json) if ablate else None
    if as_json:
        print(
            json.dumps(
                msgspec.to_builtins(
                    {"run": source.name, "experience_of": learned_from, "why": told, "influence": found}
                )
            )
        )
    elif found is not None:
        print(ablation.text(found))
