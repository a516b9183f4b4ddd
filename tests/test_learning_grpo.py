"""Reinforcement learning on a tiny model: rewarded answers get likelier, switches do what they say."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from transformers import AutoTokenizer

from actors.learning.grpo import GrpoLearner
from memory.artefacts import fetch_model
from protocols.errors import TaskspaceError
from protocols.learner_settings import LearnerSettings
from protocols.records import Message, Prompt, Role, Sample

GIVEN = "```\n"


@pytest.fixture(scope="module")
def model() -> Path:
    return fetch_model("tiny-random")


def learner_of(model: Path, run: Path, temperature: float = 1.0, **settings: Any) -> GrpoLearner:
    chosen = {"learning_rate": 2e-3, "threads": 1, "device": "cpu", "recipe": "closed-rl", "warmup": 0.0}
    return GrpoLearner(model, LearnerSettings.model_validate(chosen | settings), run, 1, temperature)


def samples_of(model: Path) -> list[Sample]:
    """Two groups of two answers, one of them better; every answer opens with what was given."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    given = tokenizer(GIVEN, add_special_tokens=False)["input_ids"]
    made = []
    for group, answers in (("sum", ("zwc.kocito(v)", "sum(v) + 0")), ("order", ("zwc.pefadib(v)", "v"))):
        for answer, advantage in zip(answers, (0.7, -0.7)):
            ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
            made.append(
                Sample(
                    attempt_id=answer,
                    prompt=Prompt(messages=(Message(role="user", content=f"{group}?"),), prefill=GIVEN),
                    token_ids=(*given, *ids),
                    logprobs=(-1.0,) * len(ids),
                    prefilled=len(given),
                    weight=advantage,
                    group_id=group,
                )
            )
    return made


def likelihoods(learner: GrpoLearner, samples: list[Sample]) -> list[float]:
    """Log-probability of every answer."""
    trajectories = [learner._trajectory(sample) for sample in samples]
    found = learner._logprobs_now(trajectories)
    return [float(found[id(t)].sum()) for t in trajectories]


def test_better_answers_get_likelier_and_worse_ones_less_so(model: Path, tmp_path: Path) -> None:
    learner, samples = learner_of(model, tmp_path, epochs=8), samples_of(model)
    before = likelihoods(learner, samples)
    update = learner.learn(samples, 1, 1, "closed-rl")
    moved = [b - a for a, b in zip(before, likelihoods(learner, samples))]
    assert moved[0] > 1 > -1 > moved[1] and moved[2] > 1 > -1 > moved[3]
    assert (update.steps, update.samples, len(update.losses)) == (8, 4, 8)
    assert update.tokens == 8 * sum(len(s.token_ids) - s.prefilled for s in samples)
    assert learner.published(1) == update and update.metrics["entropy"] > 0


def test_one_step_has_ratio_one_and_the_loss_of_its_advantages(model: Path, tmp_path: Path) -> None:
    samples = samples_of(model)
    update = learner_of(model, tmp_path).learn(samples, 1, 1, "closed-rl")
    lengths = [len(s.token_ids) - s.prefilled for s in samples]
    expected = -sum(s.weight * n for s, n in zip(samples, lengths)) / sum(lengths)
    assert update.losses == pytest.approx([expected], rel=1e-4)
    metrics = update.metrics
    assert metrics["ratio"] == metrics["sample_size"] == 1.0
    assert metrics["clipped_positive"] == metrics["clipped_negative"] == 0.0
    assert metrics["advantage"] == pytest.approx(0.7)


def test_only_sampled_tokens_are_learned(model: Path, tmp_path: Path) -> None:
    learner, sample = learner_of(model, tmp_path), samples_of(model)[0]
    trajectory = learner._trajectory(sample)
    assert trajectory.response == sample.token_ids[sample.prefilled :]  # no end of turn is added
    assert trajectory.prompt[-sample.prefilled :] == sample.token_ids[: sample.prefilled]


@pytest.mark.parametrize(
    "switches", [{}, {"mini_batches": 2}, {"kl_weight": 0.1, "aggregation": "sequence_mean"}]
)
def test_a_mini_batch_may_be_cut_anywhere(model: Path, tmp_path: Path, switches: dict[str, Any]) -> None:
    updates = [
        learner_of(model, tmp_path / str(tokens), micro_tokens=tokens, epochs=2, grpo=switches).learn(
            samples_of(model), 1, 1, "closed-rl"
        )
        for tokens in (16, 4096)
    ]
    assert updates[0].losses == pytest.approx(updates[1].losses, rel=0.05, abs=0.01)
    measured = [
        {name: value for name, value in update.metrics.items() if not name.startswith("seconds")}
        for update in updates
    ]
    assert measured[0] == pytest.approx(measured[1], rel=0.05, abs=0.01)


def test_answers_without_an_advantage_are_measured_only(model: Path, tmp_path: Path) -> None:
    samples = samples_of(model)
    samples = [*samples[:2], *(msgspec.structs.replace(s, weight=0.0) for s in samples[2:])]
    found = []
    for name, grpo in (("measured", {}), ("learned", {"kl_weight": 1e-30})):  # a reference moves every answer
        learner = learner_of(model, tmp_path / name, grpo=grpo)
        update = learner.learn(samples, 1, 1, "closed-rl")
        found.append((update.losses, update.grad_norms, update.metrics, likelihoods(learner, samples)))
    (losses, norms, metrics, after), learned = found
    assert losses == pytest.approx(learned[0], rel=1e-3) and norms == pytest.approx(learned[1], rel=1e-2)
    assert after == pytest.approx(learned[3], rel=1e-2)
    for name in ("entropy", "rollout_gap", "advantage", "ratio"):
        assert metrics[name] == pytest.approx(learned[2][name], rel=1e-3)


@pytest.mark.parametrize(
    ("switch", "moves"), [({}, True), ({"engine_cap": 2.0}, True), ({"engine_band": 2.0}, False)]
)
def test_what_the_learner_would_hardly_say_is_weighed_or_left_out(
    model: Path, tmp_path: Path, switch: dict[str, float], moves: bool
) -> None:
    """Log-probabilities of -1 where a tiny random model has about -6 are far outside of a band of 2."""
    learner = learner_of(model, tmp_path, grpo=switch)
    update = learner.learn(samples_of(model), 1, 1, "closed-rl")
    assert (update.grad_norms[0] > 0) is moves


def test_mini_batches_keep_groups_whole(model: Path, tmp_path: Path) -> None:
    learner = learner_of(model, tmp_path, epochs=2, grpo={"mini_batches": 2})
    batches = learner._mini_batches([learner._trajectory(s) for s in samples_of(model)], 1)
    assert [sorted({t.group for t in batch}) for batch in batches[:2]] in (
        [["order"], ["sum"]],
        [["sum"], ["order"]],
    )
    assert [len(batch) for batch in batches] == [2, 2, 2, 2]
    again = learner._mini_batches([learner._trajectory(s) for s in samples_of(model)], 1)
    assert batches == again


def test_a_denominator_from_the_rollout_stops_what_is_too_far_off(model: Path, tmp_path: Path) -> None:
    """The rollout saw documentation and was sure; closed book the ratio is tiny: positive ones shrink,
    negative ones are clipped away."""
    update = learner_of(model, tmp_path, grpo={"denominator": "rollout"}).learn(
        samples_of(model), 1, 1, "closed-rl"
    )
    assert update.metrics["ratio"] < 0.5 and update.metrics["rollout_gap"] == 0.0
    assert update.metrics["clipped_negative"] > 0.9 and update.metrics["clipped_positive"] < 0.1
    free = learner_of(model, tmp_path / "free", grpo={"denominator": "rollout", "clip_low": None}).learn(
        samples_of(model), 1, 1, "closed-rl"
    )
    assert free.metrics["clipped_negative"] == 0.0


def test_against_the_policy_itself_no_ratio_moves_and_no_clip_acts(model: Path, tmp_path: Path) -> None:
    settings = {"epochs": 4, "grpo": {"mini_batches": 2, "clip_low": 0.0, "clip_high": 0.0}}
    free = {**settings, "grpo": {**settings["grpo"], "denominator": "policy"}}
    bound, unbound = (
        learner_of(model, tmp_path / name, **one).learn(samples_of(model), 1, 1, "closed-rl").metrics
        for name, one in (("recomputed", settings), ("policy", free))
    )
    assert unbound["ratio"] == 1.0 and unbound["clipped_positive"] == unbound["clipped_negative"] == 0.0
    assert bound["ratio"] != 1.0 and bound["clipped_positive"] + bound["clipped_negative"] > 0.2


def test_the_reference_holds_the_policy_back(model: Path, tmp_path: Path) -> None:
    samples = samples_of(model)
    drift = {}
    for weight in (0.01, 10.0):
        learner = learner_of(model, tmp_path / str(weight), epochs=8, grpo={"kl_weight": weight})
        before = likelihoods(learner, samples)
        update = learner.learn(samples, 1, 1, "closed-rl")
        assert update.metrics["kl"] > 0
        drift[weight] = sum(abs(b - a) for a, b in zip(before, likelihoods(learner, samples)))
    assert drift[10.0] < 0.5 * drift[0.01]


def test_probabilities_are_those_that_were_sampled_from(model: Path, tmp_path: Path) -> None:
    cold, plain = learner_of(model, tmp_path, 0.1), learner_of(model, tmp_path / "b", 1.0)
    samples = samples_of(model)
    assert likelihoods(cold, samples) != pytest.approx(likelihoods(plain, samples))
    assert likelihoods(learner_of(model, tmp_path / "c", 0.0), samples) == likelihoods(plain, samples)


def test_the_same_seed_gives_the_same_weights(model: Path, tmp_path: Path) -> None:
    updates = [
        learner_of(model, tmp_path / name, epochs=2, grpo={"mini_batches": 2}).learn(
            samples_of(model), 1, 1, "x"
        )
        for name in "ab"
    ]
    assert updates[0].checksum == updates[1].checksum and updates[0].losses == updates[1].losses


def test_a_second_update_goes_on_after_a_resume(model: Path, tmp_path: Path) -> None:
    learner = learner_of(model, tmp_path)
    learner.learn(samples_of(model), 1, 1, "closed-rl")
    second = learner.learn(samples_of(model), 2, 2, "closed-rl")
    checkpoint = tmp_path / second.path
    other = learner_of(model, tmp_path)
    other.resume(1)
    for file in checkpoint.rglob("*"):
        if file.is_file():
            file.unlink()
    assert other.learn(samples_of(model), 2, 2, "closed-rl").checksum == second.checksum


def test_nothing_to_compare_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskspaceError, match="no group has answers to compare"):
        learner_of(model, tmp_path).learn([], 1, 1, "closed-rl")


def test_answers_and_proposals_have_temperatures_of_their_own(model: Path, tmp_path: Path) -> None:
    """Computed together in one micro-batch, each is as probable as alone at its own temperature."""
    samples = samples_of(model)
    mixed = [
        msgspec.structs.replace(s, role=role) for s, role in zip(samples, [Role.SOLVER, Role.PROPOSER] * 2)
    ]
    settings = LearnerSettings.model_validate({"recipe": "absolute-zero", "threads": 1, "device": "cpu"})
    learner = GrpoLearner(model, settings, tmp_path, 1, 0.5, 2.0)
    cold, hot = (learner_of(model, tmp_path / str(t), t) for t in (0.5, 2.0))
    alone = zip(likelihoods(cold, samples), likelihoods(hot, samples))
    expected = [pair[at % 2] for at, pair in enumerate(alone)]
    assert likelihoods(learner, mixed) == pytest.approx(expected, rel=0.01)
    assert likelihoods(cold, samples) != pytest.approx(likelihoods(hot, samples), rel=0.1)
