"""The weights that a run folder still holds, by policy version."""

from pathlib import Path
from typing import TYPE_CHECKING

from memory import adapters, checkpoints
from memory.finite import not_finite
from memory.reader import RunReader
from protocols.errors import SettingError

if TYPE_CHECKING:
    from actors.engines.base import Weights


def require_finite(version: int, folder: Path) -> None:
    """Raises:
    SettingError: a version's weights hold NaN or infinity, which no model can be used with.
    """
    broken = not_finite(folder)
    if broken:
        raise SettingError(
            f"--version {version}: its weights are not finite ({broken[0]}); choose an earlier one"
        )


class StoredWeights:
    """Version 0 is the model as it came, which is always to be had; the others are the run's checkpoints."""

    def __init__(self, run_dir: Path, reader: RunReader) -> None:
        self._run_dir = run_dir
        self._checksums = {row["version"]: row["checksum"] for row in reader.updates()}
        self.known = sorted({0} | (set(checkpoints.versions(run_dir)) & self._checksums.keys()))
        self.folder = run_dir / "checkpoints"

    def weights(self, version: int, model_path: Path) -> "Weights":
        """For an engine, which refuses them where they are not what was published.

        Args:
            version: one of `known`.
            model_path: the model as it came.
        """
        from actors.engines.base import Weights

        if version == 0:
            return Weights(version=0, path=str(model_path))
        path = checkpoints.path_of(self._run_dir, version)
        return Weights(
            version=version,
            path=str(path),
            checksum=self._checksums[version],
            adapter=adapters.is_adapter(path),
        )

    def nearest(self, version: int) -> int:
        """The known version that is closest, the earlier one of two."""
        return min(self.known, key=lambda one: (abs(one - version), one))
