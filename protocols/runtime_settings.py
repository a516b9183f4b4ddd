"""Settings of how roles run: in one process, or as actors on a Ray cluster."""

from typing import Literal

from pydantic import Field, model_validator

from protocols.errors import SettingError
from protocols.section import Section


class RuntimeSettings(Section):
    kind: Literal["ray", "inline"] = "ray"
    """`ray`: every role is an actor. `inline`: the same roles in one process without Ray."""
    address: str | None = None
    """A running Ray cluster: `auto` (on one of its nodes) or HOST:PORT. None starts one on this machine."""
    object_store_mb: int = Field(128, ge=80)
    """Shared memory of a Ray started here."""
    restarts: int = Field(3, ge=0)
    """How often a dead actor is started again before the run ends with its cause."""
    resources: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Ray resources of each actor by role (engine, proposer, solver, verifier, curator, learner), e.g.
    {engine: {num_gpus: 1}}."""
    layout: Literal["separate", "colocated"] = "separate"
    """`colocated`: engine i and learner rank i share a GPU in turns; the engine sleeps while the learner
    learns."""
    strategy: Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"] = "PACK"
    """How Ray distributes what the actors ask for over nodes."""
    start_deadline_s: float = Field(120.0, gt=0)
    """Longest wait for the cluster to answer, and for what the actors ask for to be free."""
    niceness: int = Field(5, ge=0, le=19)
    """How far actors stand back where other programs want the same cores: 0 = not at all, 19 = most (as
    nice(1)); Ray's own default is 15. `RAY_worker_niceness` in the environment goes before it."""
    upload: bool = False
    """Send this code to every node; without it, each has the same version installed."""

    @model_validator(mode="after")
    def _an_address_is_rays(self) -> "RuntimeSettings":
        if self.kind == "inline" and self.address is not None:
            raise SettingError(
                "setting runtime.kind: inline runs in one process and joins no cluster, but runtime.address "
                f"is {self.address}; write --set runtime.kind=ray, or --set runtime.address=null"
            )
        return self
