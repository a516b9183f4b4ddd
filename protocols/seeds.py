"""Ids and seeds by hashing, so that the same work always gets the same name and the same randomness.

Python's `hash` is salted per process and `random.seed(object)` is version-dependent; BLAKE2 is neither.
"""

import hashlib
import random

import msgspec


def digest(*parts: object, size: int = 8) -> str:
    """Hex digest of `2 * size` characters over JSON-codable parts or records."""
    return hashlib.blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=size).hexdigest()


def seed_of(*parts: object) -> int:
    """An integer in [0, 2**63) for numpy, torch and random."""
    return int(digest(*parts), 16) >> 1


def rng_of(*parts: object) -> random.Random:
    """A generator of its own for every purpose: streams never shift when another one draws more."""
    return random.Random(seed_of(*parts))
