"""What can be known of a model before it is loaded: that its weights are those its config asks for, and that
its tokenizer, its chat template and the adapters that are wanted can work with it.

Not here: whether it fits the machine (`preflight`), and whether files of the cache are as they were fetched
(`memory.artefacts`).
"""

from pathlib import Path
from typing import Any

from memory import adapters
from memory.artefacts import KEPT
from protocols.errors import EngineError, SettingError
from protocols.records import Message, Prompt
from protocols.settings import ModelSettings, RunSettings

_CHAT = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="1 + 1 = ?"),
    Message(role="assistant", content="It is two."),
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

    from actors.engines.chat import encode_prompt, left_out

    rows = _config(settings, folder).get_text_config().vocab_size  # first: a tokenizer reads config.json, too
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever a library makes of a damaged file
        raise SettingError(
            f"model.name {settings.name}: its tokenizer cannot be read ({_line(error)})"
        ) from None
    try:
        encode_prompt(tokenizer, Prompt(messages=_CHAT))
        lost = left_out(tokenizer, _CHAT)
    except EngineError as error:
        raise SettingError(f"model.name {settings.name}: {error}") from None
    if lost:
        raise SettingError(
            f"model.name {settings.name}: its chat template leaves out what a message of role {lost[0].role} "
            "says; correct it, or remove it: then prompts are the messages' texts"
        )
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= rows:
        raise SettingError(
            f"model.name {settings.name}: its tokenizer has ids up to {largest}, its embeddings {rows} rows; "
            "take the tokenizer that belongs to the model, or resize its embeddings"
        )


def check_weights(settings: ModelSettings, folder: Path) -> None:
    """Nothing, for built-in models and adapters.

    Raises:
        SettingError: the weights cannot be read, or are not those of the model that the config describes:
            what is missing would be random.
    """
    if settings.name in KEPT or (folder / adapters.CONFIG).is_file():
        return
    pointer = next((path for path in sorted(folder.glob("*.safetensors")) if _is_pointer(path)), None)
    if pointer is not None:
        raise SettingError(
            f"model.name {settings.name}: {pointer.name} is a Git LFS pointer, and no weights; run git lfs "
            "pull in its folder"
        )
    config = _config(settings, folder)
    try:
        found = _found_weights(folder, config)
    except Exception as error:  # whatever libraries make of damaged files
        raise SettingError(
            f"model.name {settings.name}: its weights cannot be read ({_line(error)}); fetch the model again"
        ) from None
    missing, other = sorted(found["missing_keys"]), sorted(found["mismatched_keys"])
    if missing:
        raise SettingError(
            f"model.name {settings.name}: its files hold no weights for {len(missing)} of its parameters "
            f"(e.g. {missing[0]}), as config.json describes the model; fetch the model again, or correct "
            "config.json"
        )
    if other:
        name, held, wanted = other[0]
        raise SettingError(
            f"model.name {settings.name}: {len(other)} of its weights have another shape than config.json "
            f"says (e.g. {name}: {list(held)} instead of {list(wanted)}); fetch the model again, or correct "
            "config.json"
        )


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(24).startswith(b"version https://git-lfs")


def _found_weights(folder: Path, config: Any) -> dict[str, Any]:
    """What transformers tells of loading the model, of which only shapes are made."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from actors.learning.policy import quiet

    logging.set_verbosity_error()  # its report is a table
    with quiet():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, device_map="meta", output_loading_info=True, ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )  # fmt: skip
    found: dict[str, Any] = loaded[1]
    return found


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
