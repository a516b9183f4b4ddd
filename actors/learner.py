"""The learner: moves verified experience into the weights, and publishes versions.

It is a thin shell round the algorithms in `actors.learning`; what it adds is that a version is learned once:
asked again for a version that is on disk, it restores it and returns the update it made then.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.engines.base import Weights
from actors.engines.fetching import files_of, local_model
from protocols.recipes import recipe
from protocols.records import Sample, Update
from protocols.settings import RunSettings

if TYPE_CHECKING:
    from actors.learning.grpo import GrpoLearner
    from actors.learning.sft import SftLearner


class Learner:
    """Learns by the algorithm of the run's recipe, whichever engine plays."""

    def __init__(self, settings: RunSettings, model_path: str, run_dir: str) -> None:
        self._settings = settings
        self._learner = _algorithm(settings, local_model(settings.model, model_path), Path(run_dir))

    def restore(self, version: int) -> Weights:
        """Go on from a published version (0 = the model as it came); its weights for the engines."""
        if version != self._learner.version:
            self._learner.resume(version)
        return self._learner.weights()

    def learn(self, samples: Sequence[Sample], version: int, round: int) -> tuple[Update, Weights]:
        """Train on the samples and publish the result as `version`."""
        update = self._learner.published(version)
        if update is None:
            if self._learner.version != version - 1:
                self._learner.resume(version - 1)
            update = self._learner.learn(samples, version, round, self._settings.learner.recipe, None)
        elif self._learner.version != version:
            self._learner.resume(version)
        return update, self._learner.weights()

    def files(self, path: str) -> dict[str, Any]:
        """The files of a published folder, for engines on nodes that do not see it."""
        return files_of(Path(path))


def _algorithm(settings: RunSettings, model_path: Path, run_dir: Path) -> "SftLearner | GrpoLearner":
    """The recipe's. Loaded here, because torch takes seconds and not every process learns."""
    if recipe(settings.learner.recipe).algorithm == "sft":
        from actors.learning.sft import SftLearner

        return SftLearner(model_path, settings.learner, run_dir, settings.seed)
    from actors.learning.grpo import GrpoLearner

    temperatures = settings.solver.sampling.temperature, settings.proposer.sampling.temperature
    return GrpoLearner(model_path, settings.learner, run_dir, settings.seed, *temperatures)
