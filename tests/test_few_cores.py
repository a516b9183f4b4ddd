"""A whole run where fewer cores may be used than there are, and what its processes are told beforehand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment

from actors.engines.vllm_engine import keep_to_quota
from protocols.cores import Cores
from protocols.openmp import BRIEFLY, wait_briefly
from protocols.runtime_settings import RuntimeSettings


def one_of_the_cores() -> list[str]:
    code = "import os, sys; os.sched_setaffinity(0, [int(sys.argv[1])]); os.execv(sys.argv[2], sys.argv[2:])"
    return [sys.executable, "-c", code, str(min(os.sched_getaffinity(0)))]


def played(prefix: list[str], kind: str, engine: str, folder: Path) -> dict:
    settings = (f"runtime.kind={kind}", f"engine.kind={engine}", "engine.threads=0", "learner.threads=0")
    options = [part for setting in settings for part in ("--set", setting)]
    command = [*prefix, sys.executable, "-m", "experiments.cli", "run", "smoke", "--json", *options]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    if os.cpu_count() != 1:
        assert f"cores: 1 of {os.cpu_count()} are used" in done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "engine"), [("ray", "scripted"), ("inline", "transformers")])
def test_a_run_under_a_quota_of_one_core(one_core, kind: str, engine: str, tmp_path: Path) -> None:
    summary = played(one_core, kind, engine, tmp_path)
    assert summary["finished"] and summary["machine"]["cores"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "engine"), [("ray", "transformers"), ("inline", "scripted")])
def test_a_run_on_one_of_the_cores(kind: str, engine: str, tmp_path: Path) -> None:
    summary = played(one_of_the_cores(), kind, engine, tmp_path)
    assert summary["finished"] and summary["machine"]["cores"] == 1


@pytest.mark.parametrize(
    ("cores", "before", "after"),
    [
        (Cores(16, 16, None), {}, {}),
        (Cores(16, 4, 8.0), {}, {}),
        (Cores(16, 16, 2.5), {}, {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "2"}),
        (Cores(16, 16, 2.5), {"VLLM_CPU_OMP_THREADS_BIND": "0-3"}, {"VLLM_CPU_OMP_THREADS_BIND": "0-3"}),
    ],
)
def test_vllm_keeps_to_a_quota(cores: Cores, before: dict[str, str], after: dict[str, str]) -> None:
    keep_to_quota(before, cores)
    assert before == after


# ---- what OpenMP is told ----

#: torch's own library prints, when it is loaded, what it goes by.
PLAIN = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", *BRIEFLY)}


@pytest.mark.parametrize(
    "module",
    [
        "actors.engines.transformers_engine",
        "actors.learning.sft",
        "memory.model_sources, torch",
        "experiments.cli, torch",
        "experiments.benchmarks.busy, torch",
    ],
)
def test_openmp_is_told_before_torch_is_loaded(module: str) -> None:
    told = _openmp_goes_by(module, {})
    assert f"GOMP_SPINCOUNT = '{BRIEFLY['GOMP_SPINCOUNT']}'" in told


def test_what_the_user_says_of_it_holds() -> None:
    told = _openmp_goes_by("actors.learning.sft", {"GOMP_SPINCOUNT": "77"})
    assert "GOMP_SPINCOUNT = '77'" in told
    told = _openmp_goes_by("actors.learning.sft", {"OMP_WAIT_POLICY": "ACTIVE"})
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in told
    assert f"GOMP_SPINCOUNT = '{BRIEFLY['GOMP_SPINCOUNT']}'" not in told


def _openmp_goes_by(module: str, extra: dict[str, str]) -> str:
    environ = PLAIN | {"PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "VERBOSE"} | extra
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], env=environ, capture_output=True, text=True, check=True
    )
    return done.stderr


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_nothing_is_said_where_the_user_has_said_something(name: str) -> None:
    environ = {name: "x"}
    wait_briefly(environ)
    assert environ == {name: "x"}


def test_a_child_process_is_told_the_same() -> None:
    environ: dict[str, str] = {}
    wait_briefly(environ)
    assert environ == BRIEFLY
    wait_briefly(environ)
    assert environ == BRIEFLY


# ---- what Ray's workers are started with ----


class Worker:
    def surroundings(self) -> tuple[int, str | None, bool]:
        return os.nice(0), os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules


@pytest.mark.parametrize("niceness", [RuntimeSettings().niceness, 0])
def test_rays_workers_are_as_nice_as_the_settings_say(niceness: int, monkeypatch) -> None:
    import ray.cloudpickle

    from actors.joining import NICENESS
    from actors.runtime import start_runtime

    monkeypatch.delenv(NICENESS, raising=False)  # tests have said something about both
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "77")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    with start_runtime(RuntimeSettings(kind="ray", niceness=niceness)) as runtime:
        worker = runtime.spawn("worker", Worker)
        found = worker.call("surroundings", deadline_s=60, reason="its surroundings")
    assert found == (min(19, os.nice(0) + niceness), "77", False)


def test_libraries_are_loaded_without_what_nobody_uses():
    code = (
        "import gc, sys\nfrom actors.loading import loading\n"
        "with loading():\n    assert not gc.isenabled()\n    import actors.learning.sft\n"
        "assert gc.isenabled() and not {'scipy', 'sklearn'} & sys.modules.keys()\n"
        "from transformers.utils import is_sklearn_available\nassert is_sklearn_available()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
