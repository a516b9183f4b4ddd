"""All kinds of arguments by name: the scenarios each takes, and how its values are drawn."""

from protocols.domains.zwc.bank.further_values import FURTHER
from protocols.domains.zwc.bank.grids import GRIDS
from protocols.domains.zwc.bank.values import LISTS, Draw

KINDS: dict[str, tuple[str, Draw]] = {**LISTS, **GRIDS, **FURTHER}
