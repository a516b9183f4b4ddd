"""Commands that play what is stored again: replay."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.runs import RUNS, JsonOption, QuietOption, RunsOption

#: Episodes that are shown where no --limit is given; verdicts and answers are made again for all.
SHOWN = 3
#: How much faster than the original a terminal shows it.
SPEED = 10.0


def replay(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    episode: Annotated[str | None, typer.Option(help="Attempt id, or its beginning.")] = None,
    task: Annotated[str | None, typer.Option(help="Task id, or its beginning: all its attempts.")] = None,
    round_: Annotated[int | None, typer.Option("--round", help="All attempts of a round.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Judge the stored responses again; exit 1 if any differs.")
    ] = False,
    regenerate: Annotated[
        bool,
        typer.Option("--regenerate", help="Generate the stored answers again; exit 1 if any differs."),
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(min=0, help="Times faster than it was; 0 = no pauses. 10 in a terminal, elsewhere 0."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Episodes: shown, 3 by default; verified or regenerated, all by default."),
    ] = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Play stored episodes again, role by role, in the original's time.

    With --verify their verdicts are run again; with --regenerate their answers are generated again, from the
    stored weights with the stored seeds, and compared token by token.

    \b
    Examples:
      taskspace replay runs/quickstart-1
      taskspace replay runs/quickstart-1 --round 2 --limit 5 --speed 50
      taskspace replay runs/quickstart-1 --episode 3fa9 --json
      taskspace replay runs/quickstart-1 --verify
      taskspace replay runs/quickstart-1 --regenerate --round 2
    """
    from experiments import choosing_episodes
    from experiments import replay as replaying
    from experiments import runs as launch
    from experiments.timeline import Clock
    from protocols.errors import SettingError

    if verify and regenerate:
        raise SettingError("replay: --verify and --regenerate are two questions; ask one after the other")
    folder = launch.find(run, runs)
    every = verify or regenerate
    chosen = choosing_episodes.choose(folder, episode, task, round_, limit if every else limit or SHOWN)
    if every:
        raise typer.Exit(_again(folder, chosen, regenerate, quiet or as_json, as_json))
    if as_json:
        print(json.dumps({"run": str(folder), "episodes": replaying.as_json(folder, chosen)}))
        return
    default = SPEED if sys.stdout.isatty() else 0.0
    try:
        replaying.show(folder, chosen, clock=Clock(default if speed is None else speed))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    there = choosing_episodes.count(folder, episode, task, round_)
    if limit is None and there > len(chosen) and not quiet:
        print(f"{len(chosen)} of {there} episodes; --limit {there} shows all", file=sys.stderr)


def _again(folder: Path, chosen: list[dict[str, Any]], generate: bool, quiet: bool, as_json: bool) -> int:
    """Make verdicts or answers again, and say what differs; the exit code."""
    if generate:
        from experiments import regenerate as making
    else:
        from experiments import verify as making  # type: ignore[no-redef]
    make = making.regenerate if generate else making.verify  # type: ignore[attr-defined]
    result = make(folder, chosen, quiet)
    print(json.dumps(result) if as_json else making.told(result))
    return 1 if result["differences"] else 0
