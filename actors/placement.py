"""Where actors go on a cluster: what each role asks for, whether that fits, and in which bundle it lands.

A bundle is what Ray reserves on one node. With the layout `separate` every actor that asks for anything has a
bundle of its own; with `colocated` engine i and learner rank i share one bundle and its GPU, in turns.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.errors import SettingError
from protocols.settings import RunSettings

Resources = dict[str, float]
"""Amounts by Ray's names: CPU, GPU, memory (bytes), or a resource of the cluster's own."""

_RAY_NAMES = {"num_cpus": "CPU", "num_gpus": "GPU"}


@dataclass(frozen=True)
class Demand:
    """What one actor needs; `kind` is its role, `index` its number in it."""

    kind: str
    index: int
    needs: Mapping[str, float]

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.index}"


@dataclass(frozen=True)
class Bundle:
    """Actors that are placed together, and what they need together."""

    members: tuple[Demand, ...]
    needs: Mapping[str, float]
    shared: bool = False  # its members use the same resources in turns


def demands_of(settings: RunSettings) -> list[Demand]:
    """What the actors of a run ask for, those left out that ask for nothing."""
    counts = {
        "curator": 1,
        "engine": settings.engine.replicas,
        "learner": settings.learner.ranks,
        "proposer": 1,
        "solver": settings.solver.replicas,
        "verifier": settings.verifier.replicas,
    }
    unknown = sorted(set(settings.runtime.resources) - set(counts))
    if unknown:
        raise SettingError(
            f"setting runtime.resources: there is no role {unknown[0]}; choose among {', '.join(counts)}"
        )
    found = []
    for kind, count in counts.items():
        asked = settings.runtime.resources.get(kind, {})
        needs = {_RAY_NAMES.get(name, name): amount for name, amount in asked.items() if amount}
        found += [Demand(kind, index, needs) for index in range(count) if needs]
    return found


def bundles_of(demands: Sequence[Demand], layout: str) -> list[Bundle]:
    """What has to be reserved.

    Raises:
        SettingError: engines and learner ranks cannot be paired, as `colocated` has it.
    """
    alone = [
        demand for demand in demands if layout != "colocated" or demand.kind not in ("engine", "learner")
    ]
    bundles = [Bundle((demand,), demand.needs) for demand in alone]
    if layout != "colocated":
        return bundles
    engines = [demand for demand in demands if demand.kind == "engine"]
    ranks = [demand for demand in demands if demand.kind == "learner"]
    if not engines or len(engines) != len(ranks):
        raise SettingError(
            f"setting runtime.layout: colocated pairs every engine with a learner rank, but {len(engines)} "
            f"engines and {len(ranks)} ranks ask for resources; make engine.replicas and learner.ranks "
            "equal, and give both roles runtime.resources"
        )
    for engine, rank in zip(engines, ranks):
        names = {*engine.needs, *rank.needs}
        both = {name: max(engine.needs.get(name, 0), rank.needs.get(name, 0)) for name in names}
        bundles.append(Bundle((engine, rank), both, shared=True))
    return bundles


def missing(bundles: Sequence[Bundle], nodes: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Which bundles find no place, in words; [] when all of them do.

    Largest first, each into the first node with room: what this places can be placed; what it does not might
    be, by another order, where bundles of several kinds only just fit.

    Args:
        nodes: resources that each node has in all, by the node's name.
    """
    left = {node: dict(has) for node, has in nodes.items()}
    told: Counter[str] = Counter()
    for bundle in sorted(bundles, key=lambda one: sorted(one.needs.values()), reverse=True):
        for room in left.values():
            if all(room.get(name, 0) >= amount for name, amount in bundle.needs.items()):
                for name, amount in bundle.needs.items():
                    room[name] -= amount
                break
        else:
            who = " with ".join(sorted({member.kind for member in bundle.members}))
            most = {
                name: max((has.get(name, 0) for has in left.values()), default=0) for name in bundle.needs
            }
            short = [
                f"{amount:g} {name} on one node, where the most left is {most[name]:g}"
                for name, amount in sorted(bundle.needs.items())
                if most[name] < amount
            ]
            told[f"{who} asks for {' and '.join(short) or 'more than any one node has left'}"] += 1
    return [f"{line} ({count} times)" if count > 1 else line for line, count in told.items()]
