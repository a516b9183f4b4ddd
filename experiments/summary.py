"""`summary.json`: what a run came to, read back from its store.

Everything that the store knows is counted there and not while the run goes on, so that a summary of a run
that was killed and resumed says the same as one of a run that was not.
"""

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from experiments import config, lengths
from memory.reader import RunReader
from protocols.cores import usable_cores
from protocols.domain import make_domain
from protocols.errors import TaskspaceError
from protocols.settings import RunSettings

PACKAGES = ("ray", "torch", "transformers", "vllm", "numpy", "networkx", "sqlite-utils", "streamlit")


def build(
    run_dir: Path, *, finished: bool, seconds: float, peak_memory_mb: float, error: str | None = None
) -> dict[str, Any]:
    """The summary of a run folder that holds a `run.db`.

    Args:
        finished: all rounds were played.
        seconds: spent in this process; what earlier summaries of the run say is added.
        peak_memory_mb: of all processes together; the larger one of this and earlier ones counts.
        error: the line the run ended with.

    Raises:
        StoreError: the database cannot be read.
    """
    earlier = load(run_dir)
    with RunReader(run_dir / "run.db") as reader:
        settings, facts = config.resolve(reader.config()), reader.facts()
        counts, accuracy = _counts(reader), _accuracy(reader)
    return {
        "run_id": run_dir.resolve().name,
        "preset": settings.preset,
        "model": settings.model.name,
        "seed": settings.seed,
        "recipe": settings.learner.recipe,
        "engine": facts.get("engine", settings.engine.kind),
        "runtime": facts.get("runtime", settings.runtime.kind),
        "finished": finished,
        "error": error,
        "seconds": round(seconds + float(earlier.get("seconds", 0.0)), 1),
        "peak_memory_mb": round(max(peak_memory_mb, float(earlier.get("peak_memory_mb", 0.0))), 1),
        **accuracy,
        **counts,
        "notices": notices(settings),
        "sandbox": _layers(facts.get("sandbox", [])),
        "versions": versions(),
        "machine": machine(),
        **({"branched_from": facts["branched_from"]} if "branched_from" in facts else {}),
    }


def save(summary: dict[str, Any], run_dir: Path) -> Path:
    """Write it in one step: readers never see half a file."""
    path = run_dir / "summary.json"
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def load(run_dir: Path) -> dict[str, Any]:
    """The summary that is there, or {}."""
    try:
        found = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def versions() -> dict[str, str]:
    """Installed versions of what a result may depend on."""
    found = {"taskspace": _version("taskspace"), "python": platform.python_version()}
    return found | {name: v for name in PACKAGES if (v := _version(name)) != "missing"}


def machine() -> dict[str, Any]:
    """Cores this process may use, kind of processor, kernel."""
    return {
        "cores": usable_cores(),
        "processor": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _counts(reader: RunReader) -> dict[str, Any]:
    found = reader.overview()
    crowded = reader.rows(
        "SELECT count(DISTINCT group_id) AS groups, count(infra_error) AS attempts FROM attempts"
        " WHERE finish = 'no_room'"
    )[0]
    wrong, known = found["references_wrong"], found["references_wrong"] + found["references_right"]
    same = ("tasks", "proposals", "proposed_tasks", "proposals_rejected", "attempts", "verified")
    more = ("groups_resampled", "evaluation_attempts", "tokens_generated", "tokens_trained", "policy_version")
    return {
        "rounds": found["rounds_finished"],
        **{name: found[name] for name in (*same, *more)},
        "proposals_rejected_by_reason": reader.rejections(),
        # Accepted references that differ from what the real library says, where it says anything.
        "proposal_noise": {"known": known, "wrong": wrong, "share": wrong / known if known else None},
        "infra_errors": found["infra_errors"] + found["evaluation_infra_errors"] - crowded["attempts"],
        "prompts_without_room": crowded["groups"],
        "answers_cut": {purpose: list(found) for purpose, found in lengths.cut_of(reader).items()},
    }


def _accuracy(reader: RunReader) -> dict[str, float | None]:
    rows = [row for row in reader.evaluations() if row["split"] == "test"]
    closed = [row for row in rows if row["book"] == "closed"]
    opened = [row for row in rows if row["book"] == "open" and row["round"] == 0]
    return {
        "closed_book_before": closed[0]["accuracy"] if closed and closed[0]["round"] == 0 else None,
        "closed_book_after": closed[-1]["accuracy"] if closed and closed[-1]["round"] > 0 else None,
        "open_book_before": opened[0]["accuracy"] if opened else None,
    }


def notices(settings: RunSettings) -> list[str]:
    """What the domain has to say about files of the user's: rows passed over or marked, with counts."""
    if not settings.zwc.files:
        return []
    try:
        return list(make_domain(settings).notices)
    except TaskspaceError as error:  # the files are gone since: the run's own figures are still there
        return [str(error)]


def _layers(found: Any) -> list[dict[str, str]]:
    if isinstance(found, dict):
        found = [{"name": name, "state": state} for name, state in found.items()]
    return [{"name": "", "state": "", "reason": "", **layer} for layer in found]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
