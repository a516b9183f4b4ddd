"""The layers round an untrusted program: their names, their states on a machine, and the floor below which no
program is run. What they do is `actors.sandbox`.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

#: Layers by name, each with what it takes away.
LAYERS = {
    "own process": "a child of a small helper: no NumPy, no answers, no other program's data",
    "user namespace": "no privilege outside the helper, whoever started it",
    "network namespace": "no network, not even this machine's own",
    "pid namespace": "no other process can be seen or signalled; leftovers die together",
    "ipc namespace": "no shared memory or message queues of others",
    "empty root": "a file system in memory with a scratch folder and nothing else",
    "nobody": "the user that owns nothing",
    "no capabilities": "nothing left of root's powers",
    "no new privileges": "no exec gains any",
    "not dumpable": "no ptrace and no core file",
    "landlock": "no file outside the scratch folder, no TCP, no signals to outsiders",
    "rlimits": "CPU, memory, file size, open files, processes, core files",
    "seccomp": "only the system calls that computing needs: no exec, fork, sockets, signals, mounts",
    "import policy": "only harmless modules of the standard library",
}

#: Without these no untrusted program is run: of each group one layer has to hold. With what is at risk, and
#: the cure (docs/sandbox.md has more of it).
FLOOR = (
    (
        ("empty root", "landlock"),
        "programs could read this machine's files",
        "allow user namespaces, or use a kernel with Landlock (5.13 or newer)",
    ),
    (
        ("seccomp",),
        "programs could make any system call",
        "install libseccomp (apt install libseccomp2), and allow seccomp where this runs",
    ),
)

State = Literal["on", "off", "missing"]


class Layer(msgspec.Struct, frozen=True):
    """One layer on this machine. `off` = switched off on purpose; `missing` = it cannot be had here."""

    name: str
    state: State
    reason: str = ""


def weakness(found: Sequence[Layer]) -> str | None:
    """What is missing that no untrusted program should run without, and how to get it; None if nothing is.

    Layers that were switched off on purpose are not missed.
    """
    by_name = {layer.name: layer for layer in found}
    for names, risk, cure in FLOOR:
        layers = [by_name[name] for name in names if name in by_name]
        if len(layers) == len(names) and all(layer.state == "missing" for layer in layers):
            reasons = "; ".join(f"{layer.name}: {layer.reason}" for layer in layers)
            return f"{risk} ({reasons}); {cure}"
    return None
