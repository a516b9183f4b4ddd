"""Settings of how roles run: in one process, or as actors on a Ray cluster."""

from typing import Literal

from pydantic import Field

from protocols.section import Section


class RuntimeSettings(Section):
    kind: Literal["ray", "inline"] = "ray"
    """`ray`: every role is an actor. `inline`: the same roles in one process without Ray."""
    address: str | None = None
    """A running Ray cluster; None starts one on this machine."""
    object_store_mb: int = Field(128, ge=80)
    """Shared memory of a Ray started here."""
    restarts: int = Field(3, ge=0)
    """How often a dead actor is started again before the run ends with its cause."""
    resources: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Ray resources by role (engine, proposer, solver, verifier, curator, learner), e.g. num_gpus: 1."""
