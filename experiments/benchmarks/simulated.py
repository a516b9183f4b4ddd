"""A learner that takes time and learns nothing, for measuring how a run is scheduled.

The main loop, the roles, the sandbox and the store around it are the real ones.
"""

import time
from collections.abc import Sequence

from actors.engines.base import Weights
from protocols.records import Sample, Update
from protocols.settings import RunSettings


class SimulatedLearner:
    """See `actors.learner.Learner`. An update takes `seconds`; every version is the model as it came."""

    def __init__(self, settings: RunSettings, model_path: str, run_dir: str, *, seconds: float = 0.0) -> None:
        self._settings, self._path, self._seconds = settings, model_path, seconds

    def restore(self, version: int) -> Weights:
        return Weights(version=version, path=self._path)

    def learn(self, samples: Sequence[Sample], version: int, round: int) -> tuple[Update, Weights]:
        time.sleep(self._seconds)
        update = Update(
            version=version,
            round=round,
            recipe=self._settings.learner.recipe,
            samples=len(samples),
            tokens=sum(len(sample.token_ids) for sample in samples),
            steps=1,
            losses=(0.0,),
            grad_norms=(0.0,),
            learning_rates=(0.0,),
            seconds=self._seconds,
            path="",
            checksum="",
        )
        return update, self.restore(version)
