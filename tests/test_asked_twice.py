"""The curator dies when it has written but not yet answered: asked again, it says and keeps the same."""

import pytest
from loop_driver import small_run
from test_resume import read

from actors.curator import Curator
from actors.engines.base import Weights
from actors.engines.serving import ServedEngine
from actors.runtime import InlineRole
from actors.solver import Solver
from actors.verifier import Judged
from memory.artefacts import fetch_model
from protocols.records import Verdict

TABLES = "groups", "attempts", "decisions", "buffer", "rounds", "proposals", "tasks", "updates"


@pytest.fixture
def settings():
    grpo = {"zero_variance": "resample", "resample_limit": 2.0}
    return small_run(
        learner={"recipe": "closed-rl", "grpo": grpo, "threads": 1, "device": "cpu"},
        proposer={"per_round": 0},
        curator={"buffer": {"p": 0.5, "least": 1}},
    )


def stored(run_dir) -> dict[str, list[tuple]]:
    return {table: read(run_dir, f"SELECT * FROM {table}") for table in TABLES}


def again(curator: Curator, settings, run_dir) -> Curator:
    """The actor that is started in place of a dead one."""
    curator.close()
    return opened(settings, run_dir)


def opened(settings, run_dir) -> Curator:
    curator = Curator(settings, str(run_dir))
    curator.open()
    return curator


def judged(settings, plays) -> list[Judged]:
    """Groups in which every answer is right."""
    engine = InlineRole("engine", ServedEngine(settings, str(fetch_model("tiny-random"))))
    groups = Solver(settings, engine).play(plays, Weights(version=0, path=""))
    return [
        Judged(
            group=group,
            verdicts=tuple(
                Verdict(attempt_id=attempt.id, reward=1.0, category="correct", evidence={})
                for attempt in group.attempts
            ),
        )
        for group in groups
    ]


def test_it_plans_the_same_further_groups(tmp_path, settings):
    curator = opened(settings, tmp_path)
    curator.admit(judged(settings, curator.plan(1, 0)))
    further, before = curator.further_plan(1), stored(tmp_path)
    assert further
    curator = again(curator, settings, tmp_path)
    assert curator.further_plan(1) == further
    assert stored(tmp_path) == before
    curator.close()


def test_it_admits_a_batch_once_and_keeps_its_buffer(tmp_path, settings):
    curator = opened(settings, tmp_path)
    batch = judged(settings, curator.plan(1, 0))
    told, before = curator.admit(batch), stored(tmp_path)
    state = curator._buffer.state_dict(), curator._space.growth()
    curator = again(curator, settings, tmp_path)
    assert curator.admit(batch) == told
    assert stored(tmp_path) == before
    assert (curator._buffer.state_dict(), curator._space.growth()) == state
    curator.close()
