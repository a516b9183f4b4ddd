"""Micro-batches side by side: the same bits whenever lanes run, and nothing lost or doubled."""

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_learning_grpo import learner_of, samples_of
from torch import nn
from transformers import LlamaConfig

from actors.learning.grpo import GrpoLearner
from actors.learning.lanes import MOST, Lanes
from actors.learning.packing import Example, divided, rows, split
from actors.learning.sft import SftLearner
from actors.learning.trainee import Trainee, changes
from memory.artefacts import fetch_model
from protocols.learner_settings import LearnerSettings

EXAMPLES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(1, 30)).map(
        lambda told: Example((told[0],) * told[1], (9,) * told[2])
    ),
    min_size=1,
    max_size=24,
)


@given(EXAMPLES, st.integers(16, 200), st.integers(1, 4))
def test_workers_get_equally_many_micro_batches_within_the_bound(
    examples: list[Example], bound: int, workers: int
) -> None:
    parts = divided(examples, bound, workers)
    assert sorted(id(example) for part in parts for example in part) == sorted(map(id, examples))
    assert all(len(part) == 1 or rows(part) <= bound for part in parts)
    wanted = -(-len(split(examples, bound)) // workers) * workers
    assert len(parts) <= wanted and (len(parts) == wanted or all(len(part) == 1 for part in parts))


def test_micro_batches_are_about_equally_large() -> None:
    examples = [
        Example((index,) * 10, (9,) * length) for index, length in enumerate((20, 21, 20, 22, 20, 21))
    ]
    assert [len(part) for part in split(examples, 100)] == [3, 3]
    assert [rows(part) for part in divided(examples, 170, 2)] == [93, 91]  # and not 5 of them in one


def test_lanes_run_side_by_side_with_their_own_threads_and_the_callers_gradients() -> None:
    lanes, all_here = Lanes(6, count=3), threading.Barrier(3, timeout=30)

    def look(index: int) -> tuple[int, bool, int]:
        all_here.wait()
        return index, torch.is_grad_enabled(), torch.get_num_threads()

    assert lanes.count == 3 and Lanes(100).count == MOST and Lanes(1).count == 1
    assert lanes.each(look, range(3)) == [(0, True, 2), (1, True, 2), (2, True, 2)]
    with torch.no_grad():
        assert lanes.each(look, range(3)) == [(0, False, 2), (1, False, 2), (2, False, 2)]


def test_the_first_failure_arrives_when_no_lane_computes_any_more() -> None:
    ended = []

    def compute(index: int) -> None:
        if index < 2:
            raise ValueError(index)
        time.sleep(0.2)
        ended.append(index)

    with pytest.raises(ValueError, match="0"):
        Lanes(3).each(compute, range(3))
    assert ended == [2]


def _weights(learner: Trainee) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in learner.model.named_parameters()}


def _delayed(learner: Trainee, order: Sequence[float]) -> None:
    """Lanes that are late by turns, as on a busy machine."""
    each, waits = learner.lanes.each, iter(list(order) * 1000)

    def later(compute: Any, items: Any) -> Any:
        def late(pair: Any) -> Any:
            time.sleep(pair[0])
            return compute(pair[1])

        return each(late, [(next(waits), item) for item in items])

    learner.lanes.each = later  # type: ignore[method-assign]


@pytest.mark.parametrize("recipe", ["sft", "grpo"])
@pytest.mark.parametrize("micro_tokens", [1024, 32])  # one round of lanes a step, and several
def test_an_update_has_the_same_bits_whichever_lane_is_late(
    recipe: str, micro_tokens: int, tmp_path: Path
) -> None:
    model, found = fetch_model("tiny-random"), []
    settings: dict[str, Any] = {"threads": 2, "micro_tokens": micro_tokens, "epochs": 2, "dtype": "float32"}
    for index, delays in enumerate(((0.0, 0.02), (0.02, 0.0, 0.005))):
        run, learner = tmp_path / str(index), None
        if recipe == "grpo":
            learner = learner_of(model, run, **settings)
        else:
            chosen = LearnerSettings.model_validate({"device": "cpu", "batch_size": 4, **settings})
            learner = SftLearner(model, chosen, run, 1)
        assert isinstance(learner, SftLearner | GrpoLearner) and learner.lanes.count == 2
        assert len(learner._parts([learner_example(n) for n in range(4)])) == (2 if micro_tokens > 32 else 4)
        _delayed(learner, delays)
        update = learner.learn(samples_of(model), 1, 1, "x")
        metrics = {name: value for name, value in update.metrics.items() if "seconds" not in name}
        found.append((update.losses, update.grad_norms, metrics, update.checksum))
    assert found[0] == found[1]


def learner_example(index: int) -> Example:
    return Example((1, 2, 3 + index), (7,) * 12)


@pytest.mark.parametrize(("lanes", "examples"), [(1, 4), (2, 4), (2, 3)])  # 3: alone in the last round
def test_threads_that_others_have_set_change_no_bit(lanes: int, examples: int, tmp_path: Path) -> None:
    """An engine in the same process computes with fewer while the machine is busy."""
    model, found, before = fetch_model("tiny-random"), [], torch.get_num_threads()
    chosen = {"device": "cpu", "batch_size": examples, "epochs": 3, "threads": 2, "lanes": lanes}
    settings = LearnerSettings.model_validate({**chosen, "dtype": "float32", "micro_tokens": 16})
    try:
        for threads in (2, 1, 3):
            learner = SftLearner(model, settings, tmp_path / str(threads), 1)
            torch.set_num_threads(threads)
            update = learner.learn(samples_of(model)[:examples], 1, 1, "x")
            torch.set_num_threads(threads)
            found.append((update.checksum, update.grad_norms, learner.weights().probe_logprobs))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_an_interrupt_leaves_no_lane_computing() -> None:
    begun, ended, lanes = threading.Event(), [], Lanes(2)
    both = threading.Barrier(2, timeout=30)
    lanes.each(lambda _: both.wait(), range(2))  # the threads have begun

    def compute(index: int) -> None:
        both.wait()
        begun.set()
        time.sleep(0.5)
        ended.append(index)

    def interrupt() -> None:
        begun.wait(30)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        lanes.each(compute, range(6))
    computed = list(ended)
    time.sleep(0.7)
    assert ended == computed and {0, 1} <= set(computed)
    assert lanes.each(str, range(3)) == ["0", "1", "2"]  # and it goes on


def test_gradients_of_a_step_that_was_never_taken_are_forgotten(tmp_path: Path) -> None:
    model, norms = fetch_model("tiny-random"), []
    chosen = {"device": "cpu", "batch_size": 4, "threads": 2}
    for fails in (False, True):
        learner = SftLearner(model, LearnerSettings.model_validate(chosen), tmp_path / str(fails), 1)
        if fails:
            step, learner.optimiser.step = learner.optimiser.step, None  # type: ignore[assignment]
            with pytest.raises(TypeError):
                learner.learn(samples_of(model), 1, 1, "x")
            learner.optimiser.step = step  # type: ignore[method-assign]
        norms.append(learner.learn(samples_of(model), 1, 1, "x").grad_norms)
    assert norms[0] == norms[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_lanes_learn_what_one_thread_learns(dtype: str, tmp_path: Path) -> None:
    model, found = fetch_model("tiny-random"), []
    for threads in (1, 2, 4):
        chosen = {"device": "cpu", "batch_size": 4, "epochs": 3, "threads": threads, "dtype": dtype}
        learner = SftLearner(model, LearnerSettings.model_validate(chosen), tmp_path / str(threads), 1)
        assert learner.lanes.count == threads
        update = learner.learn(samples_of(model), 1, 1, "x")
        found.append((update.losses, update.grad_norms))
    near = 1e-4 if dtype == "float32" else 0.03
    for losses, norms in found[1:]:
        assert losses == pytest.approx(found[0][0], rel=near)
        assert norms == pytest.approx(found[0][1], rel=near)


def test_a_model_that_a_forward_pass_changes_has_one_lane(tmp_path: Path) -> None:
    chosen = {"threads": 2, "device": "cpu", "lora": {"rank": 2, "dropout": 0.1}}
    settings = LearnerSettings.model_validate(chosen)
    assert SftLearner(fetch_model("tiny-random"), settings, tmp_path, 1).lanes.count == 1

    class Model(nn.Module):
        def __init__(self, p: float, attention: float) -> None:
            super().__init__()
            self.config = LlamaConfig(attention_dropout=attention)
            self.drop = nn.Dropout(p)

    assert changes(Model(0.1, 0.0)) and changes(Model(0.0, 0.2)) and not changes(Model(0.0, 0.0))
    model = Model(0.0, 0.0)
    model.config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    assert changes(model)
    model.config.rope_parameters = {"full_attention": {"rope_type": "longrope"}}
    assert changes(model)
    model.config = LlamaConfig(router_jitter_noise=0.01)
    assert changes(model)
