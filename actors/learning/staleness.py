"""How far behind the weights, in versions, what is learned from was sampled."""

from collections import Counter
from collections.abc import Sequence

from protocols.records import Sample


def staleness(samples: Sequence[Sample], version: int) -> dict[str, float]:
    """Of the samples that `version` is learned from: the mean and the most of how many versions the weights
    that are about to change were ahead of those that answered, and how many samples there are of each.

    Returns:
        staleness, staleness_most, and stale_N for every N that occurs; {} where nothing is known.
    """
    behind = Counter(version - 1 - sample.version for sample in samples if sample.version is not None)
    if not behind:
        return {}
    mean = sum(late * count for late, count in behind.items()) / behind.total()
    counts = {f"stale_{late}": float(count) for late, count in sorted(behind.items())}
    return {"staleness": mean, "staleness_most": float(max(behind)), **counts}
