"""The cache of pinned artefacts: models that engines and learners are handed as folders, data for domains.

    CACHE/models/NAME/                 a Hugging Face folder ...
    CACHE/models/NAME/manifest.json    ... where it came from, and size and SHA-256 of each of its files
    CACHE/data/NAME/                   files of a domain, with a manifest like that

CACHE is the user's cache folder for taskspace, or what `TASKSPACE_CACHE` says. A folder is made under a
temporary name and renamed, behind a file lock, so that a kill leaves the whole of it or none and two
processes never make it twice. Models of other Hugging Face repositories stay in that library's own cache.

Does not cover: how the two built-in models (`memory.model_sources`) and the data (`memory.bfcl`) come about.
"""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from memory.cache_dir import cache_dir, model_dir
from protocols.errors import ArtefactError

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in total); a total of 0 is unknown."""

MANIFEST = "manifest.json"
BUILT_IN = ("smollm2-135m-instruct", "tiny-random")
EMBEDDERS = ("minilm",)  # kept here too, but they turn texts into vectors and write none
KEPT = (*BUILT_IN, *EMBEDDERS)
LOCK_DEADLINE_S = 1800.0  # another process may be downloading 93 MB over a slow line


def fetch_model(name: str, revision: str | None = None, progress: Progress | None = None) -> Path:
    """A local Hugging Face folder for `name`, made or downloaded if it is not there yet.

    Args:
        name: a built-in model or embedder, a local folder, or a Hugging Face id ("owner/model").
        revision: commit or tag of a Hugging Face id.

    Raises:
        ArtefactError: it is missing, unreachable or damaged; the message says which, where, and the remedy.
    """
    from memory import model_sources

    if name in KEPT:
        if revision is not None:
            raise ArtefactError(f"Model {name} is pinned already; leave model.revision empty.")
        return cached(model_dir(name), lambda draft: model_sources.make(name, draft, progress))
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ArtefactError(f"No config.json in {folder}; give a Hugging Face model folder.")
        return folder.absolute()
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ArtefactError(f"Model folder {name} does not exist; correct model.name.")
    return model_sources.from_hub(name, revision, progress)


def cached(folder: Path, make: Callable[[Path], dict[str, str]]) -> Path:
    """A folder of the cache, made if it is not there yet.

    Args:
        make: writes its files, without subfolders, into the draft it is given; returns where they came from.

    Raises:
        ArtefactError: it cannot be made or written, or is damaged.
    """
    if not (folder / MANIFEST).is_file():
        with _making(folder) as draft:
            if draft is not None:
                _write_manifest(draft, folder.name, make(draft))
    check(folder)
    return folder


def check(folder: Path, full: bool = False) -> None:
    """Compare a cached folder with its manifest: sizes and times, and every SHA-256 if `full`.

    A file whose time changed (a copied cache) is hashed even if not `full`.

    Raises:
        ArtefactError: a file is missing or is not what was stored.
    """
    manifest = read_manifest(folder)
    what, remedy = _described(folder)
    for name, entry in manifest["files"].items():
        file = folder / name
        if not file.is_file():
            raise ArtefactError(f"Cached {what} lacks {file}; {remedy}.")
        status = file.stat()
        if status.st_size != entry["bytes"]:
            raise ArtefactError(
                f"Cached {what} is damaged: {file} has {status.st_size} bytes instead of "
                f"{entry['bytes']}; {remedy}."
            )
        if (full or status.st_mtime_ns != entry["mtime_ns"]) and sha256_of(file) != entry["sha256"]:
            raise ArtefactError(
                f"Cached {what} is damaged: SHA-256 of {file} is not the stored one; {remedy}."
            )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises:
    ArtefactError: there is none, or it cannot be read.
    """
    file = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(file.read_text())
        manifest["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what, remedy = _described(folder)
        raise ArtefactError(f"Cached {what} has no readable {file}; {remedy}.") from error
    return manifest


def _described(folder: Path) -> tuple[str, str]:
    """What a folder of the cache is, for messages, and what to do when it is damaged."""
    if folder.parent.name == "models":
        return f"model {folder.name}", f"run `taskspace models remove {folder.name}` and fetch it again"
    return folder.name, f"remove {folder} and start again"


def remove_model(name: str) -> bool:
    """Remove a built-in model from the cache; False if it is not there.

    Raises:
        ArtefactError: `name` is not kept in this cache.
    """
    if name not in KEPT:
        raise ArtefactError(f"Model {name} is not kept in {cache_dir()}; built-in are {', '.join(KEPT)}.")
    folder = model_dir(name)
    if not folder.exists():
        return False
    with _locked(folder):
        doomed = Path(tempfile.mkdtemp(prefix=".removed-", dir=folder.parent))
        folder.rename(doomed / folder.name)  # gone for everyone else in one step
        shutil.rmtree(doomed)
    return True


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _making(folder: Path) -> Iterator[Path | None]:
    """A draft folder that becomes `folder` when the block ends well; None if another process made it."""
    with _locked(folder):
        if (folder / MANIFEST).is_file():
            yield None
            return
        for leftover in folder.parent.glob(f".draft-{folder.name}-*"):  # ours: we hold the lock
            shutil.rmtree(leftover, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f".draft-{folder.name}-", dir=folder.parent))
        try:
            yield draft
            if folder.exists():  # a folder without a manifest: not one of ours
                shutil.rmtree(folder)
            draft.chmod(0o755)  # mkdtemp makes it private, but caches are shared
            draft.rename(folder)
        except OSError as error:
            raise ArtefactError(
                f"Cannot write {_described(folder)[0]} into {folder.parent}: {error.strerror or error}; "
                "free some space or point TASKSPACE_CACHE elsewhere."
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = folder.parent / f".{folder.name}.lock"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire(timeout=LOCK_DEADLINE_S)
    except Timeout as error:
        raise ArtefactError(
            f"Another process has held {lock} for {LOCK_DEADLINE_S:.0f} s; end it and try again."
        ) from error
    except OSError as error:
        raise ArtefactError(
            f"Cannot use the cache {folder.parent}: {error.strerror or error}; "
            "point TASKSPACE_CACHE elsewhere."
        ) from error
    try:
        yield
    finally:
        held.release()


def _write_manifest(folder: Path, name: str, source: dict[str, str]) -> None:
    files = {}
    for file in sorted(folder.iterdir()):
        status = file.stat()
        files[file.name] = {
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": sha256_of(file),
        }
    text = json.dumps({"name": name, "source": source, "files": files}, indent=2)
    (folder / MANIFEST).write_text(text + "\n")
