"""Many calls under one version of the weights, and one at a time between versions."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator


class VersionGate:
    """Calls enter in the order of their coming, so that neither a version nor a change of it starves.

    Args:
        together: how many calls may be inside at once.
    """

    def __init__(self, together: int) -> None:
        self._together = together
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._inside = 0
        self.waited = 0.0  # seconds that calls stood before the gate

    @contextlib.contextmanager
    def under(self, version: int, current: Callable[[], int], load: Callable[[], None]) -> Iterator[None]:
        """Inside, `current()` is `version`: where it is not, `load` is called once all others have left."""
        ticket, came = object(), time.monotonic()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not self._may_enter(ticket, version == current()):
                    self._changed.wait()
                self.waited += time.monotonic() - came
                if version != current():
                    load()
                self._inside += 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _may_enter(self, ticket: object, served: bool) -> bool:
        if self._waiting[0] is not ticket:
            return False
        return self._inside < self._together if served else not self._inside
