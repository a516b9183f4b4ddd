"""Parts of a run die, hang or fill up: it goes on by itself, or ends in one line and goes on from there."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import Breaking, check, faulty_run, one_after_the_other, play, send, undisturbed
from test_resume import read

from actors import arena as arena_module
from actors.arena import Arena
from memory.artefacts import fetch_model
from protocols.errors import RoleLostError, StoreError, TaskspaceError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROLES = ("solver", "verifier", "engine", "learner", "curator", "proposer")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("calm") / "run", faulty_run())


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run in which every role is killed; its folder, and what came of each."""
    run_dir = tmp_path_factory.mktemp("killed") / "run"
    deaths = {kind: send(kind) for kind in ROLES}
    return run_dir, one_after_the_other(run_dir, faulty_run(), deaths, after=4, every=4)


@pytest.mark.parametrize("kind", ROLES)
def test_a_role_is_killed(killed, wanted, kind):
    run_dir, told = killed
    told[kind].survived(f"{kind} killed")
    check(run_dir, faulty_run(), wanted)


OVERLAPPING = {"rounds": 3, "max_staleness": 1}


@pytest.fixture(scope="module")
def killed_while_rounds_overlap(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("overlapping") / "run"
    deaths = {kind: send(kind) for kind in ROLES}
    return run_dir, one_after_the_other(run_dir, faulty_run(**OVERLAPPING), deaths, after=10, every=4)


@pytest.mark.parametrize("kind", ROLES)
def test_a_role_is_killed_while_rounds_overlap(killed_while_rounds_overlap, kind):
    run_dir, told = killed_while_rounds_overlap
    told[kind].survived(f"{kind} killed, max_staleness 1")
    check(run_dir, faulty_run(**OVERLAPPING))


HANGING = ("engine", "verifier", "curator")
IMPATIENT = {
    "engine": {"kind": "scripted", "scripted": {"latency_s": 0.2}, "deadline_s": 4},
    "proposer": {"per_round": 3, "deadline_s": 4},
    "verifier": {"deadline_s": 6},
}


@pytest.fixture(scope="module")
def hung(tmp_path_factory):
    """A run in which these roles hang."""
    run_dir = tmp_path_factory.mktemp("hung") / "run"
    halts = {kind: send(kind, signal.SIGSTOP) for kind in HANGING}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arena_module, "CURATOR_DEADLINE_S", 6.0)
        return run_dir, one_after_the_other(run_dir, faulty_run(**IMPATIENT), halts, after=4, every=7)


@pytest.mark.parametrize("kind", HANGING)
def test_a_role_hangs(hung, wanted, kind):
    run_dir, told = hung
    told[kind].survived(f"{kind} stopped")
    check(run_dir, faulty_run(**IMPATIENT), wanted)


def test_the_learner_hangs_while_it_learns(tmp_path, wanted):
    settings = faulty_run(learner={"batch_size": 4, "threads": 1, "device": "cpu", "deadline_s": 30})
    before = 4 + 9  # batches: measured with both books, and the first round's
    breaking = Breaking(send("learner", signal.SIGSTOP), after=before, most_s=0.0)
    play(tmp_path, settings, breaking, "learner stopped")
    check(tmp_path, settings, wanted)


def test_one_of_two_engines_hangs_for_ever_and_then_both_are_lost(tmp_path, wanted):
    settings = faulty_run(
        engine={"kind": "scripted", "scripted": {"latency_s": 0.2}, "deadline_s": 4, "replicas": 2},
        runtime={"kind": "ray", "restarts": 0},
    )
    with pytest.raises(
        RoleLostError, match=r"engine-\d: the actor .* all its restarts are used up"
    ) as raised:
        Arena(settings, tmp_path, fetch_model("tiny-random"), Breaking(send("engine"))).run()
    assert "\n" not in str(raised.value)
    assert Arena(faulty_run(), tmp_path, fetch_model("tiny-random"), lambda kind, facts: None).run()
    check(tmp_path, settings, wanted)


def test_the_sandboxes_helpers_hang(tmp_path):
    """They are ended with the program that they ran: one program for each, and no more."""
    settings = faulty_run(sandbox={"workers": 1, "wall_s": 3})
    play(tmp_path, settings, Breaking(send("sandbox", signal.SIGSTOP)), "sandbox stopped")
    check(tmp_path, settings)
    hung = (
        "SELECT COUNT(*) FROM attempts WHERE infra_error IS NOT NULL OR evidence_json LIKE '%no end after%'"
    )
    assert read(tmp_path, hung)[0][0] <= settings.sandbox.workers


def test_the_object_store_is_full(tmp_path, wanted, monkeypatch):
    import numpy as np
    import ray

    # By default Ray puts nothing on a disk that is 95 % full, as that of a test machine may be.
    monkeypatch.setenv("RAY_local_fs_capacity_threshold", "1")
    held = []

    def fill() -> None:
        held.extend(ray.put(np.ones(20 * 2**20, dtype=np.uint8)) for _ in range(12))

    settings = faulty_run(
        runtime={"kind": "ray", "restarts": 6, "object_store_mb": 80},
        engine={"kind": "scripted", "scripted": {"latency_s": 0.2}, "transport": "objects"},
    )
    play(tmp_path, settings, Breaking(fill), "object store full three times over")
    assert len(held) == 12
    held.clear()
    check(tmp_path, settings, wanted)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 160 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a disk of one's own cannot be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, leave: int) -> None:
    free = shutil.disk_usage(disk).free - leave
    with (disk / "ballast").open("wb") as file:
        while free > 0:
            free -= file.write(bytes(min(free, 2**20)))


@pytest.mark.parametrize(
    "leave, error, told",
    [(0, StoreError, "the disk is full; free some space"), (30 << 20, TaskspaceError, "Disk too full for")],
    ids=["full", "no room for a checkpoint"],
)
def test_the_disk_is_full(small_disk, wanted, leave, error, told):
    settings, run_dir = faulty_run(), small_disk / "run"
    with pytest.raises(error, match=told) as raised:
        breaking = Breaking(lambda: fill(small_disk, leave))
        Arena(settings, run_dir, fetch_model("tiny-random"), breaking).run()
    assert "\n" not in str(raised.value)
    (small_disk / "ballast").unlink()
    assert Arena(settings, run_dir, fetch_model("tiny-random"), lambda kind, facts: None).run()
    check(run_dir, settings, wanted)


@pytest.mark.parametrize("staleness", [0, 1])
def test_the_driver_is_killed(tmp_path, wanted, staleness):
    """Its roles end with it; a resume goes on from what was admitted."""
    import psutil
    from test_resume import finish, start

    from experiments.soak import processes, watching

    settings = faulty_run(max_staleness=staleness)
    driver = start(tmp_path, settings)
    while watching.counts(tmp_path).groups < 5 + 3 * staleness:
        assert driver.poll() is None, driver.communicate()[0]
        time.sleep(0.1)
    before, family = watching.counts(tmp_path), processes.of_run(driver.pid)
    began = time.monotonic()
    driver.kill()
    driver.wait()
    roles = [one.process for one in family if one.kind != "agent"]  # Ray's own agents take minutes
    _, alive = psutil.wait_procs(roles, timeout=60)
    assert not alive, f"outlived the driver: {[process.cmdline()[:1] for process in alive]}"
    gone = time.monotonic() - began
    again = start(tmp_path, settings)
    while watching.counts(tmp_path).groups == before.groups:
        assert again.poll() is None, again.communicate()[0]
        time.sleep(0.05)
    seconds = time.monotonic() - began
    print(f"\nfault: driver killed: all gone after {gone:.1f} s, next batch admitted after {seconds:.1f} s")
    assert again.communicate(timeout=240)[0].endswith("done\n")
    assert finish(tmp_path, settings).endswith("done\n")  # once more: nothing is left to do
    check(tmp_path, settings, None if staleness else wanted)


def test_a_short_soak(tmp_path):
    command = [sys.executable, "-m", "experiments.soak", "--minutes", "1.2", "--every", "4", "--seed", "2"]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "soak")], capture_output=True, text=True, cwd=root, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
