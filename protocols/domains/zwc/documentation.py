"""Documentation of an obfuscated library, rewritten deterministically from the real docstrings."""

from dataclasses import dataclass
from typing import Literal

from protocols.domains.zwc.functions import EXAMPLES
from protocols.domains.zwc.obfuscate import Library

Length = Literal["brief", "full"]


@dataclass(frozen=True)
class Proof:
    """How many examples were executed against the package, and how many printed what they say."""

    ran: int
    matched: int


def document(library: Library, length: Length = "brief") -> dict[str, str]:
    """Documentation by obfuscated dotted name."""
    from protocols.domains.zwc.client import build
    from protocols.domains.zwc.service import Service

    package = build(library.package, library.public, Service(library.blob).handle)
    made = {}
    for original, public in library.entries.items():
        call = f"{library.package}.{public}({EXAMPLES.get(original, '[1, 2, 3]')})"
        made[public] = f">>> {call}\n{eval(call, {library.package: package})!r}"
    return made


def prove(library: Library) -> Proof:
    raise NotImplementedError
