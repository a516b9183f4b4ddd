"""Weights from the learner's memory straight into the engines', past the disk: NCCL between GPUs, gloo else.

    learner, rank 0   offer ── opens a store ─────── send: broadcasts every tensor
    engines           join it, in any order ──────── received: the tensors, one by one, and whether all came

Everybody meets anew for each version, so an engine that was started again, or is gone, leaves nothing behind
to mend. The version is on disk as well: whoever could not be reached reads it there.

Does not cover: adapters, which are small enough to travel as files; engines that share the learner's GPU.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from actors.engines.base import Meeting

#: Longest wait for the others to come, and for any one tensor.
STEP_S = 120.0
_LIMIT = timedelta(seconds=STEP_S)
_PRIME = (1 << 61) - 1


class Sender:
    """The learner's side of one meeting."""

    def __init__(self, host: str, receivers: int) -> None:
        self._store = dist.TCPStore(
            host, 0, receivers + 1, is_master=True, timeout=_LIMIT, wait_for_workers=False
        )
        self.meeting = Meeting(host=host, port=self._store.port, size=receivers + 1)

    def send(self, shapes: dict[str, tuple[int, ...]], tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Broadcast the tensors to everybody who joins.

        Args:
            shapes: of all of them, by name, in their order.
            tensors: of one dtype, on one device.

        Raises:
            RuntimeError: not everybody came, or somebody went away.
        """
        pairs, group, digest = iter(tensors), None, 0
        for name, tensor in pairs:
            if group is None:
                kind = str(tensor.dtype).removeprefix("torch.")
                self._store.set("what", json.dumps([kind, [[n, list(s)] for n, s in shapes.items()]]))
                group = _group(self._store, 0, self.meeting.size, tensor.device)
            if tuple(tensor.shape) != shapes[name]:
                raise RuntimeError(f"{name} has shape {tuple(tensor.shape)}, not {shapes[name]}")
            flat = _bytes(tensor)
            group.broadcast(flat, 0).wait()
            digest = _digest(digest, flat)
        assert group is not None, "there is nothing to send"
        self._store.set("digest", str(digest))
        group.barrier().wait()


def received(meeting: Meeting, device: torch.device) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a meeting, in the sender's order.

    Raises:
        RuntimeError: the sender is not there, others are missing, or what came is not what was sent.
    """
    store = dist.TCPStore(meeting.host, meeting.port, meeting.size, timeout=_LIMIT, wait_for_workers=False)
    kind, shapes = json.loads(store.get("what"))
    group = _group(store, store.add("joined", 1), meeting.size, device)
    digest = 0
    for name, shape in shapes:
        tensor = torch.empty(shape, dtype=getattr(torch, kind), device=device)
        flat = _bytes(tensor)
        group.broadcast(flat, 0).wait()
        digest = _digest(digest, flat)
        yield name, tensor
    group.barrier().wait()
    sent = int(store.get("digest"))
    if digest != sent:
        raise RuntimeError(f"weights came with digest {digest}, but were sent with {sent}")


def _group(store: Any, rank: int, size: int, device: torch.device) -> Any:
    """A group beside torch's own one, which this process may use for something else."""
    place = dist.PrefixStore("weights", store), rank, size
    if device.type != "cuda":
        return dist.ProcessGroupGloo(*place, _LIMIT)
    options = dist.ProcessGroupNCCL.Options()
    options._timeout = _LIMIT
    torch.cuda.set_device(device)
    return dist.ProcessGroupNCCL(*place, options)


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory as bytes, which every back end carries; a copy where it is not contiguous."""
    return tensor.contiguous().flatten().view(torch.uint8)


def _digest(before: int, flat: torch.Tensor) -> int:
    return (before * 1_000_003 + int(flat.sum(dtype=torch.int64))) % _PRIME
