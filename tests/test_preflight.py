"""What cannot work is refused before anything starts."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from experiments import config, memory_use, preflight
from protocols.cores import Cores
from protocols.errors import SettingError, StoreError
from protocols.settings import RunSettings


def test_memory_is_refused_just_below_the_need_and_taken_at_it() -> None:
    needed = 135_000_000 * 18 + preflight.PROCESSES_BYTES
    preflight.check_memory(135_000_000, needed)
    with pytest.raises(SettingError, match=r"memory: about 3\.9 GB"):
        preflight.check_memory(135_000_000, needed - 1)
    preflight.check_memory(135_000_000, needed - 14 * 135_000_000, width=4)


def test_a_full_disk_is_refused_and_more_rounds_need_more(tmp_path: Path) -> None:
    few, many = config.load("smoke", ["rounds=1"]), config.load("smoke", ["rounds=100"])
    free = 5_000_000_000
    preflight.check_disk(few, 100_000_000, free, tmp_path)
    with pytest.raises(StoreError, match="disk: about 42") as caught:
        preflight.check_disk(many, 100_000_000, free, tmp_path)
    assert "--runs" in str(caught.value)
    adapters = config.load("smoke", ["rounds=100", "learner.lora.rank=8"])
    preflight.check_disk(adapters, 100_000_000, free, tmp_path)


def test_cores_that_a_run_leaves_alone_are_told() -> None:
    here, few = config.load("smoke", []), Cores(machine=8, allowed=4, quota=1.5)
    assert preflight.unused_cores(here, few) == (
        "cores: 1 of 8 are used (this process's affinity allows 4, its CPU quota is 1.5)"
    )
    for quota in (None, 9.0):
        assert preflight.unused_cores(here, Cores(machine=8, allowed=8, quota=quota)) == ""
    assert preflight.unused_cores(config.load("smoke", ["runtime.address=auto"]), few) == ""


@pytest.mark.parametrize(("dtype", "width"), [("bfloat16", 2), ("float32", 4), (None, 2)])
def test_parameters_are_read_from_the_size_of_the_weights(
    dtype: str | None, width: int, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"dtype": dtype}))
    (tmp_path / "a.safetensors").write_bytes(b"x" * 4000)
    (tmp_path / "b.safetensors").write_bytes(b"x" * 4000)
    assert preflight.parameters_of(tmp_path) == 8000 // width


def test_peak_memory_sees_a_child_process() -> None:
    """A child that holds 200 MB raises the peak by about that much, and pages are counted once."""
    before = memory_use.in_use()
    code = "x = bytearray(200 * 2**20); print('held', flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with memory_use.PeakMemory(interval_s=0.05) as peak:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        deadline = time.monotonic() + 20
        while peak.mb * 2**20 < before + 200 * 2**20 and time.monotonic() < deadline:
            time.sleep(0.05)
    child.communicate("\n", timeout=20)
    assert before + 200 * 2**20 <= peak.mb * 2**20 < before + 500 * 2**20


def test_available_memory_is_not_more_than_the_machine_has() -> None:
    assert 0 < memory_use.available() <= psutil.virtual_memory().total


def test_unknown_base_tasks_are_refused_before_a_role_starts(tmp_path: Path) -> None:
    settings = RunSettings.model_validate({"curator": {"base_tasks": ["nope"]}})
    with pytest.raises(SettingError, match=r"curator\.base_tasks: 'nope' is no training task of zwc"):
        preflight.check(settings, tmp_path, tmp_path)


def test_a_kind_of_tasks_that_the_domain_has_not_is_refused(tmp_path: Path) -> None:
    settings = RunSettings.model_validate({"domain": "math", "proposer": {"per_round": 0}})
    with pytest.raises(
        SettingError, match=r"math has no tasks of kind 'single'; write --set evaluation\.kind=all"
    ):
        preflight.check(settings, tmp_path, tmp_path)
    proposing = settings.model_copy(
        update={"proposer": settings.proposer.model_copy(update={"per_round": 4})}
    )
    with pytest.raises(SettingError, match=r"proposer\.per_round: the tasks of math are given"):
        preflight.check(proposing, tmp_path, tmp_path)
