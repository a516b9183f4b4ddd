"""Files that a command was told to write.

A regular file appears whole or not at all: it is written beside its place and put there in one step. A pipe,
a device or a terminal is written into: renaming over it would put a file in its place. Links are followed,
and `-` is standard output.

Does not cover: folders (`memory.building`), files of the run folder.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from protocols.errors import SettingError

STDOUT = Path("-")
_NOT_FILES = (Path("/dev"), Path("/proc"))


def is_stdout(path: Path) -> bool:
    return path in (STDOUT, Path("/dev/stdout"))


@contextlib.contextmanager
def writing_bytes(path: Path, option: str) -> Iterator[BinaryIO]:
    """An output to write to. Folders above it are made.

    Args:
        option: that named it, for messages.

    Raises:
        SettingError: it is a folder, or cannot be written.
    """
    if is_stdout(path):
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    draft: Path | None = None
    try:
        real = path.resolve()  # links are followed, those that lead to nothing yet, too
        if real.is_dir():
            raise SettingError(f"{option} {path}: is a folder; name a file in it")
        if _is_written_into(path, real):
            with path.open("wb") as file:
                yield file
            return
        real.parent.mkdir(parents=True, exist_ok=True)
        draft = real.with_name(f".unfinished-{os.getpid()}-{real.name}")
        with draft.open("wb") as file:
            yield file
        if real.exists():
            draft.chmod(real.stat().st_mode & 0o7777)
        draft.replace(real)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
        if isinstance(error, BrokenPipeError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise SettingError(f"{option} {path}: {why}; choose another file") from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path, option: str) -> Iterator[TextIO]:
    """The same for text, in UTF-8; what has no UTF-8 form is escaped."""
    with writing_bytes(path, option) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="\n")
        try:
            yield text
            text.flush()
        finally:
            with contextlib.suppress(ValueError, OSError):
                text.detach()


def say(text: str, *outputs: Path | None) -> None:
    """Tell people what was done: on standard error where an output itself is on standard output."""
    here = any(output is not None and is_stdout(output) for output in outputs)
    print(text, file=sys.stderr if here else sys.stdout)


def _is_written_into(path: Path, real: Path) -> bool:
    if any(top in path.absolute().parents or top in real.parents for top in _NOT_FILES):
        return True
    return real.exists() and not real.is_file()
