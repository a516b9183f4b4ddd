"""The network between two nodes is cut: for seconds, and the run waits; for long, and it goes on without."""

import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from faults import check, faulty_run, undisturbed
from two_hosts import Hosts

from experiments.soak import watching

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[1]
HEAD = "10.77.0.1"
LONG_S = 60


@pytest.fixture
def hosts():
    lacking = Hosts.lacking()
    if lacking:
        pytest.skip(lacking)
    made = Hosts()
    try:
        made.open()
        yield made
    finally:
        made.close()


def start_ray(hosts: Hosts, folder: Path) -> str:
    """Ray on both: the driver's with room for all, the other one where the work begins."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=2"]
    ray += ["--object-store-memory=83886080"]
    head = [f"--node-ip-address={HEAD}", f"--port={port}", "--head", "--include-dashboard=false"]
    head += [f"--temp-dir={hosts.folder.name}", '--resources={"here": 1}']
    hosts.start(hosts.a, [*ray, *head], folder / "head.log")
    wait_for_ray(folder / "head.log")
    other = ["--node-ip-address=10.77.0.2", f"--address={HEAD}:{port}", '--resources={"away": 1}']
    hosts.start(hosts.b, [*ray, *other], folder / "other.log")
    wait_for_ray(folder / "other.log")
    return f"{HEAD}:{port}"


def wait_for_ray(log: Path) -> None:
    deadline = time.monotonic() + 90
    while "Ray runtime started" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.mark.parametrize("seconds", [3, LONG_S], ids=["short", "long"])
def test_a_network_cut(tmp_path, hosts, seconds):
    """SPREAD puts engines on both nodes. A long cut makes Ray give the far node up: its engine starts again
    on the near one."""
    address = start_ray(hosts, tmp_path)
    one = {"num_cpus": 0.5}
    runtime = {"kind": "ray", "restarts": 20, "address": address, "strategy": "SPREAD"}
    settings = faulty_run(
        runtime={**runtime, "resources": {"engine": one, "solver": one}},
        engine={
            "kind": "scripted",
            "replicas": 2,
            "deadline_s": 100,
            "scripted": {"latency_s": 0.2},
        },
    )
    run_dir = tmp_path / "run"
    driver_log = tmp_path / "driver.log"
    driver = [
        sys.executable,
        str(ROOT / "tests" / "loop_driver.py"),
        str(run_dir),
        settings.model_dump_json(),
    ]
    process = hosts.start(hosts.a, driver, driver_log, PYTHONPATH=str(ROOT))
    wait_for(run_dir, 5, process, driver_log)
    assert any(title.startswith("ray::Engine") for title in hosts.titles(hosts.b)), "no engine is far away"
    hosts.cut()
    began, before = time.monotonic(), watching.counts(run_dir).groups
    mending = threading.Timer(seconds, hosts.mend)
    mending.start()
    # What was on its way may still be admitted: two more batches are work that went on.
    wait_for(run_dir, before + 2, process, driver_log)
    took = time.monotonic() - began
    print(f"\nfault: network cut for {seconds} s: next batches admitted {took:.1f} s after its start")
    if seconds == LONG_S:
        assert took < seconds, "the work waited for the network"
        mending.join()  # the node that was given up comes back to a cluster that does not know it
    assert process.wait(300) == 0, driver_log.read_text()[-3000:]
    check(run_dir, settings, undisturbed(tmp_path / "calm", faulty_run()))


def wait_for(run_dir: Path, groups: int, process, log: Path) -> None:
    deadline = time.monotonic() + 200
    while watching.counts(run_dir).groups < groups:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)
