"""Requests over several engines: every one answered once, in order, round a hanging or a lost one."""

import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.base import Completion, Request, Weights
from actors.engines.replicas import Replicas, spread
from actors.runtime import InlineRuntime, start_runtime
from protocols.engine_settings import Sampling
from protocols.errors import DeadlineError, EngineError, RoleLostError
from protocols.records import Message, Prompt
from protocols.runtime_settings import RuntimeSettings

WEIGHTS = Weights(version=0, path="")


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 8))
def test_spread_loses_nothing_keeps_equals_together_and_is_even(prompts, shares):
    parts = spread(prompts, shares)
    assert sorted(position for part in parts for position in part) == list(range(len(prompts)))
    assert all(part == sorted(part) and part for part in parts)
    homes = [{prompts[position] for position in part} for part in parts]
    assert sum(map(len, homes)) == len(set(prompts))
    if parts:  # the greedy bound: the fullest is at most one group above the emptiest
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= max(Counter(prompts).values())


class Echo:
    """An engine that answers with its own name and the request's id; on request it hangs or dies, once."""

    def __init__(self, name: str, marker: str = "", how: str = "") -> None:
        self.name, self.marker, self.how = name, marker, how

    def generate(self, requests, weights):
        if self.marker and not Path(self.marker).exists():
            Path(self.marker).touch()
            if self.how == "hang":
                time.sleep(60)
            raise {"lost": RoleLostError, "wrong": EngineError}[self.how](f"{self.name} is {self.how}")
        return [
            Completion(
                request_id=request.id, text=self.name, token_ids=(), logprobs=(), prefilled=0,
                prompt_tokens=0, finish="stop",
            )
            for request in requests
        ]  # fmt: skip

    def describe(self):
        return {"name": self.name}

    def serve(self, weights):
        self.generate([], weights)
        return self.name


def requests_of(groups: int, size: int = 2) -> list[Request]:
    return [
        Request(
            id=f"{group}-{n}",
            prompt=Prompt(messages=(Message(role="user", content=str(group)),)),
            sampling=Sampling(),
            seed=n,
        )
        for group in range(groups)
        for n in range(size)
    ]


def ask(replicas: Replicas, requests: list[Request], deadline_s: float = 30.0) -> list[Completion]:
    found = replicas.call("generate", requests, WEIGHTS, deadline_s=deadline_s, reason="a test")
    assert [one.request_id for one in found] == [one.id for one in requests]
    return found


def test_all_engines_work_and_a_group_stays_with_one():
    runtime = InlineRuntime()
    replicas = Replicas([runtime.spawn(f"engine-{i}", Echo, f"e{i}") for i in range(3)], 1)
    requests = requests_of(9)
    found = ask(replicas, requests)
    assert {one.text for one in found} == {"e0", "e1", "e2"}
    assert all(found[2 * group].text == found[2 * group + 1].text for group in range(9))
    assert replicas.call("describe", deadline_s=1, reason="a test") == {"name": "e0"}


def test_a_lost_engine_is_worked_around_and_the_last_one_is_not(tmp_path):
    runtime = InlineRuntime()
    lost = runtime.spawn("engine-0", Echo, "lost", str(tmp_path / "a"), "lost")
    good = runtime.spawn("engine-1", Echo, "good")
    replicas = Replicas([lost, good], 2)
    assert {one.text for one in ask(replicas, requests_of(4))} == {"good"}
    assert {one.text for one in ask(replicas, requests_of(4))} == {"good"}  # nobody asks the lost one again
    alone = runtime.spawn("engine-0", Echo, "lost", str(tmp_path / "b"), "lost")
    with pytest.raises(RoleLostError):
        ask(Replicas([alone], 2), requests_of(1))


def test_an_engine_that_serves_something_else_ends_the_call(tmp_path):
    wrong = InlineRuntime().spawn("engine-0", Echo, "e0", str(tmp_path / "m"), "wrong")
    with pytest.raises(EngineError, match="e0 is wrong"):
        ask(Replicas([wrong, wrong], 3), requests_of(2))


def test_an_engine_that_hangs_is_ended_and_asked_again(tmp_path):
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    with start_runtime(RuntimeSettings(restarts=2)) as runtime:
        hanging = runtime.spawn("engine-0", Echo, "e0", str(tmp_path / "m"), "hang")
        hanging.call("describe", deadline_s=60, reason="the actor to start")
        began = time.monotonic()
        assert {one.text for one in ask(Replicas([hanging], 2), requests_of(2), deadline_s=5)} == {"e0"}
        assert time.monotonic() - began < 50
        slow = runtime.spawn("engine-0", Echo, "e0", str(tmp_path / "n"), "hang")
        other = runtime.spawn("engine-1", Echo, "e1")
        Replicas([other, slow], 2).call("serve", WEIGHTS, deadline_s=5, reason="a version to be loaded")
        always = runtime.spawn("engine-1", Hanging)
        with pytest.raises(DeadlineError, match=r"engine-1\.generate: no answer after"):
            ask(Replicas([always], 1), requests_of(1), deadline_s=2)


class Hanging:
    def generate(self, requests, weights):
        time.sleep(60)


class Serving:
    """An engine, as others hold it, that hangs or is lost for so many calls."""

    def __init__(self, name: str, error: type[Exception] | None = None, times: int = 10**9) -> None:
        self.name, self.error, self.left, self.replaced, self.asked = name, error, times, 0, 0

    def submit(self, method, *args):
        self.asked += 1
        return self

    def result(self, deadline_s, reason):
        if self.error is not None and self.left > 0:
            self.left -= 1
            raise self.error(f"{self.name}: nothing", self.name)
        return self.name

    def replace(self, asked: float) -> None:
        self.replaced += 1


def serve(*engines: Serving, method: str = "serve"):
    return Replicas(engines, 2).call(method, WEIGHTS, deadline_s=1, reason="a test")


def test_new_weights_reach_every_engine_round_hanging_and_lost_ones():
    hanging, lost, good = Serving("e0", DeadlineError, 2), Serving("e1", RoleLostError), Serving("e2")
    assert serve(hanging, lost, good) in ("e0", "e2")
    assert hanging.replaced == 2 and hanging.left == 0 and hanging.asked == 3
    with pytest.raises(DeadlineError, match="e0: nothing"):
        serve(Serving("e0", DeadlineError), good)
    with pytest.raises(RoleLostError, match="e1: nothing"):
        serve(Serving("e0", RoleLostError), Serving("e1", RoleLostError))


def test_the_next_engine_describes_where_the_first_is_lost():
    assert serve(Serving("e0", RoleLostError), Serving("e1"), method="describe") == "e1"
