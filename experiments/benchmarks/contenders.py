"""Runs each side of a comparison in a process of its own, so that memory and warm caches are its own."""

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

from protocols.errors import SettingError

TIMEOUT_S = 3600
NO_TRL = "TRL is not installed; pip install 'taskspace[dev]', or 'trl==1.16.*'"


def apart(module: str, contender: str, task: dict[str, Any]) -> dict[str, Any]:
    """What `python -m MODULE CONTENDER TASK` prints as its last line, both as JSON.

    Raises:
        SettingError: a package that it needs is not installed.
        RuntimeError: it failed; with the end of what it said.
    """
    if contender == "trl" and importlib.util.find_spec("trl") is None:
        raise SettingError(f"bench {module.rpartition('.')[2]}: {NO_TRL}")
    done = subprocess.run(
        [sys.executable, "-m", module, contender, json.dumps(task)],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )
    if done.returncode:
        raise RuntimeError(f"{contender} failed: {done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
