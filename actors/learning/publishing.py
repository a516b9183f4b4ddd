"""Versions on disk: what a learner writes when an update is done, and reads to go on from it.

With several ranks each writes its shard of the state, and the first one everything else; the folder gets its
name when all of it is there (`memory.checkpoints`). All ranks have to see the run folder.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
from transformers import AutoModelForCausalLM

from actors.learning import states
from actors.learning.lora import write_adapters
from actors.learning.policy import Policy, quiet
from actors.learning.ranks import Ranks
from actors.learning.sharding import local, whole
from memory import checkpoints
from protocols.errors import TaskspaceError
from protocols.records import Update

_UPDATE = "update.json"  # beside the weights: it outlives the pruned state


def published(run_dir: Path, version: int) -> Update | None:
    """The update that made a version which is whole on disk; None if there is none."""
    record = checkpoints.path_of(run_dir, version) / _UPDATE
    return msgspec.json.decode(record.read_bytes(), type=Update) if record.is_file() else None


def publish(
    run_dir: Path,
    update: Update,
    policy: Policy,
    adapters: Any,
    tokenizer: Any,
    optimiser: states.Optimiser,
    plain: dict[str, Any],
    dtype: torch.dtype,
    ranks: Ranks,
) -> Update:
    """Write a version's folder; every rank calls it.

    Args:
        adapters: peft's configuration, where adapters are learned instead of weights.
        plain: counters and whatever else the learner goes on from.
        dtype: of the weights that are written.

    Returns:
        on the first rank the update with the checksum of what was written.

    Raises:
        TaskspaceError: the disk is too full, or a weight is not finite.
    """
    _require_finite(policy, update.version, ranks)
    sizes = [p.numel() for p in policy.parameters() if p.requires_grad or adapters is None]
    learned = sum(p.numel() for p in policy.parameters() if p.requires_grad)
    needed = 12 * learned + dtype.itemsize * sum(sizes)
    with _together(run_dir, update.version, needed, ranks) as folder:
        states.write(optimiser, folder / checkpoints.STATE)
        weights = _weights(policy, dtype, ranks, trained_only=adapters is not None)
        if ranks.first:
            _write_weights(folder, policy, weights, adapters)
            tokenizer.save_pretrained(folder)
            (folder / checkpoints.STATE / checkpoints.PLAIN).write_bytes(msgspec.json.encode(plain))
            update = msgspec.structs.replace(update, checksum=checkpoints.weights_checksum(folder))
            (folder / _UPDATE).write_bytes(msgspec.json.encode(update))
    return update


def _require_finite(policy: Policy, version: int, ranks: Ranks) -> None:
    broken = [
        name
        for name, parameter in policy.model.named_parameters()
        if parameter.requires_grad and not bool(torch.isfinite(local(parameter.detach())).all())
    ]
    (count,) = ranks.total([float(len(broken))])  # all ranks raise, or none
    if count:
        raise TaskspaceError(
            f"Weights of version {version} are not finite ({', '.join(broken[:1]) or 'of another rank'}) and "
            "not published; lower learner.learning_rate, and go on with --resume."
        )


def read_plain(run_dir: Path, version: int) -> tuple[Path, dict[str, Any]]:
    """A version's `state/` folder and what stands in its `plain.json`.

    Raises:
        TaskspaceError: there is no such checkpoint, or its state was pruned.
    """
    folder = checkpoints.path_of(run_dir, version)
    state = folder / checkpoints.STATE
    if not state.is_dir():
        stated = [v for v in checkpoints.versions(run_dir) if checkpoints.has_state(run_dir, v)]
        raise TaskspaceError(
            f"Cannot resume from version {version}: no learner state in {folder}; "
            f"versions with one: {', '.join(map(str, stated)) or 'none'}."
        )
    return state, msgspec.json.decode((state / checkpoints.PLAIN).read_bytes())


@contextlib.contextmanager
def _together(run_dir: Path, version: int, needed: int, ranks: Ranks) -> Iterator[Path]:
    """`checkpoints.publishing`, by the first rank for all of them."""
    if ranks.first:
        with checkpoints.publishing(run_dir, version, needed) as folder:
            (folder / checkpoints.STATE).mkdir()
            ranks.meet()
            yield folder
            ranks.meet()
    else:
        ranks.meet()
        yield checkpoints.draft_of(run_dir, version)
        ranks.meet()
    ranks.meet()  # nobody goes on before the folder has its name


def _weights(
    policy: Policy, dtype: torch.dtype, ranks: Ranks, trained_only: bool
) -> dict[str, torch.Tensor] | None:
    """The model's parameters by name, tied ones once; None where they are not sharded, and the model itself
    can be written. One after the other becomes whole, and only the first rank keeps it."""
    if ranks.size == 1 and not trained_only:
        return None
    kept: dict[str, torch.Tensor] = {}
    for name, parameter in policy.model.named_parameters():
        if parameter.requires_grad or not trained_only:
            tensor = whole(parameter.detach())
            if ranks.first:
                kept[name] = tensor.to("cpu", dtype, copy=True)
    return kept


def _write_weights(
    folder: Path, policy: Policy, weights: dict[str, torch.Tensor] | None, adapters: Any
) -> None:
    model = policy.model
    if adapters is not None:
        write_adapters(folder, adapters, weights or {})
        return
    with quiet():
        if weights is None:
            model.save_pretrained(folder)
            return
        dtype = next(iter(weights.values())).dtype
        with torch.device("meta"):  # a model without shards, to write the configuration that goes with it
            shell = AutoModelForCausalLM.from_config(model.config, dtype=dtype, trust_remote_code=False)
        shell.generation_config = model.generation_config
        shell.save_pretrained(folder, state_dict=weights)
