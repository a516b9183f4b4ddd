"""The processes of a run, by what they are: the driver, its roles, their sandboxes, Ray's own."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

ROLES = ("curator", "engine", "learner", "proposer", "solver", "verifier")
_TITLE = re.compile(r"ray::(\w+)")
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied)  # a zombie is a kind of NoSuchProcess


@dataclass(frozen=True)
class Found:
    kind: str  # driver, one of ROLES, sandbox, or one of Ray's own: raylet, gcs, agent, idle
    process: psutil.Process


def of_run(driver_pid: int) -> list[Found]:
    """All that are alive, the driver first; [] when it is not."""
    try:
        driver = psutil.Process(driver_pid)
        found = [Found("driver", driver), *_below(driver, False)]
    except _GONE:
        return []
    return found


def of_role(driver_pid: int, kind: str) -> list[psutil.Process]:
    return [found.process for found in of_run(driver_pid) if found.kind == kind]


def _below(parent: psutil.Process, judged: bool) -> Iterator[Found]:
    children: list[psutil.Process] = []
    with contextlib.suppress(*_GONE):
        children = parent.children()
    for child in children:
        with contextlib.suppress(*_GONE):
            kind = "sandbox" if judged else _kind(child)
            yield Found(kind, child)
            yield from _below(child, judged or kind == "verifier")


def _kind(process: psutil.Process) -> str:
    title = (process.cmdline() or [""])[0]
    role = _TITLE.match(title)
    if role:
        name = role[1].lower()
        return name if name in ROLES else "idle" if name == "idle" else "agent"
    return {"raylet": "raylet", "gcs_server": "gcs"}.get(title.rpartition("/")[2], "agent")
