"""Cores are counted as a process may use them: affinity and CPU quota, of both kinds of control groups."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cores import Cores, cores, quota, usable_cores

V1 = "32 31 0:29 {root} {mount} rw,relatime - cgroup cgroup rw,cpu,cpuacct"
V2 = "41 31 0:38 {root} {mount} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"


def tree(
    top: Path, groups: str, mounts: tuple[str, ...], files: dict[str, str], root: str = "/", mount: str = ""
) -> Path:
    """A root folder with `/proc/self` and control groups."""
    proc = top / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(groups)
    places = (mount,) if mount else ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup")
    lines = [kind.format(root=root, mount=places[0] if kind == V1 else places[-1]) + "\n" for kind in mounts]
    (proc / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/root rw\n" + "".join(lines))
    for name, text in files.items():
        path = top / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


def v2(top: Path, path: str, files: dict[str, str], root: str = "/") -> float | None:
    return quota(tree(top, f"0::{path}\n", (V2,), files, root))


def v1(top: Path, path: str, files: dict[str, str], root: str = "/") -> float | None:
    groups = f"9:name=systemd:/elsewhere\n2:cpu,cpuacct:{path}\n1:cpuset:/other\n"
    return quota(tree(top, groups, (V1,), files, root))


def test_the_limit_of_ones_own_group_counts(tmp_path):
    assert v2(tmp_path, "/a/b", {"a/b/cpu.max": "150000 100000\n"}) == 1.5


@pytest.mark.parametrize(("own", "above", "least"), [("400000", "250000", 2.5), ("max", "50000", 0.5)])
def test_a_group_above_limits_too(tmp_path, own, above, least):
    limits = {"a/b/c": own, "a/b": "max", "a": above}
    files = {f"{group}/cpu.max": f"{limit} 100000\n" for group, limit in limits.items()}
    assert v2(tmp_path, "/a/b/c", files) == least


def test_a_group_of_others_that_is_mounted_too_limits_nobody_else(tmp_path):
    top = tree(tmp_path, "0::/me\n", (V2,), {"me/cpu.max": "max 100000\n"})
    with (top / "proc/self/mountinfo").open("a") as mounts:
        mounts.write(V2.format(root="/other", mount="/mnt/other") + "\n")
    (top / "mnt/other").mkdir(parents=True)
    (top / "mnt/other/cpu.max").write_text("50000 100000\n")
    assert quota(top) is None


def test_no_limit_is_none(tmp_path):
    assert v2(tmp_path, "/a", {"a/cpu.max": "max 100000\n"}) is None


def test_v1_has_quota_and_period_in_files_of_their_own(tmp_path):
    files = {
        "cpu/a/b/cpu.cfs_quota_us": "-1\n",
        "cpu/a/b/cpu.cfs_period_us": "100000\n",
        "cpu/a/cpu.cfs_quota_us": "100000\n",
        "cpu/a/cpu.cfs_period_us": "50000\n",
    }
    assert v1(tmp_path, "/a/b", files) == 2.0


def test_both_versions_at_once_and_the_lesser_counts(tmp_path):
    files = {
        "cpu/a/cpu.cfs_quota_us": "300000",
        "cpu/a/cpu.cfs_period_us": "100000",
        "u/cpu.max": "200000 100000",
    }
    assert quota(tree(tmp_path, "1:cpu:/a\n0::/u\n", (V1, V2), files)) == 2.0


def test_a_container_sees_its_own_group_as_the_root(tmp_path):
    """With a namespace of its own the path is `/`, and the mounted root holds the limit."""
    assert v2(tmp_path, "/", {"cpu.max": "100000 100000"}) == 1.0


def test_a_container_without_a_namespace_has_its_group_mounted(tmp_path):
    """The path is the host's; what is mounted is that very group."""
    files = {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}
    assert v1(tmp_path, "/docker/4f", files, root="/docker/4f") == 1.0


def test_a_group_below_a_mounted_part(tmp_path):
    files = {"inner/cpu.max": "max 100000", "cpu.max": "100000 100000"}
    assert v2(tmp_path, "/docker/4f/inner", files, root="/docker/4f") == 1.0


@pytest.mark.parametrize("path", ["/../other", "/elsewhere"])
def test_a_path_that_cannot_be_followed_leaves_what_is_mounted(tmp_path, path):
    assert v2(tmp_path, path, {"cpu.max": "200000 100000"}, root="/docker/4f") == 2.0


def test_a_mount_point_with_a_blank(tmp_path):
    files = {"my groups/cpu.max": "100000 100000"}
    assert quota(tree(tmp_path, "0::/\n", (V2,), files, mount="/sys/fs/cgroup/my\\040groups")) == 1.0


@pytest.mark.parametrize(
    "text", ["", "\n", "max\n", "1000\n", "fast 1000", "1000 0", "0 1000", "-1 1000", "1 2 3", "\x00\xff"]
)
def test_odd_content_is_no_limit(tmp_path, text):
    assert v2(tmp_path, "/a", {"a/cpu.max": text}) is None


@pytest.mark.parametrize("text", ["", "0\n", "garbage", "0::", "::::\n", "32 31 0:29 / - cgroup2\n"])
def test_odd_lists_of_groups_and_mounts_are_no_limit(tmp_path, text):
    proc = tmp_path / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(text)
    (proc / "mountinfo").write_text(text)
    assert quota(tmp_path) is None


def test_a_machine_without_proc_has_no_limit(tmp_path):
    found = cores(tmp_path)
    assert found.quota is None
    assert found.usable == found.allowed >= 1


@given(st.integers(1, 256), st.none() | st.floats(0.01, 300))
def test_usable_cores_are_rounded_down_and_at_least_one(allowed, limit):
    usable = Cores(256, allowed, limit).usable
    assert 1 <= usable <= allowed
    if limit is None:
        assert usable == allowed
    elif limit >= 1:
        assert usable <= limit < usable + 1 or usable == allowed
    else:
        assert usable == 1


def test_one_and_a_half_are_one(tmp_path):
    assert Cores(8, 8, 1.5).usable == Cores(8, 8, 0.5).usable == 1


COUNT = "import json; from protocols.cores import cores; c = cores(); print(json.dumps([c.usable, c.quota]))"


def test_affinity_counts():
    one = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{one}}}); {COUNT}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[0] == 1
    assert usable_cores() <= len(os.sched_getaffinity(0))


def test_a_quota_of_the_kernels_own_counts(one_core):
    count = [*one_core, sys.executable, "-c", COUNT]
    done = subprocess.run(count, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1, 1.0]
