"""An engine as a role: serves exactly the weights that a call asks for, and ends a run whose engine is ill.

Because every call names its weights, an engine that died and came back loads them before it answers.
"""

from collections.abc import Sequence
from typing import Any

from actors.engines.base import Completion, Engine, Request, Weights
from protocols.errors import EngineError, TaskspaceError
from protocols.settings import RunSettings


class ServedEngine:
    def __init__(self, settings: RunSettings, model_path: str) -> None:
        from pathlib import Path

        from actors.engines.factory import make_engine

        self._settings = settings.engine
        self._engine: Engine = make_engine(settings.engine, Path(model_path) if model_path else None)
        self._failures = 0

    def generate(self, requests: Sequence[Request], weights: Weights) -> list[Completion]:
        """Completions under these weights, in the order of the requests.

        Raises:
            EngineError: the engine failed more often in a row than `engine.failures_allowed`.
        """
        while True:
            try:
                self.serve(weights)
                completions = self._engine.generate(requests)
            except TaskspaceError:
                raise  # already a sentence for people: wrong weights, or an engine that says it cannot
            except Exception as error:  # whatever a model, a driver or a device can throw
                self._failures += 1
                if self._failures > self._settings.failures_allowed:
                    raise EngineError(
                        f"engine {self._engine.name}: failed {self._failures} times in a row, last with "
                        f"{type(error).__name__}: {str(error)[:200]}; see engine.* settings"
                    ) from error
            else:
                self._failures = 0
                return completions

    def serve(self, weights: Weights) -> int:
        """Load these weights unless they are being served already."""
        if weights.version != self._engine.version:
            self._engine.load(weights)
        return self._engine.version

    def describe(self) -> dict[str, Any]:
        return {"name": self._engine.name, "why": getattr(self._engine, "why", ""), **self._engine.metrics()}

    def close(self) -> None:
        self._engine.close()
