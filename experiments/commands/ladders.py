"""The command about the papers' tables: ladder."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, QuietOption, RunsOption, SetOption

SEBENCH = "main,volume,after,gap,noise"
EXIT = "paper,baselines"


def ladder(
    preset: Annotated[
        str, typer.Argument(help="sebench or exit; or quickstart, smoke, laptop, or a YAML file.")
    ] = "quickstart",
    recipes: Annotated[
        str, typer.Option(help="Of a preset: recipes, comma-separated.")
    ] = "closed-sft,open-sft",
    scale: Annotated[
        str, typer.Option(help="Of a paper: laptop, gpu (of sebench), paper, or a YAML file.")
    ] = "laptop",
    rows: Annotated[
        str | None,
        typer.Option(
            help="Of a paper: parts (sebench: main, volume, after, gap, noise; exit: paper, baselines) or "
            "rows, comma-separated; all of them if left out."
        ),
    ] = None,
    domain: Annotated[str, typer.Option(help="Of exit: zwc, math, tools or mle.")] = "zwc",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Of a paper: check every row, estimate memory and time.")
    ] = False,
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "1,2,3",
    out: Annotated[
        Path | None, typer.Option(help="Write the Markdown table here, too; of a paper, a folder.")
    ] = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
) -> None:
    """Play recipes over seeds and print their table; complete runs are not played again.

    `sebench` and `exit` are the ladders of those papers: every method, ablation and baseline, with tables
    and plots.

    \b
    Examples:
      taskspace ladder quickstart
      taskspace ladder quickstart --recipes selfplay-sft --seeds 1,2 --out table.md
      taskspace ladder sebench --seeds 0,1,2 --out results
      taskspace ladder sebench --rows closed-sft,open-sft --seeds 0
      taskspace ladder sebench --scale paper --dry-run
      taskspace ladder exit --domain math --seeds 1,2,3 --out results
    """
    from experiments.ladders import internalise
    from experiments.outputs import is_stdout
    from protocols.errors import SettingError

    try:
        numbers = [int(s) for s in seeds.split(",")]
    except ValueError:
        raise SettingError(f"--seeds {seeds}: whole numbers with commas between them, e.g. 1,2,3") from None
    overrides = list(set_ or [])
    if preset == "sebench":
        _sebench(scale, _names(rows or SEBENCH), numbers, overrides, runs, out, dry_run, quiet)
        return
    if preset == "exit":
        _exit(scale, domain, _names(rows or EXIT), numbers, overrides, runs, out, dry_run, quiet)
        return
    played = internalise.play(preset, _names(recipes), numbers, overrides, runs, quiet)
    table = internalise.table(played)
    if out is not None:
        write(out, table)
    if out is None or not is_stdout(out):
        print(table)


def _sebench(
    scale: str,
    rows: list[str],
    seeds: list[int],
    overrides: list[str],
    runs: Path,
    out: Path | None,
    dry_run: bool,
    quiet: bool,
) -> None:
    from experiments.ladders.sebench import dry, playing, plots, reading
    from experiments.ladders.sebench.table import table

    chosen = playing.chosen(rows)
    if dry_run:
        print(dry.report(scale, chosen, overrides))
        return
    runs = runs / f"sebench-{Path(scale).stem}"
    failed = playing.play(scale, chosen, seeds, overrides, runs, quiet)
    found = reading.of_rows(runs, chosen, seeds)
    measured = playing.measure(scale, chosen, seeds[0], overrides, runs, quiet)
    text = table(found, measured)
    _tell(text, lambda folder: plots.draw(found, folder), out, failed)


def _exit(
    scale: str,
    domain: str,
    rows: list[str],
    seeds: list[int],
    overrides: list[str],
    runs: Path,
    out: Path | None,
    dry_run: bool,
    quiet: bool,
) -> None:
    from experiments.ladders.exit import dry, playing, plots, reading, scales
    from experiments.ladders.exit.table import table

    chosen, sizes = playing.chosen(rows), scales.load(scale, domain)
    if dry_run:
        print(dry.report(sizes, chosen, overrides))
        return
    runs = runs / f"exit-{Path(scale).stem}" / domain
    failed = playing.play(sizes, chosen, seeds, overrides, runs, quiet)
    base, found = reading.base(runs, seeds), reading.of_rows(runs, chosen, seeds)
    text = table(domain, base, found)
    _tell(text, lambda folder: plots.draw(base, found, folder), out, failed)


def _tell(text: str, draw: Callable[[Path], object], out: Path | None, failed: list[str]) -> None:
    """Print a table, write it with its plots, and name the rows that have no result."""
    from protocols.errors import TaskspaceError

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out / "table.md", text)
        draw(out)
    print(text)
    if failed:
        raise TaskspaceError(f"ladder: {len(failed)} rows have no result: {'; '.join(failed)}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def write(path: Path, text: str) -> None:
    from experiments.outputs import writing

    with writing(path, "--out") as file:
        file.write(text + "\n")
