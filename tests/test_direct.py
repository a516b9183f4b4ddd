"""Weights handed over from memory to memory, and what happens where they do not arrive."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch

from actors.delivery import deliver
from actors.engines import direct
from actors.engines.base import Meeting, Weights
from actors.engines.direct import Sender, received
from actors.runtime import Ended
from protocols.errors import EngineError, SettingError, TransferError
from protocols.settings import RunSettings

CPU = torch.device("cpu")
DIRECT = {"engine": {"kind": "vllm", "transport": "direct"}}


def tensors(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(7)
    made = {"a": (3, 5), "scalar": (), "long": (70_000,), "b.weight": (4, 2, 3)}
    return {name: torch.randn(shape, generator=drawn).to(dtype) for name, shape in made.items()}


def shapes(sent: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in sent.items()}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("receivers", [1, 3])
def test_everybody_gets_every_tensor_bit_by_bit(dtype, receivers):
    sent = tensors(dtype) | {"turned": tensors(dtype)["b.weight"].transpose(0, 2)}  # not contiguous
    sender = Sender("127.0.0.1", receivers)
    with ThreadPoolExecutor(receivers) as pool:
        waiting = [pool.submit(lambda: dict(received(sender.meeting, CPU))) for _ in range(receivers)]
        sender.send(shapes(sent), sent.items())
        for found in (one.result(60) for one in waiting):
            assert list(found) == list(sent)
            for name, tensor in sent.items():
                assert found[name].dtype is dtype and torch.equal(found[name], tensor), name


def test_what_was_changed_on_the_way_is_not_taken(monkeypatch):
    sent = tensors(torch.float32)
    sender = Sender("127.0.0.1", 1)
    here = threading.get_ident()
    monkeypatch.setattr(direct, "_digest", lambda before, flat: int(threading.get_ident() == here))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: dict(received(sender.meeting, CPU)))
        sender.send(shapes(sent), sent.items())
        with pytest.raises(RuntimeError, match=r"weights came with digest 0, but were sent with 1$"):
            waiting.result(60)


def test_nobody_is_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(direct, "_LIMIT", timedelta(seconds=1))
    sent = tensors(torch.float32)
    with pytest.raises(RuntimeError):
        Sender("127.0.0.1", 1).send(shapes(sent), sent.items())
    with pytest.raises(RuntimeError):
        list(received(Meeting(host="127.0.0.1", port=1, size=2), CPU))


class Noted:
    """A role or the engines: what was called; what `serve` answers to weights that have a meeting."""

    size = 2

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.calls = error, []

    def call(self, method, *args, deadline_s, reason):
        self.calls.append((method, *args))
        if method == "offer":
            return Meeting(host="here", port=5, size=args[0] + 1)
        if self.error is not None and args[0].meeting is not None:
            raise self.error
        return None

    def submit(self, method, *args):
        self.calls.append((method, *args))
        return Ended()


def test_weights_go_directly_and_later_calls_name_the_folder():
    learner, engine, weights, told = Noted(), Noted(), Weights(version=3, path="v3"), []
    settings = RunSettings.model_validate(
        DIRECT | {"engine": DIRECT["engine"] | {"vllm": {"tensor_parallel": 2}}}
    )
    assert deliver(weights, settings, learner, engine, told.append) == weights
    assert learner.calls == [("offer", 4), ("send", 3)] and not told
    ((_, served),) = engine.calls
    assert served.meeting == Meeting(host="here", port=5, size=5) and served.path == "v3"


def test_what_does_not_arrive_is_read_from_the_folder_and_a_mismatch_is_not_hidden():
    settings, weights = RunSettings.model_validate(DIRECT), Weights(version=3, path="v3")
    engine, told = Noted(TransferError("broken pipe")), []
    assert deliver(weights, settings, Noted(), engine, told.append) == weights
    assert told == ["version 3 did not arrive directly, engines read its folder: broken pipe"]
    assert [served.meeting is None for _, served in engine.calls] == [False, True]
    with pytest.raises(EngineError, match="not what was published"):
        deliver(weights, settings, Noted(), Noted(EngineError("not what was published")), told.append)
    assert len(told) == 1


def test_the_model_as_it_came_is_in_its_folder_everywhere():
    learner, engine = Noted(), Noted()
    deliver(Weights(version=0, path="model"), RunSettings.model_validate(DIRECT), learner, engine, print)
    assert not learner.calls and engine.calls == [("serve", Weights(version=0, path="model"))]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"engine": {"kind": "transformers", "transport": "direct"}}, "engine.kind transformers cannot"),
        ({"runtime": {"kind": "inline"}}, "nobody to send them to"),
        ({"runtime": {"layout": "colocated"}}, "share a GPU"),
        ({"learner": {"lora": {"rank": 8}}}, "adapters travel as files"),
    ],
)
def test_where_weights_cannot_go_directly(changes, why):
    with pytest.raises(SettingError, match=f"engine.transport: direct .*{why}.* write --set"):
        RunSettings.model_validate(DIRECT | changes)
