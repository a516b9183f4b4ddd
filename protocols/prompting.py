"""Small shared parts of prompting. What a domain's prompts say is the domain's own business."""

import re

from protocols.records import Prompt

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\r?\n(.*?)(?:\r?\n[ \t]*```|\Z)", re.DOTALL)


def last_code_block(response: str) -> str | None:
    """The body of the last fenced block; an unclosed last block runs to the end. None without a fence."""
    blocks = _FENCE.findall(response)
    return blocks[-1] if blocks else None


class OneExchange:
    """The session of a single-turn domain: one prompt, one answer."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt: Prompt | None = prompt
        self.response: str | None = None

    def prompt(self) -> Prompt | None:
        return self._prompt

    def receive(self, response: str) -> None:
        self.response = response
        self._prompt = None
