"""Which roles a run has, and how many actors of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.engines.replicas import Replicas
from actors.engines.serving import ServedEngine, calls_at_once
from actors.proposer import Proposer
from actors.runtime import Role, Runtime
from actors.solver import Solver
from actors.verifier import Verifier
from protocols.settings import RunSettings


@dataclass(frozen=True)
class Cast:
    """The roles, but for the curator, which has to be there before them."""

    engine: Replicas
    learner: Role
    proposer: Role
    solvers: list[Role]
    verifiers: list[Role]


def cast(
    runtime: Runtime, settings: RunSettings, model: str, run_dir: str, learner_class: Callable[..., Any]
) -> Cast:
    """Start them, one after the other."""
    calls = calls_at_once(settings)
    served = [
        runtime.spawn(f"engine-{i}", ServedEngine, settings, model, calls=calls)
        for i in range(settings.engine.replicas)
    ]
    engine = Replicas(served, settings.runtime.restarts)
    each = -(-settings.solver.in_flight // settings.solver.replicas)
    return Cast(
        engine=engine,
        learner=runtime.spawn("learner", learner_class, settings, model, run_dir),
        proposer=runtime.spawn("proposer", Proposer, settings, engine),
        solvers=[
            runtime.spawn(f"solver-{i}", Solver, settings, engine, calls=each)
            for i in range(settings.solver.replicas)
        ],
        verifiers=[
            runtime.spawn(f"verifier-{i}", Verifier, settings) for i in range(settings.verifier.replicas)
        ],
    )
