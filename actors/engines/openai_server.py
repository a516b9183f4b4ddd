"""The server behind the `openai` engine: reached with OpenAI's client, its failures told in one line.

Repeating failed requests is the client's business (408, 409, 429, 5xx, timeouts and lost connections, with
back-off and Retry-After); limits, prices and the budget are kept here.

The key comes from the environment and goes to the client only: it is in no attribute that is shown, and is
taken out of whatever a server says. No exception of the client's leaves this file, because these hold the
request with its headers.
"""

import asyncio
import difflib
import os
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from actors.engines.rate_limit import RateLimit, Spending
from protocols.errors import EngineError
from protocols.openai_settings import OpenAISettings

_TOO_LONG = re.compile(
    r"context[ _-](length|window|size)|max_model_len|(prompt|input) is too long|too many tokens", re.I
)
#: What reading an answer of another form can raise.
ODD = (TypeError, AttributeError, ValueError, ArithmeticError, LookupError, RecursionError)
_MOST_TOKENS = 10**9  # of one answer
_PER_MILLION = 1e-6
_BROKEN_OFF = ("abort", "error")  # what servers say of an answer that they did not finish


class NoRoomError(Exception):
    """The prompt, with the room asked for its answer, is longer than the model's context."""


class Server:
    """One server and one model there. Call `open` first.

    Attributes:
        model: its name at the server.
        context: tokens that prompt and answer may have together; None = the server does not say.
        vllm: whether it is a vLLM server, which returns token ids and continues a given opening.
        totals: requests, retries, rate_limited_seconds, cost.
    """

    def __init__(self, settings: OpenAISettings) -> None:
        """Raises:
        EngineError: the client is not installed, or cannot work here (proxies, certificates).
        """
        self._openai = _package()
        self._settings = settings
        self._limit = RateLimit(settings.requests_per_minute, settings.tokens_per_minute)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self.model = settings.model
        self.context: int | None = None
        self.vllm = False
        self.totals = {"requests": 0.0, "retries": 0.0, "rate_limited_seconds": 0.0, "cost": 0.0}
        try:
            self.client = self._openai.AsyncOpenAI(
                api_key=self._key() or "none",  # the client wants one; servers without keys ignore it
                base_url=settings.base_url,
                timeout=self._openai.Timeout(settings.timeout_s, connect=min(10.0, settings.timeout_s)),
                max_retries=settings.retries,
            )
        except (ImportError, OSError, ValueError) as error:  # a proxy's package, a file of certificates
            raise EngineError(
                f"{self}: the client cannot work here ({self._masked(str(error))}); look at HTTPS_PROXY, "
                "ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
            ) from None

    async def open(self) -> None:
        """Find the model among those that the server lists.

        Raises:
            EngineError: no server there, it refuses the key, or it has no such model.
        """
        try:
            listed = (await self.client.models.list()).data
        except self._openai.NotFoundError:
            listed = []  # some servers list nothing
        except self._openai.OpenAIError as error:
            raise self._explained(error) from None
        except ODD:  # a web page, a bare list, whatever is no list of models
            raise self.unreadable() from None
        if not isinstance(listed, list | None):
            raise self.unreadable()
        models = {one.id: one for one in listed or [] if isinstance(getattr(one, "id", None), str)}
        if not self.model and not models:
            raise EngineError(
                f"{self}: lists no models; check engine.openai.base_url (it ends in /v1 most often), "
                "or name the model with engine.openai.model"
            )
        self.model = self.model or next(iter(models))
        if models and self.model not in models:
            raise EngineError(self._unknown(list(models)))
        found = models.get(self.model)
        self.vllm = getattr(found, "owned_by", "") == "vllm"
        self.context = getattr(found, "max_model_len", None)

    async def ask(self, create: Callable[..., Awaitable[Any]], tokens: int, **body: Any) -> Any:
        """The server's answer to one request, when its turn comes.

        Args:
            create: `with_raw_response.create` of one of the client's endpoints.
            tokens: of prompt and answer, as far as can be known before.

        Raises:
            NoRoomError: it does not fit the model's context.
            EngineError: it failed, after all retries; or the budget is spent.
        """
        async with self._slots:
            for left in range(self._settings.retries, -1, -1):
                answer = await self._once(create, tokens, body)
                problem = _problem(answer)
                if not problem:
                    return answer
                if left:  # this answer alone is asked for again
                    self.totals["retries"] += 1
            raise EngineError(
                f"{self}: {self._masked(problem)}; look at the server's log, or check engine.openai.base_url"
            )

    async def _once(self, create: Callable[..., Awaitable[Any]], tokens: int, body: dict[str, Any]) -> Any:
        spending = await self._turn(tokens)
        self._check_budget()
        self.totals["requests"] += 1
        try:
            raw = await create(model=self.model, **body)
            answer = raw.parse()
        except self._openai.OpenAIError as error:
            if getattr(error, "status_code", 0) in (400, 413, 422) and _TOO_LONG.search(_said(error)):
                raise NoRoomError from None
            raise self._explained(error) from None
        except ODD:
            raise self.unreadable() from None
        self.totals["retries"] += raw.retries_taken
        self._pay(answer, spending)
        return answer

    def __str__(self) -> str:
        return f"openai engine at {self._settings.base_url}"

    # ---- limits ----

    async def _turn(self, tokens: int) -> Spending:
        spending = self._limit.reserve(tokens, time.monotonic())
        wait = spending.at - time.monotonic()
        if wait > 0:
            began = time.monotonic()
            try:
                await asyncio.sleep(wait)
            finally:  # also where the batch's deadline ends the wait
                self.totals["rate_limited_seconds"] += time.monotonic() - began
        return spending

    def _check_budget(self) -> None:
        budget = self._settings.budget
        if budget and self.totals["cost"] > budget:
            raise EngineError(
                f"{self}: answers have cost {self.totals['cost']:.4f}, more than engine.openai.budget "
                f"({budget:g}); raise it to go on"
            )

    def _pay(self, answer: Any, spending: Spending) -> None:
        prompt, said = counts_of(answer)
        if not prompt + said:  # a server that does not count: what was reserved, lest a budget never ends
            prompt = spending.tokens
        spending.tokens = prompt + said
        prices = self._settings
        cost = prompt * prices.price_prompt + said * prices.price_completion
        self.totals["cost"] += cost * _PER_MILLION

    # ---- failures ----

    def _explained(self, error: Exception) -> EngineError:
        """One line: what happened, where, and what to do."""
        openai, settings = self._openai, self._settings
        again = f" after {settings.retries} retries" if settings.retries else ""
        if isinstance(error, openai.APITimeoutError):
            return EngineError(
                f"{self}: no answer within {settings.timeout_s:g} s{again}; raise engine.openai.timeout_s, "
                "or lower engine.openai.concurrency"
            )
        if isinstance(error, openai.APIConnectionError):
            why = self._masked(str(error.__cause__ or "")) or "no reason given"
            return EngineError(
                f"{self}: no server answers there{again} ({why}); start one (e.g. vllm serve MODEL), or set "
                "engine.openai.base_url"
            )
        status, said = getattr(error, "status_code", None), self._masked(_said(error))
        if status in (401, 403):
            name = settings.api_key_env
            what = (
                f"the key in {name} is refused" if self._key() else f"it wants a key, and {name} is not set"
            )
            return EngineError(f"{self}: {what} ({status}: {said}); set the environment variable {name}")
        if status == 404:
            return EngineError(
                f"{self}: not found (404: {said}); check engine.openai.base_url and engine.openai.model"
            )
        if status == 429:
            return EngineError(
                f"{self}: too many requests{again} (429: {said}); lower engine.openai.requests_per_minute, "
                "tokens_per_minute or concurrency, or look at the account's quota"
            )
        if status is not None and status >= 500:
            return EngineError(f"{self}: the server fails{again} ({status}: {said}); look at its log")
        if status is None:
            return self.unreadable()
        return EngineError(
            f"{self}: the server refuses the request ({status}: {said}); see the engine.openai settings"
        )

    def unreadable(self) -> EngineError:
        """For an answer that is none of those that there are."""
        return EngineError(
            f"{self}: the answer is not what OpenAI's interface promises; check engine.openai.base_url"
        )

    def _unknown(self, there: list[str]) -> str:
        near = difflib.get_close_matches(self.model, there, n=3, cutoff=0.3) or there[:3]
        some = self._masked(", ".join(near))
        return f"{self}: no model {self.model!r} there; set engine.openai.model, e.g. {some}"

    def _masked(self, text: str) -> str:
        key = self._key()
        text = text.replace(key, "[key]") if key else text
        text = "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
        return text if len(text) <= 200 else text[:197] + "..."

    def _key(self) -> str:
        return os.environ.get(self._settings.api_key_env, "").strip()


def counts_of(answer: Any) -> tuple[int, int]:
    """Tokens of the prompt and of what was said, as the server counts them; 0 where it does not."""
    usage = getattr(answer, "usage", None)
    prompt, said = (getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens"))
    return _count(prompt), _count(said)


def _count(said: Any) -> int:
    return said if type(said) is int and 0 <= said < _MOST_TOKENS else 0


def _problem(answer: Any) -> str:
    """Why an answer that came with status 200 is none; "" where it is one."""
    error = getattr(answer, "error", None)
    if error:
        said = error.get("message") if isinstance(error, dict) else None
        return f"it answers with an error ({said or error})"
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list):
        return "the answer is not what OpenAI's interface promises"
    if not choices:
        return "it gives no answer (choices are empty)"
    first = choices[0]
    if getattr(first, "finish_reason", None) in _BROKEN_OFF:
        return f"it broke an answer off (finish_reason {first.finish_reason})"
    message, text = getattr(first, "message", None), getattr(first, "text", None)
    if message is None and text is None:
        return "it gives an answer without a message"
    content = getattr(message, "content", "")
    if isinstance(message, str | list) or not isinstance(content, str | list | None):
        return "the answer is not what OpenAI's interface promises"
    return ""


def _said(error: Exception) -> str:
    """The server's own words, where it has any."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        said = inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner
        if said:
            code = inner.get("code") if isinstance(inner, dict) else None
            return f"{said} ({code})" if isinstance(code, str) else str(said)
    return str(body or getattr(error, "message", "") or type(error).__name__)


def _package() -> Any:
    try:
        import openai
    except ImportError:
        raise EngineError(
            "engine.kind openai needs the package openai; install it with: pip install 'taskspace[openai]'"
        ) from None
    return openai
