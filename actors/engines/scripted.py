"""An engine without a model, for tests and smoke runs: answers by rules, deterministic by seed and version.

Token ids are the answer's UTF-8 bytes, and 258 for the end of the turn: the ids of the `tiny-random`
model, so that what this engine writes can be learned by it. Log-probabilities are constant. Answers may have
4 bytes for each of `max_tokens`, which is what tokens of real vocabularies about hold.

Does not cover: anything a task is about. Its default rules only repeat the shape of what a prompt shows:
where a demonstration is answered, it answers alike with the names of the last question; where there is
nothing to copy, it returns the argument.
"""

import math
import re
import time
from collections.abc import Callable, Sequence
from random import Random

from actors.engines.base import Completion, Request, Weights
from actors.engines.stopping import first_end
from protocols.engine_settings import EngineSettings
from protocols.errors import EngineError
from protocols.seeds import rng_of

END_OF_TURN = 258
BYTES_PER_TOKEN = 4
LOGPROB = -math.log(2)

Answers = Callable[[Request, int], str]
"""(request, policy version) -> the text after the prefill."""

_CALL = re.compile(r"^(\w+)((?:\.\w+)+)\(", re.MULTILINE)  # the signature line that opens a documentation
_STUB = re.compile(r"^def (\w+)\(([^)\n]*)\):", re.MULTILINE)


class ScriptedEngine:
    """See `actors.engines.base.Engine`.

    Args:
        answers: the rule; default `copy_the_shape`.
        failures: how many first calls of `generate` raise EngineError.
        latency_s: seconds that each call of `generate` takes; default as in the settings.
    """

    name = "scripted"
    concurrent = True

    def __init__(
        self,
        settings: EngineSettings | None = None,
        answers: Answers | None = None,
        failures: int = 0,
        latency_s: float | None = None,
    ) -> None:
        self.version = 0
        self.why = "scripted: answers by rules, no model"
        self._settings = settings or EngineSettings(kind="scripted")
        self._answers = answers or copy_the_shape
        self._failures = failures
        self._latency_s = self._settings.scripted.latency_s if latency_s is None else latency_s
        self._totals = {"tokens": 0.0, "seconds": 0.0, "batches": 0.0}

    def generate(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[Completion]:
        began = time.monotonic()
        time.sleep(self._latency_s)
        if self._failures > 0:
            self._failures -= 1
            raise EngineError(f"engine {self.name}: failing as it was told to, {self._failures} times more")
        completions = [self._complete(request) for request in requests]
        tokens = sum(len(completion.logprobs) for completion in completions)
        if progress:
            progress(tokens)
        self._totals["tokens"] += tokens
        self._totals["seconds"] += time.monotonic() - began
        self._totals["batches"] += 1
        return completions

    def load(self, weights: Weights) -> None:
        self.version = weights.version

    def metrics(self) -> dict[str, float]:
        return dict(self._totals)

    def close(self) -> None:
        return

    def _complete(self, request: Request) -> Completion:
        prefill = request.prompt.prefill
        said, ended = _until_stop(prefill, self._answers(request, self.version), request.stop)
        ids = list(said.encode()) + ([] if ended else [END_OF_TURN])
        finish = "stop"
        limit = request.sampling.max_tokens * BYTES_PER_TOKEN
        if len(ids) > limit:
            ids, finish = ids[:limit], "length"
            said = bytes(ids).decode(errors="replace")
        opening = list(prefill.encode())
        shown = sum(len(message.content.encode()) + 1 for message in request.prompt.messages)
        return Completion(
            request_id=request.id,
            text=prefill + said,
            token_ids=(*opening, *ids),
            logprobs=(LOGPROB,) * len(ids),
            prefilled=len(opening),
            prompt_tokens=shown,
            finish=finish,
        )


def _until_stop(prefill: str, said: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text up to and with the first stop string that ends after the prefill, and whether there is one."""
    text = prefill + said
    end = first_end(text, len(prefill), stops)
    return text[len(prefill) : end], end is not None


def copy_the_shape(request: Request, version: int) -> str:
    """The default rule: three of four answers follow what the prompt shows, the fourth is careless."""
    rng = rng_of("scripted", request.seed, version)
    messages = request.prompt.messages
    ask = next((message.content for message in reversed(messages) if message.role == "user"), "")
    stub = _STUB.search(ask)
    if stub is None:
        shown = [message.content for message in messages if message.role == "assistant"]
        return _vary(shown[-1].removeprefix(request.prompt.prefill) if shown else "I do not know.", rng)
    name, parameters = stub.groups()
    calls = ["".join(found) for found in _CALL.findall(ask)]
    inner = parameters
    if rng.random() < 0.75:
        for call in calls:
            inner = f"{call}({inner})"
    package = calls[0].partition(".")[0] if calls else "math"
    text = f"```python\nimport {package}\n\ndef {name}({parameters}):\n    return {inner}\n```"
    return text.removeprefix(request.prompt.prefill)


def _vary(text: str, rng: Random) -> str:
    """Other digits in place of those that are there, so that no two proposals are alike."""
    return re.sub(r"\d", lambda _: str(rng.randint(1, 9)), text)


def knows_more_each_version(right: Callable[[Request], str | None], rate: float = 0.5) -> Answers:
    """A rule that learns: version v gives the right answer with probability 1 - (1 - rate)**v.

    Args:
        right: the right text after the prefill; None where there is none.
    """
    return _Growing(right, rate)


class _Growing:
    """A class, not a closure: Ray has to carry it to other processes."""

    def __init__(self, right: Callable[[Request], str | None], rate: float) -> None:
        self._right, self._rate = right, rate

    def __call__(self, request: Request, version: int) -> str:
        known = rng_of("known", request.seed, version).random() < 1 - (1 - self._rate) ** version
        text = self._right(request) if known else None
        return copy_the_shape(request, version) if text is None else text
