"""The pipeline: bounded, in order where it has to be, and patient only up to its deadlines."""

import time
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.collecting import Pipeline
from protocols.errors import DeadlineError, RoleLostError
from protocols.settings import RunSettings


class Later:
    """A call that ends when the clock says so."""

    def __init__(self, value, due: int) -> None:
        self.value, self.due = value, due

    def result(self, deadline_s: float, reason: str):
        return self.value


class Clock:
    """A runtime whose time is a count of waits: each wait goes on to the next call that ends."""

    kind = "test"

    def __init__(self) -> None:
        self.now = 0

    def wait(self, pendings, timeout_s):
        self.now = max(self.now, min(pending.due for pending in pendings))
        return [pending for pending in pendings if pending.due <= self.now]


class Working:
    """A role whose calls take the ticks they are told to."""

    def __init__(self, clock: Clock, name: str, ticks, log: list) -> None:
        self.clock, self.name, self.ticks, self.log = clock, name, ticks, log
        self.replaced = 0

    def submit(self, method, *args):
        number = args[0][0].number if method == "play" else args[0][0]
        self.log.append((method, number))
        value = [number] if method == "play" else ([number], 0.0)
        return Later(value, self.clock.now + self.ticks(number))

    def replace(self, asked: float = 0.0) -> None:
        self.replaced += 1


def plays(number: int) -> list:
    return [SimpleNamespace(number=number, round=1, task=SimpleNamespace(id="t"))]


def made(play_ticks, judge_ticks, in_flight: int, verifiers: int, queue: int, in_order: bool):
    clock, log, admitted = Clock(), [], []
    wanted = RunSettings.model_validate(
        {"solver": {"in_flight": in_flight}, "verifier": {"queue": queue, "deadline_s": 0.05}}
        | {"runtime": {"restarts": 1}}
    )
    solver = Working(clock, "solver-0", play_ticks, log)
    judges = [Working(clock, f"verifier-{i}", judge_ticks, log) for i in range(verifiers)]
    pipeline = Pipeline(
        clock, wanted, [solver], judges, lambda batch: None,
        lambda batch, judged, seconds: admitted.append(judged[0]), in_order,
    )  # fmt: skip
    return pipeline, log, admitted, judges


TICKS = st.lists(st.integers(1, 30), min_size=1, max_size=20)


@settings(max_examples=200, deadline=None)
@given(TICKS, TICKS, st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_everything_is_admitted_once_and_the_queues_stay_bounded(
    play, judge, in_flight, verifiers, queue, in_order
):
    pipeline, log, admitted, _ = made(
        lambda n: play[n % len(play)], lambda n: judge[n % len(judge)], in_flight, verifiers, queue, in_order
    )
    pipeline._settings = pipeline._settings.model_copy(
        update={"verifier": pipeline._settings.verifier.model_copy(update={"deadline_s": 3600.0})}
    )
    count = 15
    for number in range(count):
        while not pipeline.room:
            pipeline.step()
        pipeline.offer(plays(number), None)
        assert sum(pipeline.queues.values()) == number + 1 - len(admitted)
        begun = sum(1 for method, _ in log if method == "play")
        assert begun - len(admitted) <= 2 * in_flight + queue * verifiers + 1
    pipeline.drain()
    assert sorted(admitted) == list(range(count))
    assert not in_order or admitted == list(range(count))
    assert not pipeline.busy


def test_short_batches_do_not_wait_for_long_ones():
    pipeline, _, admitted, _ = made(lambda n: 100 if n == 0 else 1, lambda n: 1, 2, 1, 3, False)
    for number in range(6):
        while not pipeline.room:
            pipeline.step()
        pipeline.offer(plays(number), None)
    pipeline.drain()
    assert admitted == [1, 2, 3, 4, 5, 0]


def test_a_verifier_that_hangs_is_ended_and_in_the_end_the_run_is():
    pipeline, _, _, (verifier,) = made(lambda n: 0, lambda n: 10**9, 1, 1, 3, True)
    pipeline._runtime.wait = lambda pendings, timeout_s: [p for p in pendings if p.due == 0]
    pipeline.offer(plays(0), None)
    with pytest.raises(DeadlineError, match=r"verifier-0: no answer after .* 2 times, .* raise the role's"):
        for _ in range(20):
            pipeline.step()
            time.sleep(0.02)
    assert verifier.replaced == 1


class Lost:
    """A call whose role, or one that it waits for, is lost for good."""

    due = 0

    def __init__(self, role: str) -> None:
        self.role = role

    def result(self, deadline_s: float, reason: str):
        raise RoleLostError(f"{self.role}: all restarts are used up", self.role)


def losing(lost: list[str], whom: str):
    """A pipeline with two solvers, of which the named ones lose every call because `whom` is lost."""
    clock, log, admitted = Clock(), [], []
    solvers = [Working(clock, name, lambda n: 1, log) for name in ("solver-0", "solver-1")]
    for solver in solvers:
        if solver.name in lost:
            solver.submit = lambda *args, name=solver.name: Lost(whom or name)
    judge = Working(clock, "verifier-0", lambda n: 1, log)
    pipeline = Pipeline(
        clock, RunSettings.model_validate({"solver": {"in_flight": 4}}), solvers, [judge],
        lambda batch: None, lambda batch, judged, seconds: admitted.append(judged[0]), True,
    )  # fmt: skip
    for number in range(4):
        pipeline.offer(plays(number), None)
    return pipeline, solvers, admitted


def test_what_a_lost_solver_was_asked_another_one_is_asked():
    pipeline, solvers, admitted = losing(["solver-0"], "")
    pipeline.drain()
    assert admitted == [0, 1, 2, 3]
    assert [solver.name for solver in solvers] == ["solver-1"]


@pytest.mark.parametrize(
    "lost, whom, told",
    [(["solver-0", "solver-1"], "", "solver-1"), (["solver-0"], "engine-0", "engine-0")],
    ids=["the last one", "what it waits for"],
)
def test_who_cannot_be_replaced_ends_the_run(lost, whom, told):
    pipeline, _, _ = losing(lost, whom)
    with pytest.raises(RoleLostError, match=f"^{told}: "):
        pipeline.drain()


class OutOfReach:
    """A call of a role that Ray cannot reach, and does not know to be dead."""

    due = 0

    def __init__(self, role: str) -> None:
        self.role = role

    def result(self, deadline_s: float, reason: str):
        raise DeadlineError(f"{self.role}: out of reach", self.role)


def out_of_reach(method: str, times: int, whom: str = ""):
    """A pipeline of one solver and one verifier, one of which is out of reach for so many calls."""
    clock, log, admitted = Clock(), [], []
    roles = {name: Working(clock, f"{name}-0", lambda n: 1, log) for name in ("play", "judge")}
    role, answer = roles[method], roles[method].submit
    left = [times]

    def submit(*args):
        left[0] -= 1
        return OutOfReach(whom or role.name) if left[0] >= 0 else answer(*args)

    role.submit = submit
    pipeline = Pipeline(
        clock, RunSettings.model_validate({"runtime": {"restarts": 2}}), [roles["play"]], [roles["judge"]],
        lambda batch: None, lambda batch, judged, seconds: admitted.append(judged[0]), True,
    )  # fmt: skip
    pipeline.offer(plays(0), None)
    return pipeline, role, admitted


@pytest.mark.parametrize("method", ["play", "judge"])
def test_a_role_that_is_out_of_reach_is_replaced_and_asked_again(method):
    pipeline, role, admitted = out_of_reach(method, times=2)
    pipeline.drain()
    assert admitted == [0] and role.replaced == 2


@pytest.mark.parametrize("times, whom, replaced", [(3, "", 2), (1, "engine-0", 0)], ids=["thrice", "another"])
def test_a_role_that_stays_out_of_reach_ends_the_run(times, whom, replaced):
    pipeline, role, _ = out_of_reach("play", times, whom)
    with pytest.raises(DeadlineError, match="out of reach"):
        pipeline.drain()
    assert role.replaced == replaced
