"""Roles inline and on a real Ray: the same calls, deadlines with reasons, deaths survived."""

import signal
import sys
import time
from os import getpid, kill
from pathlib import Path

import pytest

from actors.runtime import start_runtime
from protocols.errors import DeadlineError, EngineError
from protocols.runtime_settings import RuntimeSettings


class Counter:
    def __init__(self, start: int) -> None:
        self.value = start

    def add(self, n: int) -> int:
        self.value += n
        return self.value

    def fail(self) -> None:
        raise EngineError("the model is gone; get another")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def die_once(self, marker: str) -> str:
        if not Path(marker).exists():
            Path(marker).touch()
            kill(getpid(), signal.SIGKILL)
        return "alive"


class Asker:
    """A role that calls another one."""

    def __init__(self, other) -> None:
        self.other = other

    def ask(self, n: int) -> int:
        return self.other.call("add", n, deadline_s=30, reason="a sum")


@pytest.fixture(scope="module", params=["inline", "ray"])
def runtime(request):
    if request.param == "ray":
        import ray.cloudpickle

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    with start_runtime(RuntimeSettings(kind=request.param, restarts=1)) as made:
        yield made


def test_calls_keep_state_and_roles_reach_each_other(runtime):
    counter = runtime.spawn("counter", Counter, 40)
    asker = runtime.spawn("asker", Asker, counter)
    assert counter.call("add", 1, deadline_s=30, reason="a sum") == 41
    assert asker.call("ask", 1, deadline_s=30, reason="a sum") == 42
    assert counter.submit("add", 1).result(30, "a sum") == 43


def test_a_users_error_comes_through_as_itself(runtime):
    counter = runtime.spawn("counter", Counter, 0)
    with pytest.raises(EngineError, match=r"^the model is gone; get another$"):
        counter.call("fail", deadline_s=30, reason="nothing")


def test_a_deadline_names_role_call_and_reason(runtime):
    if runtime.kind == "inline":
        pytest.skip("one thread cannot interrupt itself; inline calls run to their end")
    counter = runtime.spawn("counter", Counter, 0)
    counter.call("add", 0, deadline_s=30, reason="the actor to start")
    with pytest.raises(DeadlineError, match=r"counter\.sleep: no answer after \d+ s while waiting for a nap"):
        counter.call("sleep", 20, deadline_s=1, reason="a nap")


def test_a_dead_actor_comes_back_and_its_call_is_repeated(runtime, tmp_path):
    if runtime.kind == "inline":
        pytest.skip("there is no actor to kill")
    counter = runtime.spawn("counter", Counter, 7)
    assert counter.call("die_once", str(tmp_path / "m"), deadline_s=60, reason="a death") == "alive"
    assert counter.call("add", 0, deadline_s=30, reason="a sum") == 7


def test_restarts_are_used_up_in_the_end(runtime, tmp_path):
    if runtime.kind == "inline":
        pytest.skip("there is no actor to kill")
    counter = runtime.spawn("counter", Counter, 7)
    with pytest.raises(EngineError, match="counter: the actor died and all its restarts are used up"):
        for n in range(3):
            counter.call("die_once", str(tmp_path / f"m{n}"), deadline_s=60, reason="a death")


class Unstartable:
    def __init__(self) -> None:
        raise EngineError("no such model")


def test_a_role_that_cannot_start_says_why(runtime):
    with pytest.raises(EngineError, match="no such model"):
        runtime.spawn("unstartable", Unstartable).call("x", deadline_s=60, reason="nothing")
