"""The command about the papers' tables: ladder."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.runs import RUNS, QuietOption, RunsOption, SetOption


def ladder(
    preset: Annotated[str, typer.Argument(help="quickstart, smoke, laptop, or a YAML file.")] = "quickstart",
    recipes: Annotated[str, typer.Option(help="Recipes, comma-separated.")] = "closed-sft,open-sft",
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "1,2,3",
    out: Annotated[Path | None, typer.Option(help="Write the Markdown table here, too.")] = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
) -> None:
    """Play recipes over seeds and print their table; complete runs are not played again.

    \b
    Examples:
      taskspace ladder quickstart
      taskspace ladder quickstart --recipes selfplay-sft --seeds 1,2 --out table.md
    """
    from experiments.ladders import internalise
    from protocols.errors import SettingError

    try:
        numbers = [int(s) for s in seeds.split(",")]
    except ValueError:
        raise SettingError(f"--seeds {seeds}: whole numbers with commas between them, e.g. 1,2,3") from None
    names = [name.strip() for name in recipes.split(",")]
    table = internalise.table(internalise.play(preset, names, numbers, list(set_ or []), runs, quiet))
    if out is not None:
        try:
            out.write_text(table + "\n", encoding="utf-8")
        except OSError as error:
            raise SettingError(f"--out {out}: {error.strerror}; choose another file") from None
    print(table)
