"""Failures with a typed boundary. Everything else crashes.

Does not cover: failures of untrusted programs. Those are data (`records.Outcome`, `records.Verdict`).
"""


class TaskspaceError(Exception):
    """Something a person or a machine did that taskspace cannot go on with.

    The message is one line: what is wrong, where, and what to do about it. The command line prints it
    without a traceback and exits with code 2.
    """


class SettingError(TaskspaceError):
    """A setting is unknown, out of range, or does not fit another one."""


class ArtefactError(TaskspaceError):
    """A model or data file is missing, unreachable or corrupt."""


class StoreError(TaskspaceError):
    """The run database cannot be used: newer version, locked by another run, damaged, disk full."""


class EngineError(TaskspaceError):
    """An engine keeps failing, or the weights it serves are not the weights that were published."""


class TransferError(EngineError):
    """Weights that were sent from memory to memory did not arrive; the folder still has them."""


class RoleLostError(EngineError):
    """A role's actor died, and all its restarts are used up. `role` is its name."""

    def __init__(self, message: str, role: str = "") -> None:
        super().__init__(message)
        self.role = role


class SandboxError(TaskspaceError):
    """The sandbox itself failed. Never a reward: verdicts carry it as `infra_error`."""


class DeadlineError(TaskspaceError):
    """A wait ran past its deadline. The message names who waited for what, and for how long; `role` is the
    name of the role that did not answer."""

    def __init__(self, message: str, role: str = "") -> None:
        super().__init__(message)
        self.role = role
