"""Whether this machine may run what models write, told before it does."""

import sys
from collections.abc import Sequence

from actors.sandbox import isolation, slot
from protocols.domain import Domain
from protocols.isolation import Layer, weakness
from protocols.settings import RunSettings


def check(settings: RunSettings, domain: Domain) -> None:
    """Refuse a machine below the floor, or warn where it is allowed. Domains without programs need nothing,
    and the machines of a cluster look at themselves.

    Raises:
        SandboxError: names what is missing, and the cure.
    """
    if settings.runtime.address is not None or not getattr(domain, "programs", True):
        return
    found = slot.layers()
    if not settings.sandbox.allow_weaker:
        isolation.insist(found)
    warn(found)


def warn(found: Sequence[Layer]) -> None:
    """Say on the terminal that programs run below the floor."""
    weak = weakness(found)
    if weak is not None:
        print(f"warning: sandbox.allow_weaker: {weak}", file=sys.stderr)
