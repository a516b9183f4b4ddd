"""Throughput of one part at a time, against the number of its actors, in a real Ray.

Each function starts the most actors that are asked for and measures with the first 1, 2, 4 ... of them; those
that have nothing to do cost nothing. What the part is offered is never what it waits for.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from actors.curator import Curator
from actors.engines.base import Weights
from actors.engines.replicas import Replicas
from actors.engines.serving import ServedEngine
from actors.ray_runtime import RayRuntime
from actors.runtime import InlineRuntime, Pending, Role
from actors.solver import Solver
from actors.verifier import Verifier
from experiments.benchmarks.scaling_work import GROUP_SIZE, JudgedGroups, cpu_s, plays, settings_of, tasks_of
from protocols.records import Group, Task
from protocols.runtime_settings import RuntimeSettings
from protocols.settings import RunSettings

WEIGHTS = Weights(version=0, path="")
DEADLINE_S = 300.0
CALLS_EACH = 2  # under way for each verifier and each engine, so that none waits for the next one
JUDGED_GROUPS = 4  # in one call of a verifier
SWEEPS = 5  # at least so many calls for each one under way


def verification(counts: Sequence[int], seconds: float) -> dict[str, Any]:
    """Programs per second by verifiers, each with one sandbox slot; the programs are scripted answers.

    Returns:
        by number of verifiers: programs/s, how many different cores their slots are on, and the CPU seconds
        of a program, verifier and sandbox together.
    """
    settings = settings_of()
    groups, tasks = _answered(settings, JUDGED_GROUPS)
    programs = sum(len(group.attempts) for group in groups)
    found: dict[str, Any] = {"rates": {}, "cores": {}, "cpu_s": {}}
    runtime = RayRuntime(settings.runtime)
    try:
        roles = [runtime.spawn(f"verifier-{i}", Verifier, settings) for i in range(max(counts))]
        for role in roles:  # two at a time would compete for the cores that they start on
            role.call("judge", groups, tasks, deadline_s=DEADLINE_S, reason="a warm sandbox")
        pids = runtime.pids()
        for n in counts:
            used = [pids[role.name] for role in roles[:n]]
            before = cpu_s(used, whole_tree=True)
            rate, calls = _drive(runtime, roles[:n] * CALLS_EACH, ("judge", groups, tasks), seconds)
            found["rates"][n] = rate * programs
            found["cores"][n] = len({core for pid in used for core in _cores_of(pid)})
            found["cpu_s"][n] = (cpu_s(used, whole_tree=True) - before) / (calls * programs)
    finally:
        runtime.close()
    return found


def _cores_of(pid: int) -> set[int]:
    """Where the one slot of a verifier's pool is: see `actors.sandbox.pool.cores`."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[pid % len(allowed)]}


def _answered(settings: RunSettings, count: int) -> tuple[list[Group], dict[str, Task]]:
    """Groups as a solver makes them, in this process, and their tasks by id."""
    runtime = InlineRuntime()
    engine = Replicas([runtime.spawn("engine-0", ServedEngine, settings, "")], 1)
    chosen = list(itertools.islice(plays(settings), count))
    groups = Solver(settings, engine).play(chosen, WEIGHTS)  # type: ignore[arg-type]
    return groups, {play.task.id: play.task for play in chosen}


def rollouts(counts: Sequence[int], seconds: float, latency_s: float) -> dict[str, Any]:
    """Groups per second by engine replicas that take one call at a time and `latency_s` for it.

    The engines' latency is simulated; engine actors, solver and Ray are real. Nothing is judged.

    Returns:
        by number of engines: groups/s; and the core-seconds of a group in the solver and in the engines,
        measured with the most of them.
    """
    most = max(counts)
    settings = settings_of(
        engine={"scripted": {"latency_s": latency_s}, "replicas": most},
        solver={"batch_groups": 1, "in_flight": CALLS_EACH * most},
    )
    found: dict[str, Any] = {"rates": {}}
    runtime = RayRuntime(settings.runtime)
    try:
        engines = [runtime.spawn(f"engine-{i}", ServedEngine, settings, "", calls=1) for i in range(most)]
        for role in engines:
            role.call("serve", WEIGHTS, deadline_s=DEADLINE_S, reason="an engine")
        stream = plays(settings)
        for n in counts:
            calls = CALLS_EACH * n
            solver = runtime.spawn(f"solver-{n}", Solver, settings, Replicas(engines[:n], 1), calls=calls)
            solver.call("play", [next(stream)], WEIGHTS, deadline_s=DEADLINE_S, reason="a warm solver")
            pids = runtime.pids()
            own, others = [pids[solver.name]], [pids[role.name] for role in engines[:n]]
            before = cpu_s(own), cpu_s(others)
            rate, made = _drive(runtime, [solver] * calls, ("play", [stream], WEIGHTS), seconds)
            found["rates"][n] = rate
            found["solver_cpu_s"] = (cpu_s(own) - before[0]) / made
            found["engine_cpu_s"] = (cpu_s(others) - before[1]) / made
    finally:
        runtime.close()
    return found


def _drive(
    runtime: RayRuntime, roles: Sequence[Role], call: tuple[Any, ...], seconds: float
) -> tuple[float, int]:
    """Keep one call under way for each entry of `roles`, for about so long or `SWEEPS` calls each.

    Returns:
        calls ended per second, start and end left out; and how many were made in all.
    """
    method, work, argument = call
    stream = work[0] if hasattr(work[0], "__next__") else None

    def submit(role: Role) -> Pending:
        return role.submit(method, [next(stream)] if stream else work, argument)

    under_way = {submit(role): role for role in roles}
    made, ends = len(under_way), []
    until = time.monotonic() + seconds
    while under_way:
        for pending in runtime.wait(list(under_way), DEADLINE_S):
            pending.result(DEADLINE_S, "a call of a benchmark")
            role = under_way.pop(pending)
            ends.append(time.monotonic())
            if ends[-1] < until or made < SWEEPS * len(roles):
                under_way[submit(role)] = role
                made += 1
    whole = ends[len(roles) - 1 : len(ends) - len(roles) + 1]  # while all calls were under way
    if len(whole) < 2:
        raise RuntimeError(f"{roles[0].name}: {made} calls in {seconds} s are too few to measure")
    return (len(whole) - 1) / (whole[-1] - whole[0]), made


class Producer:
    """Offers the curator judged groups that it made beforehand, one batch after the other."""

    def __init__(self, curator: Role, task_ids: Sequence[str], number: int) -> None:
        self._curator = curator
        self._groups = JudgedGroups(task_ids, GROUP_SIZE, 100, f"producer {number}")

    def prepare(self, batches: int, groups: int) -> None:
        self._batches = [self._groups.take(groups) for _ in range(batches)]

    def offer(self) -> tuple[float, float]:
        """When it began and ended, on the wall clock."""
        began = time.time()
        for batch in self._batches:
            self._curator.call("admit", batch, deadline_s=DEADLINE_S, reason="a batch")
        return began, time.time()


def admission(counts: Sequence[int], batch_groups: Sequence[int], groups: int) -> dict[int, dict[int, float]]:
    """Groups per second that one curator admits into its store, by groups in a transaction and by producers.

    Args:
        groups: how many are offered in each measurement; 4 times as many where batches hold several.
    """
    settings = settings_of()
    found: dict[int, dict[int, float]] = {}
    runtime = RayRuntime(RuntimeSettings())
    try:
        with tempfile.TemporaryDirectory(prefix="taskspace-bench-") as folder:
            curator = runtime.spawn("curator", Curator, settings, folder)
            curator.call("open", deadline_s=DEADLINE_S, reason="a store")
            ids = [task.id for task in tasks_of(settings)]
            producers = [
                runtime.spawn(f"producer-{i}", Producer, curator, ids, i) for i in range(max(counts))
            ]
            _offer(producers, 1, 1)
            for size in batch_groups:
                wanted = groups if size == 1 else 4 * groups
                found[size] = {n: _offer(producers[:n], max(1, wanted // (n * size)), size) for n in counts}
            curator.call("close", deadline_s=DEADLINE_S, reason="a store")
    finally:
        runtime.close()
    return found


def _offer(producers: Sequence[Role], batches: int, groups: int) -> float:
    """Groups per second, from the first offer to the last answer."""
    for pending in [role.submit("prepare", batches, groups) for role in producers]:
        pending.result(DEADLINE_S, "prepared batches")
    offered = [role.submit("offer") for role in producers]
    times = [pending.result(DEADLINE_S, "admitted batches") for pending in offered]
    seconds = max(end for _, end in times) - min(began for began, _ in times)
    return len(producers) * batches * groups / seconds
