"""Baselines by role and kind of task, by hand and in the learner's checkpoints."""

import json
import statistics
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_learning_grpo import learner_of, samples_of

from actors.learning.baselines import baseline_of, baselines_of, together, weighed
from memory import checkpoints
from memory.artefacts import fetch_model
from protocols.records import Baseline, Prompt, Role, Sample

REWARDS = st.lists(st.floats(-1, 1), min_size=1, max_size=20)


def sample(role: Role, reward: float, kind: str = "") -> Sample:
    return Sample(
        attempt_id="a", prompt=Prompt(messages=()), token_ids=(1,), role=role, kind=kind, reward=reward
    )


BATCH = [
    sample(Role.SOLVER, 1.0, "single"),
    sample(Role.SOLVER, 0.0, "single"),
    sample(Role.SOLVER, 0.0, "single"),
    sample(Role.SOLVER, 1.0, "multi"),
    sample(Role.PROPOSER, -1.0),
    sample(Role.PROPOSER, 0.5),
]


def test_advantages_by_hand() -> None:
    baselines = baselines_of(BATCH, {})
    assert {key: (b.count, b.mean) for key, b in baselines.items()} == {
        "solver/single": (3, pytest.approx(1 / 3)), "solver/multi": (1, 1.0), "proposer": (2, -0.25),
    }  # fmt: skip
    plain = [s.weight for s in weighed(BATCH, baselines, normalise=False)]
    assert plain == pytest.approx([2 / 3, -1 / 3, -1 / 3, 0.0, -0.75, 0.75])
    # Standard deviations of n - 1: sqrt(1/3) and sqrt(9/8).
    scaled = [s.weight for s in weighed(BATCH, baselines)]
    assert scaled == pytest.approx([1.1547, -0.57735, -0.57735, 0.0, -0.70711, 0.70711], abs=1e-4)
    dropped = [s.weight for s in weighed(BATCH, baselines, normalise=False, negative=0.0)]
    assert dropped == pytest.approx([2 / 3, 0.0, 0.0, 0.0, 0.0, 0.75])


@given(REWARDS, REWARDS)
def test_two_halves_together_are_the_whole(some: list[float], others: list[float]) -> None:
    whole, joined = baseline_of(some + others), together(baseline_of(some), baseline_of(others))
    assert (joined.count, joined.mean) == (whole.count, pytest.approx(whole.mean, abs=1e-9))
    assert joined.std == pytest.approx(whole.std, abs=1e-6)
    assert whole.std == pytest.approx(statistics.stdev(some + others), abs=1e-9)


def rewarded(model: Path, *rewards: float) -> list[Sample]:
    """Two answers and two proposals with these rewards."""
    roles = (Role.SOLVER, Role.SOLVER, Role.PROPOSER, Role.PROPOSER)
    return [
        msgspec.structs.replace(
            s, weight=0.0, role=role, kind="single" * (role is Role.SOLVER), reward=reward
        )
        for s, role, reward in zip(samples_of(model), roles, rewards)
    ]


def kept(run: Path, version: int) -> dict[str, Baseline]:
    plain = checkpoints.path_of(run, version) / checkpoints.STATE / "plain.json"
    return msgspec.convert(json.loads(plain.read_text())["baselines"], dict[str, Baseline])


@pytest.fixture(scope="module")
def model() -> Path:
    return fetch_model("tiny-random")


@pytest.mark.parametrize(
    ("baseline", "means"),
    [
        # rewards 1, 0 | -1, 0.5 and then 1, 1 | 0.5, 1
        ("batch", {"solver/single": (2, 1.0), "proposer": (2, 0.75)}),
        ("running", {"solver/single": (4, 0.75), "proposer": (4, 0.25)}),
    ],
)
def test_baselines_are_in_the_checkpoint_and_go_on_after_a_resume(
    model: Path, tmp_path: Path, baseline: str, means: dict[str, tuple[int, float]]
) -> None:
    first, second = rewarded(model, 1.0, 0.0, -1.0, 0.5), rewarded(model, 1.0, 1.0, 0.5, 1.0)
    learner = learner_of(model, tmp_path, grpo={"baseline": baseline})
    update = learner.learn(first, 1, 1, "absolute-zero")
    assert kept(tmp_path, 1) == update.baselines
    assert {k: (b.count, b.mean) for k, b in update.baselines.items()} == {
        "solver/single": (2, 0.5), "proposer": (2, -0.25),
    }  # fmt: skip
    update = learner.learn(second, 2, 2, "absolute-zero")
    assert {k: (b.count, b.mean) for k, b in update.baselines.items()} == means
    assert kept(tmp_path, 2) == update.baselines == learner.published(2).baselines  # type: ignore[union-attr]

    again = learner_of(model, tmp_path / "again", grpo={"baseline": baseline})
    again.learn(first, 1, 1, "absolute-zero")
    again.learn(first, 2, 2, "absolute-zero")  # what a resume has to leave behind
    again.resume(1)
    assert again.baselines == kept(tmp_path, 1)
    again.resume(0)
    assert again.baselines == {}


def test_the_weights_learned_are_the_advantages(model: Path, tmp_path: Path) -> None:
    samples = rewarded(model, 1.0, 0.0, -1.0, 0.5)
    update = learner_of(model, tmp_path, grpo={"baseline": "batch"}).learn(samples, 1, 1, "absolute-zero")
    by_hand = weighed(samples, update.baselines)
    lengths = [len(s.token_ids) - s.prefilled for s in samples]
    expected = -sum(s.weight * n for s, n in zip(by_hand, lengths)) / sum(lengths)
    assert update.losses == pytest.approx([expected], rel=1e-3)
