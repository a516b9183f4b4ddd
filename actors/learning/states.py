"""The state that a learner goes on from, in files: master weights and AdamW's moments, by parameter name.

    state/plain.json    counters, seed, the shape of every parameter
    state/tensors.pt    written by one process: long flat vectors, as `mixed` keeps them
    state/shards/       written by several: torch.distributed.checkpoint, one file a rank

Both hold the same, so that any number of processes reads what any other number wrote:
`master.NAME`, `exp_avg.NAME` and `exp_avg_sq.NAME` for each parameter, and one `step`.
"""

import math
import pickle
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.tensor import DTensor, distribute_tensor

from actors.learning.mixed import MixedAdamW
from actors.learning.sharding import ShardedAdamW
from protocols.errors import TaskspaceError

FLAT = "tensors.pt"  # torch's own format streams from memory; safetensors would copy everything first
SHARDS = "shards"
_METADATA = ".metadata"  # torch's index of its shards, a pickle
_INDEX_NAMES = {
    "torch": "Size float32 bfloat16 int64 strided",
    "torch.serialization": "_get_layout",
    "torch.distributed.checkpoint.metadata": "Metadata ChunkStorageMetadata TensorStorageMetadata"
    " TensorProperties BytesStorageMetadata StorageMeta MetadataIndex _MEM_FORMAT_ENCODING",
    "torch.distributed.checkpoint.filesystem": "_StorageInfo",
    "pathlib": "PosixPath",
    "collections": "OrderedDict",
}

Optimiser = MixedAdamW | ShardedAdamW


def write(optimiser: Optimiser, folder: Path) -> None:
    """Into a folder that is there. With shards every rank calls it, and each writes its own."""
    if isinstance(optimiser, ShardedAdamW):
        dcp.save(dict(optimiser.state_dict()), checkpoint_id=folder / SHARDS)
    else:
        _save(optimiser.state_dict(), folder / FLAT)


def read(optimiser: Optimiser, folder: Path, shapes: dict[str, list[int]]) -> None:
    """Go on from a folder's state.

    Args:
        shapes: of its parameters in their order, from `plain.json`; they fit the optimiser's.

    Raises:
        TaskspaceError: it cannot be read, or holds more than tensors.
    """
    try:
        _read(optimiser, folder, shapes)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise TaskspaceError(
            f"{folder}: the learner's state cannot be read ({why}); restore a copy, or start a new run from "
            "its weights (model.name)"
        ) from None


def _read(optimiser: Optimiser, folder: Path, shapes: dict[str, list[int]]) -> None:
    if not (folder / FLAT).is_file():
        _read_shards(optimiser, folder / SHARDS)
        return
    flat = torch.load(folder / FLAT, map_location="cpu", mmap=True, weights_only=True)
    if isinstance(optimiser, MixedAdamW):
        optimiser.load_state_dict(flat)
        return
    found = by_name(flat, shapes)
    targets = optimiser.blank_state(stepped="step" in found)
    with torch.no_grad():
        for name, target in targets.items():
            if isinstance(target, DTensor):
                source = found[name].to(target.device)
                target.copy_(
                    distribute_tensor(source, target.device_mesh, target.placements, src_data_rank=None)
                )
            else:
                target.copy_(found[name])
    optimiser.accept(targets)


def _read_shards(optimiser: Optimiser, folder: Path) -> None:
    with (folder / _METADATA).open("rb") as file:
        _Metadata(file).load()  # torch reads it next, and would run whatever it names
    stored = dcp.FileSystemReader(folder).read_metadata().state_dict_metadata
    targets = optimiser.blank_state(stepped="step" in stored)
    dcp.load(targets, checkpoint_id=folder, no_dist=isinstance(optimiser, MixedAdamW))
    optimiser.accept(targets)


class _Metadata(pickle.Unpickler):
    """Refuses what the index of a distributed checkpoint does not need."""

    def find_class(self, module: str, name: str) -> Any:
        if name in _INDEX_NAMES.get(module, "").split():
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of an index")


def by_name(flat: dict[str, torch.Tensor], shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """Views of flat vectors, which hold matrices first and then what has fewer dimensions, each in order."""
    matrices = {name: shape for name, shape in shapes.items() if len(shape) > 1}
    vectors = {name: shape for name, shape in shapes.items() if len(shape) <= 1}
    found: dict[str, torch.Tensor] = {}
    for index, group in enumerate(each for each in (matrices, vectors) if each):
        for key in ("master", "exp_avg", "exp_avg_sq"):
            if f"{key}.{index}" not in flat:
                continue
            pieces = flat[f"{key}.{index}"].split([math.prod(shape) for shape in group.values()])
            found |= {f"{key}.{name}": piece.view(group[name]) for name, piece in zip(group, pieces)}
        if f"step.{index}" in flat:
            found["step"] = flat[f"step.{index}"]
    return found


def _save(tensors: dict[str, torch.Tensor], file: Path) -> None:
    """Without check sums: nothing reads them where the file is mapped, and computing them takes several times
    as long as writing."""
    before: Any = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(tensors, file)
    finally:
        torch.serialization.set_crc32_options(before)
