"""Nodes of a cluster die, join and leave during a run, on several nodes of this one machine."""

import threading
import time

import pytest
from faults import Breaking, check, faulty_run, play, undisturbed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
QUICK = {"health_check_period_ms": 500, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 3}


@pytest.fixture
def cluster():
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "include_dashboard": False,
            "object_store_memory": 80 << 20,
            "_system_config": QUICK,
        },
    )
    try:
        yield made
    finally:
        if ray.is_initialized():
            ray.shutdown()
        made.shutdown()


def worker(cluster, amount: float = 1.0):
    return cluster.add_node(num_cpus=1, resources={"worker": amount}, object_store_memory=80 << 20)


def settings_on(cluster, **changes):
    asked = {role: {"worker": 0.1} for role in ("engine", "solver", "verifier")}
    runtime = {"kind": "ray", "restarts": 20, "address": cluster.address, "resources": asked}
    return faulty_run(**({"runtime": runtime} | changes))


def test_a_node_dies_and_another_one_joins(tmp_path, cluster):
    """Engine, solver and verifier are lost together, and start again on the node that comes."""
    lost = worker(cluster)
    wanted = undisturbed(tmp_path / "calm", faulty_run())

    def fault() -> None:
        cluster.remove_node(lost, allow_graceful=False)
        time.sleep(2)
        worker(cluster)

    settings = settings_on(cluster)
    play(tmp_path / "run", settings, Breaking(fault), "node lost, another joined after 2 s")
    check(tmp_path / "run", settings, wanted)


def test_nodes_join_and_leave_during_a_run(tmp_path, cluster):
    """Four changes; there is always one node with room."""
    nodes = [worker(cluster)]
    settings = settings_on(cluster, rounds=3, max_staleness=1)
    stop = threading.Event()

    def change() -> None:
        def go_on() -> None:
            for _ in range(4):
                nodes.append(worker(cluster))
                if stop.wait(2):
                    return
                cluster.remove_node(nodes.pop(0), allow_graceful=False)
                if stop.wait(8):
                    return

        threading.Thread(target=go_on, daemon=True).start()

    try:
        play(tmp_path, settings, Breaking(change, after=2), "nodes join and leave")
    finally:
        stop.set()
    check(tmp_path, settings)
