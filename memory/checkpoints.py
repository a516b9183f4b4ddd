"""Checkpoint folders: `RUN/checkpoints/v0003/`, a Hugging Face folder plus `state/`.

    v0003/config.json, model.safetensors, tokenizer.json, ...   what `from_pretrained` reads; or an adapter
    v0003/state/                                                what the learner needs to go on exactly

A folder is written under a temporary name, flushed to disk and then renamed, so that a kill at any moment
leaves either the whole checkpoint or none. Which version counts is the run database's word: a folder that
no update names is left over from a round that will be played again, and is replaced then.

Does not cover: what stands in the files (`actors.learning`). No torch here: the bytes are enough.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from protocols.errors import TaskspaceError

STATE = "state"
PLAIN = "plain.json"  # in it: counters, the run's seed, the shape of every parameter
_NAME = re.compile(r"v(\d{4,})")
_UNFINISHED = ".unfinished-"
_RESERVE = 64 << 20  # bytes left free for the run database, which shares the disk


def weights_checksum(folder: Path) -> str:
    """BLAKE2b over the names and bytes of the folder's safetensors files, in the order of their names.

    Raises:
        TaskspaceError: the folder holds no weights.
    """
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise TaskspaceError(f"No *.safetensors in {folder}; give a Hugging Face folder with weights.")
    total = hashlib.blake2b(digest_size=16)
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32))
        total.update(file.name.encode() + b"\0" + content.digest())
    return total.hexdigest()


def relative_path(version: int) -> str:
    """Where a version's folder lies, seen from the run folder."""
    return f"checkpoints/v{version:04d}"


def path_of(run_dir: Path, version: int) -> Path:
    return Path(run_dir) / relative_path(version)


def versions(run_dir: Path) -> list[int]:
    """Versions with a whole checkpoint, ascending."""
    root = Path(run_dir) / "checkpoints"
    if not root.is_dir():
        return []
    found = (_NAME.fullmatch(folder.name) for folder in root.iterdir())
    return sorted(int(match[1]) for match in found if match)


def latest(run_dir: Path) -> int | None:
    """The highest version with a whole checkpoint; None without any."""
    return max(versions(run_dir), default=None)


def has_state(run_dir: Path, version: int) -> bool:
    return (path_of(run_dir, version) / STATE).is_dir()


def sweep(run_dir: Path) -> list[str]:
    """Remove what a killed process left half-written or half-removed; returns the names."""
    leftovers = sorted((Path(run_dir) / "checkpoints").glob(f"{_UNFINISHED}*"))
    for folder in leftovers:
        shutil.rmtree(folder)
    return [folder.name for folder in leftovers]


def check_space(folder: Path, needed: int) -> None:
    """Raises:
    TaskspaceError: fewer than `needed` bytes (plus a reserve for the run database) are free there.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE:
        raise TaskspaceError(
            f"Disk too full for a checkpoint: {free / 1e9:.2f} GB free, {(needed + _RESERVE) / 1e9:.2f} GB "
            f"needed in {folder}; free some space or put the run folder on another disk."
        )


def draft_of(run_dir: Path, version: int) -> Path:
    """Where `publishing` has a version written, for other processes that write parts of it."""
    final = path_of(run_dir, version)
    return final.parent / f"{_UNFINISHED}{final.name}"


@contextlib.contextmanager
def publishing(run_dir: Path, version: int, needed: int) -> Iterator[Path]:
    """A folder to write a checkpoint into. It gets its name when the block ends well, else it is removed.

    Args:
        needed: bytes that will be written.

    Raises:
        TaskspaceError: the disk is too full for it, before anything is written.
    """
    final = path_of(run_dir, version)
    root = final.parent
    root.mkdir(parents=True, exist_ok=True)
    check_space(root, needed)
    draft = draft_of(run_dir, version)
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir()
    try:
        yield draft
        _flush(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if final.exists():
        _retire(final, root)
    draft.rename(final)
    _flush_entry(root)


def prune(run_dir: Path, keep_states: int, keep_versions: int = 0) -> None:
    """Remove `state/` from all but the newest `keep_states` checkpoints, and all but the newest
    `keep_versions` checkpoints whole (0: none of them). Two always stay: until the newest one is in the run
    database, a resumed run goes on from the one before."""
    if keep_versions:
        for version in versions(run_dir)[: -max(2, keep_versions)]:
            _retire(path_of(run_dir, version), Path(run_dir) / "checkpoints")
    stated = [version for version in versions(run_dir) if has_state(run_dir, version)]
    for version in stated[: max(0, len(stated) - keep_states)]:
        _retire(path_of(run_dir, version) / STATE, Path(run_dir) / "checkpoints")


def _retire(folder: Path, root: Path) -> None:
    """Remove a folder in one step as seen by everyone else: rename first, then delete."""
    doomed = root / f"{_UNFINISHED}{folder.parent.name}-{folder.name}-removed"
    if doomed.exists():
        shutil.rmtree(doomed)
    folder.rename(doomed)
    shutil.rmtree(doomed)


def _flush(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _flush_entry(path)
    _flush_entry(folder)


def _flush_entry(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
