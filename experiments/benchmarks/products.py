"""What share of a learner's step its matrix products take, and how fast they are against large ones.

The share is of the cores' time: seconds in products of all lanes, over the steps' seconds on all cores.
Attention's products of single heads are counted apart, since no library reaches its peak on them.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmarks.contenders import apart
from protocols.learner_settings import LearnerSettings

NEEDED = {4: 0.55, 16: 0.65}  # by batch size

_STEPS = 4
_LINEAR = ("aten::mm", "aten::addmm")
_ATTENTION = ("aten::bmm", "aten::baddbmm")
_LARGE = 2048  # rows and columns of the products that tell the peak


def run(model: Path, batch_size: int) -> dict[str, Any]:
    """In a process of its own: all weights but the embeddings learn canonical answers, closed book.

    Returns:
        seconds a step; the shares of matrix products and of attention's; GFLOPS of the first, and of large
        products of the learner's format on all cores (`peak_gflops`).
    """
    return apart(__name__, str(batch_size), {"model": str(model)})


def _measure(model: Path, batch_size: int, folder: Path) -> dict[str, Any]:
    from torch._C._profiler import _ExperimentalConfig
    from torch.profiler import ProfilerActivity, profile

    from actors.learning.sft import SftLearner
    from experiments.benchmarks.learner import samples_of

    settings = LearnerSettings(batch_size=batch_size, epochs=1, train_embeddings=False, device="cpu")
    learner = SftLearner(model, settings, folder, 1)
    samples = samples_of(model, batch_size * (_STEPS + 1))
    ends: list[float] = []
    # torch profiles the thread that asks unless it is told otherwise, and lanes are others.
    profiler = profile(
        activities=[ProfilerActivity.CPU],
        experimental_config=_ExperimentalConfig(profile_all_threads=True),
        with_flops=True,
    )

    def told(done: int, steps: int, _: float) -> None:
        if done == 1:  # kernels and allocators are warm
            profiler.start()
        ends.append(time.perf_counter())
        if done == steps:
            profiler.stop()

    learner.learn(samples, 1, 0, "closed-sft", told)
    seconds = ends[-1] - ends[0]
    found = profiler.key_averages()

    def of(names: tuple[str, ...]) -> tuple[float, float]:
        """Core seconds, and floating-point operations."""
        some = [event for event in found if event.key in names]
        return sum(e.self_cpu_time_total for e in some) / 1e6, sum(e.flops for e in some)

    cores = learner.lanes.count  # one thread each here: products of several threads count their waiting too
    linear, operations = of(_LINEAR)
    return {
        "seconds_a_step": round(seconds / _STEPS, 3),
        "share": round(linear / (cores * seconds), 3),
        "attention_share": round(of(_ATTENTION)[0] / (cores * seconds), 3),
        "gflops": round(operations / (linear / cores) / 1e9, 0),
        "peak_gflops": round(_peak(learner.dtype), 0),
        "lanes": cores,
    }


def _peak(dtype: Any) -> float:
    """GFLOPS of a large product of the learner's format, the best of several, on all threads."""
    import torch

    matrix = torch.randn(_LARGE, _LARGE, dtype=dtype)
    best = float("inf")
    for _ in range(6):
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        best = min(best, time.perf_counter() - began)
    return 2 * _LARGE**3 / best / 1e9


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        chosen = json.loads(sys.argv[2])
        print(json.dumps(_measure(Path(chosen["model"]), int(sys.argv[1]), Path(scratch))))
