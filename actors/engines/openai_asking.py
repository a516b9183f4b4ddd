"""One request at an OpenAI-compatible server, and what comes back as a `Completion`: by ids, or by chat.

`complete` returns (completion, prompt tokens, sampled tokens), both counted by the server.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

from actors.engines.base import Completion, Request
from actors.engines.chat import encode_prompt
from actors.engines.openai_server import ODD, NoRoomError, Server, counts_of
from actors.engines.stopping import StopWatch, first_end, written
from protocols.errors import EngineError
from protocols.fences import CLOSING, ends_open
from protocols.logprobs import marked
from protocols.settings import Sampling

Answered = tuple[Completion, int, int]

#: Sent so that the answers depend on the request alone: a vLLM server otherwise takes what is not said from
#: the model's own generation_config.json.
PLAIN = {"repetition_penalty": 1.0, "top_k": 0, "min_p": 0.0}
_PROBE = "The quick brown fox, 12 + 34: naïve\n```python\ndef solve(values):\n    return"
_SAME = (
    0.02  # nats; two computations of one distribution. At temperature 2 the likeliest token differs by more
)


class ByIds:
    """`/v1/completions` of a vLLM server: ids in, ids and log-probabilities out."""

    def __init__(self, server: Server, tokenizer: Any, processed: bool) -> None:
        self._server = server
        self._tokenizer = tokenizer
        self._watch = StopWatch(tokenizer)
        self._processed = processed
        self._create = server.client.completions.with_raw_response.create
        self.why = (
            "token ids and log-probabilities as sampled"
            if processed
            else "token ids as sampled; log-probabilities only where temperature and top_p change nothing"
        )

    @classmethod
    async def tried(cls, server: Server, tokenizer: Any) -> tuple["ByIds | None", str]:
        """This way of asking, or why it would not be exact at this server."""
        if tokenizer is None:
            return None, "there is no model folder, and so no tokenizer"
        if not server.vllm:
            return None, "the server is not vLLM, which returns token ids"
        ids = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
        told = {"prompt": _PROBE, "max_tokens": 1, "logprobs": 1, "seed": 0}
        body = {**PLAIN, "return_token_ids": True, "add_special_tokens": False}
        create = server.client.completions.with_raw_response.create
        try:
            cold, hot = [
                (await server.ask(create, len(ids) + 1, **told, temperature=heat, extra_body=body)).choices[0]
                for heat in (0.0, 2.0)
            ]
        except NoRoomError:
            return None, f"the model's context ({server.context}) is too short to try it"
        if getattr(cold, "token_ids", None) is None:
            return None, "the server returns no token ids"
        if list(getattr(cold, "prompt_token_ids", None) or []) != list(ids):
            return None, "the server's tokenizer is not that of model.name"
        return cls(server, tokenizer, abs(_likeliest(cold) - _likeliest(hot)) > _SAME), ""

    def lacks(self, sampling: Sampling) -> str | None:
        if self._known(sampling):
            return None
        return (
            "the server gives log-probabilities without temperature and top_p; start it with "
            "`vllm serve MODEL --logprobs-mode processed_logprobs`, or sample with temperature 1 and top_p 1"
        )

    async def complete(self, request: Request) -> Answered:
        try:
            return await self._complete(request)
        except ODD:
            raise self._server.unreadable() from None

    async def _complete(self, request: Request) -> Answered:
        prompt, prefill = encode_prompt(self._tokenizer, request.prompt)
        given = prompt + prefill
        sampling = request.sampling
        room = self._server.context - len(given) if self._server.context else sampling.max_tokens
        limit = min(sampling.max_tokens, room) if prompt else 0
        if limit < 1:
            return _no_room(request, prefill, len(prompt)), 0, 0
        ids: list[int] = []
        logprobs: list[float] = []
        try:
            for part in itertools.count():
                choice = await self._part(request, given + ids, limit - len(ids), request.seed + part)
                ids += self._checked(choice.token_ids or (), limit - len(ids))
                logprobs += marked(_numbers(choice.logprobs.token_logprobs) if choice.logprobs else ())
                reason = getattr(choice, "stop_reason", None)
                if len(ids) >= limit or not self._watch.goes_on(
                    ids, request.prompt.prefill, request.stop, reason
                ):
                    break
        except NoRoomError:
            return _no_room(request, prefill, len(prompt)), 0, 0
        if len(ids) != len(logprobs):
            raise EngineError(
                f"{self._server}: {len(logprobs)} log-probabilities for {len(ids)} sampled ids; "
                "write --set engine.openai.endpoint=chat"
            )
        completion = self._completion(request, prompt, prefill, ids, logprobs, choice)
        return completion, len(given), len(ids)

    def _checked(self, ids: Sequence[int], limit: int) -> Sequence[int]:
        """Ids as a server may give them.

        Raises:
            ValueError: they are no tokens of the model, or more than were asked for.
        """
        if len(ids) > limit or not all(type(one) is int and 0 <= one < len(self._tokenizer) for one in ids):
            raise ValueError
        return ids

    async def _part(self, request: Request, given: list[int], limit: int, seed: int) -> Any:
        """What the server says up to a stop string or a limit."""
        sampling = request.sampling
        answer = await self._server.ask(
            self._create,
            len(given) + limit,
            prompt=given,
            max_tokens=limit,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=seed,
            stop=written(request.stop) or None,
            logprobs=0,
            extra_body={
                **PLAIN,
                "return_token_ids": True,
                "include_stop_str_in_output": True,
                "skip_special_tokens": False,
            },
        )
        return answer.choices[0]

    def _completion(
        self,
        request: Request,
        prompt: list[int],
        prefill: list[int],
        ids: list[int],
        logprobs: list[float],
        choice: Any,
    ) -> Completion:
        opening = request.prompt.prefill
        cut = self._early_stop(ids, opening, request.stop)
        # A turn that ended by its own end token has a number as its stop reason, or none.
        stop_reason = getattr(choice, "stop_reason", None)
        ended = cut is None and choice.finish_reason == "stop" and not isinstance(stop_reason, str)
        ids = ids[:cut]
        said = ids[:-1] if ended else ids
        text = self._watch.decode(prefill + said)
        if not text.startswith(opening):  # tokenizers that do not give back what they were given
            text = opening + self._watch.decode(said)
        known = self._known(request.sampling)
        return Completion(
            request_id=request.id,
            text=text,
            token_ids=(*prefill, *ids),
            logprobs=tuple(logprobs[:cut]) if known else (math.nan,) * len(ids),
            prefilled=len(prefill),
            prompt_tokens=len(prompt),
            finish="stop" if cut is not None else _finish(choice),
        )

    def _early_stop(self, ids: list[int], opening: str, stops: tuple[str, ...]) -> int | None:
        """How many ids it takes to complete a stop string that begins in the opening, which the server does
        not look at; None = there is none."""
        window = max((len(stop.encode()) + 4 for stop in stops), default=0) if opening else 0
        for count in range(1, min(window, len(ids)) + 1):
            if self._watch.stopped(ids[:count], opening, stops):
                return count
        return None

    def _known(self, sampling: Sampling) -> bool:
        plain = sampling.temperature == 0 or (sampling.temperature == 1 and sampling.top_p == 1)
        return self._processed or plain


class ByChat:
    """`/v1/chat/completions`: messages in, text out.

    An opening is a last assistant message that is continued, where the server can do that (vLLM), or is
    asked for at the end of the last message. Then nothing is given, and the answer is what the model said,
    whether it did as asked or not.

    Stop strings stay in the text. Only vLLM leaves them there; elsewhere they are not sent, and the text is
    cut here: servers do not say at which they stopped, or whether at one at all, and to add one that was
    never said would change the answer.
    """

    def __init__(
        self,
        server: Server,
        tokenizer: Any,
        prefill: Literal["auto", "continue", "ask"],
        cause: str,
    ) -> None:
        self._server = server
        self._tokenizer = tokenizer
        self._continues = prefill == "continue" or (prefill == "auto" and server.vllm)
        self._create = server.client.chat.completions.with_raw_response.create
        self._cause = cause
        self.why = f"chat, texts without log-probabilities, since {cause}"

    def lacks(self, sampling: Sampling) -> str | None:
        return f"{self._cause}: it gives texts without token ids and log-probabilities"

    async def complete(self, request: Request) -> Answered:
        try:
            return await self._complete(request)
        except ODD:
            raise self._server.unreadable() from None

    async def _complete(self, request: Request) -> Answered:
        sampling, opening = request.sampling, request.prompt.prefill
        messages = [{"role": one.role, "content": one.content} for one in request.prompt.messages]
        extra: dict[str, Any] = {}
        if self._server.vllm:
            extra = {**PLAIN, "include_stop_str_in_output": True}
        if opening and self._continues:
            messages.append({"role": "assistant", "content": opening})
            extra |= {"continue_final_message": True, "add_generation_prompt": False}
        elif opening:
            asked = f"{messages[-1]['content']}\n\nBegin your answer with exactly this text:\n{opening}"
            messages[-1] = {**messages[-1], "content": asked}
        given = opening if self._continues else ""
        shown = sum(len(one["content"]) for one in messages) // 3
        # A fence that may open a block is not sent: what was said before it could not be gone on from.
        wanted = [stop for stop in request.stop if stop != CLOSING or ends_open(given)]
        stops = written(wanted) if self._server.vllm else []
        try:
            answer = await self._server.ask(
                self._create,
                shown + sampling.max_tokens,
                messages=messages,
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=request.seed & 0x7FFFFFFF,  # servers differ in how wide an integer they take
                **({"stop": stops} if stops else {}),
                **({"extra_body": extra} if extra else {}),
            )
        except NoRoomError:
            return _no_room(request, self._ids(given), 0), 0, 0
        choice = answer.choices[0]
        said, stopped = _up_to_stop(given, _text(choice.message.content), request.stop)
        opened, ids = self._ids(given), self._ids(said)
        prompt_tokens, counted = counts_of(answer)
        completion = Completion(
            request_id=request.id,
            text=given + said,
            token_ids=(*opened, *ids),
            logprobs=(math.nan,) * len(ids),
            prefilled=len(opened),
            prompt_tokens=prompt_tokens,
            finish="stop" if stopped else _finish(choice),
        )
        return completion, prompt_tokens, counted or len(ids)

    def _ids(self, text: str) -> list[int]:
        if self._tokenizer is None or not text:
            return []
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def _text(content: Any) -> str:
    """Of a message whose content is a text, or comes in parts."""
    if not isinstance(content, list):
        return content or ""
    said = []
    for part in content:
        fields = part if isinstance(part, dict) else {"text": part} if isinstance(part, str) else vars(part)
        text = fields.get("text") or ""
        text = text.get("value", "") if isinstance(text, dict) else text
        if fields.get("type") in (None, "text", "output_text"):
            said.append(str(text))
    return "".join(said)


def _up_to_stop(given: str, said: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """What was said up to and with the first stop string to end in it; and whether there is one."""
    text = given + said
    end = first_end(text, len(given), stops)
    return text[len(given) : end], end is not None


def _numbers(found: Sequence[float | None]) -> list[float]:
    """NaN where a server gives null, or what is no number."""
    return [
        float(number) if isinstance(number, int | float) and not isinstance(number, bool) else math.nan
        for number in found
    ]


def _finish(choice: Any) -> str:
    return "length" if choice.finish_reason == "length" else "stop"


def _no_room(request: Request, prefill: list[int], prompt_tokens: int) -> Completion:
    return Completion(
        request_id=request.id,
        text=request.prompt.prefill,
        token_ids=tuple(prefill),
        logprobs=(),
        prefilled=len(prefill),
        prompt_tokens=prompt_tokens,
        finish="no_room",
    )


def _likeliest(choice: Any) -> float:
    """Log-probability of the likeliest first token."""
    if not choice.logprobs or not choice.logprobs.top_logprobs:
        return math.nan
    return max((choice.logprobs.top_logprobs[0] or {}).values(), default=math.nan)
