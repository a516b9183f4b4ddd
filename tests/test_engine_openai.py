"""The engine that asks an OpenAI-compatible server, against a small real one."""

import math
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from openai_server import Script, error, served, usage

from actors.engines.base import Request, Weights
from actors.engines.chat import encode_prompt
from actors.engines.factory import make_engine
from memory.artefacts import fetch_model
from protocols.errors import DeadlineError, EngineError
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

KEY = "sk-very-secret-0123456789"
MADE_UP_USAGE = usage(10, 4)  # of the chat answers of the test's server


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture(autouse=True)
def _no_key_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def vllm() -> Script:
    """A server that plays vLLM with the tokenizer of `tiny-random`."""
    from transformers import AutoTokenizer

    return Script(tokenizer=AutoTokenizer.from_pretrained(fetch_model("tiny-random")))


ENGINES: list[Any] = []


@pytest.fixture(autouse=True)
def _engines_are_closed() -> Iterator[None]:
    yield
    while ENGINES:
        ENGINES.pop().close()


def engine_at(url: str, model_path: Any = None, deadline_s: float = 30, **openai: Any) -> Any:
    settings = {"base_url": url, "retries": 0, **openai}
    ENGINES.append(
        make_engine(EngineSettings(kind="openai", openai=settings, deadline_s=deadline_s), model_path)
    )
    return ENGINES[-1]


def asked(seed: int = 0, prefill: str = "", content: str = "Say it.", **more: Any) -> Request:
    sampling = Sampling(**{"temperature": 0.8, "max_tokens": 40, **more.pop("sampling", {})})
    prompt = Prompt(messages=(Message(role="user", content=content),), prefill=prefill)
    return Request(id=f"r{seed}", prompt=prompt, sampling=sampling, seed=seed, **more)


def failure(script: Script, *requests: Request, kind: type = EngineError, **openai: Any) -> str:
    """The one line in which the engine fails, at its start or at these requests."""
    with served(script) as url, pytest.raises(kind) as caught:
        engine_at(url, **openai).generate(requests or [asked()])
    line = str(caught.value)
    assert "\n" not in line and len(line) < 500
    return line


# ---- by chat ----


def test_answers_come_in_order_with_counts(script: Script) -> None:
    script.say = lambda body: f"number {body['seed']}"
    with served(script) as url:
        engine = engine_at(url)
        told: list[int] = []
        found = engine.generate([asked(seed) for seed in (5, 3, 9)], told.append)
        engine.generate([asked(1)])
    assert [one.text for one in found] == ["number 5", "number 3", "number 9"]
    assert [one.request_id for one in found] == ["r5", "r3", "r9"]
    assert (engine.version, told) == (0, [4, 4, 4])
    metrics = engine.metrics()
    assert metrics["seconds"] > 0
    assert {k: metrics[k] for k in ("tokens", "prompt_tokens", "requests", "batches", "retries", "cost")} == {
        "tokens": 16, "prompt_tokens": 40, "requests": 4, "batches": 2, "retries": 0, "cost": 0,
    }  # fmt: skip


def test_sampling_is_sent_and_without_a_tokenizer_there_are_no_ids(script: Script) -> None:
    with served(script) as url:
        (one,) = engine_at(url).generate([asked(7, sampling={"top_p": 0.9})])
    (body,) = script.asked
    assert {k: body[k] for k in ("temperature", "top_p", "max_tokens", "seed", "model")} == {
        "temperature": 0.8, "top_p": 0.9, "max_tokens": 40, "seed": 7, "model": "small-model",
    }  # fmt: skip
    assert body["messages"] == [{"role": "user", "content": "Say it."}]
    assert (one.token_ids, one.logprobs, one.prefilled) == ((), (), 0)
    assert (one.prompt_tokens, one.finish) == (10, "stop")


def test_with_a_tokenizer_texts_get_its_ids_and_unknown_logprobs(script: Script) -> None:
    path = fetch_model("tiny-random")
    with served(script) as url:
        engine = engine_at(url, path, prefill="continue")
        (one,) = engine.generate([asked(prefill="It is ")])
    assert bytes(one.token_ids).decode() == one.text == "It is fine"
    assert one.prefilled == len("It is ")
    assert len(one.logprobs) == len("fine") and all(map(math.isnan, one.logprobs))
    body = script.asked[0]
    assert body["messages"][-1] == {"role": "assistant", "content": "It is "}
    assert body["continue_final_message"] and not body["add_generation_prompt"]
    assert "not vLLM" in engine.why and "not vLLM" in engine.lacks(Sampling())


@pytest.mark.parametrize("said", ["It is fine", "Sure: fine"])
def test_an_opening_that_is_asked_for_is_not_made_up(script: Script, said: str) -> None:
    script.say = lambda body: said
    with served(script) as url:
        (one,) = engine_at(url, fetch_model("tiny-random")).generate([asked(prefill="It is ")])
    assert (one.text, one.prefilled) == (said, 0)
    assert script.asked[0]["messages"][-1]["content"].endswith("exactly this text:\nIt is ")


def test_text_ends_with_the_first_stop_string(script: Script) -> None:
    script.say = lambda body: "x = 1\n```\nand more</end>"
    with served(script) as url:
        engine = engine_at(url, prefill="continue")
        first, second, across = engine.generate(
            [
                asked(stop=("</end>", "\n```")),
                asked(stop=("nowhere",)),
                asked(prefill="```python\n", stop=("\nx",)),
            ]
        )
    assert (first.text, first.finish) == ("x = 1\n```", "stop")
    assert second.text == "x = 1\n```\nand more</end>"
    assert across.text == "```python\nx"  # begins in the opening, ends in what was said
    assert all("stop" not in body for body in script.asked)  # such a server would not say at which it stopped


# ---- by ids ----


def test_ids_and_logprobs_come_as_sampled(vllm: Script) -> None:
    vllm.say = lambda body: "1\n```\nno"
    path = fetch_model("tiny-random")
    with served(vllm) as url:
        engine = engine_at(url, path)
        one, two = engine.generate([asked(3, prefill="x = ", sampling={"max_tokens": 3}), asked(2**62)])
    assert "as sampled" in engine.why and engine.lacks(Sampling(temperature=0.5, top_p=0.5)) is None
    prompt, prefill = encode_prompt(vllm.tokenizer, asked(prefill="x = ").prompt)
    body, other = vllm.asked
    assert body["prompt"] == prompt + prefill and body["return_token_ids"] and body["logprobs"] == 0
    assert (body["seed"], other["seed"]) == (3, 2**62)
    assert (body["include_stop_str_in_output"], body["skip_special_tokens"]) == (True, False)
    assert (body["top_k"], body["repetition_penalty"]) == (0, 1.0)  # nothing of the model's own defaults
    ids = list(b"x = 1\n`")
    assert (list(one.token_ids), one.prefilled, one.prompt_tokens) == (ids, len(prefill), len(prompt))
    assert one.logprobs == tuple(-float(i) for i in ids[4:])
    assert (one.text, one.finish) == ("x = 1\n`", "length")
    assert (two.text, two.finish) == ("1\n```", "stop")


def test_the_end_of_the_turn_is_an_id_and_no_text(vllm: Script) -> None:
    with served(vllm) as url:
        (one,) = engine_at(url, fetch_model("tiny-random")).generate([asked()])
    assert (one.text, one.finish) == ("fine", "stop")
    assert one.token_ids == (*b"fine", vllm.tokenizer.eos_token_id)
    assert len(one.logprobs) == 5


def test_a_stop_string_that_begins_in_the_opening_ends_the_answer(vllm: Script) -> None:
    vllm.say = lambda body: "``\nmore"
    with served(vllm) as url:
        (one,) = engine_at(url, fetch_model("tiny-random")).generate([asked(prefill="a\n`", stop=("\n```",))])
    assert (one.text, one.finish) == ("a\n```", "stop")
    assert len(one.token_ids) - one.prefilled == len(one.logprobs) == 2


def test_a_prompt_that_fills_the_context_costs_its_own_answer_only(vllm: Script, script: Script) -> None:
    path = fetch_model("tiny-random")
    with served(vllm) as url:
        engine = engine_at(url, path)
        long, short = engine.generate([asked(content="x" * 600), asked()])
        assert len(vllm.asked) == 1  # known before: nothing is asked
        engine._server.context = None  # as of a server that does not say: then it refuses, with status 400
        refused, _ = engine.generate([asked(content="x" * 600), asked()])
    assert (long.finish, refused.finish, short.finish) == ("no_room", "no_room", "stop")
    assert long == refused and long.text == "" and long.logprobs == ()
    script.replies = [error(400, "Too big.", "context_length_exceeded")]
    with served(script) as url:
        assert engine_at(url).generate([asked()])[0].finish == "no_room"


def test_the_answer_gets_the_room_that_is_left(vllm: Script) -> None:
    vllm.context = 100
    with served(vllm) as url:
        engine_at(url, fetch_model("tiny-random")).generate([asked(sampling={"max_tokens": 1000})])
    (body,) = vllm.asked
    assert len(body["prompt"]) + body["max_tokens"] == 100


def test_logprobs_of_another_distribution_are_not_passed_on(vllm: Script) -> None:
    vllm.processed = False
    with served(vllm) as url:
        engine = engine_at(url, fetch_model("tiny-random"))
        heats = [{"temperature": 0.8}, {"temperature": 1.0}, {"temperature": 0.0}]
        warm, plain, greedy = engine.generate([asked(sampling=heat) for heat in heats])
        (cut,) = engine.generate([asked(sampling={"temperature": 1.0, "top_p": 0.9})])
    assert all(map(math.isnan, (*warm.logprobs, *cut.logprobs)))
    assert not any(map(math.isnan, (*plain.logprobs, *greedy.logprobs)))
    assert "--logprobs-mode processed_logprobs" in engine.lacks(Sampling(temperature=0.8))
    assert engine.lacks(Sampling(temperature=1.0)) is None


def test_another_tokenizer_is_noticed(vllm: Script) -> None:
    class Reversed:
        def __init__(self, inner: Any) -> None:
            self._inner, self.eos_token_id = inner, inner.eos_token_id

        def __call__(self, text: str, **more: Any) -> Any:
            return {"input_ids": self._inner(text, **more)["input_ids"][::-1]}

        def decode(self, ids: list[int]) -> str:
            return str(self._inner.decode(ids))

    vllm.tokenizer = Reversed(vllm.tokenizer)
    with served(vllm) as url:
        assert "tokenizer is not that of model.name" in engine_at(url, fetch_model("tiny-random")).why
        with pytest.raises(EngineError, match="endpoint is completions, but the server's tokenizer"):
            engine_at(url, fetch_model("tiny-random"), endpoint="completions")


# ---- weights ----


def test_only_the_version_that_is_there_can_be_served(script: Script) -> None:
    with served(script) as url:
        engine = engine_at(url)
        engine.load(Weights(version=0, path="anywhere"))
        with pytest.raises(EngineError, match="the openai engine serves fixed weights; version 2"):
            engine.load(Weights(version=2, path="anywhere"))


# ---- waiting and failing ----


def test_429_is_repeated_after_what_the_server_says(script: Script) -> None:
    script.replies = [error(429, "slow down", Retry_After="1"), error(500, "oops", Retry_After="0.1")]
    with served(script) as url:
        engine = engine_at(url, retries=3)
        began = time.monotonic()
        (one,) = engine.generate([asked()])
    assert time.monotonic() - began >= 1.1
    assert (one.text, engine.metrics()["retries"]) == ("fine", 2)


def test_what_cannot_be_had_is_one_line(script: Script) -> None:
    always = [error(503, "engine is\ndead " + "x" * 900, Retry_After_Ms="1")] * 3
    script.replies = list(always)
    line = failure(script, retries=2)
    assert "fails after 2 retries (503: engine is dead xxx" in line and "look at its log" in line
    script.replies = [error(429, "quota")]
    assert "(429: quota)" in failure(script)
    script.replies = [error(400, "temperature is odd")]
    assert "refuses the request (400: temperature is odd)" in failure(script)
    script.replies = [(200, {"hello": "world"}, {})]
    assert "not what OpenAI's interface promises" in failure(script)


def chosen(**choice: Any) -> Any:
    """A reply with status 200 that holds this choice."""
    whole = {
        "index": 0,
        "message": {"role": "assistant", "content": "fine"},
        "finish_reason": "stop",
    } | choice
    return 200, {"id": "x", "object": "chat.completion", "choices": [whole], "usage": None}, {}


#: Replies with status 200 that are no answers, and what is said of them.
NO_ANSWERS = {
    "an error": (
        (200, {"error": {"message": "the model is loading", "code": 7}}, {}),
        "the model is loading",
    ),
    "an error in a word": ((200, {"error": "overloaded"}, {}), "overloaded"),
    "no choices": ((200, {"id": "x", "choices": []}, {}), "choices are empty"),
    "choices that are null": (
        (200, {"id": "x", "choices": None}, {}),
        "not what OpenAI's interface promises",
    ),
    "no message": (chosen(message=None), "without a message"),
    "broken off": (chosen(finish_reason="abort"), "broke an answer off (finish_reason abort)"),
}


@pytest.mark.parametrize("case", NO_ANSWERS)
def test_what_is_no_answer_is_asked_for_again_alone_and_then_told(script: Script, case: str) -> None:
    reply, said = NO_ANSWERS[case]
    script.replies = [reply, None]
    with served(script) as url:
        engine = engine_at(url, retries=1)
        assert [one.text for one in engine.generate([asked(0), asked(1), asked(2)])] == ["fine"] * 3
    assert len(script.seen) == 4 and engine.metrics()["retries"] == 1
    script.replies = [reply] * 3
    assert said in failure(script, retries=2)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}], "in parts"),
        ([{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "so"}, {"type": "text"}], "so"),
    ],
)
def test_contents_of_every_kind_are_read(script: Script, content: Any, text: str) -> None:
    script.replies = [chosen(message={"role": "assistant", "content": content})]
    with served(script) as url:
        (one,) = engine_at(url).generate([asked()])
    assert (one.text, one.finish) == (text, "stop")


@pytest.mark.parametrize(
    "counted", [{}, {"prompt_tokens": 7}, {"completion_tokens": None}, {"total_tokens": "3"}]
)
def test_counts_may_be_missing(script: Script, counted: dict[str, Any]) -> None:
    status, body, headers = chosen()
    script.replies = [(status, body | {"usage": counted}, headers)]
    with served(script) as url:
        engine = engine_at(url, price_prompt=1.0)
        (one,) = engine.generate([asked()])
    assert one.text == "fine" and one.prompt_tokens == counted.get("prompt_tokens", 0)


def test_log_probabilities_that_are_none_are_not_known(vllm: Script) -> None:
    usual = vllm.by_ids

    def odd(body: dict[str, Any]) -> Any:
        status, told, headers = usual(body)
        logprobs = told["choices"][0]["logprobs"]
        if body["max_tokens"] > 1:
            logprobs["token_logprobs"] = [None, -9999.0, 0.5, -1.0][: len(logprobs["token_logprobs"])]
        return status, told, headers

    vllm.by_ids = odd  # type: ignore[method-assign]
    vllm.say = lambda body: "abc"
    with served(vllm) as url:
        (one,) = engine_at(url, fetch_model("tiny-random")).generate([asked()])
    assert len(one.logprobs) == 4 and [math.isnan(value) for value in one.logprobs] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1"), ("SSL_CERT_FILE", "/no/such/file.pem")]
)
def test_surroundings_in_which_the_client_cannot_work_are_one_line(
    script: Script, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    line = failure(script)
    assert ("openai engine at http://127.0.0.1" in line and name in line) or "no server answers there" in line


def test_one_failure_ends_the_batch_at_once(script: Script) -> None:
    script.replies = [error(400, "no"), None, None, None]
    script.latency_s = 5
    began = time.monotonic()
    assert "400" in failure(script, *(asked(seed) for seed in range(4)))
    assert time.monotonic() - began < 4


def test_a_slow_answer_is_repeated_then_refused(script: Script) -> None:
    script.latency_s = 2
    line = failure(script, timeout_s=0.2, retries=1)
    assert "no answer within 0.2 s after 1 retries" in line and "engine.openai.timeout_s" in line
    assert len(script.seen) == 2


def test_the_batch_has_a_deadline(script: Script) -> None:
    script.latency_s = 3
    line = failure(script, kind=DeadlineError, deadline_s=0.7)
    assert "waited 0.7 s for 1 answers" in line and "engine.deadline_s" in line


def test_the_deadline_says_when_it_went_into_the_limits(script: Script) -> None:
    line = failure(script, asked(), asked(1), kind=DeadlineError, deadline_s=1.5, requests_per_minute=1)
    assert "s of waiting for requests_per_minute" in line


def test_the_limits_hold_requests_back(script: Script) -> None:
    with served(script) as url:
        engine = engine_at(url, deadline_s=1.5, tokens_per_minute=50)
        engine.generate([asked()])  # of 40 and a few tokens that were kept for it, 14 were used
        with pytest.raises(DeadlineError):
            engine.generate([asked(), asked(1)])
    assert len(script.asked) == 1
    assert engine.metrics()["rate_limited_seconds"] >= 1


def test_nobody_there_is_one_line_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(EngineError) as caught:
        engine_at(f"http://127.0.0.1:{port}/v1")
    line = str(caught.value)
    assert f"http://127.0.0.1:{port}/v1: no server answers there" in line and "engine.openai.base_url" in line


def test_an_unknown_model_names_the_nearest(script: Script) -> None:
    script.models = ("meta/llama-tiny", "small-model", "other")
    assert "no model 'smal-model' there; set engine.openai.model, e.g. small-model" in failure(
        script, model="smal-model"
    )


def test_a_missing_client_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EngineError, match=r"pip install 'taskspace\[openai\]'"):
        engine_at("http://127.0.0.1:9/v1")


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_are_in_flight_than_allowed(script: Script, concurrency: int) -> None:
    script.latency_s = 0.05
    with served(script) as url:
        engine_at(url, concurrency=concurrency).generate([asked(seed) for seed in range(10)])
    assert script.most_in_flight == concurrency


def test_the_budget_ends_the_run(script: Script) -> None:
    each = MADE_UP_USAGE["prompt_tokens"] * 1.0 + MADE_UP_USAGE["completion_tokens"] * 2.0  # per million
    prices = {"price_prompt": 1.0, "price_completion": 2.0, "budget": 2.5 * each / 1e6, "concurrency": 1}
    with served(script) as url:
        engine = engine_at(url, **prices)
        engine.generate([asked(1), asked(2)])
        assert engine.metrics()["cost"] == pytest.approx(2 * each / 1e6)
        with pytest.raises(EngineError, match=r"more than engine.openai.budget .*; raise it to go on"):
            engine.generate([asked(3), asked(4)])
    assert len(script.asked) == 3


# ---- the key ----


def test_the_key_of_the_environment_is_sent_and_never_shown(
    script: Script, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, caplog: Any
) -> None:
    script.key = KEY
    caplog.set_level("DEBUG")
    assert "it wants a key, and MY_KEY is not set (401" in failure(script, api_key_env="MY_KEY")
    monkeypatch.setenv("MY_KEY", KEY)
    with served(script) as url:
        engine = engine_at(url, api_key_env="MY_KEY")
        assert engine.generate([asked()])[0].text == "fine"
        script.replies = [error(400, f"your key {KEY} is odd")]
        with pytest.raises(EngineError) as caught:
            engine.generate([asked()])
    assert "your key [key] is odd" in str(caught.value)
    script.key = "another"
    line = failure(script, api_key_env="MY_KEY")  # this server repeats the key that it refuses
    assert "the key in MY_KEY is refused (401: Incorrect API key provided: [key])" in line
    shown = capfd.readouterr()
    things = [line, str(caught.value), repr(caught.value), repr(vars(engine)), repr(engine.metrics())]
    for text in (*things, engine.why, shown.out, shown.err, caplog.text):
        assert KEY not in text
    assert caught.value.__cause__ is None  # the client's exception holds the request, and that the key


def test_addresses_with_secrets_are_refused_and_not_repeated() -> None:
    from experiments import config
    from protocols.errors import SettingError

    for url in (
        f"http://me:{KEY}@host/v1",
        f"https://host/v1?key={KEY}",
        "host:8000",
        "ftp://host",
        "http://",
    ):
        with pytest.raises(SettingError, match=r"setting engine\.openai\.base_url") as caught:
            config.load("smoke", [f"engine.openai.base_url={url}"])
        assert KEY not in str(caught.value)
    with pytest.raises(SettingError, match=r"engine\.openai\.budget: without prices"):
        config.load("smoke", ["engine.openai.budget=3"])
