"""A control group with a CPU quota of its own, for measurements and tests under one.

Making one takes the rights of an administrator, or a folder that was given to this user.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from protocols import cores
from protocols.errors import SettingError

_PERIOD_US = 100_000
_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


@contextlib.contextmanager
def limited_to(count: float) -> Iterator[list[str]]:
    """What a command begins with to run under a quota of so many cores; its processes must end before this.

    Raises:
        SettingError: no group can be made here, with the reason.
    """
    group = _made(round(count * _PERIOD_US))
    try:
        yield ["sh", "-c", _ENTER, str(group)]
    finally:
        group.rmdir()


def _made(quota_us: int) -> Path:
    why = "no control group of the controller cpu is mounted"
    for parent in cores.groups():
        group = parent / f"taskspace-{uuid4().hex[:8]}"
        try:
            group.mkdir()
        except OSError as error:
            why = f"{parent}: {error.strerror}"
            continue
        try:
            # The files are there only where the controller is on; only the kernel makes them.
            if (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}\n")
                return group
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_period_us").write_text(f"{_PERIOD_US}\n")
                (group / "cpu.cfs_quota_us").write_text(f"{quota_us}\n")
                return group
            why = f"{parent}: the controller cpu is off below it"
        except OSError as error:
            why = f"{group}: {error.strerror}"
        group.rmdir()
    raise SettingError(f"a CPU quota cannot be set here ({why})")
