# ruff: noqa: PTH208  (pathlib would be half a megabyte in every child)
"""Empties a folder that a program has filled, however deep, relative to descriptors and following no link.

Standard library only. Does not cover: a folder that somebody still writes to.
"""

import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def empty(folder: str) -> None:
    """Remove all that a folder holds. What is nested is lifted to the top: no path grows, no call recurses.

    Raises:
        OSError: something in it cannot be removed.
    """
    top = os.open(folder, _FOLDER)
    lifted = 0
    try:
        while names := os.listdir(top):
            for name in names:
                if not stat.S_ISDIR(os.lstat(name, dir_fd=top).st_mode):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)  # the program's own modes do not stop us
                inner = os.open(name, _FOLDER, dir_fd=top)
                try:
                    for within in os.listdir(inner):
                        lifted += 1
                        os.rename(within, f".lifted-{lifted}-{os.getpid()}", src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
