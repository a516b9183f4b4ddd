"""A new version's way from the learner to all engines: as a folder, through the object store, or directly.

Whatever the way, an engine serves a version only after its log-probabilities were compared with the
learner's (`engines.weights.check_probe`), and the weights handed on with each call still name the folder: an
engine that is started again loads the version from there.
"""

from collections.abc import Callable

import msgspec

from actors.engines.base import Weights
from actors.engines.replicas import Replicas
from actors.runtime import Role
from protocols.errors import DeadlineError, RoleLostError, TransferError
from protocols.settings import RunSettings


def deliver(
    weights: Weights, settings: RunSettings, learner: Role, engine: Replicas, warn: Callable[[str], None]
) -> Weights:
    """Have all engines serve these weights.

    Args:
        warn: told in a line where they did not arrive directly, and the folder is read.

    Returns:
        the weights as later calls should name them.

    Raises:
        EngineError: what an engine serves is not what was published.
        TaskspaceError: an engine does not answer, or is lost.
    """
    deadline = settings.engine.deadline_s
    on_ray = settings.runtime.kind == "ray"
    if settings.engine.transport == "objects" and on_ray:
        files = learner.submit("files", weights.path)
        weights = msgspec.structs.replace(weights, files=files.ref)  # type: ignore[attr-defined]
    reason = f"version {weights.version} to be loaded"
    if settings.engine.transport == "direct" and weights.version:
        try:
            _directly(weights, settings, learner, engine, reason)
            return weights
        except (
            TransferError,
            DeadlineError,
            RoleLostError,
        ) as error:  # its folder is there
            warn(f"version {weights.version} did not arrive directly, engines read its folder: {error}")
    engine.call("serve", weights, deadline_s=deadline, reason=reason)
    return weights


def _directly(weights: Weights, settings: RunSettings, learner: Role, engine: Replicas, reason: str) -> None:
    deadline = settings.engine.deadline_s
    receivers = engine.size * settings.engine.vllm.tensor_parallel
    meeting = learner.call("offer", receivers, deadline_s=deadline, reason="a place to hand weights over")
    sending = learner.submit("send", weights.version)
    engine.call(
        "serve", msgspec.structs.replace(weights, meeting=meeting), deadline_s=deadline, reason=reason
    )
    sending.result(deadline, f"version {weights.version} to be sent")
