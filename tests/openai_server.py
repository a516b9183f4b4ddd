"""A tiny real HTTP server that speaks OpenAI's interface, for tests: answers, refuses and dawdles as told.

Its "tokens" are those of the `tiny-random` tokenizer where it plays vLLM; a log-probability is minus the id.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, Any], dict[str, str]]
"""Status, body, headers."""


def error(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    return status, {"error": {"message": message, "type": "bad", "code": code}}, headers


@dataclass
class Script:
    """What the server is like, and what it saw.

    Attributes:
        replies: taken one by one before anything is answered; None = answer as usual.
        say: the text after the prompt, for the request's body.
        tokenizer: makes it a vLLM server, whose ids these are.
        latency_s: seconds that an answer takes.
        seen: (path, body, headers) of every POST.
    """

    models: tuple[str, ...] = ("small-model",)
    replies: list[Reply | None] = field(default_factory=list)
    say: Callable[[dict[str, Any]], str] = lambda body: "fine"
    tokenizer: Any = None
    processed: bool = True
    context: int = 512
    key: str = ""
    latency_s: float = 0.0
    seen: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Bodies of the requests for answers, without those that try out what the server can do."""
        return [body for _, body, _ in self.seen if body.get("max_tokens") != 1]

    # ---- as a server ----

    def get(self, path: str) -> Reply:
        more = {"max_model_len": self.context} if self.tokenizer else {}
        owner = "vllm" if self.tokenizer else "somebody"
        listed = [{"id": name, "object": "model", "owned_by": owner, **more} for name in self.models]
        return 200, {"object": "list", "data": listed}, {}

    def post(self, path: str, body: dict[str, Any]) -> Reply:
        with self.lock:
            told = self.replies.pop(0) if self.replies else None
        if told is not None:
            return told
        time.sleep(self.latency_s)
        if body["model"] not in self.models:
            return error(404, f"The model `{body['model']}` does not exist.")
        return self.chat(body) if path.endswith("/chat/completions") else self.by_ids(body)

    def chat(self, body: dict[str, Any]) -> Reply:
        text, reason = self.say(body), "stop"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
        return 200, {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage(10, 4)}, {}

    def by_ids(self, body: dict[str, Any]) -> Reply:
        prompt = body["prompt"]
        if isinstance(prompt, str):
            prompt = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        if len(prompt) + body["max_tokens"] > self.context:
            return error(400, f"This model's maximum context length is {self.context} tokens.")
        said = self.say(body)
        ids = self.tokenizer(said, add_special_tokens=False)["input_ids"] + [self.tokenizer.eos_token_id]
        reason, stop = "stop", None
        for one in body.get("stop") or []:  # as vLLM: what stands after it in the last token stays in the ids
            while one in self.tokenizer.decode(ids[:-1]):
                ids, stop = ids[:-1], one
        if len(ids) > body["max_tokens"]:
            ids, reason, stop = ids[: body["max_tokens"]], "length", None
        heat = body["temperature"] if self.processed else 1.0
        choice = {
            "index": 0,
            "text": self.tokenizer.decode(ids),
            "finish_reason": reason,
            "stop_reason": stop,
            "token_ids": ids,
            "prompt_token_ids": prompt,
            "logprobs": {
                "token_logprobs": [-float(i) for i in ids],
                "top_logprobs": [{"a": -1.0 - (heat or 1.0)} for _ in ids],
                "tokens": [str(i) for i in ids],
                "text_offset": [0 for _ in ids],
            },
        }
        found = usage(len(prompt), len(ids))
        return 200, {"id": "x", "object": "text_completion", "choices": [choice], "usage": found}, {}


def usage(prompt: int, said: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}


@contextmanager
def served(script: Script) -> Iterator[str]:
    """The server on a free port of this machine; gives its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(self._refused() or script.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with script.lock:
                script.seen.append((self.path, body, dict(self.headers)))
                script.in_flight += 1
                script.most_in_flight = max(script.most_in_flight, script.in_flight)
            try:
                reply = self._refused() or script.post(self.path, body)
            finally:
                with script.lock:
                    script.in_flight -= 1
            self._send(reply)

        def _refused(self) -> Reply | None:
            given = self.headers.get("Authorization", "")
            if script.key and given != f"Bearer {script.key}":
                return error(401, f"Incorrect API key provided: {given.removeprefix('Bearer ')}")
            return None

        def _send(self, reply: Reply) -> None:
            status, body, headers = reply
            data = json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up, as some tests want

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
