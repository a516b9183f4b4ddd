"""Where a run comes from that was branched from another one, and under which settings its rounds were played.

`facts["branched_from"]` of a branch:

    run              name of the source's folder
    round            the last one that both have
    policy_version   at its end
    checksum         of everything played and learned up to then (`checksum_until`); both runs give the same
    settings         {key: the source's value} of the settings that were changed
    branched_from    the source's own origin, where it is a branch itself

How a branch is made is `memory.branching`.
"""

import copy
import hashlib
from typing import Any

from memory.reader import RunReader


def origin_of(reader: RunReader) -> dict[str, Any] | None:
    """What `facts` say about it; None where the run began by itself."""
    found: dict[str, Any] | None = reader.facts().get("branched_from")
    return found


def config_at(reader: RunReader, round: int) -> dict[str, Any]:
    """The settings that a round was played under: in a branch, the source's for the rounds taken from it."""
    config = copy.deepcopy(reader.config())
    origin = origin_of(reader)
    while origin is not None and round <= origin["round"]:
        for key, value in origin["settings"].items():
            *sections, name = key.split(".")
            inner = config
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[name] = value
        origin = origin.get("branched_from")
    return config


def checksum_until(reader: RunReader, round: int) -> str:
    """BLAKE2b over the attempts, verdicts and weights up to a round, in the order of admission."""
    total = hashlib.blake2b(digest_size=16)
    for sql in (_ATTEMPTS, _UPDATES):
        for row in reader.tuples(sql, [round]):
            total.update(repr(row).encode())
    return total.hexdigest()


_ATTEMPTS = """SELECT a.id, g.id, g.policy_version, response.hash, k.token_ids, k.logprobs, a.reward,
  a.category
FROM attempts a JOIN groups g ON g.id = a.group_id JOIN texts response ON response.id = a.response_text
JOIN tokens k ON k.attempt_seq = a.seq WHERE g.round <= ? ORDER BY a.seq"""

_UPDATES = "SELECT version, round, checksum FROM updates WHERE round <= ? ORDER BY version"
