"""The processes that learn together, as each of them sees them.

All of them run the same program on the same samples. What differs is which micro-batches they compute and
which shard of every parameter they keep; what they have to tell each other goes through here. One process
alone is the same with nothing to tell.

Does not cover: who starts the processes (`group`), how parameters are sharded (`sharding`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from actors.learning.balance import balanced
from actors.learning.packing import Example, divided, rows

Row = TypeVar("Row", bound=Example)


@dataclass(frozen=True)
class Ranks:
    """This process is the `rank`-th of `size`. A wait for the others ends with a RuntimeError of torch."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """It writes what is written once."""
        return self.rank == 0

    def parts(self, batch: Sequence[Row], micro_tokens: int, lanes: int = 1) -> list[tuple[list[Row], bool]]:
        """This rank's micro-batches, balanced by their tokens; False for one that counts nothing.

        All ranks get equally many, because each forward and backward pass is one of all of them: who has
        fewer computes the shortest sequence for company. A batch is cut finely enough to give each some.

        Args:
            micro_tokens: rows that are computed at once, by all lanes of a rank together.
        """
        if not batch:
            return []
        parts = divided(batch, micro_tokens // lanes, self.size * lanes)
        if self.size == 1:
            return [(part, True) for part in parts]
        shares = balanced([rows(part) for part in parts], self.size)
        own = [(parts[index], True) for index in shares[self.rank]]
        idle = ([min(batch, key=len)], False)
        return own + [idle] * (max(map(len, shares)) - len(own))

    def total(self, values: Sequence[float]) -> list[float]:
        """Sums over all ranks, in float64."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(sums)
        return sums.tolist()

    def exchanged(
        self, found: Mapping[int, torch.Tensor], shapes: Sequence[tuple[int, ...]], device: torch.device
    ) -> list[torch.Tensor]:
        """What all ranks found, in order; everything has been found by exactly one of them.

        Args:
            found: float32 tensors by their place.
            shapes: of all of them.
        """
        if self.size == 1:
            return [found[place] for place in range(len(shapes))]
        sizes = [torch.Size(shape).numel() for shape in shapes]
        flat = torch.zeros(sum(sizes), device=device)
        pieces = flat.split(sizes)
        for place, value in found.items():
            pieces[place].copy_(value.flatten())
        dist.all_reduce(flat)
        return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def meet(self) -> None:
        """Wait until all are here."""
        if self.size > 1:
            dist.barrier()


def free_store(host: str, size: int, timeout_s: float) -> Any:
    """A store of rank 0, on a port of its own (`.port`), where the others will find it."""
    return dist.TCPStore(
        host, 0, size, is_master=True, timeout=timedelta(seconds=timeout_s), wait_for_workers=False
    )


def store_at(host: str, port: int, size: int, timeout_s: float) -> Any:
    """The store that rank 0 opened."""
    return dist.TCPStore(host, port, size, timeout=timedelta(seconds=timeout_s))


def is_loss_of_contact(error: RuntimeError) -> bool:
    """Whether a computation ended because another rank is gone, or silent for too long."""
    signs = ("gloo", "connection", "socket", "timed out waiting")  # gloo has no class of its own for it
    return isinstance(error, dist.DistError) or any(sign in str(error).lower() for sign in signs)


def join(store: Any, rank: int, size: int, device: torch.device, timeout_s: float) -> Ranks:
    """Meet the other ranks at a store.

    Raises:
        RuntimeError: they did not come within `timeout_s` seconds (torch's DistStoreError).
    """
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group(
        # Next to NCCL gloo carries what lies in main memory: sums of plain numbers, plans of checkpoints.
        "cpu:gloo,cuda:nccl" if cuda else "gloo",
        store=store,
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=timeout_s),
    )
    return Ranks(rank, size)


def leave() -> None:
    """Part from the others, if they ever met."""
    if dist.is_initialized():
        dist.destroy_process_group()
