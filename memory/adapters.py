"""Adapter folders (LoRA in peft's format), and whole Hugging Face folders made from a model and an adapter.

    adapter_config.json          rank, alpha, and the name of the model that it belongs to
    adapter_model.safetensors    two small matrices for each adapted weight: A [r, in] and B [out, r]

    W' = W + alpha / r * B A, computed in float32 and rounded once to what W is kept in

It is always computed from the weights as they came, so nothing adds up from one version to the next.
Does not cover: how adapters are learned (`actors.learning.lora`), other kinds than plain LoRA.
"""

import contextlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.checkpoints import weights_checksum
from protocols.errors import ArtefactError

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # peft's, before a module's own name
_PLAIN = {
    "peft_type": "LORA",
    "bias": "none",
    "use_dora": False,
    "use_rslora": False,
    "fan_in_fan_out": False,
}


@dataclass(frozen=True)
class Delta:
    """What an adapter adds to one weight."""

    scale: float
    b: "torch.Tensor"  # [out, r]
    a: "torch.Tensor"  # [r, in]

    def added_to(self, weight: "torch.Tensor") -> "torch.Tensor":
        """[out, in], in the weight's dtype."""
        b, a = (half.to(weight.device).float() for half in (self.b, self.a))
        return (weight.float() + self.scale * (b @ a)).to(weight.dtype)


def is_adapter(folder: Path) -> bool:
    return (Path(folder) / CONFIG).is_file()


def read_deltas(folder: Path) -> dict[str, Delta]:
    """By the name of the weight that each is added to.

    Raises:
        ArtefactError: the folder holds no plain LoRA adapter, or half of one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_bytes())
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ArtefactError(f"Adapter {folder} cannot be read: {error}") from error
    for key, plain in _PLAIN.items():
        if config.get(key, plain) != plain:
            raise ArtefactError(
                f"Adapter {folder}: {key} is {config[key]!r} in {CONFIG}; only plain LoRA is known"
            )
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise ArtefactError(
            f"Adapter {folder}: it has ranks of its own for some modules; only one rank is known"
        )
    scale = config["lora_alpha"] / config["r"]
    deltas = {}
    for name in [name for name in tensors if name.endswith(".lora_A.weight")]:
        module = name.removesuffix(".lora_A.weight")
        if (b := tensors.pop(f"{module}.lora_B.weight", None)) is None:
            raise ArtefactError(f"Adapter {folder}: {module} has no lora_B in {WEIGHTS}")
        deltas[f"{module.removeprefix(PREFIX)}.weight"] = Delta(scale, b, tensors.pop(name))
    if tensors:
        raise ArtefactError(f"Adapter {folder}: {min(tensors)} in {WEIGHTS} is no part of plain LoRA")
    return deltas


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write a whole Hugging Face folder: the base's files, with the adapter in its weights.

    Args:
        out: a folder that is there, and empty.

    Raises:
        ArtefactError: they do not belong together.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    deltas = read_deltas(adapter)
    copy_beside(base, out)
    copy_beside(adapter, out)
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            kept = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
            metadata = tensors.metadata()
        for name in kept.keys() & deltas.keys():
            kept[name] = deltas.pop(name).added_to(kept[name])
        save_file(kept, out / file.name, metadata=metadata)
    if deltas:
        raise ArtefactError(
            f"Adapter {adapter} does not belong to the model in {base}: it has no {min(deltas)}"
        )


def whole(base: Path, version: Path, root: Path) -> Path:
    """A folder with whole weights for a version's: its own, or where it holds an adapter one made in `root`.

    It is made once for the same adapter, whole or not at all, and can be removed at any time.

    Raises:
        ArtefactError: base and adapter do not belong together.
    """
    if not is_adapter(version):
        return version
    made = root / f"{version.name}-{weights_checksum(version)[:8]}"
    if not made.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=root) as scratch:
            draft = Path(scratch) / "merged"
            draft.mkdir()
            merge(base, version, draft)
            with contextlib.suppress(FileExistsError, NotADirectoryError):  # somebody else was faster
                draft.rename(made)
    return made


def copy_beside(folder: Path, out: Path) -> None:
    """What lies beside the weights: configuration, tokenizer, chat template."""
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix not in (".safetensors", ".bin") and file.name not in _NOT_A_MODELS:
            shutil.copyfile(file, out / file.name)


_NOT_A_MODELS = {CONFIG, "update.json", "manifest.json"}
