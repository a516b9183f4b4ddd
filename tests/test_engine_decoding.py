"""The transformers engine on a tiny model in float32: what it reports is what the model computes."""

import hashlib
from pathlib import Path

import pytest
import torch

from actors.engines.base import Request
from actors.engines.decoding import SharedPrefixDecoder, holes
from actors.engines.plain_decoding import PlainDecoder
from actors.engines.transformers_engine import TransformersEngine
from memory.artefacts import fetch_model
from protocols.errors import DeadlineError, EngineError
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

SHARED = "These are the rules of the game that all of us know by heart and never forget: " * 2


@pytest.fixture(scope="module")
def model_path() -> Path:
    return fetch_model("tiny-random")


def engine_of(path: Path, **settings) -> TransformersEngine:
    return TransformersEngine(path, EngineSettings(dtype="float32", device="cpu", threads=1, **settings))


@pytest.fixture(scope="module")
def engine(model_path):
    return engine_of(model_path, batch_size=8)


def request(index: int, text: str, stop=(), prefill="", **sampling) -> Request:
    prompt = Prompt(messages=(Message(role="user", content=text),), prefill=prefill)
    sampling = {"temperature": 0.8, "max_tokens": 24} | sampling
    return Request(id=f"r{index}", prompt=prompt, sampling=Sampling(**sampling), seed=1000 + index, stop=stop)


def mixed(count: int, opening: str = SHARED) -> list[Request]:
    """Groups of two equal prompts, of lengths and limits that differ, some with a prefill."""
    return [
        request(
            i,
            opening + "word " * (i // 2 % 7) + f"number {i // 2}",
            prefill="```python\n" if i % 4 < 2 else "",
            max_tokens=5 + 7 * (i % 5),
        )
        for i in range(count)
    ]


def full_sequence(engine, asked: Request, completion) -> torch.Tensor:
    """Logits [sampled, V] for the sampled tokens, from one plain forward pass over everything."""
    from transformers import AutoModelForCausalLM

    from actors.engines.chat import encode_prompt

    prompt, prefill = encode_prompt(engine.tokenizer, asked.prompt)
    assert list(completion.token_ids[: completion.prefilled]) == prefill
    ids = prompt + list(completion.token_ids)
    model = AutoModelForCausalLM.from_pretrained(fetch_model("tiny-random"), dtype=torch.float32)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    return logits[len(prompt) + len(prefill) - 1 : -1]


def assert_teacher_forced(engine, requests, completions) -> None:
    for asked, completion in zip(requests, completions, strict=True):
        logits = full_sequence(engine, asked, completion)
        heat = asked.sampling.temperature or 1.0
        sampled = torch.tensor(completion.token_ids[completion.prefilled :])
        expected = (logits / heat).log_softmax(-1).gather(-1, sampled[:, None])[:, 0]
        assert torch.allclose(torch.tensor(completion.logprobs), expected, atol=1e-3), asked.id


@pytest.mark.parametrize("opening", [SHARED, ""], ids=["shared", "distinct"])
@pytest.mark.parametrize("decoder", [SharedPrefixDecoder, PlainDecoder])
def test_logprobs_are_those_of_a_plain_forward_pass(model_path, opening, decoder):
    engine = engine_of(model_path, batch_size=6)
    if decoder is PlainDecoder:
        engine._decoder = PlainDecoder
        engine.model.set_attn_implementation("sdpa")
    assert engine._decoder is decoder
    requests = mixed(20, opening)  # more than fit at once: rows leave and others take their places
    told: list[int] = []
    completions = engine.generate(requests, told.append)
    assert [c.request_id for c in completions] == [r.id for r in requests]
    assert_teacher_forced(engine, requests, completions)
    for asked, completion in zip(requests, completions, strict=True):
        sampled = len(completion.token_ids) - completion.prefilled
        assert sampled == len(completion.logprobs) <= asked.sampling.max_tokens
        assert completion.finish == "stop" or sampled == asked.sampling.max_tokens
    assert sum(told) == sum(len(c.logprobs) for c in completions) == engine.metrics()["tokens"]


def test_stale_columns_are_squeezed_out_during_long_answers(model_path, monkeypatch):
    monkeypatch.setattr("actors.engines.decoding.SLACK", 3)
    engine = engine_of(model_path, batch_size=3)
    requests = [request(i, SHARED + f"{i}", max_tokens=4 + 9 * (i % 4)) for i in range(14)]
    assert_teacher_forced(engine, requests, engine.generate(requests))


def test_memory_bound_gives_fewer_rows_at_a_time_and_the_same_answers(model_path):
    engine, small = engine_of(model_path), engine_of(model_path)
    small._kv_bytes = 200_000
    requests = mixed(12)
    assert small._most_rows(100) < 12
    assert [c.text for c in engine.generate(requests)] == [c.text for c in small.generate(requests)]


def test_a_request_gives_the_same_text_in_any_company(engine):
    requests = mixed(16)
    together = {c.request_id: c for c in engine.generate(requests)}
    backwards = {c.request_id: c for c in engine.generate(requests[::-1])}
    alone = {c.request_id: c for r in requests[:4] for c in engine.generate([r])}
    assert {k: v.token_ids for k, v in together.items()} == {k: v.token_ids for k, v in backwards.items()}
    assert all(together[k].token_ids == c.token_ids for k, c in alone.items())
    assert len({c.text for c in together.values()}) > 8  # and seeds do matter


def test_equal_prompts_with_other_seeds_differ(engine):
    texts = [c.text for c in engine.generate([request(i, "the same") for i in range(6)])]
    assert len(set(texts)) == 6


def test_greedy_takes_the_likeliest_token_and_reports_temperature_one(engine):
    requests = [request(0, SHARED + "a", temperature=0.0), request(1, SHARED + "b", temperature=1.3)]
    completions = engine.generate(requests)
    logits = full_sequence(engine, requests[0], completions[0])
    assert logits.argmax(-1).tolist() == list(completions[0].token_ids)
    assert_teacher_forced(engine, requests, completions)


def test_limits_are_kept_row_by_row(engine):
    limits = [1, 2, 3, 17, 1, 9]
    requests = [request(i, f"prompt {i}", max_tokens=limit) for i, limit in enumerate(limits)]
    completions = engine.generate(requests)
    assert all(len(c.logprobs) <= limit for c, limit in zip(completions, limits, strict=True))
    assert [c.finish for c in completions].count("length") >= 4


def test_a_stop_string_across_tokens_ends_the_answer_and_stays(engine):
    asked = request(3, SHARED, max_tokens=40)
    (free,) = engine.generate([asked])
    stop = free.text[5:8]  # three characters, which are at least three tokens of this model
    (stopped,) = engine.generate([request(3, SHARED, max_tokens=40, stop=("never", stop))])
    end = free.text.index(stop) + len(stop)
    assert stopped.finish == "stop"
    assert stopped.text == free.text[:end]
    assert stopped.token_ids == free.token_ids[: len(stopped.token_ids)]
    assert len(stopped.token_ids) < len(free.token_ids)


def test_a_stop_string_may_begin_in_the_prefill_but_not_lie_in_it(engine):
    (free,) = engine.generate([request(5, "x", prefill="abcab", max_tokens=12)])
    first = free.text[5]
    within, across = (
        engine.generate([request(5, "x", prefill="abcab", max_tokens=12, stop=(stop,))])[0]
        for stop in ("abc", "ab" + first)
    )
    assert within.text == free.text
    assert across.text == "abcab" + first and across.finish == "stop" and across.prefilled == 5


def test_the_end_of_turn_is_sampled_but_not_shown(model_path):
    engine = engine_of(model_path)
    end = engine.tokenizer.eos_token_id
    engine.model.lm_head.weight[end] += 3.0  # tied: it becomes likely
    completions = engine.generate([request(i, f"p{i}", max_tokens=200) for i in range(4)])
    ended = [c for c in completions if c.token_ids[-1] == end]
    assert ended and all(c.finish == "stop" and "<|im_end|>" not in c.text for c in ended)


def test_holes_are_closed_by_the_last_rows():
    for rows in range(1, 7):
        for bits in range(1 << rows):
            gone = [row for row in range(rows) if bits >> row & 1]
            content = list(range(rows))
            for source, target in holes(rows, gone):
                content[target] = content[source]
            assert sorted(content[: rows - len(gone)]) == [row for row in range(rows) if row not in gone]


def test_no_requests_give_no_completions(engine):
    assert engine.generate([]) == []


def test_a_prompt_beyond_the_context_costs_its_own_answer_only(engine):
    alone = engine.generate([request(1, "x")])
    fine, long = engine.generate([request(1, "x"), request(7, "x" * 9000)])
    assert fine == alone[0]
    assert (long.request_id, long.finish, long.logprobs) == ("r7", "no_room", ())
    assert len(long.token_ids) == long.prefilled and long.prompt_tokens > 8192


def test_a_missed_deadline_says_how_much_is_left(model_path):
    engine = engine_of(model_path, deadline_s=1e-6)
    with pytest.raises(DeadlineError, match=r"3 answers unfinished after .* engine\.deadline_s"):
        engine.generate([request(i, "x") for i in range(3)])


def test_cuda_without_cuda_is_refused(model_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(EngineError, match="no CUDA device"):
        TransformersEngine(model_path, EngineSettings(device="cuda"))


@pytest.mark.slow
def test_the_default_model_answers_a_question():
    engine = TransformersEngine(fetch_model("smollm2-135m-instruct"), EngineSettings())
    asked = request(0, "What is the capital of France? Answer in one sentence.", temperature=0.0)
    (completion,) = engine.generate([asked])
    assert "Paris" in completion.text
    assert completion.finish == "stop"


@pytest.mark.slow
def test_the_default_model_repeats_itself():
    """bfloat16, the same call twice: the same texts."""
    engine = TransformersEngine(fetch_model("smollm2-135m-instruct"), EngineSettings())
    digests = {
        hashlib.sha256("".join(c.text for c in engine.generate(mixed(8))).encode()).hexdigest()
        for _ in range(2)
    }
    assert len(digests) == 1
