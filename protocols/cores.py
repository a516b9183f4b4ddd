"""How many cores this process may use: those its affinity names, and no more than its CPU quota pays for.

A container with a quota of one core (`docker run --cpus 1`) sees every core of its machine, and is stopped
for the rest of each period once it has used its share: two threads are slower there than one. Quotas are
those of the control groups (v1 and v2) of this process and of all groups above, as far as they can be seen.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Cores:
    machine: int
    """Of the machine."""
    allowed: int
    """That the affinity of this process names."""
    quota: float | None
    """CPU seconds a second that its control groups grant; None = as many as there are."""

    @property
    def usable(self) -> int:
        """Rounded down, at least 1."""
        return max(1, self.allowed if self.quota is None else min(self.allowed, int(self.quota)))


def usable_cores() -> int:
    """What threads, workers and Ray's CPUs are counted by."""
    return cores().usable


def cores(root: Path = Path("/")) -> Cores:
    """`root`: where `proc` and the control groups are looked for, for tests."""
    machine = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    return Cores(machine, allowed, quota(root))


def quota(root: Path = Path("/")) -> float | None:
    """CPU seconds a second: the least that a control group of this process grants; None = no known limit."""
    limits = (limit for group in groups(root) for limit in (_limit_v2(group), _limit_v1(group)))
    return min((limit for limit in limits if limit is not None), default=None)


def groups(root: Path = Path("/")) -> list[Path]:
    """Folders of the control groups that may limit this process's CPU time, and of all above them."""
    paths = _paths(root)
    below: dict[str, list[Path]] = {}  # by controller, what is mounted above this process's group
    tops: dict[str, list[Path]] = {}
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind, options = before.split(" "), after.partition(" ")[0], after.rpartition(" ")[2]
        controller = {"cgroup2": "", "cgroup": "cpu"}.get(kind)
        if controller not in paths or len(fields) < 5:
            continue
        if controller and controller not in options.split(","):
            continue
        inside, mount = (PurePosixPath("/", _unescaped(field)) for field in fields[3:5])
        top = root / mount.relative_to("/")
        path = PurePosixPath(paths[controller])
        tops.setdefault(controller, []).append(top)
        if path.is_relative_to(inside) and ".." not in path.parts:
            group = top / path.relative_to(inside)
            above = [folder for folder in (group, *group.parents) if folder.is_relative_to(top)]
            below.setdefault(controller, []).extend(above)
    # A part of the tree may be mounted: in a container often the very group of the process. A path that is
    # not below any, or leads out of a namespace (`/../..`), leaves what is mounted.
    return [group for controller in tops for group in below.get(controller, tops[controller])]


def _paths(root: Path) -> dict[str, str]:
    """Of this process in the tree of the controller `cpu` (v1) and in the unified one (v2, named '')."""
    found: dict[str, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "cpu" in controllers.split(","):
            found["cpu"] = path
        elif number == "0" and not controllers:
            found[""] = path
    return found


def _limit_v2(group: Path) -> float | None:
    words = " ".join(_lines(group / "cpu.max")).split()
    return _ratio(*words) if len(words) == 2 else None


def _limit_v1(group: Path) -> float | None:
    quota, period = (" ".join(_lines(group / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
    return _ratio(quota, period)


def _ratio(quota: str, period: str) -> float | None:
    """None for `max`, -1, and whatever else is no limit."""
    numbers = quota.strip().isdecimal() and period.strip().isdecimal() and int(quota) and int(period)
    return int(quota) / int(period) if numbers else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _unescaped(field: str) -> str:
    """A path of mountinfo, which writes blanks as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
