"""TensorBoard, MLflow and Weights & Biases, each by its own library, which is imported when it is used.

Keys are the libraries' business: they find them in their own files and variables, and none is read, kept or
shown here.
"""

import importlib.util
import json
import logging
import netrc
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from experiments.tracking.points import Point
from protocols.errors import SettingError
from protocols.tracking_settings import TrackingSettings

_PER_BATCH = 500  # MLflow takes 1000 metrics and 100 parameters at once
_LONGEST_PARAMETER = 500


class Tracker(Protocol):
    """`id` names the run there, so that it can be gone on with; `where` says to people where to look."""

    id: str
    where: str

    def write(self, points: Sequence[Point]) -> None: ...

    def close(self, finished: bool) -> None: ...


class TensorBoard:
    """Event files in RUN/tensorboard. Those of a resumed run lie beside the earlier ones."""

    def __init__(self, run_dir: Path, settings: TrackingSettings, config: Mapping[str, Any], id: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = run_dir / "tensorboard"
        self.id, self.where = "tensorboard", f"tensorboard --logdir {folder}"
        self._writer: Any = SummaryWriter(str(folder))

    def write(self, points: Sequence[Point]) -> None:
        for p in points:
            self._writer.add_scalar(p.name, p.value, p.step, walltime=p.at)
        self._writer.flush()

    def close(self, finished: bool) -> None:
        self._writer.close()


class MLflow:
    """One MLflow run in the experiment of that name; settings are its parameters."""

    def __init__(self, run_dir: Path, settings: TrackingSettings, config: Mapping[str, Any], id: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # its own, which goes to its makers
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # its import has set another one

        store = f"sqlite:///{run_dir.absolute() / 'mlflow.db'}"
        uri = settings.uri or os.environ.get("MLFLOW_TRACKING_URI") or store
        self._client: Any = MlflowClient(uri)
        self._metric = Metric
        self.id = id
        if id:
            self._client.update_run(id, status="RUNNING")
        else:
            known = self._client.get_experiment_by_name(settings.project)
            experiment = known.experiment_id if known else self._client.create_experiment(settings.project)
            self.id = self._client.create_run(experiment, run_name=run_dir.name).info.run_id
            parameters = [Param(key, _parameter(value)) for key, value in config.items()]
            for i in range(0, len(parameters), 100):
                self._client.log_batch(self.id, params=parameters[i : i + 100])
        self.where = f"MLflow experiment {settings.project}, run {self.id}"

    def write(self, points: Sequence[Point]) -> None:
        for i in range(0, len(points), _PER_BATCH):
            batch = points[i : i + _PER_BATCH]
            metrics = [self._metric(p.name, float(p.value), int(1000 * p.at), p.step) for p in batch]
            self._client.log_batch(self.id, metrics=metrics)

    def close(self, finished: bool) -> None:
        self._client.set_terminated(self.id, "FINISHED" if finished else "KILLED")


class WandB:
    """One run of Weights & Biases. Only metrics and settings are sent: no code, no git state, no machine."""

    def __init__(self, run_dir: Path, settings: TrackingSettings, config: Mapping[str, Any], id: str) -> None:
        import wandb

        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
        )
        self._run: Any = wandb.init(
            project=settings.project,
            id=id or None,
            name=run_dir.name,
            dir=str(run_dir),
            mode="offline" if _offline(settings) else "online",
            resume="allow",
            config=dict(config),
            reinit="create_new",
            settings=quiet,
        )
        for axis in ("version", "step", "round"):
            self._run.define_metric(f"{axis}/*", step_metric=axis)
        self.id = self._run.id
        self.where = f"wandb sync {Path(self._run.dir).parent}" if _offline(settings) else str(self._run.url)

    def write(self, points: Sequence[Point]) -> None:
        # Its own step only ever rises, so each axis is a metric that the others are drawn against.
        for (axis, step), found in groupby(points, key=lambda p: (p.axis, p.step)):
            self._run.log({axis: step} | {p.name: p.value for p in found})

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


TRACKERS: dict[str, Callable[[Path, TrackingSettings, Mapping[str, Any], str], Tracker]] = {
    "tensorboard": TensorBoard,
    "mlflow": MLflow,
    "wandb": WandB,
}
#: What pip installs for each. MLflow's local store needs the last two.
PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny sqlalchemy alembic", "wandb": "wandb"}


def require(settings: TrackingSettings) -> None:
    """Check before anything starts that each tracker can be used.

    Raises:
        SettingError: its library is not installed, or Weights & Biases has no key and would ask for one.
    """
    for name in settings.to:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:  # a folder that only has the name, as wandb leaves them
            raise SettingError(
                f"tracking.to: {name} is not installed; run: pip install {PACKAGES[name]}, or leave it out"
            )
    if "wandb" in settings.to and not _offline(settings) and not _has_key():
        raise SettingError(
            "tracking.to: wandb has no key; run: wandb login, or set WANDB_API_KEY, or write "
            "--set tracking.offline=true"
        )


def _offline(settings: TrackingSettings) -> bool:
    return settings.offline or os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun")


def _has_key() -> bool:
    """Whether the library would find one; what it is, is not looked at."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    for name in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        try:
            if name and host in netrc.netrc(Path(name).expanduser()).hosts:
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False


def _parameter(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text[:_LONGEST_PARAMETER] or '""'
