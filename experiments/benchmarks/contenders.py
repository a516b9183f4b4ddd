"""Runs each side of a comparison in a process of its own, so that memory and warm caches are its own."""

import json
import os
import subprocess
import sys
from typing import Any

TIMEOUT_S = 3600


def apart(module: str, contender: str, task: dict[str, Any]) -> dict[str, Any]:
    """What `python -m MODULE CONTENDER TASK` prints as its last line, both as JSON.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
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
