"""Without an address a run starts a Ray of its own, whatever other clusters there are."""

import ray

from actors.runtime import start_runtime
from protocols.runtime_settings import RuntimeSettings


def test_other_clusters_of_this_machine_are_left_alone(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # as `ray start` makes one known to all programs
    assert not ray.is_initialized()
    with start_runtime(RuntimeSettings(kind="ray")):
        assert len(ray.nodes()) == 1
        assert ray.get_runtime_context().gcs_address != "127.0.0.1:1"
    assert not ray.is_initialized()
