"""A version of a run's weights as a whole Hugging Face folder: `from_pretrained` and `vllm serve` load it."""

import shutil
import tempfile
from pathlib import Path

from experiments import config, preflight, runs
from experiments.stored_weights import require_finite
from memory import adapters, checkpoints
from memory.reader import RunReader
from protocols.errors import SettingError


def export(run: Path, out: Path, version: int | None, runs_dir: Path, quiet: bool = False) -> int:
    """Write it whole or not at all; returns the version.

    Raises:
        SettingError: no such run or version, its weights were removed, or `out` is not empty.
        ArtefactError: the model that the run began with cannot be had.
    """
    folder = runs.find(run, runs_dir)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingError(f"--model {out}: something is there already; give a new or an empty folder")
    with RunReader(folder / "run.db") as reader:
        settings = config.resolve(reader.config())
        known = [row["version"] for row in reader.rows("SELECT version FROM updates ORDER BY version")]
    chosen = max(known, default=0) if version is None else version
    there = checkpoints.versions(folder)
    kept = ", ".join(str(v) for v in [0, *(v for v in known if v in there)])
    if chosen and chosen not in known:
        raise SettingError(f"--version {chosen}: {folder} has no such version; choose one of {kept}")
    if chosen and chosen not in there:
        raise SettingError(f"--version {chosen}: its weights in {folder} were removed; choose one of {kept}")
    source = checkpoints.path_of(folder, chosen)
    if chosen:
        require_finite(chosen, source)
    if not chosen or adapters.is_adapter(source):
        base = preflight.model_folder(settings.model, quiet)
    _write(source if chosen else base, base if chosen and adapters.is_adapter(source) else None, out)
    return chosen


def _write(source: Path, base: Path | None, out: Path) -> None:
    """`source` itself, or with a base the adapter in it added to that."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".unfinished-{out.name}-", dir=out.parent) as scratch:
            draft = Path(scratch) / "model"
            draft.mkdir()
            if base is not None:
                adapters.merge(base, source, draft)
            else:
                adapters.copy_beside(source, draft)
                for file in sorted(source.glob("*.safetensors")):
                    shutil.copyfile(file, draft / file.name)
            draft.rename(out)  # an empty folder gives way
    except OSError as error:
        raise SettingError(f"--model {out}: {error.strerror}; choose another folder") from None
