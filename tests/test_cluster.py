"""Runs on real Ray clusters of several nodes on this machine: joined from within, from outside, as a job."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment, refused, taskspace
from ray_nodes import START, nodes

pytestmark = pytest.mark.slow

SMALL = ("run", "smoke", "--json", "--set", "rounds=1", "--set", "sandbox.workers=1")
#: What a job needs beyond plain Ray: the extra `cluster`.
OF_JOBS = ("aiohttp_cors", "opencensus", "smart_open", "virtualenv")


def result_of(*arguments: str, cwd: Path, **extra: str) -> dict:
    done = taskspace(*SMALL, *arguments, cwd=cwd, timeout=240, **extra)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_within_and_from_outside_a_run_is_the_same(tmp_path: Path) -> None:
    with nodes(client=True) as cluster:
        within = result_of("--address", cluster.address, cwd=tmp_path)
        outside = result_of(
            "--address", cluster.outside, "--name", "far", "--runs", str(tmp_path / "runs"), cwd=tmp_path
        )
        assert (tmp_path / "runs" / "far" / "run.db").is_file()
        for same in ("runtime", "tasks", "attempts", "verified", "tokens_trained"):
            assert within[same] == outside[same], same
        assert within["runtime"] == "ray" and within["verified"] > 0 and not within["infra_errors"]
        wrong = taskspace("run", "smoke", "--address", cluster.outside, "--set", "rounds=x", cwd=tmp_path)
        assert wrong.returncode == 2 and "setting rounds: 'x'" in wrong.stderr
        facts = json.loads(taskspace("doctor", "--json", cwd=tmp_path, RAY_ADDRESS=cluster.address).stdout)
        assert facts["cluster"]["state"].startswith("joined, 1 nodes")


def test_ctrl_c_outside_stops_the_run_on_the_head_and_it_goes_on_later(tmp_path: Path) -> None:
    runs = ["--runs", str(tmp_path / "runs"), "--name", "far"]
    with nodes(client=True) as cluster:
        command = [sys.executable, "-m", "experiments.cli", "run", "smoke", *runs, "--set", "rounds=50"]
        command += ["--set", "sandbox.workers=1", "--address", cluster.outside]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if "round 1/50  learned" in line:
                break
        else:
            raise AssertionError("".join(told))
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 130, err
        assert f"taskspace run --resume {tmp_path / 'runs' / 'far'}" in err and "Traceback" not in err
        done = taskspace(
            "run", "--resume", tmp_path / "runs" / "far", "--set", "rounds=1", "--json",
            "--address", cluster.address, cwd=tmp_path, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["finished"] is True


def test_roles_on_nodes_of_their_own_and_weights_without_shared_storage(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", runs], check=False).returncode:
        pytest.skip("no mount namespaces here: nothing can be hidden from a node")
    asked = "runtime.resources={engine: {far: 1}, learner: {home: 1}, solver: {far: 1}, verifier: {home: 1}}"
    with nodes(home=2) as cluster:
        line = refused(*SMALL, "--address", cluster.address, "--set", asked, cwd=tmp_path)
        assert "the cluster cannot hold the run" in line and "1 far on one node" in line
        cluster.add(hidden=runs, far=2)
        join = ("--address", cluster.address, "--set", asked)
        line = refused(*SMALL, *join, "--name", "folder", cwd=tmp_path)
        assert "is not seen on this node; put the run on shared storage, or set engine.transport=obj" in line
        result = result_of(*join, "--set", "engine.transport=objects", "--name", "objects", cwd=tmp_path)
        assert result["verified"] > 0 and result["rounds"] == 1


def test_uploaded_code_is_what_nodes_run_and_the_sandbox_works_from_it(tmp_path: Path) -> None:
    for package in ("actors", "protocols", "memory"):  # what is installed there is not what is here
        (tmp_path / "other" / package).mkdir(parents=True)
        (tmp_path / "other" / package / "__init__.py").write_text("raise ImportError('another version')\n")
    with nodes(path=str(tmp_path / "other")) as cluster:
        join = ("--address", cluster.address, "--set", "runtime.upload=true")
        result = result_of(*join, cwd=tmp_path)
        assert result["verified"] > 0 and not result["infra_errors"]
        assert result["sandbox"] == result_of("--name", "here", cwd=tmp_path)["sandbox"]


def test_a_cluster_of_another_ray_is_refused(tmp_path: Path) -> None:
    older = "import ray; ray.__version__ = '2.59.0'; from ray.scripts.scripts import main; main()"
    with nodes(start=(sys.executable, "-c", older)) as cluster:
        line = refused(*SMALL, "--address", cluster.address, cwd=tmp_path)
    assert "version mismatch, the cluster has Ray 2.59.0 on Python" in line
    assert START[0] == sys.executable


def test_a_cluster_that_wants_a_token_says_so(tmp_path: Path) -> None:
    with nodes(auth="token") as cluster:
        line = refused(*SMALL, "--address", cluster.address, cwd=tmp_path)
        assert "the cluster asks for a token" in line and "RAY_AUTH_MODE=token" in line
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a-token-of-the-tests-and-of-nobody-else"}
        assert result_of("--address", cluster.address, cwd=tmp_path, **token)["verified"] > 0


def test_a_token_where_the_cluster_has_none_says_so(tmp_path: Path) -> None:
    with nodes() as cluster:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a-token-of-the-tests-and-of-nobody-else"}
        line = refused(*SMALL, "--address", cluster.address, cwd=tmp_path, **token)
        assert "the cluster works without tokens" in line and "RAY_AUTH_MODE=disabled" in line


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in OF_JOBS),
    reason="job submission needs the extra `cluster`: pip install -c constraints.txt -e '.[cluster]'",
)
def test_a_submitted_job(tmp_path: Path) -> None:
    runs = tmp_path / "shared"
    with nodes(dashboard=True, path=os.environ.get("PYTHONPATH", "")) as cluster:

        def submit(*more: str) -> subprocess.CompletedProcess[str]:
            command = ["job", "submit", "--address", cluster.dashboard, "--working-dir", ".", "--"]
            command += ["python", "-m", "experiments.cli", *SMALL, "--address", "auto", *more]
            return subprocess.run(
                [*START, *command], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
                env={**os.environ, "RAY_AUTH_MODE": "disabled"},
            )  # fmt: skip

        lost = submit()
        assert lost.returncode == 1 and "--runs /shared/runs" in lost.stdout
        done = submit("--runs", str(runs))
        assert done.returncode == 0, done.stdout
    summary = json.loads((runs / "smoke-1" / "summary.json").read_text())
    assert summary["verified"] > 0 and not summary["infra_errors"]
