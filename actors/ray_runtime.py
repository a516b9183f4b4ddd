"""Roles as Ray actors: on a cluster, or on a Ray that is started here for one run alone."""

import contextlib
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actors import placement
from actors.ray_roles import RayRole, Shell
from actors.runtime import Ended, P, Role
from protocols.errors import DeadlineError, SettingError
from protocols.runtime_settings import RuntimeSettings
from protocols.settings import RunSettings

PACKAGES = ("actors", "protocols", "memory", "experiments", "ui")


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
        self._group: Any = None  # the placement group, where anything is reserved
        self._bundle_of: dict[str, int] = {}  # by the name of the actor that has it
        self._own = not ray.is_initialized()
        if self._own:
            connect(settings)

    def reserve(self, settings: RunSettings) -> None:
        bundles = placement.bundles_of(placement.demands_of(settings), self._settings.layout)
        if not bundles:
            return
        nodes = {
            node["NodeManagerHostname"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]
        }
        lacking = placement.missing(bundles, nodes)
        if lacking:
            raise SettingError(
                f"runtime.resources: the cluster cannot hold the run: {'; '.join(lacking)}; add nodes, or "
                f"ask for less (nodes: {'; '.join(f'{name} {_shown(has)}' for name, has in nodes.items())})"
            )
        self._group = self._ray.util.placement_group(
            [dict(bundle.needs) for bundle in bundles],
            strategy=self._settings.strategy,
            name=f"taskspace-{self._token}",
        )
        if not self._group.wait(self._settings.start_deadline_s):
            free = _shown(self._ray.available_resources())
            raise DeadlineError(
                f"runtime.resources: what the run asks for is not free after "
                f"{self._settings.start_deadline_s:.0f} s (free: {free}); others use the cluster, or "
                f"runtime.strategy {self._settings.strategy} cannot be met"
            )
        self._bundle_of = {
            member.name: index for index, bundle in enumerate(bundles) for member in bundle.members
        }

    def spawn(self, name: str, cls: Callable[..., Any], *args: Any, calls: int = 1) -> Role:
        kind = name.split("-")[0]
        delegates = getattr(cls, "delegates", False)  # then the role's own actors have its resources
        options: dict[str, Any] = {
            "max_restarts": self._settings.restarts,
            "max_task_retries": self._settings.restarts,
            "max_concurrency": calls,
            **ray_options(self._settings, "" if delegates else kind),
        }
        place = self._place(name if "-" in name else f"{name}-0", delegates)
        if place is not None:
            options["scheduling_strategy"] = place
        actor = f"{name}-{len(self._roles)}-{self._token}"
        shell: Any = type(kind.capitalize(), (Shell,), {})
        handle = self._ray.remote(shell).options(name=actor, **options).remote(cls, *args)
        role = RayRole(name, actor)
        role.handle = handle  # keeps the actor alive: a name alone does not
        self._roles.append(role)
        return role

    def _place(self, name: str, delegates: bool) -> Any:
        """Where the actor is started; None = wherever Ray likes."""
        from ray.util import scheduling_strategies as ways

        if name in self._bundle_of:
            index = -1 if delegates else self._bundle_of[name]
            return ways.PlacementGroupSchedulingStrategy(self._group, index, delegates)
        if name == "curator-0" and self._settings.address is not None:
            # The store lies where the run was started, and does not move.
            return ways.NodeAffinitySchedulingStrategy(
                self._ray.get_runtime_context().get_node_id(), soft=False
            )
        return None

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
        if self._group is not None:
            self._ray.util.remove_placement_group(self._group)
        if self._own:
            self._ray.shutdown()


def connect(settings: RuntimeSettings) -> None:
    """Join the cluster that the settings name, or start a Ray here.

    Raises:
        SettingError: it does not answer, is of another version, or cannot start.
    """
    import ray

    root = Path(__file__).resolve().parents[1]
    environment: dict[str, Any] = {"env_vars": {"PYTHONPATH": str(root)}}
    if settings.upload:
        environment = {"py_modules": [str(root / package) for package in PACKAGES]}
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": "ERROR",
        "namespace": "taskspace",
        "runtime_env": environment,
    }
    if settings.address is None:
        # The machine's cores are shared by roles that mostly wait for each other; what bounds the work is
        # the arena, so Ray gets no more workers started ahead than this.
        options |= {
            "include_dashboard": False,
            "num_cpus": max(1, os.cpu_count() or 1),
            "object_store_memory": settings.object_store_mb * 2**20,
        }
    try:
        # "local": with no address at all, Ray would join any cluster that was started on this machine.
        ray.init(address=settings.address or "local", **options)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise SettingError(
            f"runtime.address: Ray cannot start or be reached ({first}); check the address, or set "
            "runtime.kind=inline"
        ) from None


def ray_options(settings: RuntimeSettings, role: str) -> dict[str, Any]:
    """What an actor of a role asks Ray for. Two that share a bundle ask for half of it each."""
    turns = 2 if settings.layout == "colocated" and role in ("engine", "learner") else 1
    resources = {name: amount / turns for name, amount in settings.resources.get(role, {}).items()}
    options: dict[str, Any] = {name: resources.pop(name, 0) for name in ("num_cpus", "num_gpus")}
    if "memory" in resources:
        options["memory"] = resources.pop("memory")
    return options | ({"resources": resources} if resources else {})


def _shown(resources: Mapping[str, float]) -> str:
    """Resources for people: without the names that Ray gives to nodes."""
    kept = {name: amount for name, amount in sorted(resources.items()) if ":" not in name}
    sizes = {"memory", "object_store_memory"}
    return ", ".join(
        f"{amount / 2**30:.1f} GiB {name}" if name in sizes else f"{amount:g} {name}"
        for name, amount in kept.items()
    )
