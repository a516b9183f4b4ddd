"""The reference of the divergence that moves: every so many updates a step towards the policy.

    theta_ref <- (1 - alpha) theta_ref + alpha theta        after every M-th update

Source: ExIt (arXiv 2509.04575), page 15 and Tables 4 to 6 (M = 100, alpha 1 or 0.5); it is the rule that TRL
documents for `ref_model_mixup_alpha`. The newest reference is a folder of the run: a run that goes on has it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from actors.learning.ranks import Ranks
from actors.learning.sharding import whole

_ALONE = Ranks()
_FOLDER = "reference"
_DRAFT = ".unfinished-"


def reference_folder(
    run_dir: Path,
    base: Path,
    version: int,
    every: int,
    alpha: float,
    read: Callable[[Path], Any],
    policy: Any,
    ranks: Ranks = _ALONE,
) -> Path:
    """The weights that the update after `version` measures its divergence from.

    Written once, before the first update that needs it, from the policy as it is then: its version has to be
    `version`. What belongs to a later version, from before a run went back, is passed over.

    Args:
        base: the model as it came, which is the reference at first.
        read: loads a folder's model.
        ranks: all of them call it, and the first one writes.
    """
    if not every or version < every:
        return base
    root = run_dir / _FOLDER
    due = version - version % every
    folder = root / f"{due:06d}"
    if folder.is_dir():
        return folder
    if due != version:  # it was due before, and is gone
        known = [one for one in _versions(root) if one <= version]
        return root / f"{max(known):06d}" if known else base
    known = [one for one in _versions(root) if one < due]
    ranks.meet()  # all have seen that it is not there
    model = read(root / f"{max(known):06d}" if known else base)
    with torch.no_grad():
        newest = dict(policy.named_parameters())
        for name, parameter in model.named_parameters():
            parameter.lerp_(whole(newest[name].detach()).to(parameter.device, parameter.dtype), alpha)
    if ranks.first:
        _write(model, folder, known)
    ranks.meet()
    return folder


def _write(model: Any, folder: Path, known: list[int]) -> None:
    """Whole or not at all; what it replaces is removed."""
    root = folder.parent
    draft = root / f"{_DRAFT}{folder.name}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    model.save_pretrained(draft)
    draft.rename(folder)
    for older in known:
        shutil.rmtree(root / f"{older:06d}", ignore_errors=True)


def _versions(root: Path) -> list[int]:
    return [int(path.name) for path in root.glob("[0-9]*") if path.is_dir()]
