"""The command `taskspace`: which commands there are, and how they fail.

A `TaskspaceError` is one line on stderr and exit code 2; `--debug` (or TASKSPACE_DEBUG=1) shows where it
came from. Everything else that goes wrong is a defect and keeps its traceback.

Heavy modules (torch, ray, streamlit, numpy) are imported by the commands that need them, never here.
"""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from experiments import terminal
from experiments.commands import (
    branching,
    data,
    exporting,
    ladders,
    machine,
    relearning,
    replaying,
    reports,
    runs,
    spaces,
    stores,
    why,
)
from protocols.errors import TaskspaceError

app = typer.Typer(
    name="taskspace",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: dict[str, Callable[..., None]] = {
    "run": runs.run,
    "eval": runs.evaluate,
    "replay": replaying.replay,
    "branch": branching.branch,
    "audit": runs.audit,
    "report": reports.report,
    "track": reports.track,
    "space": spaces.space,
    "ladder": ladders.ladder,
    "relearn": relearning.relearn,
    "why": why.why,
    "ui": runs.ui,
    "tasks": data.tasks,
    "grade": data.grade,
    "rows": data.rows,
    "obfuscate": data.obfuscate,
    "export": exporting.export,
    "import": exporting.import_,
    "check": stores.check,
    "merge": stores.merge,
    "prune": stores.prune,
    "doctor": machine.doctor,
    "bench": machine.bench,
    "models": machine.models,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


#: What a program comes to that SIGPIPE ended; 1 would say that something is broken.
READER_GONE = 141


@app.callback()
def settings_of_all(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Language models teach themselves: self-play over a growing task space.

    \b
    Examples:
      taskspace run quickstart          a model learns a library it has never seen
      taskspace ui                      watch it, or look at finished runs
      taskspace doctor                  what this machine offers
    """
    if debug:
        os.environ["TASKSPACE_DEBUG"] = "1"


_LONGEST_WORD = 300


def main() -> None:
    """Entry point of the `taskspace` command."""
    terminal.set_up()
    try:
        app(prog_name="taskspace")
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # click makes 1 of it
            sys.exit(READER_GONE)
        raise
    except BrokenPipeError:  # the reader of our output has gone, e.g. `taskspace tasks zwc | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)
    except (TaskspaceError, OSError) as error:  # OSError: a disk that is full, a folder not ours to write
        if os.environ.get("TASKSPACE_DEBUG", "") not in ("", "0"):
            raise
        line = " ".join(map(_shortened, str(error).split()))
        print(f"taskspace: {line}", file=sys.stderr)
        sys.exit(2)


def _shortened(word: str) -> str:
    """A name of thousands of characters, as it may come from a variable that holds a file, by its ends."""
    return word if len(word) <= _LONGEST_WORD else f"{word[:120]}…{word[-60:]}"


if __name__ == "__main__":
    main()
