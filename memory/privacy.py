"""What never enters a store or an export: where things lie on this machine, who its user is, and secrets.

Texts of models and verdicts on them are kept as they came: programs run where none of this is in reach.
Everything that taskspace itself writes down (settings, facts, events, errors) passes through here. A path in
the home folder stands as `~/...`, which means the same folder again when the settings are read; exports,
which are for other machines, keep the last name of any other absolute path only.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)S?$", re.IGNORECASE)
_LONG = 8  # shorter values may stand in any text by chance


def private(value: Any, folder: Path | None = None) -> Any:
    """Plain data, without this machine's places and secrets in its texts.

    Args:
        folder: of the run, whose name alone stands for it.
    """
    words = {secret: f"(secret {name})" for name, secret in secrets(os.environ).items()}
    if folder is not None and folder.is_absolute():
        words[str(folder)] = folder.name
    home = str(Path.home())
    if home.strip("/"):
        words[home] = "~"
    # The longest first: a run folder may lie in the home folder. A name that only begins alike is another.
    longest = sorted(words, key=len, reverse=True)
    found = re.compile("|".join(rf"{re.escape(word)}(?![\w-])" for word in longest))
    return _texts(value, lambda text: found.sub(lambda match: words[match[0]], text)) if words else value


def portable(value: Any) -> Any:
    """Settings for another machine: of absolute paths the last name only."""
    return _texts(
        private(value),
        lambda text: Path(text).name if text.startswith(("/", "~/")) and "\n" not in text else text,
    )


def at_home(value: Any) -> Any:
    """Settings with `~/...` as the paths that they stand for on this machine."""
    home = str(Path.home())
    return _texts(value, lambda text: f"{home}{text[1:]}" if text.startswith("~/") else text)


def secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Values of variables whose names say that they are keys, tokens or passwords, by name."""
    return {
        name: value
        for name, value in environment.items()
        if _SECRET.search(name) and len(value) >= _LONG and not value.isspace()
    }


def _texts(value: Any, changed: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return changed(value)
    if isinstance(value, dict):
        return {key: _texts(inner, changed) for key, inner in value.items()}
    return [_texts(inner, changed) for inner in value] if isinstance(value, list | tuple) else value
