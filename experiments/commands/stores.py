"""Commands about whole stores: check, merge, prune."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, JsonOption, RunsOption

YesOption = Annotated[bool, typer.Option("--yes", help="Do it; without, only say what would be done.")]


def check(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Save what is left into a new store; the damaged one is kept beside."),
    ] = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Look whether a run's store is whole; exit 1 where something is wrong.

    Looked at are the file, foreign keys, texts, counters, plans, versions, views, the task space and the
    checkpoints. A run in progress may be checked; a store of an older version is migrated by --repair.

    \b
    Examples:
      taskspace check quickstart-1
      taskspace check runs/quickstart-1 --json
      taskspace check runs/quickstart-1 --repair
    """
    from experiments import stores
    from experiments.runs import find

    folder = find(run, runs)
    mended = stores.repair(folder) if repair else None
    if mended is not None and not as_json:
        print(mended.text)
    made = stores.check(folder, quiet=as_json)
    wrong = any(one["problems"] for one in made)
    if as_json:
        told = {"run": str(folder), "ok": not wrong, "checks": made}
        print(json.dumps(told | ({"repair": mended.told} if mended else {})))
    raise typer.Exit(1 if wrong else 0)


def merge(
    several: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders, or their names.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A new run folder, or a name for one.")],
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Put several runs into one store, for looking, statistics and learning from; not for going on.

    Tasks that are the same in several runs stand once. Everything else keeps its id behind its run's name.
    Rounds and versions go on counting from run to run; each run's round 0 and version 0 has a number too.

    \b
    Examples:
      taskspace merge quickstart-1 quickstart-2 --out both
      taskspace merge runs/a runs/b runs/c --out /data/merged --json
    """
    from experiments import exchange, stores
    from experiments.runs import find

    told = stores.merge([find(run, runs) for run in several], exchange.new_folder(out, runs))
    print(json.dumps(told) if as_json else stores.merge_text(told))


def prune(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    bodies: Annotated[
        bool, typer.Option("--bodies", help="Prompts, answers, token ids and log-probabilities.")
    ] = False,
    before_round: Annotated[
        int | None, typer.Option(min=1, metavar="R", help="Only of rounds before this one.")
    ] = None,
    yes: YesOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Remove the bodies of a finished run's episodes and keep all that is counted. There is no way back.

    Tasks, rewards, verdicts, decisions, lineages, curves and the task space stay. Such a run cannot be gone
    on with, its verdicts cannot be run again, and nothing can be learned from what was removed.

    \b
    Examples:
      taskspace prune quickstart-1 --bodies
      taskspace prune quickstart-1 --bodies --before-round 20 --yes
    """
    from experiments import stores
    from experiments.runs import find
    from protocols.errors import SettingError

    if not bodies:
        raise SettingError(
            "prune: nothing to remove was named; write --bodies, for prompts, answers and tokens"
        )
    told = stores.prune(find(run, runs), before_round, yes)
    print(json.dumps(told) if as_json else stores.prune_text(told))
