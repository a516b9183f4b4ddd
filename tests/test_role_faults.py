"""Roles that die or hang at any moment: the run goes on, and ends with what it would have had undisturbed."""

import os
import random
import signal
import sys
import time

import pytest
from loop_driver import small_run
from test_ahead import check_complete
from test_resume import assert_same, check_whole, content

from actors import casting
from actors.arena import Arena
from actors.verifier import Verifier
from memory.artefacts import fetch_model
from protocols.errors import DeadlineError
from protocols.settings import RunSettings

pytestmark = pytest.mark.slow
ROLES = ("curator", "engine-0", "learner", "proposer", "solver-0", "verifier-0")
MANY = {"kind": "ray", "restarts": 50}


class Disturbed(Arena):
    """Does something to a role's process when it is told things, and measures the longest silence since."""

    def __init__(self, settings: RunSettings, run_dir, role: str, how: int, moments: set[int]) -> None:
        super().__init__(settings, run_dir, fetch_model("tiny-random"), self.told)
        self.role, self.how, self.moments = role, how, moments
        self.count, self.strikes, self.last, self.silence = 0, 0, time.monotonic(), 0.0

    def told(self, kind: str, facts: dict) -> None:
        now = time.monotonic()
        if self.strikes:
            self.silence = max(self.silence, now - self.last)
        self.count += 1
        if self.count in self.moments:
            os.kill(self._runtime.pids()[self.role], self.how)
            self.strikes += 1
        self.last = time.monotonic()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("undisturbed")
    assert Arena(small_run(), run_dir, fetch_model("tiny-random"), lambda *_: None).run()
    return content(run_dir)


@pytest.mark.parametrize("role", ROLES)
def test_a_killed_role_costs_nothing(tmp_path, undisturbed, role):
    moments = set(random.Random(role).sample(range(2, 14), 3))
    arena = Disturbed(small_run(runtime=MANY), tmp_path, role, signal.SIGKILL, moments)
    assert arena.run()
    print(f"{role} killed: the work went on after {arena.silence:.1f} s at most")
    assert arena.strikes == 3
    assert_same(content(tmp_path), undisturbed)
    check_whole(tmp_path)


@pytest.mark.parametrize(
    ("role", "section"),
    [
        ("engine-0", {"engine": {"kind": "scripted", "deadline_s": 4}}),
        ("verifier-0", {"verifier": {"deadline_s": 6}}),
        ("learner", {"learner": {"batch_size": 4, "threads": 1, "device": "cpu", "deadline_s": 8}}),
    ],
)
def test_a_role_that_hangs_is_replaced(tmp_path, undisturbed, role, section):
    arena = Disturbed(small_run(runtime=MANY, **section), tmp_path, role, signal.SIGSTOP, {3})
    assert arena.run()
    print(f"{role} stopped: the work went on after {arena.silence:.1f} s")
    assert arena.strikes == 1
    assert_same(content(tmp_path), undisturbed)
    check_whole(tmp_path)


def test_a_role_that_always_hangs_ends_the_run_in_one_line(tmp_path, monkeypatch):
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    settings = small_run(
        runtime={"kind": "ray", "restarts": 1},
        verifier={"deadline_s": 8},
    )

    monkeypatch.setattr(casting, "Verifier", Sleeping)
    with pytest.raises(DeadlineError, match=r"verifier-0: no answer after .* 2 times"):
        Arena(settings, tmp_path, fetch_model("tiny-random"), lambda *_: None).run()


class Sleeping(Verifier):
    def judge(self, groups, tasks):
        time.sleep(600)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_role_killed_at_any_moment_while_rounds_overlap(tmp_path, seed):
    rng = random.Random(seed)
    settings = small_run(
        rounds=4, max_staleness=1, runtime=MANY, evaluation={"tasks": 4, "before": False, "every": 2}
    )

    class Anyone(Disturbed):
        def told(self, kind, facts):
            self.role = rng.choice(ROLES)
            super().told(kind, facts)

    arena = Anyone(settings, tmp_path, "", signal.SIGKILL, set(rng.sample(range(2, 30), 8)))
    assert arena.run()
    check_complete(tmp_path, settings)
    check_whole(tmp_path)
