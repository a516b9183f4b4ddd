"""New weights into a running engine: what is loaded is what was published, or it is an error."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.engines.base import Request, Weights
from actors.engines.transformers_engine import TransformersEngine
from actors.engines.weights import sequence_logprobs
from memory.artefacts import fetch_model
from memory.checkpoints import weights_checksum
from protocols.errors import EngineError
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

PROBE = tuple(b"def solve(values):")
SETTINGS = EngineSettings(dtype="float32", device="cpu", threads=1, probe_tolerance=1e-3)


@pytest.fixture
def engine() -> TransformersEngine:
    return TransformersEngine(fetch_model("tiny-random"), SETTINGS)


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> Path:
    """The tiny model with other weights, as a learner would publish them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("published")
    source = fetch_model("tiny-random")
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def published(folder: Path, version: int = 1, **changes) -> Weights:
    probe = sequence_logprobs(TransformersEngine(folder, SETTINGS).model, PROBE)
    facts = {
        "version": version,
        "path": str(folder),
        "checksum": weights_checksum(folder),
        "probe_ids": PROBE,
        "probe_logprobs": tuple(probe),
    }
    return Weights(**(facts | changes))


def ask(engine) -> str:
    prompt = Prompt(messages=(Message(role="user", content="hello"),))
    request = Request(id="a", prompt=prompt, sampling=Sampling(max_tokens=30), seed=1)
    return engine.generate([request])[0].text


def test_loaded_weights_answer_as_a_fresh_engine_does(engine, changed):
    before = ask(engine)
    engine.load(published(changed))
    assert engine.version == 1
    assert ask(engine) == ask(TransformersEngine(changed, SETTINGS)) != before
    engine.load(published(fetch_model("tiny-random"), version=2))
    assert (engine.version, ask(engine)) == (2, before)


def test_another_checksum_is_refused_before_anything_changes(engine, changed):
    before = ask(engine)
    with pytest.raises(EngineError, match=r"checksum \w+, but 00ff was published"):
        engine.load(published(changed, checksum="00ff"))
    assert ask(engine) == before
    assert engine.version == -1  # so that whoever asks for any version loads it first


def test_another_probe_is_refused_with_both_sides(engine, changed):
    right = published(changed)
    wrong = published(changed, probe_logprobs=tuple(value - 0.5 for value in right.probe_logprobs))
    with pytest.raises(EngineError, match=r"difference .* 0\.5000 nats .* here, .* in the learner"):
        engine.load(wrong)


def test_a_probe_that_is_not_a_number_is_refused(engine, changed):
    wrong = published(changed, probe_logprobs=(float("nan"),) * (len(PROBE) - 1))
    with pytest.raises(EngineError, match="not what was published"):
        engine.load(wrong)


def test_old_weights_under_a_new_version_are_caught_by_the_probe_alone(engine, changed):
    stale = published(changed, path=str(fetch_model("tiny-random")), checksum=None)
    with pytest.raises(EngineError, match="probe_tolerance"):
        engine.load(stale)


def damaged(changed: Path, folder: Path, change) -> Weights:
    tensors = load_file(changed / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return Weights(version=1, path=str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model.norm.weight"), "missing: model.norm.weight"),
        (lambda t: t.update(extra=torch.zeros(1)), "unknown: extra"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(3)}), r"model.norm.weight \(3,\) instead of"),
    ],
)
def test_weights_that_do_not_fit_are_refused(engine, changed, tmp_path, change, message):
    with pytest.raises(EngineError, match=message):
        engine.load(damaged(changed, tmp_path, change))


def test_a_truncated_file_is_refused(engine, changed, tmp_path):
    whole = (changed / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match="cannot be read"):
        engine.load(Weights(version=1, path=str(tmp_path)))


def test_an_empty_folder_is_refused(engine, tmp_path):
    with pytest.raises(EngineError, match=r"No \*\.safetensors"):
        engine.load(Weights(version=1, path=str(tmp_path)))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(EngineError, match="No causal language model"):
        TransformersEngine(tmp_path, SETTINGS)
