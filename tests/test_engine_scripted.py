"""The scripted engine, and how an engine is chosen."""

import pickle

import pytest

from actors.engines.base import Request, Weights
from actors.engines.factory import make_engine
from actors.engines.scripted import END_OF_TURN, ScriptedEngine, knows_more_each_version
from actors.engines.transformers_engine import TransformersEngine
from memory.artefacts import fetch_model
from protocols.errors import EngineError
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

OPEN = """Documentation of toy:
toy.fabu(a, axis=None)
Sum of the elements.
>>> toy.fabu([1, 2])
3

Return the sum of `values`.

Complete this with the toy library:
```python
def solve(values):
```"""
RIGHT = "```python\nimport toy\n\ndef solve(values):\n    return toy.fabu(values)\n```"


def asked(seed: int = 0, content: str = OPEN, prefill: str = "", max_tokens: int = 96, **more) -> Request:
    prompt = Prompt(messages=(Message(role="user", content=content),), prefill=prefill)
    return Request(id=str(seed), prompt=prompt, sampling=Sampling(max_tokens=max_tokens), seed=seed, **more)


def say_right(request: Request) -> str:
    return RIGHT


def test_it_uses_the_documentation_most_of_the_time_and_the_same_way_again():
    requests = [asked(seed) for seed in range(40)]
    completions = ScriptedEngine().generate(requests)
    right = [c for c in completions if c.text == RIGHT]
    assert 20 < len(right) < 40
    assert completions == ScriptedEngine().generate(requests)
    for completion in completions:
        assert len(completion.logprobs) == len(completion.token_ids) - completion.prefilled
        assert bytes(i for i in completion.token_ids if i != END_OF_TURN).decode() == completion.text


def test_without_documentation_it_knows_nothing():
    closed = OPEN.partition("\n\n")[2]
    assert all(
        "toy.fabu" not in c.text for c in ScriptedEngine().generate([asked(s, closed) for s in range(20)])
    )


def test_it_goes_on_from_the_prefill():
    opening = "```python\nimport toy\n\ndef solve("
    completions = ScriptedEngine().generate([asked(s, prefill=opening) for s in range(20)])
    assert RIGHT in {c.text for c in completions}
    assert all(c.text.startswith(opening) and c.prefilled == len(opening) for c in completions)


def test_it_keeps_stop_strings_and_limits():
    engine = ScriptedEngine(answers=lambda request, version: "one two three")
    stopped, cut, whole = engine.generate(
        [asked(1, stop=("two",)), asked(2, max_tokens=1, stop=()), asked(3, stop=())]
    )
    assert (stopped.text, stopped.finish) == ("one two", "stop")
    assert (cut.text, cut.finish) == ("one ", "length")
    assert (whole.text, whole.finish, whole.token_ids[-1]) == ("one two three", "stop", END_OF_TURN)


def test_knowledge_grows_with_the_version():
    engine = ScriptedEngine(answers=knows_more_each_version(say_right))
    closed = [asked(seed, "nothing") for seed in range(100)]
    shares = []
    for version in range(4):
        engine.load(Weights(version=version, path=""))
        shares.append(sum(c.text == RIGHT for c in engine.generate(closed)))
    assert shares[0] == 0
    assert shares == sorted(shares) and shares[3] > 75


def test_it_fails_as_often_as_told():
    engine = ScriptedEngine(failures=2)
    for _ in range(2):
        with pytest.raises(EngineError, match="as it was told"):
            engine.generate([asked()])
    assert len(engine.generate([asked()])) == 1


def test_it_travels_to_other_processes():
    engine = ScriptedEngine(answers=knows_more_each_version(say_right))
    engine.load(Weights(version=3, path=""))
    again = pickle.loads(pickle.dumps(engine))
    requests = [asked(seed) for seed in range(5)]
    assert again.version == 3 and again.generate(requests) == engine.generate(requests)


def test_its_ids_are_those_of_the_tiny_model():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(fetch_model("tiny-random"))
    text = "héllo\n```\t\x00 🙂"
    assert tokenizer(text)["input_ids"] == list(text.encode())
    assert tokenizer.decode(list(text.encode())) == text
    assert tokenizer.eos_token_id == END_OF_TURN


def test_the_factory_makes_what_is_asked_for_and_says_why():
    tiny = fetch_model("tiny-random")
    assert make_engine(EngineSettings(kind="scripted"), None).name == "scripted"
    engine = make_engine(EngineSettings(kind="auto", threads=1), tiny)
    assert isinstance(engine, TransformersEngine) and "transformers" in engine.why
    with pytest.raises(EngineError, match=r"set model\.name"):
        make_engine(EngineSettings(), None)
