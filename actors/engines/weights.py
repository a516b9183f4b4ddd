"""Weights into a model that is already there, and the proof that they are the ones that were published."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from actors.engines.base import Weights
from memory.adapters import read_deltas
from memory.checkpoints import weights_checksum
from protocols.errors import ArtefactError, EngineError, TaskspaceError


def load_model(path: Path, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """A causal language model in evaluation mode, and its tokenizer.

    Raises:
        EngineError: the folder holds none that transformers can read.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # progress bars are the command line's business
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        cause = str(error).strip().partition("\n")[0][:200]
        raise EngineError(f"No causal language model to be read in {path}: {cause}") from error
    finally:
        if bars:
            logging.enable_progress_bar()
    return model.to(device).eval().requires_grad_(False), tokenizer


def check_checksum(folder: Path, checksum: str | None) -> None:
    """Raises:
    EngineError: the folder holds other weights than were published; both sides are in the message.
    """
    if checksum is None:
        return
    try:
        found = weights_checksum(folder)
    except (OSError, TaskspaceError) as error:
        raise EngineError(f"Weights in {folder} cannot be read: {error}") from error
    if found != checksum:
        raise EngineError(f"Weights in {folder} have checksum {found}, but {checksum} was published")


def replace_weights(model: Any, folder: Path, checksum: str | None) -> None:
    """Copy a folder's safetensors into the model, tensor by tensor. Nothing is touched if they do not fit.

    Raises:
        EngineError: missing or other weights than published; both sides are in the message.
    """
    from safetensors import SafetensorError, safe_open

    check_checksum(folder, checksum)
    targets = model.state_dict(keep_vars=True)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise EngineError(f"No *.safetensors in {folder}; give a Hugging Face folder with weights")
    try:
        offered: dict[str, tuple[int, ...]] = {}
        for file in files:
            with safe_open(file, framework="pt") as tensors:
                offered |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        _check_fit(folder, targets, offered)
        for file in files:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118  (not a mapping)
                    targets[name].copy_(tensors.get_tensor(name))
    except (OSError, SafetensorError) as error:
        raise EngineError(f"Weights in {folder} cannot be read: {error}") from error


@torch.no_grad()
def add_adapter(model: Any, base: Path, folder: Path, checksum: str | None) -> None:
    """The base's weights with an adapter added to them. The base is read again from its folder: what was
    loaded before leaves nothing behind, not even its rounding.

    Raises:
        EngineError: missing or other weights than published, or an adapter of another model.
    """
    check_checksum(folder, checksum)
    try:
        deltas = read_deltas(folder)
    except ArtefactError as error:
        raise EngineError(str(error)) from error
    replace_weights(model, base, None)
    targets = model.state_dict(keep_vars=True)
    for name, delta in deltas.items():
        shape = (delta.b.shape[0], delta.a.shape[1])
        if name not in targets or targets[name].shape != shape:
            there = tuple(targets[name].shape) if name in targets else "no such weight"
            raise EngineError(f"Adapter {folder} does not fit the served model: {name} {shape}, {there} here")
        targets[name].copy_(delta.added_to(targets[name]))


def _check_fit(folder: Path, targets: dict[str, torch.Tensor], offered: dict[str, tuple[int, ...]]) -> None:
    unknown = sorted(set(offered) - set(targets))
    # Tied weights are one tensor under two names; one of them is enough.
    filled = {targets[name].data_ptr() for name in offered if name in targets}
    missing = sorted(name for name, tensor in targets.items() if tensor.data_ptr() not in filled)
    shapes = [
        f"{name} {shape} instead of {tuple(targets[name].shape)}"
        for name, shape in offered.items()
        if name in targets and shape != tuple(targets[name].shape)
    ]
    for what, names in (("unknown", unknown), ("missing", missing), ("of another shape", shapes)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise EngineError(f"Weights in {folder} do not fit the served model; {what}: {names[0]}{more}")


def sequence_logprobs(model: Any, ids: tuple[int, ...]) -> list[float]:
    """Log-probability (nats) of each id after the first, given those before it. Logits in float32."""
    tokens = torch.tensor([ids], device=model.device)
    logits = model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
    return logits.log_softmax(-1).gather(-1, tokens[0, 1:, None])[:, 0].tolist()


def check_probe(
    logprobs_of: Callable[[tuple[int, ...]], Sequence[float]], weights: Weights, tolerance: float
) -> None:
    """Compare log-probabilities of the probe with those the learner computed.

    Args:
        logprobs_of: log-probability (nats) of each id after the first, as the served model has it.

    The mean over tokens is compared: single ones differ by up to 0.1 between two bfloat16 computations of
    the same weights, while other weights differ by 1 and more in the mean.

    Raises:
        EngineError: the mean difference is more than `tolerance` nats; both sides are in the message.
    """
    if not weights.probe_ids:
        return
    found = logprobs_of(weights.probe_ids)
    if len(found) != len(weights.probe_logprobs):
        raise EngineError(
            f"Weights version {weights.version}: {len(weights.probe_logprobs)} probe values for "
            f"{len(weights.probe_ids)} probe ids; publish one for each id after the first"
        )
    differences = [abs(here - there) for here, there in zip(found, weights.probe_logprobs, strict=True)]
    mean = sum(differences) / max(1, len(differences))
    if not mean <= tolerance:  # NaN must not pass
        worst = max(range(len(found)), key=differences.__getitem__)
        raise EngineError(
            f"Weights version {weights.version} from {weights.path} are not what was published: the mean "
            f"difference of log-probabilities is {mean:.4f} nats (engine.probe_tolerance {tolerance}), at "
            f"token {worst + 1}: {found[worst]:.4f} here, {weights.probe_logprobs[worst]:.4f} in the learner"
        )
