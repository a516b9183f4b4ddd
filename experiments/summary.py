"""`summary.json`: what a run came to, read back from its store.

Everything that the store knows is counted there and not while the run goes on, so that a summary of a run
that was killed and resumed says the same as one of a run that was not.
"""

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

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
    from memory.reader import RunReader

    earlier = load(run_dir)
    reader = RunReader(run_dir / "run.db")
    config, facts = reader.config(), reader.facts()
    return {
        "run_id": run_dir.name,
        "preset": config["preset"],
        "model": config["model"]["name"],
        "seed": config["seed"],
        "recipe": config["learner"]["recipe"],
        "engine": config["engine"]["kind"],
        "runtime": facts.get("runtime", config["runtime"]["kind"]),
        "finished": finished,
        "error": error,
        "seconds": round(seconds + float(earlier.get("seconds", 0.0)), 1),
        "peak_memory_mb": round(max(peak_memory_mb, float(earlier.get("peak_memory_mb", 0.0))), 1),
        **_counts(reader),
        **_accuracy(reader),
        "sandbox": facts.get("sandbox", []),
        "versions": versions(),
        "machine": machine(),
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
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _counts(reader: Any) -> dict[str, Any]:
    one = reader.rows
    groups = one(
        "SELECT purpose, sum(attempts) AS attempts, sum(verified) AS verified, sum(infra_errors) AS infra,"
        " sum(tokens) AS tokens FROM groups GROUP BY purpose"
    )
    by_purpose = {row["purpose"]: row for row in groups}
    collect = by_purpose.get("collect", {"attempts": 0, "verified": 0})
    tasks = one(
        "SELECT count(*) AS n, coalesce(sum(origin = 'proposed'), 0) AS proposed FROM tasks"
        " WHERE status = 'active'"
    )[0]
    reasons = one("SELECT reason, count(*) AS n FROM proposals WHERE reason IS NOT NULL GROUP BY reason")
    truth = one(
        "SELECT count(*) AS known, coalesce(sum(truth_agrees = 0), 0) AS wrong FROM tasks"
        " WHERE origin = 'proposed' AND status = 'active' AND truth_agrees IS NOT NULL"
    )[0]
    return {
        "rounds": one("SELECT count(*) AS n FROM rounds WHERE finished IS NOT NULL AND round > 0")[0]["n"],
        "tasks": tasks["n"],
        "proposals": one("SELECT count(*) AS n FROM proposals")[0]["n"],
        "proposed_tasks": tasks["proposed"],
        "proposals_rejected": sum(row["n"] for row in reasons),
        "proposals_rejected_by_reason": {row["reason"]: row["n"] for row in reasons},
        "proposal_noise": {
            "known": truth["known"],
            "wrong": truth["wrong"],
            "share": truth["wrong"] / truth["known"] if truth["known"] else None,
        },
        "attempts": collect["attempts"],
        "verified": collect["verified"],
        "evaluation_attempts": by_purpose.get("evaluate", {"attempts": 0})["attempts"],
        "tokens_generated": sum(row["tokens"] for row in groups),
        "tokens_trained": one("SELECT coalesce(sum(tokens), 0) AS n FROM updates")[0]["n"],
        "policy_version": one("SELECT coalesce(max(version), 0) AS n FROM updates")[0]["n"],
        "infra_errors": sum(row["infra"] for row in groups),
    }


def _accuracy(reader: Any) -> dict[str, float | None]:
    rows = reader.rows(
        "SELECT round, book, accuracy FROM evaluations WHERE split = 'test' ORDER BY round, seq"
    )
    closed = [row for row in rows if row["book"] == "closed"]
    opened = [row for row in rows if row["book"] == "open" and row["round"] == 0]
    return {
        "closed_book_before": closed[0]["accuracy"] if closed and closed[0]["round"] == 0 else None,
        "closed_book_after": closed[-1]["accuracy"] if closed and closed[-1]["round"] > 0 else None,
        "open_book_before": opened[0]["accuracy"] if opened else None,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
