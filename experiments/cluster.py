"""What a Ray cluster offers, asked before anything of a run is started there."""

from typing import Any

from protocols.errors import SettingError
from protocols.runtime_settings import RuntimeSettings

#: Longest wait of `taskspace doctor` for a cluster to answer.
DOCTOR_DEADLINE_S = 15.0


def nodes(settings: RuntimeSettings) -> dict[str, dict[str, float]]:
    """Resources of the cluster's nodes by their names.

    Raises:
        SettingError: it cannot be joined.
    """
    from actors.joining import connect, quiet_ray
    from actors.ray_runtime import nodes_of

    ray = quiet_ray()
    connect(settings)
    try:
        return nodes_of(ray)
    finally:
        ray.shutdown()


def facts(address: str) -> dict[str, Any]:
    """For `taskspace doctor`: versions, and each node's resources; or why there are none."""
    from actors.joining import quiet_ray
    from actors.ray_runtime import shown

    try:
        there = nodes(RuntimeSettings(address=address, start_deadline_s=DOCTOR_DEADLINE_S))
    except SettingError as error:
        return {"address": address, "state": f"cannot be joined: {error}"}
    return {
        "address": address,
        "state": f"joined, {len(there)} nodes, Ray {quiet_ray().__version__}",
        **{f"node {name}": shown(has) for name, has in there.items()},
    }
