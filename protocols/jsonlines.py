"""Files of JSON lines, read so that a broken line costs no other."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from protocols.errors import SettingError


def objects(path: Path, broken: Callable[[int, str], object]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (from 1) and object of each line that holds one; empty lines are passed over.

    `broken` is told the number of every other line, and what is wrong with it.

    Raises:
        SettingError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}); give another file") from None
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                if not isinstance(data, dict):
                    raise ValueError("not an object")
            except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8
                broken(number, f"broken JSON: {error}")
                continue
            yield number, data
