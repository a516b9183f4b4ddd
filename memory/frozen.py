"""Stores that are for looking, statistics and learning from, not for going on with: merged, imported, pruned
or mended ones. They say so in their facts, and whoever would resume them reads it there.
"""

from collections.abc import Mapping
from typing import Any

KEY = "not_resumable"


def frozen(facts: Mapping[str, Any], why: str) -> dict[str, Any]:
    """The facts with one more reason, such as "merged from a and b"."""
    reasons = list(facts.get(KEY, []))
    return {**facts, KEY: [*reasons, why] if why not in reasons else reasons}


def reasons(facts: Mapping[str, Any]) -> list[str]:
    """Why a run cannot be gone on with; [] where it can."""
    return [str(reason) for reason in facts.get(KEY, [])]
