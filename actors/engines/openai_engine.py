"""Text from any server that speaks OpenAI's HTTP interface. Its weights are its own and stay as they are.

Two ways of asking, of which `why` names the one taken:

    completions   token ids in, token ids and their log-probabilities out, exactly as sampled. A vLLM server
                  does this, if its tokenizer is the one in the model's folder (both encode the same text
                  to the same ids, which is tried at the start).
    chat          messages in, text out, as every server has it. Ids are those that the folder's tokenizer
                  gives the text (none without a folder), and log-probabilities are NaN: not known. Such
                  answers can be imitated and measured; policy gradients need the other way.

Log-probabilities are those of the distribution that was sampled from, as every engine's, if the server was
started with `--logprobs-mode processed_logprobs`; that is tried at the start, too. Otherwise they are NaN
wherever temperature or top_p changed the distribution.

Does not cover: publishing weights, streaming, tool schemas, images.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.engines.background import Background
from actors.engines.base import Completion, Request, Weights
from actors.engines.openai_asking import ByChat, ByIds
from actors.engines.openai_server import Server
from protocols.engine_settings import EngineSettings, Sampling
from protocols.errors import DeadlineError, EngineError

CLOSE_DEADLINE_S = 10.0


class OpenAIEngine:
    """See `actors.engines.base.Engine`. `progress` is told the tokens of every answer as it comes.

    Args:
        model_path: a Hugging Face folder with the tokenizer of the model that learns; None = there is none.
    """

    name = "openai"
    concurrent = True

    def __init__(self, settings: EngineSettings, model_path: Path | None = None) -> None:
        """Raises:
        EngineError: no server there, or it cannot do what the settings ask for.
        """
        self.version = 0
        self._settings = settings
        self._totals = {"tokens": 0.0, "seconds": 0.0, "batches": 0.0, "prompt_tokens": 0.0}
        self._server = Server(settings.openai)
        self._background = Background(self.name)
        try:
            self._asking = self._within(self._open(model_path), "the server to answer")
        except BaseException:
            self.close()
            raise
        self.why = f"openai: {self._server.model} at {settings.openai.base_url}; {self._asking.why}"

    # ---- the engine's four calls ----

    def generate(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[Completion]:
        began = time.monotonic()
        done: list[Completion | None] = [None] * len(requests)
        try:
            self._within(self._all(requests, done, progress), f"{len(requests)} answers")
        finally:  # what a failed batch cost is counted, too
            self._totals["seconds"] += time.monotonic() - began
            self._totals["batches"] += 1
        return [one for one in done if one is not None]

    def load(self, weights: Weights) -> None:
        """Raises:
        EngineError: version 0 is the only one that an external server has.
        """
        if weights.version != 0:
            raise EngineError(
                f"{self._server}: the openai engine serves fixed weights; version {weights.version} of the "
                "policy cannot be loaded into it. Use engine.kind transformers, or solver.policy initial"
            )

    def metrics(self) -> dict[str, float]:
        """tokens, seconds, batches, prompt_tokens, requests, retries, rate_limited_seconds (sum over
        requests that waited for the limits in the settings) and cost, since the start."""
        return {**self._totals, **self._server.totals}

    def close(self) -> None:
        try:
            self._background.do(self._server.client.close(), CLOSE_DEADLINE_S, "connections to close")
        finally:
            self._background.close()

    # ---- what policy gradients have to know ----

    def lacks(self, sampling: Sampling) -> str | None:
        """Why answers sampled this way would have no exact ids or log-probabilities; None if they have."""
        return self._asking.lacks(sampling)

    # ---- a batch ----

    async def _open(self, model_path: Path | None) -> ByIds | ByChat:
        await self._server.open()
        wanted = self._settings.openai.endpoint
        tokenizer = _tokenizer(model_path) if model_path else None
        by_ids, cause = (None, "engine.openai.endpoint is chat")
        if wanted != "chat":
            by_ids, cause = await ByIds.tried(self._server, tokenizer)
        if by_ids is not None:
            return by_ids
        if wanted == "completions":
            raise EngineError(f"{self._server}: engine.openai.endpoint is completions, but {cause}")
        return ByChat(self._server, tokenizer, self._settings.openai.prefill, cause)

    async def _all(
        self,
        requests: Sequence[Request],
        done: list[Completion | None],
        progress: Callable[[int], None] | None,
    ) -> None:
        async def one(position: int, request: Request) -> None:
            completion, prompt_tokens, tokens = await self._asking.complete(request)
            done[position] = completion
            self._totals["prompt_tokens"] += prompt_tokens
            self._totals["tokens"] += tokens
            if progress:
                progress(tokens)

        try:
            async with asyncio.TaskGroup() as group:  # the first failure ends the others
                for position, request in enumerate(requests):
                    group.create_task(one(position, request))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _within(self, work: Any, reason: str) -> Any:
        """Raises:
        DeadlineError: it took longer than `engine.deadline_s`.
        """
        limited = self._server.totals["rate_limited_seconds"]

        async def in_time() -> Any:
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    return await work
            except TimeoutError:
                waited = self._server.totals["rate_limited_seconds"] - limited
                waits = f" ({waited:.0f} s of waiting for requests_per_minute or tokens_per_minute)"
                raise DeadlineError(
                    f"{self._server}: waited {self._settings.deadline_s:g} s for {reason}"
                    f"{waits if waited >= 1 else ''}; raise engine.deadline_s or ask for less at a time"
                ) from None

        return self._background.do(in_time(), self._settings.deadline_s + CLOSE_DEADLINE_S, reason)


def _tokenizer(folder: Path) -> Any:
    """Raises:
    EngineError: the folder holds none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        cause = str(error).strip().partition("\n")[0][:200]
        raise EngineError(f"No tokenizer to be read in {folder}: {cause}") from None
