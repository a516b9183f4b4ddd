"""Prompts to token ids, the one way that engine and learner share, so that both see the same ids.

Does not cover: multi-modal content and tool schemas of chat templates.
"""

from typing import Any

from protocols.errors import EngineError
from protocols.records import Prompt


def encode_prompt(tokenizer: Any, prompt: Prompt) -> tuple[list[int], list[int]]:
    """Ids of the chat up to the assistant's turn, and ids of the prefill that opens this turn.

    The two are tokenised apart, so that the ids of the response (prefill first) never depend on the
    prompt before them: the same answer can be learned under another prompt. A tokenizer without a chat
    template gets the messages' texts, one after the other.
    """
    if tokenizer.chat_template is None:
        text = "".join(f"{message.content}\n\n" for message in prompt.messages)
        chat = tokenizer(text)["input_ids"]
    else:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        chat = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    prefill = tokenizer(prompt.prefill, add_special_tokens=False)["input_ids"] if prompt.prefill else []
    return list(chat), list(prefill)


def end_of_turn_id(tokenizer: Any) -> int:
    """The id that ends the assistant's turn (`<|im_end|>` for ChatML).

    Raises:
        EngineError: the tokenizer names none.
    """
    if tokenizer.eos_token_id is None:
        where = tokenizer.name_or_path or "unnamed"
        raise EngineError(f"Tokenizer {where} has no end-of-sequence token; use an instruct model.")
    return int(tokenizer.eos_token_id)
