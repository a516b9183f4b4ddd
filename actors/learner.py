"""The learner: moves verified experience into the weights, and publishes versions.

It is a thin shell round the algorithms in `actors.learning`; what it adds is that a version is learned once:
asked again for a version that is on disk, it restores it and returns the update it made then. With several
ranks each of them is such a shell, and the role is the one that calls them all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.engines.base import Meeting, Weights
from actors.engines.fetching import files_of, local_model
from actors.learning.group import RankGroup
from actors.loading import loading
from protocols.errors import TransferError
from protocols.recipes import recipe
from protocols.records import Sample, Update
from protocols.settings import RunSettings

if TYPE_CHECKING:
    from actors.engines.direct import Sender
    from actors.learning.grpo import GrpoLearner
    from actors.learning.ranks import Ranks
    from actors.learning.sft import SftLearner


def learner_of(settings: RunSettings) -> "type[Learner | GroupedLearner]":
    """The role that the settings ask for."""
    return Learner if settings.learner.ranks == 1 else GroupedLearner


class Learner:
    """Learns by the algorithm of the run's recipe, whichever engine plays."""

    def __init__(
        self, settings: RunSettings, model_path: str, run_dir: str, ranks: "Ranks | None" = None
    ) -> None:
        self._settings = settings
        self._sender: Sender | None = None
        self._learner = _algorithm(settings, local_model(settings.model, model_path), Path(run_dir), ranks)

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

    def offer(self, receivers: int) -> Meeting | None:
        """Where engines that take the current version from memory find it; the first rank's answer counts."""
        import ray

        from actors.engines.direct import Sender

        if not self._learner.ranks.first:
            return None
        self._sender = Sender(ray.util.get_node_ip_address(), receivers)
        return self._sender.meeting

    def send(self, version: int) -> None:
        """Broadcast the weights of this version to whoever comes to the place that was offered.

        Raises:
            TransferError: not all came, or the learner has gone on, or begun anew, since.
        """
        sender, self._sender = self._sender, None
        if self._learner.version != version or (sender is None and self._learner.ranks.first):
            raise TransferError(f"learner: version {version} cannot be sent; it has {self._learner.version}")
        try:
            self._learner.send(sender)
        except RuntimeError as error:
            first = str(error).strip().partition("\n")[0]
            raise TransferError(f"learner: version {version} could not be sent ({first})") from error


class GroupedLearner:
    """The same calls, to `learner.ranks` actors that learn together.

    When one of them is lost all are started again, and the call is repeated: a call begins with what is
    published, so nothing of the broken one is left.
    """

    delegates = True  # the ranks have the role's resources, not this actor

    def __init__(self, settings: RunSettings, model_path: str, run_dir: str) -> None:
        self._group = RankGroup(settings, Learner, (settings, model_path, run_dir))

    def restore(self, version: int) -> Weights:
        found: Weights = self._group.call("restore", version, reason=f"version {version} to be restored")
        return found

    def learn(self, samples: Sequence[Sample], version: int, round: int) -> tuple[Update, Weights]:
        why = f"version {version} to be learned"
        found: tuple[Update, Weights] = self._group.call("learn", samples, version, round, reason=why)
        return found

    def files(self, path: str) -> dict[str, Any]:
        return files_of(Path(path))

    def offer(self, receivers: int) -> Meeting:
        found: Meeting = self._group.call("offer", receivers, reason="a place to hand weights over")
        return found

    def send(self, version: int) -> None:
        self._group.call("send", version, reason=f"version {version} to be sent")

    def pids(self) -> list[int]:
        """Process ids of the ranks."""
        return self._group.pids()

    def close(self) -> None:
        self._group.close()


def _algorithm(
    settings: RunSettings, model_path: Path, run_dir: Path, ranks: "Ranks | None"
) -> "SftLearner | GrpoLearner":
    """The recipe's. Loaded here, because torch takes seconds and not every process learns."""
    place = settings.learner, run_dir, settings.seed
    name = adapted_name(settings.model.name)
    if recipe(settings.learner.recipe).algorithm == "sft":
        with loading():
            from actors.learning.sft import SftLearner

        return SftLearner(model_path, *place, ranks=ranks, model_name=name)
    with loading():
        from actors.learning.grpo import GrpoLearner

    temperatures = settings.solver.sampling.temperature, settings.proposer.sampling.temperature
    return GrpoLearner(model_path, *place, *temperatures, ranks=ranks, model_name=name)


def adapted_name(model: str) -> str:
    """What adapters say they belong to: the model's name, but no path, which means nothing elsewhere."""
    path = Path(model).expanduser()
    return path.name if path.is_absolute() or path.is_dir() else model
