"""A run from its folder to its report: prepare or resume, check, play, and always say what came of it.

    RUN/config.yaml      the resolved settings
    RUN/run.db           the store: the source of truth
    RUN/checkpoints/     one Hugging Face folder a policy version
    RUN/summary.json     counts and accuracies, written at every end, also an early one
    RUN/report.html      the same with plots

Ctrl-C once asks the arena to finish its batch; twice ends every process at once. The store is written in
whole batches, so both lose nothing that was admitted. Does not cover: what a round does (`actors.arena`).
"""

import contextlib
import difflib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from experiments import config, lengths, preflight, summary
from experiments.memory_use import PeakMemory
from experiments.progress import RunProgress
from experiments.tracking import trackers
from experiments.tracking.live import LiveTracking
from protocols.cores import cores
from protocols.errors import SettingError, StoreError, TaskspaceError
from protocols.settings import RunSettings
from protocols.verdicts import percent

INTERRUPTED = 130  # 128 + SIGINT, as shells count


@dataclass(frozen=True)
class Prepared:
    """A run that can be played: its settings, its folder, and whether it is there already."""

    settings: RunSettings
    run_dir: Path
    resumed: bool


def find(run: Path, runs_dir: Path) -> Path:
    """The run folder of that path, or of that name in `runs_dir`.

    Raises:
        SettingError: there is none.
    """
    for folder in (run, runs_dir / run):
        if (folder / "run.db").is_file():
            return folder
    there = sorted(p.parent.name for p in runs_dir.glob("*/run.db"))
    hint = f"there are {', '.join(there[-5:])} in {runs_dir}" if there else f"{runs_dir} holds none"
    near = difflib.get_close_matches(run.name, there, n=1)
    raise SettingError(f"run {run}: no run.db there; {f'did you mean {near[0]}? ' if near else ''}{hint}")


def prepare(preset: str, overrides: list[str], runs_dir: Path, name: str | None) -> Prepared:
    """Settings and a folder name for a new run. Nothing is written yet.

    Raises:
        SettingError: bad settings, no name of a folder, or a run of that name is there.
    """
    settings = preflight.with_files(config.load(preset, overrides))
    if name is None:
        number = 1
        while (runs_dir / f"{settings.preset}-{number}").exists():
            number += 1
        name = f"{settings.preset}-{number}"
    require_name(name)
    run_dir = runs_dir / name
    require_lasting(run_dir)
    if (run_dir / "run.db").exists():
        raise SettingError(
            f"run folder {run_dir} holds a run already; give another --name, "
            f"or go on with it: taskspace run --resume {run_dir}"
        )
    return Prepared(settings, run_dir, resumed=False)


def require_name(name: str) -> None:
    """Raises:
    SettingError: it is not the name of one folder: empty, with a slash or a control character, or dots.
    """
    if not name.strip() or name in (".", "..") or "/" in name or not name.isprintable():
        raise SettingError(
            f"--name {name!r}: not the name of a folder; give a word, and the folder above it with --runs"
        )


def require_lasting(run_dir: Path) -> None:
    """Raises:
    SettingError: it would lie in the copy of a working directory, which Ray removes after a job.
    """
    if "runtime_resources" in run_dir.absolute().parts:
        raise SettingError(
            f"--runs {run_dir.parent}: lies in the job's working directory, which Ray removes when it needs "
            "room; give a folder that stays, e.g. --runs /shared/runs"
        )


def resume(run_dir: Path, preset: str | None, overrides: list[str]) -> Prepared:
    """A run to go on with. Settings may be repeated; those that make another experiment are refused.

    Raises:
        SettingError: settings differ.
        StoreError: the database is damaged, from a newer version, or in use.
    """
    from memory import frozen
    from memory.opening import OlderSchemaError
    from memory.reader import RunReader
    from memory.store import Store

    path = run_dir / "run.db"
    try:
        reader = RunReader(path)
    except OlderSchemaError:
        Store.open(path).close()  # migrates it
        reader = RunReader(path)
    with reader:
        if kept := frozen.reasons(reader.facts()):
            raise StoreError(f"{run_dir}: cannot be gone on with ({'; '.join(kept)}); start a run of its own")
        begun = config.resolve(reader.config())
    saved = run_dir / "config.yaml"  # what an earlier --resume settled, such as more rounds
    stored = config.load_file(saved) if saved.is_file() else begun
    if preset is not None:
        settings = preflight.with_files(config.load(preset, overrides))
    elif overrides:
        settings = config.resolve(config.merged(stored.model_dump(mode="json"), overrides))
    else:
        settings = stored
    config.require_resumable(begun, settings, str(run_dir))
    return Prepared(settings, run_dir, resumed=True)


def execute(prepared: Prepared, *, ui: bool = False, quiet: bool = False, as_json: bool = False) -> int:
    """Play the run. Returns the exit code: 0 complete, 130 stopped by Ctrl-C.

    Raises:
        TaskspaceError: it cannot start or go on; summary and report are written if anything was stored.
    """
    settings, run_dir = prepared.settings, prepared.run_dir
    model_path = preflight.model_folder(settings.model, quiet)
    preflight.fetch_embedder(settings, quiet)
    preflight.check(settings, run_dir.parent, model_path, prepared.resumed)
    trackers.require(settings.tracking)
    with _claimed(prepared), contextlib.ExitStack() as stack:
        progress = stack.enter_context(RunProgress(settings, quiet=quiet))
        for line in (f"run {run_dir}", preflight.unused_cores(settings, cores())):
            progress.say(line) if line and not quiet else None
        if ui:
            url = stack.enter_context(_screen(run_dir))
            progress.say(f"watch it at {url}")
        tracking = stack.enter_context(LiveTracking(settings, run_dir, progress.say))
        peak = stack.enter_context(PeakMemory())

        def notify(kind: str, facts: dict[str, Any]) -> None:
            progress.notify(kind, facts)
            tracking.notify(kind, facts)

        complete = tracking.complete = _play(prepared, model_path, progress, notify, peak)
    result = summary.load(run_dir)
    print(json.dumps(result) if as_json else headline(result, run_dir, quiet))
    for line in lengths.warnings(result.get("answers_cut", {}), settings):
        print(f"taskspace: {line}", file=sys.stderr)
    if not complete:
        print(f"taskspace: stopped; go on with: taskspace run --resume {run_dir}", file=sys.stderr)
    return 0 if complete else INTERRUPTED


def headline(result: dict[str, Any], run_dir: Path, quiet: bool = False) -> str:
    """What a run came to, for people."""
    before, after = percent(result["closed_book_before"]), percent(result["closed_book_after"])
    first = f"{result['run_id']}: closed book {before} -> {after}"
    if quiet:
        return first
    noise = result["proposal_noise"]
    rejected = ", ".join(f"{k} {n}" for k, n in result["proposals_rejected_by_reason"].items()) or "none"
    return "\n".join(
        [
            first + f"  (open book, before: {percent(result['open_book_before'])})",
            f"  {result['rounds']} rounds, {result['seconds']:.0f} s, "
            f"peak memory {result['peak_memory_mb']:.0f} MB",
            f"  proposals: {result['proposals']}, of which {result['proposed_tasks']} stand; "
            f"rejected: {rejected}",
            f"  noise: {noise['wrong']} of {noise['known']} accepted references differ from the truth",
            f"  attempts: {result['attempts']}, verified {result['verified']}, "
            f"infrastructure errors {result['infra_errors']}",
            f"  report: {run_dir / 'report.html'}",
        ]
    )


def _play(
    prepared: Prepared,
    model_path: Path,
    progress: RunProgress,
    notify: Callable[[str, dict[str, Any]], None],
    peak: PeakMemory,
) -> bool:
    from actors.arena import Arena

    settings, run_dir = prepared.settings, prepared.run_dir
    # Workers of a cluster have working directories of their own.
    arena = Arena(settings, run_dir.absolute(), model_path.absolute(), notify)
    started = time.monotonic()
    error: str | None = None
    complete = False

    def conclude() -> None:
        if (run_dir / "run.db").is_file():
            try:
                write_results(run_dir, complete, time.monotonic() - started, peak.mb, error)
            except OSError as failure:
                if error is None:  # otherwise the run's own failure is what has to be said
                    raise StoreError(
                        f"run folder {run_dir}: its summary and report could not be written "
                        f"({failure.strerror}); the run itself is kept, see `taskspace report`"
                    ) from None

    with _interrupts(arena, progress, run_dir, conclude):
        try:
            complete = arena.run()
        except TaskspaceError as failure:
            error = " ".join(str(failure).split())
            raise
        finally:
            conclude()
    return complete


def write_results(run_dir: Path, finished: bool, seconds: float, peak_mb: float, error: str | None) -> None:
    """`summary.json` and `report.html` of a run folder, from its store."""
    from experiments import report

    result = summary.build(run_dir, finished=finished, seconds=seconds, peak_memory_mb=peak_mb, error=error)
    summary.save(result, run_dir)
    report.write(report.build([run_dir], audited=finished), run_dir / "report.html")


@contextlib.contextmanager
def _claimed(prepared: Prepared) -> Iterator[None]:
    """The run folder with its config; a new folder in which nothing was stored is taken away again.

    The store holds the lock for good. Looking at it here keeps a second process from writing a config or
    a summary into a run that is being played.
    """
    from memory.opening import FolderLock

    run_dir = prepared.run_dir
    made = [folder for folder in (run_dir, run_dir.parent) if not folder.exists()]
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        FolderLock(run_dir).release()
        config.save(prepared.settings, run_dir / "config.yaml")
    except OSError as error:
        raise StoreError(f"run folder {run_dir}: {error.strerror}; choose another with --runs") from None
    try:
        yield
    finally:
        if run_dir in made and not (run_dir / "run.db").exists():
            for name in ("config.yaml", "run.lock"):
                (run_dir / name).unlink(missing_ok=True)
            for folder in made:
                with contextlib.suppress(OSError):  # something else is in it: then it stays
                    folder.rmdir()


@contextlib.contextmanager
def _screen(run_dir: Path) -> Iterator[str]:
    """The screen beside a run, on a free port; gives its address and ends with the run."""
    from ui import launch

    process = launch.start(run_dir.parent, headless=not sys.stderr.isatty(), run=run_dir.name)
    try:
        yield launch.url(process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextlib.contextmanager
def _interrupts(
    arena: Any, progress: RunProgress, run_dir: Path, conclude: Callable[[], None]
) -> Iterator[None]:
    """Ctrl-C (or SIGTERM) once: finish the batch. Twice: end every process now, then write the results."""
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            arena.request_stop()
            progress.say("finishing the batch, then stopping; Ctrl-C again stops now")
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _kill_descendants()
        conclude()
        progress.say(f"stopped now; go on with: taskspace run --resume {run_dir}")
        os._exit(INTERRUPTED)

    # SIGTERM is how a submitted job, a pod or a SLURM step is told that its time is up.
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill_descendants() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
