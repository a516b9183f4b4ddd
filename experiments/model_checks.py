"""What can be known of a model before it is loaded: that its tokenizer, its chat template and the adapters
that are asked for can work with it.

Not here: whether it fits the machine (`preflight`), and whether its weights are whole (`memory.artefacts`).
"""

from pathlib import Path
from typing import Any

from memory.artefacts import KEPT
from protocols.errors import EngineError, SettingError
from protocols.records import Message, Prompt
from protocols.settings import ModelSettings, RunSettings

_CHAT = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="1 + 1 = ?"),
    Message(role="assistant", content="2"),
    Message(role="user", content="2 + 2 = ?"),
)


def check_tokenizer(settings: ModelSettings, folder: Path) -> None:
    """Nothing, for built-in models.

    Raises:
        SettingError: the tokenizer cannot be read, knows more tokens than the model has embeddings, or its
            chat template cannot be used.
    """
    if settings.name in KEPT:
        return
    from transformers import AutoTokenizer

    from actors.engines.chat import encode_prompt

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever a library makes of a damaged file
        raise SettingError(
            f"model.name {settings.name}: its tokenizer cannot be read ({_line(error)})"
        ) from None
    try:
        encode_prompt(tokenizer, Prompt(messages=_CHAT))
    except EngineError as error:
        raise SettingError(f"model.name {settings.name}: {error}") from None
    rows = _config(settings, folder).get_text_config().vocab_size
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= rows:
        raise SettingError(
            f"model.name {settings.name}: its tokenizer has ids up to {largest}, its embeddings {rows} rows; "
            "take the tokenizer that belongs to the model, or resize its embeddings"
        )


def check_adapters(settings: RunSettings, folder: Path) -> None:
    """Nothing, where no adapters are learned, or those of all linear modules.

    Raises:
        SettingError: the model has no such modules, or ones that cannot be learned.
    """
    lora = settings.learner.lora
    if not lora.rank or lora.target_modules == "all-linear":
        return
    import torch
    from transformers import AutoModelForCausalLM

    from actors.learning.lora import add_adapters

    with torch.device("meta"):  # shapes, no weights
        model = AutoModelForCausalLM.from_config(_config(settings.model, folder), trust_remote_code=False)
    add_adapters(model, lora, seed=0, name=settings.model.name)


def _config(settings: ModelSettings, folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:
        raise SettingError(
            f"model.name {settings.name}: its config cannot be read ({_line(error)})"
        ) from None


def _line(error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return (
            "it brings code of its own (auto_map), which is never run; choose a model that transformers knows"
        )
    return " ".join(str(error).split())[:200] or type(error).__name__
