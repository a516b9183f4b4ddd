"""The command `taskspace` in a process of its own, as a user types it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def environment(**extra: str) -> dict[str, str]:
    """Without what a Ray that was started in the tests' own process leaves in its environment."""
    ours = {key: value for key, value in os.environ.items() if key != "RAY_AUTH_MODE"}
    return {**ours, "PYTHONPATH": str(ROOT), "TASKSPACE_DEBUG": "0", **extra}


def taskspace(
    *args: str | Path, cwd: Path, timeout: float = 120, **extra: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.cli", *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=timeout
    )


def refused(*args: str | Path, cwd: Path, **extra: str) -> str:
    """Run a command that has to be refused: exit code 2, one line, no traceback. Returns the line."""
    done = taskspace(*args, cwd=cwd, **extra)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("taskspace: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]
