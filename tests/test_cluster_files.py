"""The files in docs/cluster are what Ray, Kubernetes and SLURM read, and their commands are ours."""

import itertools
import re
import shlex
import subprocess

import pytest
import typer
import yaml
from command import ROOT

from experiments import cli, config

FOLDER = ROOT / "docs" / "cluster"


def commands() -> list[list[str]]:
    """Every `taskspace ...` in the files, as words."""
    texts = [
        (FOLDER / "slurm.sh").read_text(),
        *(one["spec"].get("entrypoint", "") for one in kubernetes().values()),
    ]
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = [re.search(r"(?:^|\s)(taskspace run .*?)(?: &)?$", line) for line in lines]
    return [shlex.split(match[1]) for match in found if match]


def kubernetes() -> dict[str, dict]:
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())}


def test_the_cluster_of_ray_up_is_valid() -> None:
    """By Ray's own schema, defaults of the provider filled in, as `ray up` does before it asks the cloud."""
    util = pytest.importorskip("ray.autoscaler._private.util")
    made = util.prepare_config(yaml.safe_load((FOLDER / "cluster.yaml").read_text()))
    util.validate_config(made)
    types = made["available_node_types"]
    assert made["head_node_type"] in types and types["gpu"]["min_workers"] >= 2
    assert made["max_workers"] >= types["gpu"]["max_workers"]
    broken = {**made, "head_node_tpye": "head"}
    with pytest.raises(Exception, match="head_node_tpye"):
        util.validate_config(broken)


def test_the_manifest_mounts_what_it_claims_and_names_our_ray() -> None:
    made = kubernetes()
    cluster = made["RayJob"]["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    claim = head["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claim == made["PersistentVolumeClaim"]["metadata"]["name"]
    assert head["containers"][0]["volumeMounts"][0]["mountPath"] in made["RayJob"]["spec"]["entrypoint"]
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    for group in cluster["workerGroupSpecs"]:
        (volume,) = group["template"]["spec"]["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim  # the learner writes checkpoints
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_slurm_script_is_bash() -> None:
    subprocess.run(["bash", "-n", str(FOLDER / "slurm.sh")], check=True, timeout=20)


def test_every_command_has_options_and_settings_that_there_are() -> None:
    command = typer.main.get_command(cli.app).commands["run"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    found = commands()
    assert len(found) >= 2
    for words in found:
        options = [word for word in words if word.startswith("--")]
        assert set(options) <= known, words
        values = [value for key, value in itertools.pairwise(words) if key == "--set"]
        settings = config.load("quickstart", ['runtime.address="auto"', *values])
        assert settings.runtime.resources["engine"]["num_gpus"] == 1
