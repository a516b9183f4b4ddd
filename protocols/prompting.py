"""Small shared parts of prompting. What a domain's prompts say is the domain's own business."""

from collections.abc import Sequence
from itertools import pairwise

from protocols.records import Exchange, Message, Prompt


class OneExchange:
    """The session of a single-turn domain: one prompt, one answer. None: it was given before the start."""

    def __init__(self, prompt: Prompt | None) -> None:
        self._prompt = prompt
        self.response: str | None = None

    def prompt(self) -> Prompt | None:
        return self._prompt

    def receive(self, response: str) -> None:
        self.response = response
        self._prompt = None


def exchange(
    before: Prompt | None, answered: str, prompt: Prompt, response: str, tokens: int, prefilled: int
) -> Exchange:
    """One answer to `prompt`, as it is kept; `before` is the prompt that `answered` was given to."""
    if before is None:
        return Exchange(told=(), response=response, tokens=tokens, prefilled=prefilled)
    so_far = (*before.messages, Message(role="assistant", content=answered))
    fresh = prompt.messages[: len(so_far)] != so_far
    told = prompt.messages if fresh else prompt.messages[len(so_far) :]
    return Exchange(
        told=told,
        response=response,
        tokens=tokens,
        prefilled=prefilled,
        prefill=prompt.prefill,
        fresh=fresh,
    )


def prompts_of(first: Prompt, exchanges: Sequence[Exchange]) -> list[Prompt]:
    """The prompt of every exchange, given that of the first."""
    prompts = [first]
    for answered, one in pairwise(exchanges):
        so_far = (*prompts[-1].messages, Message(role="assistant", content=answered.response))
        messages = one.told if one.fresh else (*so_far, *one.told)
        prompts.append(Prompt(messages=messages, prefill=one.prefill))
    return prompts


def improve_prompt(request: str, current: str, feedback: str = "") -> str:
    """The request of a step that improves: ExIt (arXiv 2509.04575), Appendix B, in our words."""
    return (
        f"{request}\n\nThis is the current answer to the request above:\n{current}\n{_told(feedback)}\n"
        "Check it, and give a better answer to the same request, in the same form."
    )


def diverge_prompt(request: str, current: str, feedback: str = "") -> str:
    """The request of a step that diverges: ExIt (arXiv 2509.04575), Appendix B, in our words."""
    return (
        f"{request}\n\nThis is the current answer to the request above:\n{current}\n{_told(feedback)}\n"
        "Give another answer to the same request, by a clearly different approach: first sum up the current "
        "one in a few words, name a different one, then give the new answer by it, in the same form."
    )


def _told(feedback: str) -> str:
    return f"\nWhat came of it: {feedback}\n" if feedback else ""
