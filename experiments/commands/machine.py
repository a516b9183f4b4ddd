"""Commands about this machine: doctor, bench, models."""

from typing import Annotated

import typer

from experiments.commands.runs import JsonOption, QuietOption


def doctor(as_json: JsonOption = False) -> None:
    """Say what this machine offers: versions, cores, memory, isolation layers, models, browser.

    \b
    Examples:
      taskspace doctor
      taskspace doctor --json
    """
    from experiments import doctor as examination

    print(examination.as_json() if as_json else examination.as_text())


def bench(
    name: Annotated[str, typer.Argument(help="sandbox, engine, store, learner or all.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure one part against a named baseline, both in this run.

    \b
    Examples:
      taskspace bench sandbox
      taskspace bench store --json
    """


def models(
    action: Annotated[str, typer.Argument(help="list, fetch, verify or remove.")] = "list",
    name: Annotated[str | None, typer.Argument(help="A model's name or hub id.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List, fetch, verify or remove models in the cache.

    \b
    Examples:
      taskspace models
      taskspace models fetch smollm2-135m-instruct
      taskspace models verify smollm2-135m-instruct
      taskspace models remove smollm2-135m-instruct
    """
