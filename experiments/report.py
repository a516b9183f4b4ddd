"""Reports: one run or several, read once, told as one `Report`, and written as HTML, Markdown or LaTeX.

Model output is escaped and its control characters are written out. Does not cover: the task space and
single plays in full (the screen and `taskspace replay` show those).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.outputs import writing
from experiments.reports import caveats, comparison, html, latex, learning, markdown
from experiments.reports.document import Report
from experiments.reports.reading import EPISODES, RunData, read
from protocols.errors import SettingError

RENDERERS: dict[str, Callable[[Report], str]] = {
    "html": html.render,
    "markdown": markdown.render,
    "latex": latex.render,
}


def build(run_dirs: Sequence[Path], *, audited: bool = True) -> Report:
    """The report of run folders; with several, the others are compared with the first.

    Args:
        audited: look through every prompt and reward, as `taskspace audit` does.

    Raises:
        SettingError: no folder, or one of them twice.
        StoreError: a database cannot be read.
    """
    if not run_dirs:
        raise SettingError("report: no run; name one, or several to compare")
    twice = [folder for folder, n in Counter(f.resolve() for f in run_dirs).items() if n > 1]
    if twice:
        raise SettingError(f"report: {twice[0].name} is named twice; name each run once")
    plays = EPISODES if len(run_dirs) == 1 else 0  # of several runs, the curves and tables are enough
    names = _names(run_dirs)
    return tell([read(d, name, audited=audited, episodes=plays) for d, name in zip(run_dirs, names)])


def tell(runs: Sequence[RunData]) -> Report:
    """The report of what was read."""
    first = runs[0].summary
    sections = [
        comparison.runs_section(runs),
        *comparison.sections(runs),
        *learning.sections(runs),
        *([learning.episodes(runs)] if len(runs) == 1 else []),
        caveats.section(runs),
        caveats.audits(runs),
        caveats.machine(runs),
        caveats.settings(runs),
    ]
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} runs: {', '.join(run.name for run in runs)}"
    lines = [f"{first['model']}, preset {first['preset']}, recipe {first['recipe']}, seed {first['seed']}"]
    if len(runs) == 1 and not first["finished"]:
        lines.append("This run is not finished.")
    if len(runs) == 1 and first.get("error"):
        lines.append(first["error"])
    return Report(
        title=title,
        lines=tuple(lines) if len(runs) == 1 else (),
        figures=_figures(runs[0]) if len(runs) == 1 else (),
        sections=tuple(sections),
    )


def write(report: Report, path: Path, kind: str = "html") -> Path:
    """Write it in one step: readers never see half a file. Folders above it are made.

    Raises:
        SettingError: the path is a folder, or cannot be written.
    """
    text = RENDERERS[kind](report)
    with writing(path, "report") as file:
        file.write(text)
    return path


def _names(folders: Sequence[Path]) -> list[str]:
    """A name for each folder: its own, or with those above it where others have the same."""
    resolved = [folder.resolve() for folder in folders]
    depth = 1
    while depth < 8 and len({folder.parts[-depth:] for folder in resolved}) < len(resolved):
        depth += 1
    return [str(Path(*folder.parts[-depth:])) for folder in resolved]


def _figures(run: RunData) -> tuple[tuple[str, str], ...]:
    s = run.summary
    shares = [
        (s["closed_book_before"], "closed book, before"),
        (s["closed_book_after"], "closed book, after"),
        (s["open_book_before"], "open book, before"),
    ]
    told = [("not measured" if share is None else f"{100 * share:.1f} %", name) for share, name in shares]
    told += [(str(s["rounds"]), "rounds"), (f"{s['seconds']:.0f} s", "time")]
    told.append((f"{s['peak_memory_mb']:.0f} MB", "peak memory, all processes"))
    return tuple(told)
