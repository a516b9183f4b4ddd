"""Text generation by a server with OpenAI's interface, such as `vllm serve`.

Its weights are the server's own affair: it answers as version 0, and nothing can be published to it. Retries,
time-outs and connections are the `openai` package's business, rate limits `aiolimiter`'s; what is added here
is how requests become prompts and answers completions, what they cost, and failures in one line.

Does not cover: answers token by token, tools, other interfaces.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.engines.background import Background
from actors.engines.base import Completion, Request, Weights
from actors.engines.chat import encode_prompt
from actors.engines.reading import Reading
from protocols.engine_settings import EngineSettings
from protocols.errors import EngineError

#: What servers say when prompt and answer do not fit the model's context.
_NO_ROOM = ("context length", "context_length", "max_model_len", "maximum context", "maximum model length")


class OpenaiEngine:
    """See `actors.engines.base.Engine`. `progress` is told how many tokens each finished answer has."""

    name = "openai"
    concurrent = True

    def __init__(self, model_path: Path, settings: EngineSettings) -> None:
        """Args:
            model_path: the run's own model, for its tokenizer.

        Raises:
            EngineError: the package is missing, or the server does not answer or has no such model.
        """
        try:
            import aiolimiter
            import openai
        except ImportError as error:
            raise EngineError(
                f"engine.kind openai: {error.name} is not installed; pip install 'taskspace[openai]'"
            ) from None
        self.version = 0
        self._settings, self._wanted = settings, settings.openai
        if not self._wanted.base_url:
            raise EngineError("engine.kind openai: no server is named; set engine.openai.base_url")
        self._api = openai
        self._key = os.environ.get(self._wanted.api_key_env, "")
        self._limits = [
            (aiolimiter.AsyncLimiter(limit, 60), of_tokens)
            for limit, of_tokens in (
                (self._wanted.requests_per_minute, False),
                (self._wanted.tokens_per_minute, True),
            )
            if limit
        ]
        self._reading = Reading(model_path)
        self._totals = dict.fromkeys(
            (
                "tokens",
                "seconds",
                "batches",
                "prompt_tokens",
                "requests",
                "retries",
                "seconds_limited",
                "cost",
            ),
            0.0,
        )
        self._counting = threading.Lock()
        self._background = Background(self.name)
        self._client = openai.AsyncOpenAI(
            base_url=self._wanted.base_url,
            api_key=self._key or "none",
            timeout=self._wanted.timeout_s,
            max_retries=self._wanted.retries,
        )
        self._slots = asyncio.Semaphore(self._wanted.concurrency)
        self._model, self._context = self._background.do(
            self._look(), self._wanted.timeout_s * 2, "the server's models"
        )
        self.why = f"openai: {self._model} at {self._wanted.base_url}"

    # ---- the engine's four calls ----

    def generate(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[Completion]:
        began = time.monotonic()
        work = self._all(requests, progress)
        completions: list[Completion] = self._background.do(
            work, self._settings.deadline_s, f"{len(requests)} answers"
        )
        self._count(seconds=time.monotonic() - began, batches=1)
        return completions

    def load(self, weights: Weights) -> None:
        if weights.version != 0:
            raise EngineError(
                f"engine {self.name}: the server's weights are fixed, version {weights.version} cannot be "
                "published to it; set solver.policy and proposer.policy to initial, or engine.kind=vllm"
            )
        self.version = 0

    def metrics(self) -> dict[str, float]:
        """Also requests, retries, seconds that our own limits took, and the cost where prices are set."""
        return dict(self._totals)

    def close(self) -> None:
        self._background.close()

    # ---- on the loop ----

    async def _look(self) -> tuple[str, int]:
        """The model's name at the server, and its context where the server says."""
        found = {model.id: model async for model in await self._asked(self._client.models.list())}
        name = self._wanted.model or next(iter(found), "")
        if name not in found or (len(found) > 1 and not self._wanted.model):
            raise EngineError(
                f"engine.openai.model {self._wanted.model or '(none)'}: {self._wanted.base_url} has "
                f"{', '.join(sorted(found)[:10]) or 'no model'}; set engine.openai.model"
            )
        there = (found[name].model_extra or {}).get("max_model_len") or 1 << 30
        return name, min(there, self._reading.context)

    async def _all(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None
    ) -> list[Completion]:
        async def one(request: Request) -> Completion:
            async with self._slots:
                completion = await self._one(request)
            if progress:
                progress(len(completion.token_ids) - completion.prefilled)
            return completion

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
        return [task.result() for task in tasks]

    async def _one(self, request: Request) -> Completion:
        prompt, prefill = encode_prompt(self._reading.tokenizer, request.prompt)
        limit = min(request.sampling.max_tokens, self._context - len(prompt) - len(prefill)) if prompt else 0
        if limit < 1:
            return self._reading.completion(request, prompt, prefill, [], [], "no_room")
        await self._within_limits(len(prompt) + len(prefill) + limit)
        options = {
            "model": self._model,
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "max_tokens": limit,
            "seed": request.seed % (1 << 63),
            "stop": list(request.stop) or None,
        }
        try:
            if self._wanted.exact:
                return await self._by_ids(request, prompt, prefill, options)
            return await self._by_text(request, prompt, prefill, options)
        except self._api.BadRequestError as error:
            if any(words in str(error) for words in _NO_ROOM):
                return self._reading.completion(request, prompt, prefill, [], [], "no_room")
            raise self._failure(error) from None

    async def _by_ids(
        self, request: Request, prompt: list[int], prefill: list[int], options: dict[str, Any]
    ) -> Completion:
        extra = {
            "return_token_ids": True,
            "include_stop_str_in_output": True,
            "stop_token_ids": sorted(self._reading.ends),
        }
        answer = await self._asked(
            self._client.completions.with_raw_response.create(
                prompt=prompt + prefill, logprobs=0, extra_body=extra, **options
            )
        )
        choice = answer.choices[0]
        ids = (choice.model_extra or {}).get("token_ids")
        if ids is None or choice.logprobs is None:
            raise EngineError(
                f"engine {self.name}: {self._wanted.base_url} returns no token ids or log-probabilities; it "
                "is not vLLM, set engine.openai.exact=false"
            )
        logprobs = list(choice.logprobs.token_logprobs or [])
        finish = "stop" if choice.finish_reason == "stop" else "length"
        return self._reading.completion(request, prompt, prefill, ids, logprobs, finish)

    async def _by_text(
        self, request: Request, prompt: list[int], prefill: list[int], options: dict[str, Any]
    ) -> Completion:
        """The opening of the answer is sent as an assistant's turn that the server may go on with; one that
        begins anew is taken from where it repeats the opening."""
        chat: list[Any] = [
            {"role": message.role, "content": message.content} for message in request.prompt.messages
        ]
        opening = request.prompt.prefill
        if opening:
            chat.append({"role": "assistant", "content": opening})
        answer = await self._asked(
            self._client.chat.completions.with_raw_response.create(messages=chat, **options)
        )
        choice = answer.choices[0]
        said = (choice.message.content or "").removeprefix(opening)
        stopped = choice.finish_reason == "stop"
        if stopped and request.stop and not said.endswith(tuple(request.stop)):
            said += request.stop[0]  # servers leave the stop string out; answers here end with it
        ids = self._reading.tokenizer(said, add_special_tokens=False)["input_ids"] if said else []
        finish = "stop" if stopped else "length"
        return self._reading.completion(request, prompt, prefill, ids, [], finish)

    async def _asked(self, call: Any) -> Any:
        """The server's answer, counted and paid for; its failures as sentences."""
        try:
            raw = await call
        except self._api.BadRequestError:
            raise
        except self._api.OpenAIError as error:
            raise self._failure(error) from None
        if not hasattr(raw, "retries_taken"):
            return raw
        answer = raw.parse()
        usage = answer.usage
        self._spend(usage.prompt_tokens, usage.completion_tokens, raw.retries_taken)
        return answer

    def _spend(self, prompt_tokens: int, answer_tokens: int, retries: int) -> None:
        wanted = self._wanted
        cost = (prompt_tokens * wanted.prompt_price + answer_tokens * wanted.answer_price) / 1e6
        self._count(tokens=answer_tokens, prompt_tokens=prompt_tokens, requests=1, retries=retries, cost=cost)
        if wanted.budget and self._totals["cost"] > wanted.budget:
            raise EngineError(
                f"engine {self.name}: the answers have cost {self._totals['cost']:.2f}, more than "
                f"engine.openai.budget {wanted.budget:.2f}; raise it to go on"
            )

    async def _within_limits(self, tokens: int) -> None:
        began = time.monotonic()
        for limiter, of_tokens in self._limits:
            await limiter.acquire(min(tokens, limiter.max_rate) if of_tokens else 1)
        self._count(seconds_limited=time.monotonic() - began)

    # ---- failures, counts, threads ----

    def _failure(self, error: Any) -> EngineError:
        api, wanted = self._api, self._wanted
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if self._key:
            said = said.replace(self._key, "***")
        if isinstance(error, api.AuthenticationError | api.PermissionDeniedError):
            remedy = f"put a valid key into the environment variable {wanted.api_key_env}"
            said = f"it refuses the key ({error.status_code})"
        elif isinstance(error, api.APITimeoutError):
            said, remedy = f"no answer within {wanted.timeout_s:.0f} s", "raise engine.openai.timeout_s"
        elif isinstance(error, api.APIConnectionError):
            said, remedy = "it cannot be reached", "start the server, or correct engine.openai.base_url"
        else:
            remedy = "see its log, or raise engine.openai.retries"
        tries = f" after {wanted.retries + 1} tries" if wanted.retries else ""
        return EngineError(f"engine {self.name}: {wanted.base_url}: {said}{tries}; {remedy}")

    def _count(self, **amounts: float) -> None:
        with self._counting:
            for name, amount in amounts.items():
                self._totals[name] += amount
