"""SE-Bench's rows as a folder of JSON lines: a local one, or the data set of a Hugging Face id.

    CACHE/rows/OWNER--NAME/    train.jsonl, single_test.jsonl, multiple_test.jsonl: one configuration each
                               api_doc.jsonl: not part of the data set; put it there

Does not cover: what the files hold (`protocols.domains.zwc.authors.files`). The library `datasets` is needed
for a Hugging Face id only, and imported only then.
"""

import json
import os
from pathlib import Path
from typing import Any

from memory.artefacts import cache_dir
from memory.model_sources import hub_answers
from protocols.errors import ArtefactError

CONFIGURATIONS = ("train", "single_test", "multiple_test")
SPLIT = "train"  # every configuration has this one
DOCUMENTATION = "api_doc.jsonl"


def fetch_rows(name: str) -> Path:
    """A local folder for `name`, downloaded if it is an id that is not there yet.

    Raises:
        ArtefactError: it is missing or cannot be reached; the message says what to do.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.absolute()
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise ArtefactError(f"zwc.files: there is no folder {name}; give a folder, or a Hugging Face id.")
    folder = cache_dir() / "rows" / name.replace("/", "--")
    missing = [c for c in CONFIGURATIONS if not (folder / f"{c}.jsonl").is_file()]
    if missing:
        _download(name, missing, folder)
    if not (folder / DOCUMENTATION).is_file():
        raise ArtefactError(
            f"zwc.files: {name} is in {folder}, but the names of its functions are not; copy {DOCUMENTATION} "
            f"of its repository (datasets/train/{DOCUMENTATION}) to that folder."
        )
    return folder


def _download(name: str, configurations: list[str], folder: Path) -> None:
    named = ", ".join(f"{c}.jsonl" for c in CONFIGURATIONS)
    remedy = f"put {named} and {DOCUMENTATION} into a folder and name that"
    try:
        import datasets
    except ImportError:
        raise ArtefactError(
            f"zwc.files: {name} needs the library `datasets`; install it, or {remedy}."
        ) from None
    if not hub_answers(name, kind="dataset"):
        raise ArtefactError(
            f"zwc.files: no hub in reach that has {name}; check name and network, or {remedy}."
        )
    for configuration in configurations:
        try:
            rows: Any = datasets.load_dataset(name, configuration, split=SPLIT)
            lines = [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
        except Exception as error:  # whatever a network, a proxy or a hub can answer
            cause = str(error).strip().partition("\n")[0][:160]
            raise ArtefactError(
                f"zwc.files: {name} ({configuration}) cannot be had ({type(error).__name__}: {cause}); "
                f"check the name and the network, or {remedy}."
            ) from None
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{configuration}-{os.getpid()}"
        draft.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        draft.replace(folder / f"{configuration}.jsonl")
