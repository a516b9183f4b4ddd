"""How roles run: as Ray actors, or in this process. The same roles, the same calls, the same results.

    runtime = start_runtime(settings.runtime)
    solver = runtime.spawn("solver", Solver, settings, engine)     # a Role
    groups = solver.call("play", starts, deadline_s=600, reason="a batch of attempts")
    pending = solver.submit("play", starts)                        # ... or later: pending.result(...)

With Ray, a dead actor is constructed again and its unfinished calls are repeated (Ray's own
`max_restarts` and `max_task_retries`), so every role's constructor restores what it needs and every call
is idempotent. Does not cover: where actors are placed on a cluster beyond the resources in the settings.
"""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from protocols.errors import DeadlineError, EngineError, SettingError, TaskspaceError
from protocols.runtime_settings import RuntimeSettings


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


class Runtime(Protocol):
    kind: str

    def spawn(self, name: str, cls: type, *args: Any) -> Role: ...

    def close(self) -> None: ...


class _Done:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self, deadline_s: float, reason: str) -> Any:
        return self._value


class InlineRole:
    """A role in this process. `submit` runs at once; the deadline is not enforced on one's own thread."""

    def __init__(self, name: str, obj: Any) -> None:
        self.name = name
        self.obj = obj

    def submit(self, method: str, *args: Any) -> Pending:
        return _Done(getattr(self.obj, method)(*args))

    def call(self, method: str, *args: Any, deadline_s: float, reason: str) -> Any:
        return getattr(self.obj, method)(*args)


class InlineRuntime:
    kind = "inline"

    def __init__(self) -> None:
        self._roles: list[InlineRole] = []

    def spawn(self, name: str, cls: type, *args: Any) -> Role:
        role = InlineRole(name, cls(*args))
        self._roles.append(role)
        return role

    def close(self) -> None:
        while self._roles:
            role = self._roles.pop()
            if hasattr(role.obj, "close"):
                role.obj.close()


class _RayPending:
    def __init__(self, role: str, method: str, ref: Any) -> None:
        self._role, self._method, self._ref = role, method, ref

    def result(self, deadline_s: float, reason: str) -> Any:
        import ray

        started = time.monotonic()
        try:
            return ray.get(self._ref, timeout=deadline_s)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(self._ref, force=False, recursive=True)
            waited = time.monotonic() - started
            raise DeadlineError(
                f"{self._role}.{self._method}: no answer after {waited:.0f} s while waiting for {reason}; "
                f"raise the role's deadline_s or look at its log"
            ) from None
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, TaskspaceError):
                raise cause from None
            raise
        except ray.exceptions.RayActorError as error:
            lines = str(error).strip().splitlines()
            if "creation task" in lines[0]:  # the constructor raised: its message is the last line
                raise EngineError(f"{self._role}: cannot start ({lines[-1].strip()})") from None
            raise EngineError(
                f"{self._role}: the actor died and all its restarts are used up ({lines[0]}); look at its "
                f"log, or give it more memory"
            ) from None


class RayRole:
    """A role's actor by its name in the cluster. Picklable, so that roles can be handed to other roles.

    Handed on by name: an actor whose constructor was given a handle cannot be started again once the
    handle's owner has let the argument go.
    """

    def __init__(self, name: str, actor: str) -> None:
        self.name = name
        self.actor = actor

    @cached_property
    def handle(self) -> Any:
        import ray

        return ray.get_actor(self.actor)

    def __reduce__(self) -> tuple[Any, ...]:
        return RayRole, (self.name, self.actor)

    def submit(self, method: str, *args: Any) -> Pending:
        return _RayPending(self.name, method, self.handle.run.remote(method, *args))

    def call(self, method: str, *args: Any, deadline_s: float, reason: str) -> Any:
        return self.submit(method, *args).result(deadline_s, reason)


class _Shell:
    """The thin actor round a plain role object."""

    def __init__(self, cls: type, *args: Any) -> None:
        self._obj = cls(*args)

    def run(self, method: str, *args: Any) -> Any:
        return getattr(self._obj, method)(*args)

    def pid(self) -> int:
        return os.getpid()

    def close(self) -> None:
        if hasattr(self._obj, "close"):
            self._obj.close()


class RayRuntime:
    """Actors on a Ray cluster, or on a Ray started here for this run alone."""

    kind = "ray"

    def __init__(self, settings: RuntimeSettings) -> None:
        # Both must be set before Ray is imported: neither usage reports nor a metrics agent belong in a
        # run on somebody's laptop, and importing the driver's sys.path is all the set-up workers need.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise SettingError(
                f"runtime.kind: Ray cannot be imported ({error}); install it or set runtime.kind=inline"
            ) from None
        self._ray = ray
        self._settings = settings
        self._roles: list[RayRole] = []
        self._token = uuid.uuid4().hex[:8]  # several runs may share a cluster
        self._own = not ray.is_initialized()
        if self._own:
            root = str(Path(__file__).resolve().parents[1])
            options: dict[str, Any] = {
                "log_to_driver": False,
                "logging_level": "ERROR",
                "namespace": "taskspace",
                "runtime_env": {"env_vars": {"PYTHONPATH": root}},
            }
            if settings.address is None:
                # The machine's cores are shared by roles that mostly wait for each other; what bounds
                # the work is the arena, so Ray gets no more workers started ahead than this.
                options |= {
                    "include_dashboard": False,
                    "num_cpus": max(1, os.cpu_count() or 1),
                    "object_store_memory": settings.object_store_mb * 2**20,
                }
            try:
                ray.init(address=settings.address, **options)
            except (ConnectionError, OSError, RuntimeError, ValueError) as error:
                first = str(error).strip().splitlines()[0]
                raise SettingError(
                    f"runtime.address: Ray cannot start or be reached ({first}); check the address, "
                    f"or set runtime.kind=inline"
                ) from None

    def spawn(self, name: str, cls: type, *args: Any) -> Role:
        options: dict[str, Any] = {
            "max_restarts": self._settings.restarts,
            "max_task_retries": self._settings.restarts,
        }
        delegates = getattr(cls, "delegates", False)  # then the role's own actors have its resources
        options |= ray_options(self._settings, "" if delegates else name.split("-")[0])
        actor = f"{name}-{len(self._roles)}-{self._token}"
        handle = self._ray.remote(_Shell).options(name=actor, **options).remote(cls, *args)
        role = RayRole(name, actor)
        role.handle = handle  # keeps the actor alive: a name alone does not
        self._roles.append(role)
        return role

    def pids(self) -> dict[str, int]:
        """Process id of every role, for tests that kill them."""
        return {r.name: self._ray.get(r.handle.pid.remote(), timeout=60) for r in self._roles}

    def close(self) -> None:
        for role in reversed(self._roles):
            with contextlib.suppress(Exception):  # a role that is gone has nothing left to close
                self._ray.get(role.handle.close.remote(), timeout=10)
        self._roles.clear()
        if self._own:
            self._ray.shutdown()


def ray_options(settings: RuntimeSettings, role: str) -> dict[str, Any]:
    """What an actor of a role asks Ray for."""
    resources = dict(settings.resources.get(role, {}))
    options: dict[str, Any] = {name: resources.pop(name, 0) for name in ("num_cpus", "num_gpus")}
    if "memory" in resources:
        options["memory"] = resources.pop("memory")
    return options | ({"resources": resources} if resources else {})


@contextlib.contextmanager
def start_runtime(settings: RuntimeSettings) -> Iterator[Runtime]:
    """A runtime that closes all its roles in reverse order at the end."""
    runtime: Runtime = InlineRuntime() if settings.kind == "inline" else RayRuntime(settings)
    try:
        yield runtime
    finally:
        runtime.close()
