"""Files that a command was told to write.

A regular file appears whole or not at all: it is written beside its place and put there in one step. A pipe,
a device or a terminal is written into: renaming over it would put a file in its place. Links are followed,
and `-` is standard output.

Does not cover: folders (`memory.building`), files of the run folder.
"""

import contextlib
import errno
import io
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from protocols.errors import SettingError

STDOUT = Path("-")
_OF_PROCESSES = (Path("/dev/fd"), Path("/proc"))
#: Errors of writing, and not of whatever else happens meanwhile.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def is_stdout(path: Path) -> bool:
    """Whether what is written there goes where standard output goes: by its name, or by what it leads to."""
    if path in (STDOUT, Path("/dev/stdout")):
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def writing_bytes(path: Path, option: str) -> Iterator[BinaryIO]:
    """An output to write to. Folders above it are made.

    Args:
        option: that named it, for messages.

    Raises:
        SettingError: it is a folder, or cannot be written.
    """
    if is_stdout(path):
        if sys.stdout is None:
            raise SettingError(f"{option} {path}: there is no standard output; name a file")
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with _told(path, option, everything=True):
        real = path.resolve()  # links are followed, those that lead to nothing yet, too
        if real.is_dir():
            raise SettingError(f"{option} {path}: is a folder; name a file in it")
        above = next(folder for folder in real.parents if os.path.lexists(folder))
        if not above.is_dir():
            raise SettingError(f"{option} {path}: {above} is no folder; choose another file")
        draft = None
        if not _is_written_into(path, real):
            real.parent.mkdir(parents=True, exist_ok=True)
            draft = real.with_name(f".unfinished-{uuid.uuid4().hex}")
        file: BinaryIO = (draft or path).open("wb")
    try:
        with _told(path, option, everything=False), file:
            if draft is not None and real.exists():
                draft.chmod(real.stat().st_mode & 0o7777)
            yield file
        if draft is not None:
            with _told(path, option, everything=True):
                draft.replace(real)
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path, option: str, everything: bool) -> Iterator[None]:
    """Errors in one line: all of them, or only those of a disk that is full or broken."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle; names that are none
        if not everything and getattr(error, "errno", None) not in _FULL:
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise SettingError(f"{option} {path}: {why}; choose another file") from None


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
    if any(top in path.absolute().parents or top in real.parents for top in _OF_PROCESSES):
        return True
    return real.exists() and not real.is_file()
