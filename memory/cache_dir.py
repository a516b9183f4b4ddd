"""Where taskspace keeps what it fetched or made once for all runs. What lies there: `memory.artefacts`."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """`TASKSPACE_CACHE`, else the platform's cache folder for taskspace. Not created here."""
    chosen = os.environ.get("TASKSPACE_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("taskspace"))


def model_dir(name: str) -> Path:
    """Where a built-in model lies, or will lie."""
    return cache_dir() / "models" / name
