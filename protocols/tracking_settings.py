"""Settings of trackers: where else a run's metrics go, besides its own store."""

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from protocols.errors import SettingError
from protocols.section import Section

Tracker = Literal["tensorboard", "mlflow", "wandb"]


class TrackingSettings(Section):
    to: tuple[Tracker, ...] = Field((), max_length=3)
    """Trackers that get the metrics while the run goes on, each through its own library: tensorboard, mlflow,
    wandb. `taskspace track` sends those of a run that is over."""
    project: str = Field("taskspace", min_length=1, max_length=128)
    """MLflow's experiment, and the project of Weights & Biases."""
    uri: str | None = None
    """MLflow's tracking store, e.g. http://HOST:5000 or sqlite:///FILE; without it MLFLOW_TRACKING_URI, and
    without that RUN/mlflow.db."""
    offline: bool = False
    """Weights & Biases writes into RUN/wandb and sends nothing; `wandb sync` does later."""
    deadline_s: float = Field(60.0, gt=0, le=3600)
    """Longest wait, at the end of a run, for trackers to take what is left."""

    @field_validator("to", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("to")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("uri")
    @classmethod
    def _without_a_secret(cls, value: str | None) -> str | None:
        """Settings are kept with the run and shown in reports."""
        if value is not None and urlsplit(value).password is not None:
            raise SettingError(
                "setting tracking.uri: holds a password, and settings are stored with the run; write it in "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        return value
