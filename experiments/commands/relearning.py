"""The command about learning otherwise from what a run stored: relearn."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, JsonOption, QuietOption, RunsOption, SetOption


def relearn(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name: whose experience is learned.")],
    recipe: Annotated[
        list[str] | None, typer.Option(help="May be repeated; the run's own if left out.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="A condition on its view episodes, or a SELECT of attempt ids."),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="May be repeated; the run's own if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the Markdown table here, too.")] = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Learn by other recipes from the experience that a run stored; nothing but measurements is generated.

    Each recipe and seed is a run of its own beside its source, named after both. What --where does not select
    is as if it had never been played. Complete runs are not played again.

    \b
    Examples:
      taskspace relearn quickstart-1 --recipe open-sft
      taskspace relearn quickstart-1 --recipe closed-sft --recipe closed-rl --seed 1 --seed 2
      taskspace relearn quickstart-1 --recipe closed-rl --set learner.grpo.negative=0
      taskspace relearn quickstart-1 --where "NOT flipped"
      taskspace relearn quickstart-1 --where "parent_attempt_id IS NULL" --json
    """
    import msgspec

    from experiments import runs as launch
    from experiments.commands.ladders import write
    from experiments.ladders import counterfactual
    from experiments.outputs import is_stdout

    source = launch.find(run, runs)
    recipes: list[str | None] = [*recipe] if recipe else [None]
    seeds: list[int | None] = [*seed] if seed else [None]
    folders = counterfactual.play(source, recipes, where, seeds, list(set_ or []), quiet or as_json)
    first = counterfactual.figures(source, source)
    found = [counterfactual.figures(folder, source) for folder in folders]
    table = counterfactual.table(first, found)
    if out is not None:
        write(out, table)
    if as_json:
        told = {"source": first, "runs": found, "summary": counterfactual.summaries(found)}
        print(json.dumps(msgspec.to_builtins(told)))
    elif out is None or not is_stdout(out):
        print(table)
