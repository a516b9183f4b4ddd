"""A role that does not answer is replaced and asked again, so often, and only if it is the one that hangs."""

import time

import pytest

from actors.ray_roles import RayPending, RayRole
from actors.runtime import insist
from protocols.errors import DeadlineError, EngineError, RoleLostError


class Answer:
    def __init__(self, outcome) -> None:
        self.outcome = outcome

    def result(self, deadline_s: float, reason: str):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome, deadline_s


class Role:
    name = "learner"

    def __init__(self, *outcomes) -> None:
        self.outcomes, self.asked, self.replaced = list(outcomes), [], 0

    def submit(self, method, *args):
        self.asked.append((method, *args))
        return Answer(self.outcomes.pop(0))

    def replace(self, asked: float = 0.0) -> None:
        assert asked <= time.monotonic()
        self.replaced += 1


def ask(role: Role, again: int = 2, **more):
    return insist(role, "learn", 7, deadline_s=50, reason="a test", again=again, **more)


def hung(role: str = "learner") -> DeadlineError:
    return DeadlineError(f"{role}.learn: no answer", role)


def test_a_role_that_hangs_is_replaced_and_asked_the_same_again():
    role = Role(hung(), hung(), "done")
    assert ask(role)[0] == "done"
    assert role.asked == [("learn", 7)] * 3
    assert role.replaced == 2


def test_it_is_replaced_so_often_and_no_more():
    role = Role(hung(), hung(), hung())
    with pytest.raises(DeadlineError):
        ask(role)
    assert role.replaced == 2


@pytest.mark.parametrize("error", [hung("engine-0"), EngineError("wrong weights")])
def test_what_is_not_its_own_fault_is_passed_on(error):
    role = Role(error)
    with pytest.raises(type(error)) as raised:
        ask(role)
    assert raised.value is error
    assert role.replaced == 0


def test_a_call_that_was_begun_before_has_less_time_left():
    role = Role("again")
    outcome, left = ask(role, begun=(Answer("first"), time.monotonic() - 20))
    assert outcome == "first" and 29 < left <= 30 and role.asked == []
    outcome, left = ask(role, begun=(Answer(hung()), time.monotonic() - 60))
    assert outcome == "again" and left == pytest.approx(50, abs=1)


def test_calls_that_hung_with_one_actor_end_it_once(monkeypatch):
    import ray

    ended = []
    monkeypatch.setattr(ray, "kill", lambda handle, no_restart: ended.append(handle))
    role = RayRole("engine-0", "actor")
    role.handle = object()
    began = time.monotonic()
    role.replace(began)
    role.replace(began)
    assert len(ended) == 1
    role.replace(time.monotonic())
    assert len(ended) == 2


@pytest.mark.parametrize("died, error", [(False, DeadlineError), (True, RoleLostError)])
def test_an_actor_that_is_out_of_reach_is_not_taken_for_dead(monkeypatch, died, error):
    """Ray gives up asking an actor that does not answer on its connection: it hangs, and can be replaced."""
    import ray

    kind = ray.exceptions.ActorDiedError if died else ray.exceptions.ActorUnavailableError

    def get(ref, timeout):
        raise kind() if died else kind("keepalive watchdog timeout", b"\0" * 16)

    monkeypatch.setattr(ray, "get", get)
    with pytest.raises(error, match=r"^engine-0(\.generate)?: ") as raised:
        RayPending("engine-0", "generate", object()).result(4.0, "3 answers")
    assert raised.value.role == "engine-0" and "\n" not in str(raised.value)
