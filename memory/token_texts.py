"""The text of each stored token id, for showing: by the tokenizer of the run's checkpoints or of its model.

Ids are what the store holds, and texts are only read off them: nothing is tokenised again. The `tokenizers`
library reads one file, `tokenizer.json`; neither torch nor transformers is loaded, and nothing is fetched.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from memory import checkpoints
from memory.cache_dir import model_dir

FILE = "tokenizer.json"


def tokenizer_file(run_dir: Path, model: str, revision: str | None = None) -> Path | None:
    """The tokenizer of a run, or None where it is not on this machine.

    All versions of a run share one: the newest checkpoint's is taken, else the model's, be it a folder, a
    model of the cache, or one of the Hugging Face library's cache.
    """
    folders = [checkpoints.path_of(run_dir, version) for version in reversed(checkpoints.versions(run_dir))]
    folders += [Path(model).expanduser(), model_dir(model)]
    for folder in folders:
        try:
            if (folder / FILE).is_file():
                return folder / FILE
        except OSError:  # a name that no file can have
            continue
    return _of_hub(model, revision)


def _of_hub(model: str, revision: str | None) -> Path | None:
    if model.count("/") != 1:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, FILE, revision=revision)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def pieces(file: Path, ids: Sequence[int], response: str) -> list[str] | None:
    """The text that each id adds, special tokens included; together they are the whole response.

    An id that ends in the middle of a character adds "", and the one that completes it the character.

    Returns:
        None: the file cannot be read, or is another tokenizer's: its texts do not give the stored response.
    """
    if not file.is_file():
        return None
    try:
        status = file.stat()
        tokenizer = _loaded(str(file), status.st_mtime_ns, status.st_size)
        if tokenizer.decode(list(ids), skip_special_tokens=True).strip() != response.strip():
            return None
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(skip_special_tokens=False)
        return [stream.step(tokenizer, i) or "" for i in ids]
    except Exception:  # the library raises bare ones, and its own type for a panic
        return None


@lru_cache(maxsize=4)
def _loaded(file: str, modified: int, size: int) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(file)
