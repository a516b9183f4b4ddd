"""What one piece of work costs the curator, the store and Ray: the constants of `saturation`."""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from actors.curator import Curator
from actors.ray_runtime import RayRuntime
from actors.runtime import Pending
from experiments.benchmarks.scaling_parts import DEADLINE_S
from experiments.benchmarks.scaling_work import JudgedGroups, settings_of, tasks_of
from protocols.runtime_settings import RuntimeSettings

#: Groups in a transaction, attempts of a group, tokens of an attempt: what curator seconds are fitted to.
SHAPES = (
    *((groups, size, 100) for groups in (1, 4, 16, 64) for size in (1, 4, 16)),
    *((groups, 4, tokens) for groups in (4, 16) for tokens in (25, 400, 1600)),
)
#: Tokens of an attempt: what bytes of the store file are fitted to.
LENGTHS = (25, 100, 400, 1600)
PAUSE_S = 0.02  # between calls, as there is between batches


def fit(features: Sequence[Sequence[float]], seconds: Sequence[float]) -> tuple[list[float], float]:
    """Least squares of relative errors, no coefficient below 0.

    Returns:
        the coefficients, and the root of the mean squared relative error.
    """
    weights = 1 / np.asarray(seconds)
    weighted = np.asarray(features, dtype=float) * weights[:, None]
    found, error = nnls(weighted, np.ones(len(seconds)))
    return found.tolist(), float(error) / math.sqrt(len(seconds))


def curator(repeats: int, shapes: Sequence[tuple[int, int, int]] = SHAPES) -> dict[str, float]:
    """Seconds of the curator's actor to admit: of the call, each group, attempt and token; and for a stage.

    The batches lie in the object store beforehand and all calls are made at once, so that the actor is never
    idle: it takes a batch out, admits it in one transaction, and answers. `transaction_share` is how much of
    the time goes to the latter: the same batches in this process, where nothing has to be taken out.
    `put_group_s` is what it costs another process to put a group of 4 attempts of 100 tokens there.
    No buffer and no proposed tasks: both add to it.
    """
    import ray

    settings = settings_of()
    ids = [task.id for task in tasks_of(settings)]
    inside: list[float] = []
    whole: list[float] = []
    put: list[float] = []
    runtime = RayRuntime(settings.runtime)
    with tempfile.TemporaryDirectory(prefix="taskspace-bench-") as folder:
        role = runtime.spawn("curator", Curator, settings, f"{folder}/actor")
        here = Curator(settings, f"{folder}/here")
        warm = JudgedGroups(ids, 1, 1, "warm").take(1)
        here.open()
        here.admit(warm)
        role.call("open", deadline_s=DEADLINE_S, reason="a store")
        role.call("admit", warm, deadline_s=DEADLINE_S, reason="a store")
        for number, (groups, size, tokens) in enumerate(shapes):
            made = JudgedGroups(ids, size, tokens, f"shape {number}")
            batches = [made.take(groups) for _ in range(repeats)]
            inside.append(statistics.median(_seconds(here.admit, batch) for batch in batches))
            began = time.perf_counter()
            refs = [ray.put(batch) for batch in batches]
            if (size, tokens) == (4, 100):
                put.append((time.perf_counter() - began) / (repeats * groups))
            whole.append(_each([role.submit("admit", ref) for ref in refs]))
        stage = (1, "solver", "play", 0.0, 1.0, {"groups": 1})
        stage_s = _each([role.submit("add_stage", *stage) for _ in range(20 * repeats)])
        here.close()
        runtime.close()
    features = [(1, b, b * size, b * size * tokens) for b, size, tokens in shapes]
    (admit, group, attempt, token), error = fit(features, whole)
    return {
        "admit_s": admit,
        "admit_group_s": group,
        "admit_attempt_s": attempt,
        "admit_token_s": token,
        "stage_s": stage_s,
        "put_group_s": put[-1],
        "curator_fit_error": error,
        "transaction_share": sum(inside) / sum(whole),
        "transaction_s": fit(features, inside)[0][0],
    }


def _each(calls: Sequence[Pending]) -> float:
    """Seconds between the ends of calls that were all made at once to one actor, start left out."""
    calls[0].result(DEADLINE_S, "the first call")
    began = time.perf_counter()
    for call in calls[1:]:
        call.result(DEADLINE_S, "a call")
    return (time.perf_counter() - began) / (len(calls) - 1)


def _seconds(call: Callable[..., Any], *args: Any) -> float:
    began = time.perf_counter()
    call(*args)
    return time.perf_counter() - began


def store_bytes(attempts: int) -> dict[str, float]:
    """Bytes of the store's file: of each attempt in groups of 4, and of each of its tokens with its text."""
    sizes = [_file_bytes(attempts, tokens) / attempts for tokens in LENGTHS]
    (attempt, token), error = fit([(1, tokens) for tokens in LENGTHS], sizes)
    return {"attempt_bytes": attempt, "token_bytes": token, "bytes_fit_error": error}


def _file_bytes(attempts: int, tokens: int) -> int:
    """What so many attempts add to a store that has its tasks."""
    settings = settings_of()
    made = JudgedGroups([task.id for task in tasks_of(settings)], 4, tokens, "bytes")
    with tempfile.TemporaryDirectory(prefix="taskspace-bench-") as folder:
        path = Path(folder) / "run.db"
        sizes = []
        for groups in (0, attempts // 4):
            role = Curator(settings, folder)
            role.open()
            if groups:
                role.admit(made.take(groups))
            role.close()  # folds the log into the file
            sizes.append(path.stat().st_size)
    return sizes[1] - sizes[0]


class Idle:
    """An actor that does nothing."""

    def nothing(self) -> None:
        return


def round_trip(calls: int) -> dict[str, float]:
    """Seconds of a call to an actor that does nothing: after a pause, as between batches; one right after the
    other; and among many that are under way."""
    runtime = RayRuntime(RuntimeSettings())
    try:
        role = runtime.spawn("idle", Idle)

        def call() -> None:
            role.call("nothing", deadline_s=DEADLINE_S, reason="an idle actor")

        for _ in range(20):
            call()
        busy = [_seconds(call) for _ in range(calls)]
        rested = []
        for _ in range(calls // 4):
            time.sleep(PAUSE_S)
            rested.append(_seconds(call))
        began = time.perf_counter()
        for pending in [role.submit("nothing") for _ in range(calls)]:
            pending.result(DEADLINE_S, "nothing")
        many = (time.perf_counter() - began) / calls
    finally:
        runtime.close()
    return {
        "round_trip_s": statistics.median(rested),
        "round_trip_at_once_s": statistics.median(busy),
        "call_among_many_s": many,
    }


def wire_bytes(tokens: int = 100) -> dict[str, int]:
    """Bytes of a group of 4 attempts as Ray carries it: played from solver to driver and on to the verifier,
    judged from there to the driver and on to the curator."""
    import ray.cloudpickle

    judged = JudgedGroups(["task"], 4, tokens, "wire").take(16)
    played = ray.cloudpickle.dumps([one.group for one in judged], protocol=5)
    with_verdicts = ray.cloudpickle.dumps(judged, protocol=5)
    each = {"played_bytes": len(played) // 16, "judged_bytes": len(with_verdicts) // 16}
    return each | {"wire_bytes": 2 * sum(each.values())}
