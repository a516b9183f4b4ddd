"""Nodes of a cluster die, join and leave during a run, on several nodes of this one machine."""

import threading
import time

import pytest
from faults import Breaking, check, faulty_run, play, undisturbed

from actors.ray_runtime import connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
QUICK = {"health_check_period_ms": 1000, "health_check_timeout_ms": 5000, "health_check_failure_threshold": 3}
STORE = 80 << 20


@pytest.fixture
def cluster():
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": STORE, "_system_config": QUICK}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def worker(cluster):
    return cluster.add_node(num_cpus=1, resources={"worker": 1}, object_store_memory=STORE)


def settings_on(cluster, **changes):
    asked = {role: {"worker": 0.1} for role in ("engine", "solver", "verifier")}
    runtime = {"kind": "ray", "restarts": 20, "address": cluster.address, "resources": asked}
    return faulty_run(**({"runtime": runtime} | changes))


def play_beside(run_dir, settings, changes, what: str, after: int = 4) -> None:
    """Play in a thread, as Ray changes clusters in the main one only; `changes` come after some batches."""
    now, failed = threading.Event(), []
    breaking = Breaking(now.set, after=after)

    def run() -> None:
        try:
            play(run_dir, settings, breaking, what)
        except BaseException as error:
            failed.append(error)
            now.set()

    connect(settings.runtime)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert now.wait(120)
    if not failed:
        changes()
    thread.join(240)
    assert not failed, failed[0]
    assert not thread.is_alive(), "the run hangs"


def test_a_node_dies_and_another_one_joins(tmp_path, cluster):
    """Engine, solver and verifier are lost together, and start again on the node that comes."""
    lost = worker(cluster)

    def changes() -> None:
        cluster.remove_node(lost, allow_graceful=False)
        time.sleep(2)
        worker(cluster)

    settings = settings_on(cluster)
    play_beside(tmp_path / "run", settings, changes, "node lost, another joined after 2 s")
    check(tmp_path / "run", settings, undisturbed(tmp_path / "calm", faulty_run()))


def test_nodes_join_and_leave_during_a_run(tmp_path, cluster):
    """Three times a node comes and an older one dies."""
    nodes = [worker(cluster)]
    settings = settings_on(cluster, rounds=3, max_staleness=1)

    def changes() -> None:
        for _ in range(3):
            nodes.append(worker(cluster))
            time.sleep(2)
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            time.sleep(6)

    play_beside(tmp_path, settings, changes, "nodes join and leave", after=2)
    check(tmp_path, settings)
