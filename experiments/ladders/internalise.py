"""Does a model keep what it read? Recipes over seeds, closed book before and after.

The laptop's version of rows of SE-Bench's Table 2 (arXiv 2602.04811). Every run is a run folder like any
other; one that is complete is not played again, one that was stopped goes on.
Does not cover: significance tests between ladders.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import runs, summary
from experiments.metrics import bootstrap
from protocols.errors import TaskspaceError
from protocols.recipes import recipe

#: Mean accuracy over 5 rollouts on single-function tasks, Qwen3-8B, closed book; SE-Bench, Table 2.
PUBLISHED = {"closed-sft": 0.396, "open-sft": 0.0, "closed-rl": 0.0, "open-rl": 0.0}


def play(
    preset: str,
    recipes: Sequence[str],
    seeds: Sequence[int],
    overrides: list[str],
    runs_dir: Path,
    quiet: bool,
) -> list[dict[str, Any]]:
    """Summaries of all runs, in the order of recipes, then seeds.

    Raises:
        TaskspaceError: a run failed or was stopped; the others are kept, and the ladder goes on from there.
    """
    found = []
    for name in [recipe(r).name for r in recipes]:
        for seed in seeds:
            run_dir = runs_dir / f"{preset}-{name}-seed{seed}"
            if not summary.load(run_dir).get("finished"):
                settings = [*overrides, f"learner.recipe={name}", f"seed={seed}"]
                if (run_dir / "run.db").is_file():
                    prepared = runs.resume(run_dir, preset, settings)
                else:
                    prepared = runs.prepare(preset, settings, runs_dir, run_dir.name)
                if runs.execute(prepared, quiet=quiet):
                    raise TaskspaceError(f"ladder: stopped in {run_dir}; the same command goes on from there")
            found.append(summary.load(run_dir))
    return found


def table(summaries: Sequence[dict[str, Any]]) -> str:
    """Markdown: a row for each run, then a row for each recipe with mean and 95 % bootstrap interval."""
    lines = [
        "| recipe | seed | closed before | closed after | open before | proposals | stand | wrong references "
        "| attempts | verified | tokens learned | seconds | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for s in summaries:
        noise = s["proposal_noise"]
        cells = [
            s["recipe"],
            s["seed"],
            *(share(s.get(k)) for k in ("closed_book_before", "closed_book_after", "open_book_before")),
            s["proposals"],
            s["proposed_tasks"],
            f"{noise['wrong']} of {noise['known']}",
            s["attempts"],
            s["verified"],
            s["tokens_trained"],
            f"{s['seconds']:.0f}",
            f"{s['peak_memory_mb']:.0f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| recipe | closed book after, mean | 95 % interval over seeds | SE-Bench, Qwen3-8B |"]
    lines.append("|---|---|---|---|")
    for name in dict.fromkeys(s["recipe"] for s in summaries):
        told = [s.get("closed_book_after") for s in summaries if s["recipe"] == name]
        values = [value for value in told if value is not None]  # a run may have measured nothing
        low, high = bootstrap(values) if values else (None, None)
        mean = sum(values) / len(values) if values else None
        lines.append(
            f"| {name} | {share(mean)} | {share(low)} to {share(high)} | {share(PUBLISHED.get(name))} |"
        )
    return "\n".join(lines)


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
