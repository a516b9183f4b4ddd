"""Several ranks as plain processes with gloo, for tests; and what a learner's weights are."""

import datetime
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from actors.learning import ranks as ranking
from actors.learning.mixed import MixedAdamW
from actors.learning.ranks import Ranks
from actors.learning.sharding import whole
from actors.learning.states import by_name


def together(size: int, folder: Path, work: Callable[..., Any], *args: Any) -> list[Any]:
    """What `work(ranks, *args)` returns on each of `size` ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    mp.spawn(_rank, (size, port, folder, work, args), nprocs=size)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


def _rank(rank: int, size: int, port: int, folder: Path, work: Callable[..., Any], args: Any) -> None:
    store = dist.TCPStore("127.0.0.1", port, size, rank == 0, datetime.timedelta(seconds=60))
    joined: Ranks = ranking.join(store, rank, size, torch.device("cpu"), 60)
    torch.save(work(joined, *args), folder / f"{rank}.pt")
    ranking.leave()


def weights_of(learner: Any) -> dict[str, torch.Tensor]:
    """The trained parameters in float32, whole; all ranks have to ask."""
    optimiser, kind = learner.optimiser, "master."
    state = optimiser.state_dict()
    if isinstance(optimiser, MixedAdamW):
        state = by_name(state, optimiser.shapes())
    return {
        name.removeprefix(kind): whole(tensor).clone()
        for name, tensor in state.items()
        if name.startswith(kind)
    }


def apart(
    one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], first: dict[str, torch.Tensor]
) -> float:
    """How far two sets of weights are from each other, in proportion to how far one has come from `first`."""
    assert one.keys() == other.keys() == first.keys()
    norms = [
        torch.cat([(a[name].double() - b[name].double()).flatten() for name in one]).norm()
        for a, b in ((one, other), (one, first))
    ]
    return float(norms[0] / norms[1])
