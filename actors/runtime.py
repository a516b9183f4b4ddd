"""How roles run: as Ray actors, or in this process. The same roles, the same calls, the same results.

    runtime = start_runtime(settings.runtime)
    solver = runtime.spawn("solver", Solver, settings, engine)     # a Role
    groups = solver.call("play", starts, deadline_s=600, reason="a batch of attempts")
    pending = solver.submit("play", starts)                        # ... or later: pending.result(...)

With Ray, a dead actor is constructed again and its unfinished calls are repeated (Ray's own
`max_restarts` and `max_task_retries`), so every role's constructor restores what it needs and every call
is idempotent. Not here: actors (`ray_runtime`) and where they are placed on a cluster (`placement`).
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from protocols.errors import DeadlineError, TaskspaceError
from protocols.runtime_settings import RuntimeSettings
from protocols.settings import RunSettings


class Pending(Protocol):
    """A call under way."""

    def result(self, deadline_s: float, reason: str) -> Any:
        """The call's result.

        Raises:
            DeadlineError: it did not come within `deadline_s` seconds; names role, call and reason.
            TaskspaceError: the role raised one.
        """


class Role(Protocol):
    """A role, wherever it runs."""

    name: str

    def submit(self, method: str, *args: Any) -> Pending: ...

    def call(self, method: str, *args: Any, deadline_s: float, reason: str) -> Any: ...

    def replace(self, asked: float = math.inf) -> None:
        """End a role that hangs; it is constructed again, as after a death.

        Args:
            asked: when the call began that it did not answer (`time.monotonic`). A role that this process has
                replaced since then is left alone: several calls may have hung with it.
        """


def insist(
    role: Role,
    method: str,
    *args: Any,
    deadline_s: float,
    reason: str,
    again: int,
    begun: tuple[Pending, float] | None = None,
) -> Any:
    """A call's result. A role that does not answer in time is replaced and asked again, so often.

    Args:
        begun: the call, and when it was made (`time.monotonic`), where that was before.

    Raises:
        DeadlineError: it did not answer `again` + 1 times, or one that it waits for did not.
        TaskspaceError: the role raised one.
    """
    while True:
        pending, asked = begun or (role.submit(method, *args), time.monotonic())
        try:
            return pending.result(max(1.0, deadline_s - (time.monotonic() - asked)), reason)
        except DeadlineError as error:
            if error.role != role.name or not again:
                raise
        role.replace(asked)
        again, begun = again - 1, None


P = TypeVar("P", bound=Pending)


class Runtime(Protocol):
    kind: str

    def reserve(self, settings: RunSettings) -> None:
        """Make sure that all roles of a run find a place, before the first of them is started.

        Raises:
            SettingError: they cannot, with what is missing and where.
            DeadlineError: others hold it.
        """

    def spawn(self, name: str, cls: Callable[..., Any], *args: Any, calls: int = 1) -> Role:
        """A new role. The part of its name before a dash is its kind, which settings name resources for.

        Args:
            calls: how many calls it may work on at once.
        """

    def wait(self, pendings: Sequence[P], timeout_s: float) -> list[P]:
        """Those that have ended, in their order; waits for the first one, at most `timeout_s` seconds."""

    def close(self) -> None: ...


class Ended:
    """A call that has ended already, with a value or an error."""

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self._value, self._error = value, error

    def result(self, deadline_s: float, reason: str) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class InlineRole:
    """A role in this process. `submit` runs at once; the deadline is not enforced on one's own thread.

    Threads take turns, as they would in an actor's queue.
    """

    def __init__(self, name: str, obj: Any) -> None:
        self.name = name
        self.obj = obj
        self._turn = threading.RLock()

    def submit(self, method: str, *args: Any) -> Pending:
        try:
            return Ended(self.call(method, *args))
        except TaskspaceError as error:
            return Ended(error=error)

    def call(self, method: str, *args: Any, deadline_s: float = 0.0, reason: str = "") -> Any:
        with self._turn:
            return getattr(self.obj, method)(*args)

    def replace(self, asked: float = math.inf) -> None:
        return  # what hangs here, hangs in this very thread


class InlineRuntime:
    kind = "inline"

    def __init__(self) -> None:
        self._roles: list[InlineRole] = []

    def reserve(self, settings: RunSettings) -> None:
        return

    def spawn(self, name: str, cls: Callable[..., Any], *args: Any, calls: int = 1) -> Role:
        role = InlineRole(name, cls(*args))
        self._roles.append(role)
        return role

    def wait(self, pendings: Sequence[P], timeout_s: float) -> list[P]:
        return list(pendings)

    def close(self) -> None:
        while self._roles:
            role = self._roles.pop()
            if hasattr(role.obj, "close"):
                role.obj.close()


@contextlib.contextmanager
def start_runtime(settings: RuntimeSettings) -> Iterator[Runtime]:
    """A runtime that closes all its roles in reverse order at the end."""
    runtime: Runtime
    if settings.kind == "inline":
        runtime = InlineRuntime()
    else:
        from actors.ray_runtime import RayRuntime

        runtime = RayRuntime(settings)
    try:
        yield runtime
    finally:
        runtime.close()
