"""Where actors go: what fits is found, what does not is named before anything starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_driver import small_run

from actors.arena import Arena
from actors.placement import Bundle, Demand, bundles_of, demands_of, missing
from actors.ray_runtime import ray_options
from memory.artefacts import fetch_model
from protocols.errors import SettingError
from protocols.settings import RunSettings

GPU = {"num_gpus": 1.0, "num_cpus": 2.0}


def run_of(**changes) -> RunSettings:
    return RunSettings.model_validate(changes)


def test_only_roles_that_ask_for_something_get_a_bundle():
    settings = run_of(
        engine={"replicas": 2}, runtime={"resources": {"engine": GPU, "solver": {"num_cpus": 0}}}
    )
    demands = demands_of(settings)
    assert [demand.name for demand in demands] == ["engine-0", "engine-1"]
    assert [dict(bundle.needs) for bundle in bundles_of(demands, "separate")] == [{"GPU": 1, "CPU": 2}] * 2
    assert demands_of(run_of()) == []


def test_an_unknown_role_is_named():
    with pytest.raises(SettingError, match="there is no role solvers; choose among curator, engine"):
        demands_of(run_of(runtime={"resources": {"solvers": {"num_cpus": 1}}}))


def test_colocated_engine_and_learner_share_one_gpu_in_turns():
    settings = run_of(
        runtime={"layout": "colocated", "resources": {"engine": GPU, "learner": {"num_gpus": 1, "memory": 8}}}
    )
    (bundle,) = bundles_of(demands_of(settings), "colocated")
    assert dict(bundle.needs) == {"GPU": 1, "CPU": 2, "memory": 8}
    assert [member.kind for member in bundle.members] == ["engine", "learner"]
    asked = [ray_options(settings.runtime, role)["num_gpus"] for role in ("engine", "learner")]
    assert sum(asked) == 1
    unpaired = run_of(engine={"replicas": 2}, runtime=settings.runtime.model_dump())
    with pytest.raises(SettingError, match="2 engines and 1 ranks ask for resources"):
        bundles_of(demands_of(unpaired), "colocated")


def test_colocated_cannot_play_ahead():
    with pytest.raises(SettingError, match=r"runtime\.layout: colocated engines sleep"):
        run_of(max_staleness=1, runtime={"layout": "colocated"})


AMOUNTS = st.fixed_dictionaries({"CPU": st.integers(0, 8)}, optional={"GPU": st.integers(1, 4)})


@given(st.lists(AMOUNTS, max_size=12), st.lists(AMOUNTS, min_size=1, max_size=5))
def test_what_is_placed_fits_and_what_alone_is_too_large_is_named(needs, sizes):
    bundles = [Bundle((Demand("engine", i, need),), need) for i, need in enumerate(needs)]
    nodes = {f"node-{i}": size for i, size in enumerate(sizes)}
    lacking = missing(bundles, nodes)
    total = {name: sum(need.get(name, 0) for need in needs) for name in ("CPU", "GPU")}
    has = {name: sum(size.get(name, 0) for size in sizes) for name in ("CPU", "GPU")}
    if not lacking:
        assert all(total[name] <= has[name] for name in total)
    impossible = [
        need
        for need in needs
        if not any(all(size.get(name, 0) >= amount for name, amount in need.items()) for size in sizes)
    ]
    assert bool(lacking) or not impossible
    assert nodes == {f"node-{i}": size for i, size in enumerate(sizes)}, (
        "the nodes themselves stay as they are"
    )
    more = {**nodes, "large": {"CPU": 1000, "GPU": 1000}}
    assert missing(bundles, more) == []


def test_what_is_missing_is_said_with_numbers():
    bundles = bundles_of(
        demands_of(run_of(engine={"replicas": 2}, runtime={"resources": {"engine": GPU}})), ""
    )
    (line,) = missing(bundles, {"a": {"CPU": 16.0, "GPU": 0.0}})
    assert line == "engine asks for 1 GPU on one node, where the most left is 0 (2 times)"


def test_a_run_that_cannot_be_placed_starts_nothing(tmp_path):
    settings = small_run(runtime={"kind": "ray", "resources": {"engine": {"num_gpus": 4096}}})
    with pytest.raises(SettingError, match=r"the cluster cannot hold the run: engine asks for 4096 GPU"):
        Arena(settings, tmp_path, fetch_model("tiny-random"), lambda kind, facts: None).run()
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_bundles_is_played(tmp_path):
    asked = {role: {"num_cpus": 0.25} for role in ("engine", "learner", "solver", "verifier")}
    settings = small_run(
        rounds=1, verifier={"replicas": 2}, runtime={"kind": "ray", "resources": asked},
        evaluation={"tasks": 2, "before": False},
    )  # fmt: skip
    assert Arena(settings, tmp_path, fetch_model("tiny-random"), lambda kind, facts: None).run()


def test_published_files_come_through_the_object_store(tmp_path):
    import ray

    from actors.engines.base import Weights
    from actors.engines.fetching import FetchedWeights, files_of
    from memory.checkpoints import weights_checksum
    from protocols.errors import EngineError

    published = fetch_model("tiny-random")
    gone = str(tmp_path / "elsewhere")
    fetched = FetchedWeights()
    with pytest.raises(EngineError, match="not seen on this node; put the run on shared storage"):
        fetched.local(Weights(version=1, path=gone))
    ray.init(
        "local", num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20
    )
    try:
        here = fetched.local(Weights(version=1, path=gone, files=ray.put(files_of(published))))
        assert weights_checksum(here.path) == weights_checksum(published)
        again = fetched.local(Weights(version=2, path=gone, files=ray.put(files_of(published))))
        assert again.path != here.path
    finally:
        ray.shutdown()
        fetched.clear()
