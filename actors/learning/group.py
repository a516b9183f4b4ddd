"""The ranks of a learner as Ray actors: started together, called together, and started again together.

    group.call(...) ──▶ rank 0 ─┐
                    ├─▶ rank 1 ─┼─ each runs the same call; they exchange shards among themselves
                    └─▶ ...    ─┘      (FSDP2, over gloo or NCCL)

A rank that dies takes what it held with it, and leaves the others waiting for it; so all of them are ended,
and others begin with what is on disk. Calls are idempotent: they can be repeated. Every wait has a deadline.
Does not cover: what ranks tell each other (`ranks`).
"""

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Any

from actors.ray_runtime import ray_options
from protocols.errors import DeadlineError, EngineError, TaskspaceError
from protocols.settings import RunSettings

_GRACE_S = 5.0  # once one rank has failed, for the others to say what they know


class LostContact(Exception):
    """A rank cannot reach the others."""


class RankGroup:
    """`settings.learner.ranks` actors, each round an object of the same class."""

    def __init__(self, settings: RunSettings, cls: type, args: tuple[Any, ...]) -> None:
        """`cls(*args, ranks=...)` is what every rank makes; it has the methods that are called."""
        self._settings = settings
        self._made = cls, args
        self._ranks: list[Any] = []
        self._lost = 0  # times that all were started again

    def call(self, method: str, *args: Any, reason: str) -> Any:
        """What the first rank returns.

        Raises:
            DeadlineError: not all ranks are done within `learner.deadline_s` seconds.
            EngineError: ranks were lost more often than `runtime.restarts`.
            TaskspaceError: a rank raised one.
        """
        import ray

        while True:
            try:
                if not self._ranks:
                    self._start()
                shared = [ray.put(arg) for arg in args]  # once for all ranks
                calls = [rank.run.remote(method, *shared) for rank in self._ranks]
                return self._results(calls, method, reason)[0]
            except LostContact as lost:
                self.close()
                self._lost += 1
                if self._lost > self._settings.runtime.restarts:
                    raise EngineError(
                        f"learner.{method}: {lost}, and all restarts (runtime.restarts "
                        f"{self._settings.runtime.restarts}) are used up; look at its log, or give it more "
                        "memory"
                    ) from None
            except BaseException:
                self.close()  # whatever it was, the ranks are no longer at the same place
                raise

    def pids(self) -> list[int]:
        """Process ids of the ranks, while they have nothing to do."""
        import ray

        return ray.get([rank.pid.remote() for rank in self._ranks], timeout=60)

    def close(self) -> None:
        """End all ranks at once."""
        import ray

        while self._ranks:
            with contextlib.suppress(Exception):  # one that is gone has nothing left to end
                ray.kill(self._ranks.pop(), no_restart=True)

    def _start(self) -> None:
        import ray

        size = self._settings.learner.ranks
        options = ray_options(self._settings.runtime, "learner")
        maker = ray.remote(_Rank).options(**options)
        self._ranks = [maker.remote(rank, size, self._settings.learner.collective_s) for rank in range(size)]
        asked = {name: value for name, value in options.items() if value} or "no resources"
        why = f"{size} ranks to be placed, with {asked} each (runtime.resources)"
        limit = self._settings.learner.collective_s, "learner.collective_s"
        self._results([rank.pid.remote() for rank in self._ranks], "start", why, limit)
        place = self._results([self._ranks[0].open.remote()], "start", "a port", limit)[0]
        device = self._settings.learner.device
        calls = [rank.start.remote(*place, device, *self._made) for rank in self._ranks]
        self._results(calls, "start", f"{size} ranks to meet and to load the model")

    def _results(
        self, calls: Sequence[Any], method: str, reason: str, limit: tuple[float, str] | None = None
    ) -> list[Any]:
        """Of all calls, in order; of several failures the one that explains the others.

        Args:
            limit: seconds, and the setting that says so; `learner.deadline_s` by default.

        Raises:
            DeadlineError: not all are done within the limit.
            LostContact: a rank died, or cannot reach the others.
        """
        import ray

        patience, setting = limit or (self._settings.learner.deadline_s, "learner.deadline_s")
        started = time.monotonic()
        waiting = list(calls)
        while waiting:
            left = max(0.0, started + patience - time.monotonic())
            done, waiting = ray.wait(waiting, num_returns=1, timeout=left)
            if not done:
                raise DeadlineError(
                    f"learner.{method}: {len(waiting)} of {len(calls)} ranks did not answer within "
                    f"{patience:.0f} s while waiting for {reason}; raise {setting} or look at their logs"
                )
            if _failure(done[0]) is not None:
                ray.wait(waiting, num_returns=len(waiting), timeout=_GRACE_S) if waiting else None
                raise self._explained(calls)
        return ray.get(list(calls))

    def _explained(self, calls: Sequence[Any]) -> BaseException:
        import ray

        ended, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        failed = {rank: _failure(call) for rank, call in enumerate(calls) if call in ended}
        known = {rank: error for rank, error in failed.items() if error is not None}
        for error in known.values():
            if isinstance(error, TaskspaceError):
                return error
        for rank, error in known.items():
            if isinstance(error, ray.exceptions.RayActorError):
                return LostContact(f"rank {rank} of {len(calls)} died")
        others = [error for error in known.values() if not isinstance(error, LostContact)]
        return others[0] if others else next(iter(known.values()))


def _failure(call: Any) -> BaseException | None:
    """Why a call that has ended failed; None if it did not."""
    import ray

    try:
        ray.get(call)
    except ray.exceptions.RayTaskError as error:
        return error.cause if isinstance(error.cause, TaskspaceError | LostContact) else error
    except ray.exceptions.RayError as error:
        return error
    return None


class _Rank:
    """One rank's actor."""

    def __init__(self, rank: int, size: int, timeout_s: float) -> None:
        self._place = rank, size
        self._timeout_s = timeout_s
        self._store: Any = None
        self._obj: Any = None

    def open(self) -> tuple[str, int]:
        """Where the ranks meet: at the first one, on a free port."""
        import ray

        from actors.learning.ranks import free_store

        host = ray.util.get_node_ip_address()
        self._store = free_store(host, self._place[1], self._timeout_s)
        return host, self._store.port

    def start(self, host: str, port: int, device: str, cls: type, args: tuple[Any, ...]) -> None:
        from actors.learning.ranks import join, store_at
        from actors.learning.trainee import device_of

        with _in_contact():
            store = self._store or store_at(host, port, self._place[1], self._timeout_s)
            ranks = join(store, *self._place, device_of(device, self._place[0]), self._timeout_s)
            self._obj = cls(*args, ranks=ranks)

    def run(self, method: str, *args: Any) -> Any:
        """All ranks compute it; one answer is enough."""
        with _in_contact():
            found = getattr(self._obj, method)(*args)
        return found if self._place[0] == 0 else None

    def pid(self) -> int:
        return os.getpid()


@contextlib.contextmanager
def _in_contact() -> Any:
    from actors.learning.ranks import is_loss_of_contact

    try:
        yield
    except RuntimeError as error:
        if is_loss_of_contact(error):
            raise LostContact(
                f"a rank cannot reach the others ({str(error).splitlines()[0][:160]})"
            ) from None
        raise
