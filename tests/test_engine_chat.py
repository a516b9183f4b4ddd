"""Prompts to ids: the same for whoever asks, and whole."""

import pytest

from actors.engines.chat import encode_prompt, end_of_turn_id
from actors.engines.stopping import StopWatch
from memory.artefacts import fetch_model
from protocols.errors import EngineError
from protocols.records import Message, Prompt


@pytest.fixture
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(fetch_model("tiny-random"))


def chat(prefill: str = "", *contents: str) -> Prompt:
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[i % 2], content=text) for i, text in enumerate(contents))
    return Prompt(messages=messages, prefill=prefill)


def test_the_prompt_ends_where_the_assistant_begins(tokenizer):
    prompt, prefill = encode_prompt(tokenizer, chat("def f(", "hé", "yes", "again"))
    text = tokenizer.decode(prompt)
    assert text.endswith("<|im_start|>user\nagain<|im_end|>\n<|im_start|>assistant\n")
    assert "<|im_start|>assistant\nyes<|im_end|>" in text
    assert text.count("<|im_start|>system") == 1
    assert prefill == list(b"def f(")


def test_prefill_ids_do_not_depend_on_the_prompt(tokenizer):
    assert encode_prompt(tokenizer, chat("abc", "x"))[1] == encode_prompt(tokenizer, chat("abc", "y\n"))[1]


def test_a_tokenizer_without_template_gets_the_texts(tokenizer):
    tokenizer.chat_template = None
    prompt, prefill = encode_prompt(tokenizer, chat("", "one", "two"))
    assert tokenizer.decode(prompt) == "one\n\ntwo\n\n"
    assert prefill == []


def test_a_tokenizer_without_end_is_refused(tokenizer):
    assert tokenizer.decode([end_of_turn_id(tokenizer)]) == "<|im_end|>"
    tokenizer.eos_token = None
    with pytest.raises(EngineError, match="end-of-sequence"):
        end_of_turn_id(tokenizer)


def test_stop_strings_are_found_exactly_when_they_are_complete(tokenizer):
    watch = StopWatch(tokenizer)
    text = list("é🙂 x\n``` y".encode())
    for stop in ("\n```", "🙂", "é🙂", "x"):
        ends = [n for n in range(1, len(text) + 1) if watch.stopped(text[:n], "", (stop,))]
        assert ends[0] == len("é🙂 x\n``` y".partition(stop)[0].encode() + stop.encode())
    assert not watch.stopped(text, "", ("absent", ""))
