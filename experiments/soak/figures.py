"""What a soak came to: seconds until work went on after each kind of fault, memory by kind of process."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

BLOCK_S = 30.0
LEAST_BLOCKS = 5


def of_faults(faults: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By kind: how many, and the median and longest seconds until the next admission."""
    kinds = sorted({fault["fault"] for fault in faults})
    found = {}
    for kind in kinds:
        seconds = [f["seconds"] for f in faults if f["fault"] == kind and f["seconds"] is not None]
        found[kind] = {"count": Counter(f["fault"] for f in faults)[kind]}
        if seconds:
            found[kind] |= {"median_s": round(median(seconds), 2), "most_s": round(max(seconds), 2)}
    return found


def of_memory(
    rows: Iterable[Mapping[str, Any]], from_s: float, least_age_s: float
) -> dict[str, dict[str, Any]]:
    """By kind of process: how much one takes (median and most), and how that grows, MB an hour.

    Only what is measured from `from_s` on counts, of processes that are past their start (`least_age_s`).
    """
    by_kind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row["seconds"] >= from_s and row["age_s"] >= least_age_s:
            by_kind[row["kind"]].append((row["seconds"], row["rss_mb"]))
    found = {}
    for kind, points in sorted(by_kind.items()):
        sizes = [size for _, size in points]
        found[kind] = {"median_mb": round(median(sizes), 1), "most_mb": round(max(sizes), 1)}
        grown = slope(points)
        if grown is not None:
            found[kind] |= {"mb_per_hour": round(3600 * grown[0], 1), "plus_minus": round(3600 * grown[1], 1)}
    return found


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Least-squares slope over the means of blocks of 30 s, and half the width of its 95 % interval.

    Means of blocks, because measurements seconds apart are of the same processes and hardly independent.

    Args:
        points: (seconds, value).

    Returns:
        None with fewer than five blocks.
    """
    blocks: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for point in points:
        blocks[int(point[0] // BLOCK_S)].append(point)
    if len(blocks) < LEAST_BLOCKS:
        return None
    means = np.array([np.mean(block, axis=0) for block in blocks.values()])
    x, y = means[:, 0] - means[:, 0].mean(), means[:, 1] - means[:, 1].mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    rest = y - slope * x
    error = float(rest @ rest) / (len(x) - 2) / spread
    return slope, 1.96 * error**0.5
