"""A role that is a Ray actor, as others hold it: calls with deadlines, errors as sentences."""

import contextlib
import math
import os
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from actors.runtime import Ended, Pending
from protocols.errors import DeadlineError, EngineError, RoleLostError, TaskspaceError


class RayPending:
    def __init__(self, role: str, method: str, ref: Any) -> None:
        self._role, self._method, self.ref = role, method, ref
        self._asked = time.monotonic()

    def result(self, deadline_s: float, reason: str) -> Any:
        import ray

        try:
            return ray.get(self.ref, timeout=deadline_s)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(self.ref, force=False, recursive=True)
            waited = time.monotonic() - self._asked
            raise DeadlineError(
                f"{self._role}.{self._method}: no answer after {waited:.0f} s while waiting for {reason}; "
                f"raise the role's deadline_s or look at its log",
                self._role,
            ) from None
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, (TaskspaceError, OSError)):  # a sentence for people; a full disk, say
                raise cause from None
            raise
        except ray.exceptions.ActorUnavailableError as error:  # it lives, as far as Ray knows: it hangs
            waited = time.monotonic() - self._asked
            why = str(error).strip().splitlines()[0]
            raise DeadlineError(
                f"{self._role}.{self._method}: out of reach after {waited:.0f} s while waiting for {reason} "
                f"({why}); look at its log and at its node",
                self._role,
            ) from None
        except ray.exceptions.RayActorError as error:
            lines = str(error).strip().splitlines()
            if "creation task" in lines[0]:  # the constructor raised: its message is the last line
                raise EngineError(f"{self._role}: cannot start ({lines[-1].strip()})") from None
            _, _, detail = str(error).partition("Worker exit detail: ")
            why = (detail.strip().splitlines() or lines)[0].partition(". There are some potential")[0]
            raise RoleLostError(
                f"{self._role}: the actor died and all its restarts are used up ({why}); look at its "
                f"log, or give it more memory",
                self._role,
            ) from None
        except ray.exceptions.RayError as error:  # a lost object, a node without memory or disk, no raylet
            first = (str(error).strip().splitlines() or [""])[0]
            raise EngineError(
                f"{self._role}.{self._method}: Ray lost its answer ({type(error).__name__}: {first}); look "
                "at the cluster's log, then go on with --resume"
            ) from None


class RayRole:
    """A role's actor by its name in the cluster. Picklable, so that roles can be handed to other roles.

    Handed on by name: an actor whose constructor was given a handle cannot be started again once the
    handle's owner has let the argument go.
    """

    def __init__(self, name: str, actor: str) -> None:
        self.name = name
        self.actor = actor
        self._replaced = -math.inf

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
                error=RoleLostError(
                    f"{self.name}: the actor is gone, and all its restarts are used up", self.name
                )
            )
        return RayPending(self.name, method, handle.run.remote(method, *args))

    def call(self, method: str, *args: Any, deadline_s: float, reason: str) -> Any:
        return self.submit(method, *args).result(deadline_s, reason)

    def replace(self, asked: float = math.inf) -> None:
        import ray

        if asked < self._replaced:
            return
        self._replaced = time.monotonic()
        with contextlib.suppress(ValueError):  # it is dead for good, which its next call says
            ray.kill(self.handle, no_restart=False)


class Shell:
    """The thin actor round a plain role object. Each kind of role has a subclass of its own, whose name is
    what the machine's list of processes and Ray's list of actors show."""

    def __init__(self, cls: Callable[..., Any], *args: Any) -> None:
        self._obj = cls(*args)

    def run(self, method: str, *args: Any) -> Any:
        return getattr(self._obj, method)(*args)

    def pid(self) -> int:
        return os.getpid()

    def close(self) -> None:
        if hasattr(self._obj, "close"):
            self._obj.close()
