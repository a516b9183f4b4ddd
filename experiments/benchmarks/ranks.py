"""Tokens per second of two ranks against one process: same samples, same batches, same cores.

Both learn all parameters of the same model. On the same cores two ranks cannot be much faster; what is
measured is what sharding and exchanging cost where they are not needed. Ranks are plain processes with gloo.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from experiments.benchmarks import learner
from experiments.benchmarks.contenders import apart
from protocols.cores import usable_cores
from protocols.learner_settings import LearnerSettings

SAME = 0.02  # nats between the losses of a step, in bfloat16

_DEADLINE_S = 600.0


def run(model: str = "smollm2-135m-instruct", samples: int = 48, batch_size: int = 16) -> dict[str, Any]:
    """Learn with both and compare.

    Returns:
        for `one` and `two`: tokens per second and the largest peak memory of a process; the ratio of the
        speeds, and the largest difference between the losses of a step.
    """
    from memory.artefacts import fetch_model

    settings = {"batch_size": batch_size, "warmup": 0.0, "device": "cpu", "micro_tokens": 512}
    task = {"model": str(fetch_model(model)), "samples": samples, "settings": settings, "seed": 1}
    found = {name: apart(__name__, name, task) for name in ("one", "two")}
    losses = [found[name].pop("losses") for name in ("one", "two")]
    difference = max(abs(a - b) for a, b in zip(*losses, strict=True))
    return {
        "cores": usable_cores(),
        "steps": len(losses[0]),
        **found,
        "ratio": round(found["two"]["tokens_per_s"] / found["one"]["tokens_per_s"], 2),
        "loss_difference": round(difference, 4),
        "passed": difference <= SAME,
    }


def _learned(task: dict[str, Any], folder: Path, ranks: Any = None) -> dict[str, Any]:
    from actors.learning.sft import SftLearner

    model, settings = Path(task["model"]), LearnerSettings(**task["settings"])
    samples = learner.samples_of(model, task["samples"])
    batches = learner.batches_of(model, samples, settings, task["seed"])
    trainee = SftLearner(model, settings, folder, task["seed"], ranks=ranks)
    ends: list[tuple[float, float]] = []
    update = trainee.learn(samples, 1, 0, "closed-sft", lambda *_: ends.append(learner.now()))
    return learner.measured(ends, batches, list(update.losses))


def _rank(rank: int, port: int, task: dict[str, Any], folder: str) -> None:
    import torch

    from actors.learning import ranks

    store = ranks.store_at("127.0.0.1", port, 2, _DEADLINE_S)
    joined = ranks.join(store, rank, 2, torch.device("cpu"), _DEADLINE_S)
    told = _learned(task, Path(folder) / "run", joined)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(told))
    ranks.leave()


def _two(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    import torch.multiprocessing as processes

    from actors.learning.ranks import free_store

    store = free_store("127.0.0.1", 2, _DEADLINE_S)
    processes.spawn(_rank, (store.port, task, str(folder)), nprocs=2)
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    del first["tokens_per_cpu_s"]  # of one rank only
    return {**first, "peak_gb": max(first["peak_gb"], second["peak_gb"])}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        contender = {"one": _learned, "two": _two}[sys.argv[1]]
        print(json.dumps(contender(json.loads(sys.argv[2]), Path(scratch))))
