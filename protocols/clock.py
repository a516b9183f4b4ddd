"""When something began, and how long ago that is: by two clocks, because that of the wall may be set back."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Began:
    at: float = field(default_factory=time.time)  # UNIX seconds, for people
    tick: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since then; never less than 0."""
        return time.monotonic() - self.tick
