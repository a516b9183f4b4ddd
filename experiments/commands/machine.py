"""Commands about this machine: doctor, bench, models."""

import contextlib
import importlib
import importlib.util
import json
import sys
from typing import Annotated, Any

import typer

from experiments.commands.runs import JsonOption, QuietOption

BENCHMARKS = (
    "sandbox",
    "engine",
    "store",
    "space",
    "learner",
    "grpo",
    "ranks",
    "busy",
    "ahead",
    "rollout",
    "scaling",
    "ui",
)
SIZED = ("store", "space")  # by attempts


def doctor(
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster to look at, too; RAY_ADDRESS by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what this machine offers: versions, cores, memory, vLLM, isolation layers, models, browser.

    \b
    Examples:
      taskspace doctor
      taskspace doctor --json
      taskspace doctor --address auto
    """
    from experiments import doctor as examination

    print(examination.as_json(address) if as_json else examination.as_text(address))


def bench(
    name: Annotated[
        str,
        typer.Argument(help=f"{', '.join(BENCHMARKS)} or all."),
    ],
    attempts: Annotated[
        int | None, typer.Option(min=1000, help="How many attempts to measure with, for store and space.")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(help="For ui: attempts of each store, e.g. 1000,100000.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="For ui: how long memory is watched, e.g. 60.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="For ui: how often each page is opened and clicked on.")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure one part against a named baseline, both in this run; scaling: each part against its actors.

    \b
    Examples:
      taskspace bench sandbox
      taskspace bench store --json
      taskspace bench space --attempts 100000
      taskspace bench ui --sizes 1000,100000 --minutes 60
    """
    from protocols.errors import SettingError

    chosen = _all_that_run_here() if name == "all" else (name,)
    if not set(chosen) <= set(BENCHMARKS):
        raise SettingError(f"bench {name}: unknown; choose one of {', '.join(BENCHMARKS)}, all")
    if attempts is not None and name not in SIZED:
        raise SettingError(f"--attempts: only {' and '.join(SIZED)} go by attempts; leave it out for {name}")
    of_ui: dict[str, Any] = {"sizes": _sizes(sizes), "minutes": minutes, "repeats": repeats}
    if any(value is not None for value in of_ui.values()) and name != "ui":
        raise SettingError(f"--sizes, --minutes, --repeats: only for ui; leave them out for {name}")
    sized: dict[str, Any] = {"attempts": attempts, **of_ui}
    sized = {option: value for option, value in sized.items() if value is not None}
    results: dict[str, dict[str, Any]] = {}
    for one in chosen:
        module = importlib.import_module(f"experiments.benchmarks.{one}")
        if not (quiet or as_json):
            print(f"{one}: {(module.__doc__ or '').strip().splitlines()[0]}", file=sys.stderr, flush=True)
        with contextlib.redirect_stdout(sys.stderr):  # Ray prints warnings about many actors
            results[one] = module.run(**sized)
        if not as_json:
            print("\n".join([one, *(f"  {key:<34} {_figure(value)}" for key, value in results[one].items())]))
    if as_json:
        print(json.dumps(results))
    missed = [one for one, result in results.items() if result.get("passed") is False]
    if missed:
        print(f"bench: below what is needed: {', '.join(missed)}", file=sys.stderr)
        raise typer.Exit(1)


def _sizes(text: str | None) -> tuple[int, ...] | None:
    from protocols.errors import SettingError

    if text is None:
        return None
    parts = [part.strip().replace("_", "") for part in text.split(",")]
    if not all(part.isdecimal() and 1000 <= int(part) <= 10**8 for part in parts):
        raise SettingError(f"--sizes {text}: not numbers of attempts from 1000 on; write e.g. 1000,100000")
    return tuple(int(part) for part in parts)


def _all_that_run_here() -> tuple[str, ...]:
    """All of them; those that need vLLM, TRL or a browser only where these are installed."""
    from experiments.benchmarks.contenders import NO_TRL

    trl = None if importlib.util.find_spec("trl") else NO_TRL
    missing = {
        "rollout": None if importlib.util.find_spec("vllm") else "vLLM is not installed",
        "ui": _no_browser(),
        "learner": trl,
        "grpo": trl,
    }
    for one, reason in missing.items():
        if reason is not None:
            print(f"bench: {one} is left out, {reason}", file=sys.stderr)
    return tuple(one for one in BENCHMARKS if missing.get(one) is None)


def _no_browser() -> str | None:
    from experiments.benchmarks.ui_browser import missing

    return missing()


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
    from experiments import models as cache
    from protocols.errors import SettingError

    if action not in ("list", "fetch", "verify", "remove"):
        raise SettingError(f"models {action}: unknown; choose one of list, fetch, verify, remove")
    if action != "list" and name is None:
        raise SettingError(f"models {action}: which one? write e.g. taskspace models {action} tiny-random")
    if action == "list":
        rows = cache.listing()
        for row in rows if not as_json else ():
            print(f"{row['name']:<24} {row['state']:<10} {row['reason']}")
        result: Any = rows
    else:
        result = {"model": name, "action": action, "result": getattr(cache, action)(name)}
        if not as_json:
            print(f"{name}: {result['result']}")
    if as_json:
        print(json.dumps(result))


def _figure(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
