"""Models and published weights on a node that does not see the folders of the node they come from."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from actors.engines.base import Weights
from protocols.errors import EngineError
from protocols.settings import ModelSettings

FETCH_DEADLINE_S = 300.0


def files_of(folder: Path) -> dict[str, Any]:
    """A folder's files as arrays of bytes, which Ray stores without copying them again."""
    import numpy as np

    return {
        path.name: np.fromfile(path, dtype=np.uint8) for path in sorted(folder.iterdir()) if path.is_file()
    }


class FetchedWeights:
    """Published folders that were fetched from the object store; only the newest is kept."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def local(self, weights: Weights) -> Weights:
        """The weights in a folder that this node sees.

        Raises:
            EngineError: neither the folder is here nor its files can be had.
        """
        if Path(weights.path).is_dir():
            return weights
        if weights.files is None:
            raise EngineError(
                f"Weights version {weights.version}: {weights.path} is not seen on this node; put the run on "
                "shared storage, or set engine.transport=objects"
            )
        import ray

        try:
            files = ray.get(weights.files, timeout=FETCH_DEADLINE_S)
        except ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            raise EngineError(f"Weights version {weights.version} cannot be fetched: {first}") from None
        self.clear()
        self._folder = tempfile.TemporaryDirectory(prefix=f"taskspace-v{weights.version:04d}-")
        for name, content in files.items():
            content.tofile(Path(self._folder.name) / name)
        return msgspec.structs.replace(weights, path=self._folder.name)

    def clear(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def local_model(settings: ModelSettings, path: str) -> Path:
    """The model as it came, in a folder of this node; where it is not there yet it is fetched."""
    if Path(path).is_dir():
        return Path(path)
    from memory.artefacts import fetch_model

    return fetch_model(settings.name, settings.revision)
