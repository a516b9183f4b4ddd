"""The learner as a group of Ray actors: it learns what one process learns, and survives a lost rank."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_learning_grpo import samples_of

from actors.engines.direct import received
from actors.learner import Learner, adapted_name, learner_of
from actors.learning.group import RankGroup
from actors.ray_runtime import RayRuntime, ray_options
from actors.runtime import start_runtime
from memory.artefacts import fetch_model
from protocols.errors import DeadlineError, EngineError, SettingError, TransferError
from protocols.runtime_settings import RuntimeSettings
from protocols.settings import RunSettings


def settings_of(ranks: int = 2, restarts: int = 1, **learner: Any) -> RunSettings:
    chosen = {"learning_rate": 1e-3, "threads": 1, "device": "cpu", "dtype": "float32", "recipe": "closed-rl"}
    return RunSettings.model_validate(
        {
            "model": {"name": "tiny-random"},
            "runtime": {"restarts": restarts, "resources": {"learner": {"num_cpus": 0.1}}},
            "learner": {
                **chosen,
                "warmup": 0.0,
                "ranks": ranks,
                "collective_s": 60,
                "deadline_s": 120,
                **learner,
            },
        }
    )


@pytest.fixture(scope="module")
def runtime() -> Any:
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    with start_runtime(RuntimeSettings(restarts=0)) as made:
        yield made


WAIT: dict[str, Any] = {"deadline_s": 120, "reason": "a test"}


def expected_of(folder: Path, model: str, samples: list[Any], updates: int) -> list[Any]:
    """What one process learns in as many updates."""
    alone = Learner(settings_of(1, epochs=60), model, str(folder))
    alone.restore(0)
    return [alone.learn(samples, version, version) for version in range(1, updates + 1)]


def assert_same(found: Any, expected: Any) -> None:
    (update, weights), (wanted, of_one) = found, expected
    assert update.losses == pytest.approx(wanted.losses, abs=1e-3)
    assert weights.probe_logprobs == pytest.approx(of_one.probe_logprobs, abs=1e-2)
    assert (weights.version, weights.checksum) == (update.version, update.checksum)


def test_a_group_learns_what_one_process_learns(runtime: RayRuntime, tmp_path: Path) -> None:
    model, samples = str(fetch_model("tiny-random")), samples_of(fetch_model("tiny-random"))
    (expected,) = expected_of(tmp_path / "alone", model, samples, 1)
    settings = settings_of(epochs=60)
    role = runtime.spawn("learner", learner_of(settings), settings, model, str(tmp_path / "group"))
    assert role.call("restore", 0, **WAIT).version == 0
    first = role.call("learn", samples, 1, 1, **WAIT)
    assert_same(first, expected)
    assert role.call("learn", [], 1, 1, **WAIT) == first  # it is on disk: nothing is learned again
    assert len(set(role.call("pids", **WAIT))) == 2
    assert_handed_over(role, Path(first[1].path), 1)


def assert_handed_over(role: Any, folder: Path, version: int) -> None:
    """What comes directly from the learner's memory is what it wrote, bit by bit."""
    meeting = role.call("offer", 1, **WAIT)
    sending = role.submit("send", version)
    found = dict(received(meeting, torch.device("cpu")))
    sending.result(**WAIT)
    written = load_file(folder / "model.safetensors")
    assert found.keys() == written.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in written.items())


def test_one_process_hands_its_weights_over_too(runtime: RayRuntime, tmp_path: Path) -> None:
    settings, model = settings_of(1), fetch_model("tiny-random")
    role = runtime.spawn("learner", learner_of(settings), settings, str(model), str(tmp_path))
    _, weights = role.call("learn", samples_of(model), 1, 1, **WAIT)
    with pytest.raises(TransferError, match="version 2 cannot be sent; it has 1"):
        role.call("send", 2, **WAIT)
    assert_handed_over(role, Path(weights.path), 1)


@pytest.mark.slow  # actors that import torch take seconds to start
def test_a_killed_rank_costs_time_and_nothing_else(runtime: RayRuntime, tmp_path: Path) -> None:
    model, samples = str(fetch_model("tiny-random")), samples_of(fetch_model("tiny-random"))
    expected = expected_of(tmp_path / "alone", model, samples, 2)
    settings = settings_of(epochs=60)
    role = runtime.spawn("learner", learner_of(settings), settings, model, str(tmp_path / "group"))
    first, _ = role.call("learn", samples, 1, 1, **WAIT)

    def with_one_killed(version: int, rank: int) -> Any:
        """In the middle of an update."""
        pids = role.call("pids", **WAIT)
        learned = role.submit("learn", samples, version, version)
        time.sleep(first.seconds / 2)
        os.kill(pids[rank], signal.SIGKILL)
        found = learned.result(**WAIT)
        assert not set(role.call("pids", **WAIT)) & set(pids)
        return found

    assert_same(with_one_killed(2, rank=1), expected[1])
    with pytest.raises(EngineError, match=r"learner\.learn: .*all restarts \(runtime\.restarts 1\) are used"):
        with_one_killed(3, rank=0)


class Adding:
    """What ranks do, without a model."""

    def __init__(self, ranks: Any) -> None:
        self.ranks = ranks

    def add(self, value: float) -> float:
        return self.ranks.total([value])[0]

    def fail_on(self, rank: int, kind: str) -> float:
        if self.ranks.rank == rank:
            raise {"person": EngineError("the model is gone; get another"), "defect": KeyError("oops")}[kind]
        return self.add(1.0)

    def stop_once(self, marker: str) -> float:
        if self.ranks.rank == 1 and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return self.add(1.0)

    def sleep(self) -> None:
        time.sleep(30)


@pytest.mark.slow  # actors that import torch take seconds to start
def test_ranks_add_up_and_their_errors_come_through(runtime: RayRuntime) -> None:
    group = RankGroup(settings_of(3), Adding, ())
    try:
        assert group.call("add", 2.0, reason="a sum") == 6.0
        with pytest.raises(EngineError, match="the model is gone; get another"):
            group.call("fail_on", 1, "person", reason="a failure")
        assert group.call("add", 1.0, reason="a sum") == 3.0  # others were started
        with pytest.raises(KeyError, match="oops"):
            group.call("fail_on", 0, "defect", reason="a failure")
    finally:
        group.close()


@pytest.mark.slow  # actors that import torch take seconds to start
def test_a_rank_that_falls_silent_is_not_waited_for_longer_than_an_exchange(
    runtime: RayRuntime, tmp_path: Path
) -> None:
    group = RankGroup(settings_of(collective_s=20), Adding, ())
    try:
        assert group.call("stop_once", str(tmp_path / "stopped"), reason="a sum") == 2.0
    finally:
        group.close()


@pytest.mark.slow  # actors that import torch take seconds to start
def test_a_deadline_names_the_call_and_its_reason(runtime: RayRuntime) -> None:
    group = RankGroup(settings_of(), Adding, ())
    try:
        assert group.call("add", 1.0, reason="a sum") == 2.0  # they are there, however long that takes
        group._settings = settings_of(deadline_s=1)
        with pytest.raises(DeadlineError, match=r"learner\.sleep: 2 of 2 ranks .* waiting for a nap"):
            group.call("sleep", reason="a nap")
    finally:
        group.close()


def test_ranks_that_find_no_place_are_not_waited_for_long(runtime: RayRuntime) -> None:
    settings = settings_of(collective_s=2)
    wanting = settings.runtime.model_copy(update={"resources": {"learner": {"unicorns": 1}}})
    group = RankGroup(settings.model_copy(update={"runtime": wanting}), Adding, ())
    with pytest.raises(
        DeadlineError, match=r"2 of 2 ranks .* placed, with {'resources': {'unicorns': 1\.0}} each"
    ):
        group.call("add", 1.0, reason="a sum")


def test_the_ranks_have_the_resources_of_the_role_and_the_role_has_none() -> None:
    settings = settings_of().runtime.model_copy(update={"resources": {"learner": {"num_gpus": 1, "big": 2}}})
    assert ray_options(settings, "learner") == {"num_cpus": 0, "num_gpus": 1, "resources": {"big": 2}}
    assert ray_options(settings, "") == {"num_cpus": 0, "num_gpus": 0}
    assert learner_of(settings_of(2)).delegates and learner_of(settings_of(1)) is Learner


def test_ranks_need_actors() -> None:
    with pytest.raises(
        SettingError, match=r"learner\.ranks: 2 ranks are Ray actors, but runtime\.kind is inline"
    ):
        RunSettings.model_validate({"learner": {"ranks": 2}, "runtime": {"kind": "inline"}})


def test_adapters_never_name_a_path(tmp_path: Path) -> None:
    assert adapted_name("owner/model") == "owner/model"
    assert adapted_name(str(tmp_path / "mine")) == "mine"
