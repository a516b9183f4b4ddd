"""What a ladder keeps of a complete run: a proof that it was clean, its newest weights, what was measured."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from experiments import audit, config, preflight
from memory import adapters, checkpoints
from protocols.errors import SettingError, TaskspaceError


def prove(folder: Path) -> None:
    """Audit a complete run of zwc until it is clean once, and keep the newest weights only.

    Raises:
        TaskspaceError: the audit found something; nothing is removed.
    """
    proof = folder / "audit.json"
    if proof.is_file():
        return
    if config.load_file(folder / "config.yaml").domain == "zwc":
        found = audit.audit(folder)
        if not found.clean:  # nothing is written: the next time it is found again
            raise TaskspaceError(f"ladder: {audit.text(found)}".replace("\n", "; "))
        proof.write_bytes(msgspec.json.encode(found))
    *older, newest = [checkpoints.path_of(folder, v) for v in checkpoints.versions(folder)] or [folder]
    for gone in (*older, newest / checkpoints.STATE):
        shutil.rmtree(gone, ignore_errors=True)


def newest_weights(folder: Path) -> Path:
    """The weights that a complete run ended with.

    Raises:
        SettingError: there are none.
    """
    version = checkpoints.latest(folder)
    if version is None:
        raise SettingError(
            f"{folder}: no weights there to start from; it learned nothing, or they were removed"
        )
    path = checkpoints.path_of(folder, version)
    if not adapters.is_adapter(path):
        return path
    base = preflight.model_folder(config.load_file(folder / "config.yaml").model, quiet=True)
    return adapters.whole(base, path, folder / "merged")


def write(path: Path, told: dict[str, Any]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(told, indent=1), encoding="utf-8")
    draft.replace(path)
