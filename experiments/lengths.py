"""Answers that were cut: more than a tenth of them says that the longest one is set too short."""

from collections.abc import Mapping

from memory.reader import RunReader
from protocols.engine_settings import Sampling
from protocols.settings import RunSettings

SHARE = 0.1

Cut = Mapping[str, tuple[int, int]]
"""By purpose (collect, evaluate): answers that reached the longest length, and all of them."""


def cut_of(reader: RunReader) -> dict[str, tuple[int, int]]:
    """Of a whole run."""
    rows = reader.rows(
        "SELECT g.purpose, sum(a.finish = 'length') AS cut, count(*) AS n FROM attempts a"
        " JOIN groups g ON g.id = a.group_id GROUP BY g.purpose ORDER BY g.purpose"
    )
    return {row["purpose"]: (row["cut"], row["n"]) for row in rows}


def warnings(cut: Cut, settings: RunSettings) -> list[str]:
    """A line for each purpose with too many of them."""
    sampled = {
        "collect": ("solver", settings.solver.sampling),
        "evaluate": ("evaluation", settings.evaluation.sampling),
    }
    return [
        warning(*cut[purpose], *sampled[purpose])
        for purpose in sampled
        if purpose in cut and too_many(*cut[purpose])
    ]


def too_many(cut: int, answers: int) -> bool:
    return cut > SHARE * answers


def warning(cut: int, answers: int, section: str, sampling: Sampling) -> str:
    name = f"{section}.sampling.max_tokens"
    return (
        f"{100 * cut / answers:.0f} % of {answers:,} answers were cut at {sampling.max_tokens} tokens; "
        f"where they had more to say, write e.g. --set {name}={2 * sampling.max_tokens}"
    )
