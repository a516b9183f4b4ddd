"""The commands that tell others about runs: report, track."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, JsonOption, RunsOption


def report(
    run: Annotated[list[Path], typer.Argument(help="Run folders, or their names. Several are compared.")],
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; RUN/report.html, or of several runs RUNS/report.html."),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the same as Markdown, without plots.")] = None,
    latex: Annotated[Path | None, typer.Option(help="Write its main tables for a paper (booktabs).")] = None,
    audit: Annotated[
        bool, typer.Option("--audit/--no-audit", help="Look through every prompt and reward, too.")
    ] = True,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Write a report of one run, or of several side by side, as one HTML file that opens offline.

    With several runs each is compared with the first on the held-out tasks that both were asked.

    \b
    Examples:
      taskspace report quickstart-1
      taskspace report quickstart-1 quickstart-2 quickstart-3 --out seeds.html
      taskspace report quickstart-1 --out first-run.html --markdown first-run.md --latex first-run.tex
    """
    from experiments import report as reporting
    from experiments.outputs import STDOUT, is_stdout, say
    from experiments.runs import find
    from protocols.errors import SettingError

    folders = [find(one, runs) for one in run]
    html = out or (folders[0] if len(folders) == 1 else runs) / "report.html"
    wanted = {"html": html, "markdown": markdown, "latex": latex}
    paths = {kind: path for kind, path in wanted.items() if path is not None}
    if len({STDOUT if is_stdout(path) else path.resolve() for path in paths.values()}) < len(paths):
        raise SettingError("report: two of --out, --markdown and --latex name one file; give each its own")
    made = reporting.build(folders, audited=audit)
    for kind, path in paths.items():
        reporting.write(made, path, kind)
    if as_json:
        named = {"html": "report", "markdown": "markdown", "latex": "latex"}
        say(json.dumps({named[kind]: str(path) for kind, path in paths.items()}), *paths.values())
    else:
        say("\n".join(str(path) for path in paths.values()), *paths.values())


def track(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    to: Annotated[
        list[str] | None,
        typer.Option(help="tensorboard, mlflow or wandb; may be repeated. Those of the run by default."),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="MLflow's experiment, or the project of Weights & Biases.")
    ] = None,
    uri: Annotated[str | None, typer.Option(help="MLflow's tracking store.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Weights & Biases: write into the run folder only.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Send everything, as a new run there.")] = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Send the metrics of a run to a tracker: what it has not had yet, through its own library.

    A run that goes on does it by itself: --set tracking.to=[tensorboard].

    \b
    Examples:
      taskspace track quickstart-1 --to tensorboard
      taskspace track quickstart-1 --to mlflow --uri http://localhost:5000 --project ladders
      taskspace track quickstart-1 --to wandb --offline
    """
    from experiments.runs import find
    from experiments.tracking import afterwards

    given = {"to": to, "project": project, "uri": uri, "offline": offline or None}
    wanted = {key: value for key, value in given.items() if value is not None}
    told = afterwards.track(find(run, runs), wanted, again)
    if as_json:
        print(json.dumps({"run": str(find(run, runs)), "trackers": told}))
    else:
        for name, one in told.items():
            print(f"{name}: {one['sent']} numbers sent" + (f"; {one['where']}" if one["where"] else ""))
