"""The learner on a tiny model: it learns, publishes, resumes and repeats itself exactly."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from actors.engines.weights import check_probe, load_model, sequence_logprobs
from actors.learning.sft import SftLearner
from actors.precision import dtype_on
from memory import checkpoints
from memory.artefacts import fetch_model
from protocols.errors import EngineError, TaskspaceError
from protocols.learner_settings import LearnerSettings
from protocols.records import Message, Prompt, Sample

_ANSWERS = {"Sum them up.": "zwc.kocito(v)", "Put them in order.": "zwc.pefadib(v)", "Middle?": "zwc.luso(v)"}


@pytest.fixture(scope="module")
def model() -> Path:
    return fetch_model("tiny-random")


def _samples(model: Path, weight: float = 1.0) -> list[Sample]:
    tokenizer = AutoTokenizer.from_pretrained(model)
    return [
        Sample(
            attempt_id=str(index),
            prompt=Prompt(messages=(Message(role="user", content=question),)),
            token_ids=tuple(tokenizer(answer)["input_ids"]),
            weight=weight,
        )
        for index, (question, answer) in enumerate(_ANSWERS.items())
    ]


def _learner(model: Path, run: Path, seed: int = 1, **settings: object) -> SftLearner:
    chosen = {"learning_rate": 5e-3, "batch_size": 2, "epochs": 2, "threads": 1, "device": "cpu", **settings}
    return SftLearner(model, LearnerSettings.model_validate(chosen), run, seed)


def test_what_was_learned_is_answered_by_the_published_folder(model: Path, tmp_path: Path) -> None:
    learner = _learner(model, tmp_path, epochs=60)
    told: list[tuple[int, int, float]] = []
    update = learner.learn(_samples(model), 1, 0, "closed-sft", lambda *step: told.append(step))
    assert update.steps == len(update.losses) == len(update.grad_norms) == len(update.learning_rates) == 120
    assert [step[0] for step in told] == list(range(1, 121)) and told[-1] == (120, 120, update.losses[-1])
    assert update.losses[-1] < 0.1 < update.losses[0]
    assert (update.version, update.round, update.recipe, update.samples) == (1, 0, "closed-sft", 3)
    assert update.tokens == 60 * sum(len(answer) + 1 for answer in _ANSWERS.values())  # + end of turn

    folder = tmp_path / update.path
    assert checkpoints.weights_checksum(folder) == update.checksum
    published = AutoModelForCausalLM.from_pretrained(folder)
    assert published.dtype == dtype_on(torch.device("cpu"), "auto")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for question, answer in _ANSWERS.items():
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        ids = published.generate(**chat, max_new_tokens=30, do_sample=False)[0, chat["input_ids"].shape[1] :]
        assert tokenizer.decode(ids) == answer + tokenizer.eos_token


def test_the_probe_tells_the_published_weights_from_others(model: Path, tmp_path: Path) -> None:
    learner = _learner(model, tmp_path)
    before = learner.weights()
    assert before.version == 0 and before.checksum == checkpoints.weights_checksum(model)
    learner.learn(_samples(model), 1, 0, "closed-sft")
    after = learner.weights()
    assert len(after.probe_logprobs) == len(after.probe_ids) - 1
    assert all(math.isfinite(value) and value < 0 for value in after.probe_logprobs)
    cpu = torch.device("cpu")
    served, _ = load_model(Path(after.path), cpu, torch.bfloat16)
    check_probe(partial(sequence_logprobs, served), after, 0.05)
    with pytest.raises(EngineError):
        check_probe(partial(sequence_logprobs, served), before, 0.05)


def test_the_same_seed_and_samples_give_the_same_weights(model: Path, tmp_path: Path) -> None:
    checksums = [
        _learner(model, tmp_path / name, seed).learn(_samples(model), 1, 0, "closed-sft").checksum
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert checksums[0] == checksums[1] != checksums[2]


def test_resuming_goes_on_as_if_nothing_had_happened(model: Path, tmp_path: Path) -> None:
    through = _learner(model, tmp_path / "through")
    for version in (1, 2, 3):
        last = through.learn(_samples(model), version, version - 1, "closed-sft")

    broken = _learner(model, tmp_path / "broken")
    broken.learn(_samples(model), 1, 0, "closed-sft")
    again = _learner(model, tmp_path / "broken")
    again.resume(1)
    assert again.weights() == broken.weights()
    again.learn(_samples(model), 2, 1, "closed-sft")
    again.learn(_samples(model), 3, 2, "closed-sft")
    again.resume(2)  # version 3 is learned once more, as after a crash
    repeated = again.learn(_samples(model), 3, 2, "closed-sft")
    assert repeated.checksum == last.checksum and repeated.losses == last.losses
    ours, theirs = again.metrics(), through.metrics()
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0} and ours["updates"] == 3

    again.resume(0)
    assert again.weights() == _learner(model, tmp_path / "fresh").weights()
    first = again.learn(_samples(model), 1, 0, "closed-sft")
    assert first.checksum == checkpoints.weights_checksum(tmp_path / "broken" / first.path)
    assert first.losses == broken.published(1).losses  # type: ignore[union-attr]


def test_a_published_version_remembers_its_update(model: Path, tmp_path: Path) -> None:
    learner = _learner(model, tmp_path, keep_states=1)
    assert learner.published(1) is None
    update = learner.learn(_samples(model), 1, 0, "open-sft")
    learner.learn(_samples(model), 2, 1, "open-sft")
    assert learner.published(1) == update  # its state is pruned, its weights and record stay
    with pytest.raises(TaskspaceError, match=r"version 1: no learner state .* versions with one: 2"):
        learner.resume(1)


def test_micro_batches_do_not_change_what_is_learned(model: Path, tmp_path: Path) -> None:
    whole = _learner(model, tmp_path / "a", micro_tokens=4096).learn(_samples(model), 1, 0, "closed-sft")
    cut = _learner(model, tmp_path / "b", micro_tokens=16).learn(_samples(model), 1, 0, "closed-sft")
    assert cut.losses == pytest.approx(whole.losses, rel=0.02)  # bfloat16 rounds the parts differently


def test_weights_are_relative_to_each_other(model: Path, tmp_path: Path) -> None:
    one = _learner(model, tmp_path / "a").learn(_samples(model, 1.0), 1, 0, "closed-sft")
    two = _learner(model, tmp_path / "b").learn(_samples(model, 2.0), 1, 0, "closed-sft")
    assert one.losses == pytest.approx(two.losses, rel=1e-3)


def test_frozen_embeddings_stay(model: Path, tmp_path: Path) -> None:
    learner = _learner(model, tmp_path, train_embeddings=False)
    before = learner.model.get_input_embeddings().weight.clone()
    update = learner.learn(_samples(model), 1, 0, "closed-sft")
    assert torch.equal(learner.model.get_input_embeddings().weight, before)
    assert update.losses[-1] < update.losses[0]
    with pytest.raises(TaskspaceError, match=r"embed_tokens.weight is \[259, 64\] here and not trained"):
        _learner(model, tmp_path).resume(1)


def test_wrong_states_and_empty_experience_are_refused(model: Path, tmp_path: Path) -> None:
    learner = _learner(model, tmp_path)
    with pytest.raises(TaskspaceError, match="No experience"):
        learner.learn([], 1, 0, "closed-sft")
    learner.learn(_samples(model), 1, 0, "closed-sft")
    with pytest.raises(TaskspaceError, match="seed 5 here, 1 in the state"):
        _learner(model, tmp_path, seed=5).resume(1)
    with pytest.raises(TaskspaceError, match=r"version 9: no learner state .* versions with one: 1"):
        learner.resume(9)


def test_a_failed_update_has_to_be_resumed_from(model: Path, tmp_path: Path) -> None:
    learner = _learner(model, tmp_path)

    def interrupt(done: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learner.learn(_samples(model), 1, 0, "closed-sft", interrupt)
    assert learner.version not in (0, 1) and checkpoints.latest(tmp_path) is None
    learner.resume(0)
    found = learner.learn(_samples(model), 1, 0, "closed-sft")
    expected = _learner(model, tmp_path / "clean").learn(_samples(model), 1, 0, "closed-sft")
    assert found.checksum == expected.checksum
