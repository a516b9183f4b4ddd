"""Solver and verifier for a measurement: the same roles as in a run, in one process. Nothing is stored."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from actors.verifier import Judged
from protocols.iteration import Play
from protocols.settings import RunSettings

DEADLINE_S = 3600.0

Player = Callable[[Sequence[Play], Callable[[int], None]], list[Judged]]
"""Plays groups and judges them, in order; the second argument is told how many more are done."""


@contextlib.contextmanager
def players(settings: RunSettings, weights_dir: Path) -> Iterator[Player]:
    """Roles that play with these weights.

    Raises:
        EngineError, SandboxError: they failed.
    """
    from actors.engines.base import Weights
    from actors.engines.serving import ServedEngine
    from actors.runtime import InlineRuntime
    from actors.solver import Solver
    from actors.verifier import Verifier

    runtime = InlineRuntime()
    try:
        # The engine starts with the weights that are measured and calls them its version 0.
        weights = Weights(version=0, path=str(weights_dir))
        engine = runtime.spawn("engine", ServedEngine, settings, str(weights_dir))
        solver = runtime.spawn("solver", Solver, settings, engine)
        verifier = runtime.spawn("verifier", Verifier, settings)

        def play(plays: Sequence[Play], advance: Callable[[int], None]) -> list[Judged]:
            found: list[Judged] = []
            size = settings.solver.batch_groups
            for first in range(0, len(plays), size):
                batch = plays[first : first + size]
                why = f"{len(batch)} measured groups"
                groups = solver.call("play", batch, weights, deadline_s=DEADLINE_S, reason=why)
                tasks = {one.task.id: one.task for one in batch}
                judged, _ = verifier.call("judge", groups, tasks, deadline_s=DEADLINE_S, reason=why)
                found += judged
                advance(len(batch))
            return found

        yield play
    finally:
        runtime.close()
