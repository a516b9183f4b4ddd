"""What held-out measurements say is known, and what was forgotten: pure functions over counted rows."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from protocols.intervals import wilson

Row = dict[str, Any]

KNOWN = 0.5
"""Share of attempts verified from which on something counts as known: more right than wrong."""
ORDERS = ("weakest", "forgotten", "name")


def retention(cells: Sequence[Row]) -> list[Row]:
    """What became of each name over the versions.

    Args:
        cells: `name`, `version`, `tasks` (distinct ones), `share` (verified, in [0, 1]).

    Returns:
        By name: `curve` ({version: share}), `lapses` (versions at which it was not known although it had been
        before), `first` (version at which it was known first, or None), `best` and `at` (its greatest share,
        and the first version of it), `now` (newest share), `low` and `high` (95 % of that, over tasks),
        `tasks`, `lost` (best - now) and `state`: known, forgotten or never known; `sure` if the intervals of
        the best and of the newest share lie apart.
    """
    by_name: dict[str, dict[int, Row]] = defaultdict(dict)
    for cell in cells:
        by_name[cell["name"]][cell["version"]] = cell
    found = []
    for name, mine in by_name.items():
        versions = sorted(mine)
        curve = {version: mine[version]["share"] for version in versions}
        first = next((version for version in versions if curve[version] >= KNOWN), None)
        best = max(versions, key=lambda version: (curve[version], -version))
        newest = mine[versions[-1]]
        low, high = wilson(newest["share"], newest["tasks"])
        known = newest["share"] >= KNOWN
        found.append(
            {
                "name": name,
                "curve": curve,
                "lapses": [v for v in versions if first is not None and v > first and curve[v] < KNOWN],
                "first": first,
                "best": curve[best],
                "at": best,
                "now": newest["share"],
                "low": low,
                "high": high,
                "tasks": newest["tasks"],
                "lost": curve[best] - newest["share"],
                "state": "known" if known else "never known" if first is None else "forgotten",
                "sure": high < wilson(curve[best], mine[best]["tasks"])[0],
            }
        )
    return found


def ordered(rows: Sequence[Row], order: str) -> list[Row]:
    """Weakest first, most forgotten first, or by name."""
    keys = {
        "weakest": lambda row: (row["now"], row["name"]),
        "forgotten": lambda row: (row["state"] != "forgotten", -row["lost"], row["name"]),
        "name": lambda row: row["name"],
    }
    return sorted(rows, key=keys[order])
