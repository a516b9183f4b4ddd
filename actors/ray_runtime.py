"""Roles as Ray actors: on a cluster, or on a Ray that is started here for one run alone."""

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from actors.runtime import Ended, P, Pending, Role
from protocols.errors import DeadlineError, EngineError, RoleLostError, SettingError, TaskspaceError
from protocols.runtime_settings import RuntimeSettings


class RayPending:
    def __init__(self, role: str, method: str, ref: Any) -> None:
        self._role, self._method, self.ref = role, method, ref

    def result(self, deadline_s: float, reason: str) -> Any:
        import ray

        started = time.monotonic()
        try:
            return ray.get(self.ref, timeout=deadline_s)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(self.ref, force=False, recursive=True)
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
            raise RoleLostError(
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
        try:
            handle = self.handle
        except ValueError:  # no actor of this name: it is dead for good
            return Ended(
                error=RoleLostError(f"{self.name}: the actor is gone, and all its restarts are used up")
            )
        return RayPending(self.name, method, handle.run.remote(method, *args))

    def call(self, method: str, *args: Any, deadline_s: float, reason: str) -> Any:
        return self.submit(method, *args).result(deadline_s, reason)

    def replace(self) -> None:
        import ray

        ray.kill(self.handle, no_restart=False)


class _Shell:
    """The thin actor round a plain role object."""

    def __init__(self, cls: Callable[..., Any], *args: Any) -> None:
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

    def spawn(self, name: str, cls: Callable[..., Any], *args: Any, calls: int = 1) -> Role:
        resources = dict(self._settings.resources.get(name.split("-")[0], {}))
        options: dict[str, Any] = {
            "num_cpus": resources.pop("num_cpus", 0),
            "num_gpus": resources.pop("num_gpus", 0),
            "max_restarts": self._settings.restarts,
            "max_task_retries": self._settings.restarts,
            "max_concurrency": calls,
        }
        if "memory" in resources:
            options["memory"] = resources.pop("memory")
        if resources:
            options["resources"] = resources
        actor = f"{name}-{len(self._roles)}-{self._token}"
        handle = self._ray.remote(_Shell).options(name=actor, **options).remote(cls, *args)
        role = RayRole(name, actor)
        role.handle = handle  # keeps the actor alive: a name alone does not
        self._roles.append(role)
        return role

    def wait(self, pendings: Sequence[P], timeout_s: float) -> list[P]:
        already: list[P] = [pending for pending in pendings if isinstance(pending, Ended)]
        if already:
            return already
        by_ref = {pending.ref: pending for pending in pendings}  # type: ignore[attr-defined]
        done, _ = self._ray.wait(list(by_ref), num_returns=1, timeout=timeout_s)
        if done:  # and whatever else has ended by now
            done, _ = self._ray.wait(list(by_ref), num_returns=len(by_ref), timeout=0)
        ended = set(done)
        return [pending for ref, pending in by_ref.items() if ref in ended]

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
