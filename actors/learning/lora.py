"""Low-rank adapters (LoRA, arXiv 2106.09685) by peft: W stays, and alpha / rank * B A is learned beside it.

What is published is the adapter alone, in peft's own format, so that whoever serves it needs the model it
came from as well. Does not cover: adding an adapter to weights (`memory.adapters`).
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from memory.adapters import PREFIX, WEIGHTS
from protocols.errors import SettingError
from protocols.learner_settings import LoraSettings

_ADAPTER = "default"  # peft's name of the only one


def add_adapters(model: Any, settings: LoraSettings, seed: int, name: str) -> Any:
    """Put adapters into a model, in place; everything else is frozen. At first they change nothing.

    Args:
        seed: of the adapters' first values: the same on all ranks.
        name: of the model, for whoever looks for it.

    Returns:
        peft's configuration.

    Raises:
        SettingError: the model has no such modules.
    """
    from peft import LoraConfig, get_peft_model

    wanted = settings.target_modules
    if not isinstance(wanted, str):
        _require(model, wanted)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # it is divided by r, whatever it is
        lora_dropout=settings.dropout,
        target_modules=wanted if isinstance(wanted, str) else list(wanted),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            get_peft_model(model, config, autocast_adapter_dtype=False)
        except ValueError as error:
            raise SettingError(
                f"setting learner.lora.target_modules: {str(error).partition('. ')[0][:160]}; name linear "
                "modules of the model, or write --set learner.lora.target_modules=all-linear"
            ) from None
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    for name_of, module in model.named_modules():
        if any(module is end for end in ends) and hasattr(module, "base_layer"):
            raise SettingError(
                f"setting learner.lora.target_modules: {name_of} gets no adapter here: embeddings and head "
                "stay as they are; name linear modules of the layers, or write "
                "--set learner.lora.target_modules=all-linear"
            )
    config.base_model_name_or_path = name  # peft prefers the folder that the model was read from
    return config


def _require(model: Any, wanted: Sequence[str]) -> None:
    """Raises:
    SettingError: one of the names is that of no module; peft says so only where none is.
    """
    names = [name for name, _ in model.named_modules()]
    for one in wanted:
        if not any(name == one or name.endswith(f".{one}") for name in names):
            linear = {
                n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)
            }
            raise SettingError(
                f"setting learner.lora.target_modules: the model has no module {one!r}; choose among "
                f"{', '.join(sorted(linear)[:12])}, or write --set learner.lora.target_modules=all-linear"
            )


@contextlib.contextmanager
def without_adapters(model: Any) -> Iterator[None]:
    """The model as it came: every adapter's product counts 0 times."""
    scales = [module.scaling for module in model.modules() if hasattr(module, "lora_A")]
    before = [dict(scale) for scale in scales]
    for scale in scales:
        scale.update(dict.fromkeys(scale, 0.0))
    try:
        yield
    finally:
        for scale, was in zip(scales, before):
            scale.update(was)


def write_adapters(folder: Path, config: Any, adapters: Mapping[str, torch.Tensor]) -> None:
    """`adapter_config.json` and `adapter_model.safetensors`, as peft writes them.

    Args:
        adapters: the trained parameters by their names in the model.
    """
    from safetensors.torch import save_file

    config.save_pretrained(folder)
    tensors = {
        PREFIX + name.replace(f".{_ADAPTER}.", "."): tensor.contiguous() for name, tensor in adapters.items()
    }
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
