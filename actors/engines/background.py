"""An event loop in a thread of its own, for engines that many threads ask at once."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from protocols.errors import DeadlineError

T = TypeVar("T")


class Background:
    """Runs coroutines for whoever asks, each with a deadline.

    Args:
        name: of the engine, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name=f"{name}-engine", daemon=True).start()

    def do(self, work: Coroutine[Any, Any, T], deadline_s: float, reason: str) -> T:
        """The coroutine's result; what it waits for is cancelled when it takes too long.

        Raises:
            DeadlineError: it took more than `deadline_s` seconds.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(deadline_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise DeadlineError(
                f"engine {self._name}: no answer after {deadline_s:.0f} s while waiting for {reason}; "
                "raise engine.deadline_s or ask for less at a time"
            ) from None
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
