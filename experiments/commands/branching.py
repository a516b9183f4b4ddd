"""Commands that go on from a stored run in another way: branch."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, JsonOption, QuietOption, RunsOption, SetOption


def branch(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    at: Annotated[
        int,
        typer.Option(min=0, help="Last round that is taken over; 0 = none, only what was measured before."),
    ],
    set_: SetOption = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new run folder; RUN-atROUND by default.")
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Make the run folder only; taskspace run --resume goes on.")
    ] = False,
    runs: RunsOption = RUNS,
    ui: Annotated[bool, typer.Option("--ui/--no-ui", help="Show the run in a browser page.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on from a round of a stored run under other settings, in a run folder of its own.

    The source stays as it is; weights are shared with it, not copied, where the disk allows that. Without
    --set the branch plays what the source played. Ctrl-C and --resume work as for any run.

    \b
    Examples:
      taskspace branch quickstart-1 --at 4 --set learner.learning_rate=5e-5
      taskspace branch quickstart-1 --at 4 --set learner.recipe=closed-rl --name then-rl
      taskspace branch quickstart-1 --at 5 --set rounds=8
      taskspace branch quickstart-1 --at 4 --set seed=2 --prepare --json
    """
    from experiments import branch as branching
    from experiments import preflight
    from experiments import runs as launch

    planned = branching.plan(launch.find(run, runs), at, list(set_ or []), runs, name)
    if not prepare:
        model = preflight.model_folder(planned.settings.model, quiet or as_json)
        preflight.check(planned.settings, runs, model, resumed=True)
    prepared = branching.make(planned)
    changes = ", ".join(planned.changes) or "nothing changed"
    if prepare:
        facts = {"run": str(prepared.run_dir), "source": str(planned.source), "round": at}
        facts |= {"policy_version": planned.version, "changes": planned.changes}
        print(json.dumps(facts) if as_json else f"{prepared.run_dir}: {changes}")
        return
    if not quiet:
        print(f"branch of {planned.source} after round {at}: {changes}", file=sys.stderr)
    raise typer.Exit(launch.execute(prepared, ui=ui, quiet=quiet, as_json=as_json))
