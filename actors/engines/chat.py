"""Prompts to token ids, the one way that engine and learner share, so that both see the same ids.

Does not cover: multi-modal content and tool schemas of chat templates.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from protocols.errors import EngineError
from protocols.records import Message, Prompt


def encode_prompt(tokenizer: Any, prompt: Prompt) -> tuple[list[int], list[int]]:
    """Ids of the chat up to the assistant's turn, and ids of the prefill that opens this turn.

    The two are tokenised apart, so that the ids of the response (prefill first) never depend on the
    prompt before them: the same answer can be learned under another prompt. A tokenizer without a chat
    template gets the messages' texts, one after the other; one whose template knows no system role gets that
    message at the head of the first user's.

    Raises:
        EngineError: the chat template cannot be used.
    """
    if tokenizer.chat_template is None:
        text = "".join(f"{message.content}\n\n" for message in prompt.messages)
        chat = tokenizer(text)["input_ids"]
    else:
        chat = _rendered(tokenizer, _for_template(tokenizer, prompt.messages))
    prefill = tokenizer(prompt.prefill, add_special_tokens=False)["input_ids"] if prompt.prefill else []
    return list(chat), list(prefill)


def left_out(tokenizer: Any, messages: Sequence[Message]) -> list[Message]:
    """Those whose text the chat template does not show.

    Raises:
        EngineError: the chat template cannot be used.
    """
    if tokenizer.chat_template is None:
        return []
    text = _rendered(tokenizer, _for_template(tokenizer, messages), tokenize=False)
    return [message for message in messages if message.content.strip() not in text]


def _for_template(tokenizer: Any, messages: Sequence[Message]) -> Sequence[Message]:
    if messages[0].role == "system" and not _knows_system(tokenizer, tokenizer.chat_template):
        return _folded(messages)
    return messages


def _rendered(tokenizer: Any, messages: Sequence[Message], **how: Any) -> Any:
    """Raises:
    EngineError: the tokenizer's chat template cannot be used.
    """
    plain = [{"role": message.role, "content": message.content} for message in messages]
    try:
        return tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=False, **how)
    except Exception as error:  # templates are programs: of jinja, and whatever they call
        why = " ".join(str(error).split())[:200] or type(error).__name__
        where = tokenizer.name_or_path or "unnamed"
        raise EngineError(
            f"the chat template of tokenizer {where} cannot be used ({type(error).__name__}: {why}); "
            "correct it, or remove it: then prompts are the messages' texts"
        ) from None


@lru_cache(16)
def _knows_system(tokenizer: Any, template: str) -> bool:
    """Whether the template shows what a system message says; some refuse one, some leave it out."""
    said = "Answer as asked 7f3a."
    try:
        text = _rendered(
            tokenizer,
            [Message(role="system", content=said), Message(role="user", content="Hello.")],
            tokenize=False,
        )
    except EngineError:
        return False
    return said in text


def _folded(messages: Sequence[Message]) -> list[Message]:
    """The system message's text at the head of the first user's, for models that know no such role."""
    system, *rest = messages
    if not rest or rest[0].role != "user":
        return [Message(role="user", content=system.content), *rest]
    return [Message(role="user", content=f"{system.content}\n\n{rest[0].content}"), *rest[1:]]


def end_of_turn_id(tokenizer: Any) -> int:
    """The id that ends the assistant's turn (`<|im_end|>` for ChatML).

    Raises:
        EngineError: the tokenizer names none.
    """
    if tokenizer.eos_token_id is None:
        where = tokenizer.name_or_path or "unnamed"
        raise EngineError(f"Tokenizer {where} has no end-of-sequence token; use an instruct model.")
    return int(tokenizer.eos_token_id)
