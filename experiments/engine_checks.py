"""Checks of an engine whose weights are a server's own, before a run or a measurement begins.

Such an engine serves the model as it came: what would need a version that the run learned is refused, and so
are recipes that need more of its answers than the server gives.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocols.errors import SettingError
from protocols.recipes import recipe
from protocols.records import Role
from protocols.settings import RunSettings, Sampling


def check(settings: RunSettings, model_path: Path) -> None:
    """Nothing, for engines that load what the learner publishes.

    Raises:
        SettingError: a later version would have to be served, or the recipe cannot work with this server.
        EngineError: the server cannot be used.
    """
    if not settings.engine.fixed_weights:
        return
    _check_versions(settings)
    with _engine(settings, model_path) as engine:
        print(engine.why, file=sys.stderr)
        lacks = next((why for sampling in _learned(settings) if (why := engine.lacks(sampling))), None)
    if lacks:
        raise SettingError(
            f"setting learner.recipe: {settings.learner.recipe} learns from sampled token ids and their "
            f"log-probabilities, but {lacks}; or choose a recipe that imitates, e.g. closed-sft"
        )


def require_initial(settings: RunSettings, version: int) -> None:
    """Raises:
    SettingError: it is another version than the engine serves.
    """
    if version != 0:
        raise SettingError(
            f"setting engine.kind: the {settings.engine.kind} engine serves fixed weights and cannot measure "
            f"version {version} of a run; write --set engine.kind=transformers, or --version 0"
        )


def reached(settings: RunSettings, model_path: Path) -> str:
    """Which model will answer, and how it is asked.

    Raises:
        EngineError: the server cannot be used.
    """
    with _engine(settings, model_path) as engine:
        return str(engine.why)


def _check_versions(settings: RunSettings) -> None:
    kind = settings.engine.kind
    why = f"the {kind} engine serves fixed weights, and cannot answer with what was learned"
    if (settings.solver.rounds or settings.rounds) > 1:
        asked = {"solver": settings.solver.policy}
        if settings.proposer.per_round:
            asked["proposer"] = settings.proposer.policy
        for role, policy in asked.items():
            if policy == "current":
                raise SettingError(
                    f"setting {role}.policy: {why}; write --set {role}.policy=initial, or another engine.kind"
                )
    if settings.evaluation.every:
        raise SettingError(
            f"setting evaluation.every: {why}; write --set evaluation.every=0, and measure it later: "
            "taskspace eval RUN --set engine.kind=transformers"
        )


def _learned(settings: RunSettings) -> list[Sampling]:
    """How those answers are sampled that a policy gradient learns from."""
    plan = recipe(settings.learner.recipe)
    if plan.algorithm == "sft":
        return []
    roles = {Role.SOLVER: settings.solver.sampling, Role.PROPOSER: settings.proposer.sampling}
    return [roles[role] for role in plan.roles]


@contextlib.contextmanager
def _engine(settings: RunSettings, model_path: Path) -> Iterator[Any]:
    from actors.engines.factory import make_engine

    engine = make_engine(settings.engine, model_path)
    try:
        yield engine
    finally:
        engine.close()
