"""An engine as a role: serves exactly the weights that a call asks for, and ends a run whose engine is ill.

Because every call names its weights, an engine that died and came back loads them before it answers.
"""

from collections.abc import Sequence
from typing import Any

from actors.engines.base import Completion, Engine, Request, Weights
from actors.engines.fetching import FetchedWeights, local_model
from actors.engines.gate import VersionGate
from protocols.errors import EngineError, TaskspaceError
from protocols.settings import RunSettings


class ServedEngine:
    def __init__(self, settings: RunSettings, model_path: str) -> None:
        self._settings = settings.engine
        self._lora_rank = settings.learner.lora.rank
        self._model_path = local_model(settings.model, model_path) if model_path else None
        self._fetched = FetchedWeights()
        self._engine = self._make()
        self._gate = VersionGate(calls_at_once(settings) if _concurrent(self._engine) else 1)
        self._failures = 0

    def generate(self, requests: Sequence[Request], weights: Weights) -> list[Completion]:
        """Completions under these weights, in the order of the requests.

        Raises:
            EngineError: the engine failed more often in a row than `engine.failures_allowed`.
        """
        while True:
            try:
                with self._under(weights):
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
        with self._under(weights):
            return self._engine.version

    def sleep(self) -> None:
        """Give a GPU's memory back until the next weights are asked for, where the engine can."""
        if hasattr(self._engine, "sleep"):
            self._engine.sleep()

    def describe(self) -> dict[str, Any]:
        numbers = self._engine.metrics() | {"seconds_at_the_gate": self._gate.waited}
        return {"name": self._engine.name, "why": getattr(self._engine, "why", ""), **numbers}

    def close(self) -> None:
        self._engine.close()
        self._fetched.clear()

    def _under(self, weights: Weights) -> Any:
        return self._gate.under(weights.version, self._version, lambda: self._load(weights))

    def _version(self) -> int:
        return -1 if self._dead() else self._engine.version

    def _dead(self) -> bool:
        return getattr(self._engine, "dead", False)

    def _load(self, weights: Weights) -> None:
        if self._dead():
            self._engine.close()
            self._engine = self._make()
        if weights.meeting is not None:
            self._engine.receive(weights, weights.meeting)  # type: ignore[attr-defined]
        else:
            self._engine.load(self._fetched.local(weights))

    def _make(self) -> Engine:
        from actors.engines.factory import make_engine

        return make_engine(self._settings, self._model_path, self._lora_rank)


def calls_at_once(settings: RunSettings) -> int:
    """How many calls an engine actor has to hold at once: those of all solvers, and the proposer's."""
    return settings.solver.in_flight + 1


def _concurrent(engine: Engine) -> bool:
    return getattr(engine, "concurrent", False)
