"""Tasks and documentation as another processor makes them, for tests:
`python tasks_elsewhere.py FUNCTIONS PER_FUNCTION SEED`.

`kernels` gives the environments of processes whose NumPy and BLAS compute with other kernels: what they have
for the processor at hand, and what they would have on the plainest one.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from protocols.domains.zwc.bank import NAMES, build_tasks
from protocols.domains.zwc.documentation import document
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.records import Split

KINDS = (("single", 2), ("multi", 2), ("multi", 3))


def kernels() -> list[dict[str, str]]:
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    there = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    plainest = "ARMV8" if platform.machine() in ("aarch64", "arm64") else "Nehalem"
    plain = {"NPY_DISABLE_CPU_FEATURES": " ".join(there), "OPENBLAS_CORETYPE": plainest}
    if platform.libc_ver()[0] == "glibc" and platform.machine() == "x86_64":  # for exp, log and the like
        plain["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F"
    return [{}, plain]


def made(environment: dict[str, str], functions: int, per_function: int, seed: int) -> dict[str, Any]:
    """What a process of its own makes under this environment: `tasks` in their order, `documentation`."""
    command = [sys.executable, str(Path(__file__)), *map(str, (functions, per_function, seed))]
    paths = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        command, env={**os.environ, **paths, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    functions, per_function, seed = map(int, sys.argv[1:])
    library = SimpleNamespace(package="np", entries={name: name for name in NAMES})
    tasks = [
        {"split": split, "kind": kind, "least": least, "id": task.id, "statement": task.statement,
         "topics": task.topics, "payload": task.payload}
        for split in Split
        for kind, least in KINDS
        for task in build_tasks(library, NAMES[:functions], split, kind, per_function, seed, least)
    ]  # fmt: skip
    json.dump({"tasks": tasks, "documentation": document(obfuscate(seed=seed))}, sys.stdout)


if __name__ == "__main__":
    main()
