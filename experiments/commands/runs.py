"""Commands about runs: run, eval, audit, report, ui."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

RUNS = Path("runs")

RunsOption = Annotated[Path, typer.Option("--runs", help="Folder that holds the run folders.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="May be repeated.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the essential only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
AllowHostOption = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST", help="A server elsewhere that the YAML file may name; may be repeated."),
]


def run(
    preset: Annotated[str | None, typer.Argument(help="quickstart, smoke, laptop, or a YAML file.")] = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn.")] = None,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster: auto or HOST:PORT on one of its nodes, ray://HOST:PORT elsewhere."),
    ] = None,
    ui: Annotated[bool, typer.Option("--ui/--no-ui", help="Show the run in a browser page.")] = False,
    allow_host: AllowHostOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run an experiment from a preset, or go on with one that was stopped.

    Ctrl-C once finishes the batch and stops cleanly (exit code 130); twice stops now. Nothing that was
    admitted is lost either way.

    \b
    Examples:
      taskspace run quickstart
      taskspace run quickstart --seed 2 --ui --set rounds=5
      taskspace run my.yaml --set solver.sampling.temperature=0.7 --name warm
      taskspace run --resume runs/warm
      taskspace run quickstart --address auto --runs /shared/runs
      taskspace run quickstart --address ray://head:10001
    """
    from experiments import hosts, on_head
    from experiments import runs as launch
    from protocols.errors import SettingError

    overrides = list(set_ or [])
    if seed is not None:
        overrides.append(f"seed={seed}")
    if preset is not None:
        hosts.require_allowed(preset, overrides, allow_host or ())
    if address is not None and on_head.is_outside(address):
        if ui:
            raise SettingError(f"--ui: {address} runs it on the head; start taskspace ui there")
        options = {"--runs": runs, "--name": name, "--resume": resume}
        arguments = [*([preset] if preset else []), *(f"--set={one}" for one in overrides)]
        arguments += [f"{key}={value}" for key, value in options.items() if value is not None]
        arguments += [f"--allow-host={host}" for host in allow_host or ()]
        arguments += [flag for flag, given in (("--quiet", quiet), ("--json", as_json)) if given]
        raise typer.Exit(on_head.run(address, arguments))
    if address is not None:  # in front: --set runtime.kind=inline is then refused, not passed over
        overrides = ["runtime.kind=ray", f"runtime.address={json.dumps(address)}", *overrides]
    if resume is not None:
        if name is not None:
            raise SettingError("--name: the run that --resume names has its name; leave it out")
        prepared = launch.resume(launch.find(resume, runs), preset, overrides)
    elif preset is not None:
        prepared = launch.prepare(preset, overrides, runs, name)
    else:
        raise SettingError("run: neither a preset nor --resume; write e.g. `taskspace run quickstart`")
    code = launch.execute(prepared, ui=ui, quiet=quiet, as_json=as_json)
    raise typer.Exit(code)


def evaluate(
    subject: Annotated[
        str, typer.Argument(help="A run folder, a model name, a model folder or a hub id; or sebench.")
    ],
    model: Annotated[
        str | None, typer.Option(help="With sebench: the run or model; the scale's model by default.")
    ] = None,
    scale: Annotated[str, typer.Option(help="With sebench: laptop, gpu, paper, or a YAML file.")] = "laptop",
    book: Annotated[str, typer.Option(help="closed, open or both.")] = "closed",
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    kind: Annotated[str | None, typer.Option(help="single, multi or all (with sebench the default).")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Tasks; 64, or with sebench as many as the scale says.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Attempts a task; with more than one also pass@k.")
    ] = None,
    numpy: Annotated[
        bool, typer.Option("--numpy", help="Ask for NumPy itself instead of the package.")
    ] = False,
    memory: Annotated[
        Path | None,
        typer.Option(help="Put verified answers of this run (folder or name) into the closed-book prompt."),
    ] = None,
    memory_k: Annotated[int, typer.Option(min=1, help="Answers in such a prompt, the most similar.")] = 4,
    iterate: Annotated[
        int | None, typer.Option(min=1, max=64, help="Let it improve each answer so many times.")
    ] = None,
    opened: Annotated[
        bool, typer.Option("--opened", help="Begin closed-book answers for the model, as open-book ones.")
    ] = False,
    version: Annotated[
        int | None, typer.Option(help="Of a run: policy version; the last by default.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Of a model: settings of domain and engine.")] = "quickstart",
    allow_host: AllowHostOption = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the accuracy of a run's policy or of any model, by topic.

    `sebench` measures under the settings of that paper's ladder, single and multi apart.

    \b
    Examples:
      taskspace eval runs/quickstart-1
      taskspace eval runs/quickstart-1 --version 0 --book open
      taskspace eval smollm2-135m-instruct --book both --limit 32 --json
      taskspace eval sebench --book open --samples 4
      taskspace eval sebench --numpy
      taskspace eval sebench --memory runs/quickstart-1 --memory-k 4
      taskspace eval runs/quickstart-1 --opened
      taskspace eval runs/quickstart-1 --iterate 4 --samples 2
    """
    from experiments import config, hosts
    from experiments import evaluate as evaluation
    from experiments import iterate as improving
    from experiments.conditions import Condition
    from experiments.ladders.sebench import scales
    from protocols.errors import SettingError

    overrides = list(set_ or [])
    if samples is not None:
        overrides.append(f"evaluation.samples={samples}")
    if subject == "sebench":
        base = scales.load(scale)["settings"]
        subject = model or base["model"]["name"]
        kind, limit = kind or "all", limit or 0
    else:
        hosts.require_allowed(preset, overrides, allow_host or ())
        base = config.values_of(preset)
    limit = 64 if limit is None else limit
    if iterate is not None:
        if numpy or opened or memory is not None:
            raise SettingError("--iterate: leave --numpy, --memory and --opened out")
        told = improving.iterate(
            subject, iterate, book, split, kind or "single", limit, version, base, overrides, runs,
            quiet or as_json,
        )  # fmt: skip
        if as_json:
            _print_json(told)
        else:
            print(improving.text(told))
        return
    result = evaluation.evaluate(
        subject,
        book,
        split,
        kind or "single",
        limit,
        version,
        base,
        overrides,
        runs,
        quiet or as_json,
        Condition(numpy=numpy, memory=_named(memory, runs), memory_k=memory_k, opened=opened),
    )
    if as_json:
        _print_json(result)
    else:
        print(evaluation.table(result, quiet))


def _named(run: Path | None, runs: Path) -> Path | None:
    """The folder of a run that was given by its folder or by its name."""
    named = run is not None and not (run / "run.db").is_file() and (runs / run / "run.db").is_file()
    return runs / run if run is not None and named else run


def audit(
    run: Annotated[Path, typer.Argument(help="Run folder, or its name.")],
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Prove that a run's closed book was closed and its rewards were earned; exit 1 if not.

    \b
    Examples:
      taskspace audit quickstart-1
      taskspace audit quickstart-1 --json
    """
    from experiments import audit as auditing
    from experiments.runs import find

    found = auditing.audit(find(run, runs))
    if as_json:
        _print_json(msgspec.to_builtins(found))
    else:
        print(auditing.text(found))
    raise typer.Exit(0 if found.clean else 1)


def ui(
    runs_dir: Annotated[Path, typer.Argument(help="Folder that holds the run folders.")] = RUNS,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port on 127.0.0.1; the first free one from 8501 by default."),
    ] = None,
    run: Annotated[str | None, typer.Option(help="Run to open first.")] = None,
) -> None:
    """Show runs in the browser, while they go on or when they are done. Ctrl-C ends it.

    \b
    Examples:
      taskspace ui
      taskspace ui runs --port 8600 --run quickstart-1
    """
    from ui import launch

    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: the screen does not stay behind
        signal.signal(number, signal.default_int_handler)
    process = launch.start(runs_dir, port, headless=not sys.stderr.isatty(), run=run)
    try:
        print(f"taskspace: {launch.url(process)}  (Ctrl-C ends it)", file=sys.stderr)
        raise typer.Exit(process.wait())
    except KeyboardInterrupt:
        process.terminate()
        process.wait(timeout=10)
        raise typer.Exit(0) from None


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value))
