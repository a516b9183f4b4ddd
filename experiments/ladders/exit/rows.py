"""The rows of the ExIt ladder, as data, and what was published of them.

Published figures: ExIt (arXiv 2509.04575), Table 1: after K steps, and the change over them, in percent.
K is 16 in math and mle, 4 in tools. Does not cover: sizes (`scales`).
"""

from pathlib import Path
from typing import Any, Literal

import msgspec

from protocols.records import Record

Part = Literal["paper", "baselines"]
Published = tuple[float, float]
"""After K steps, and how much of that the steps brought."""


class Row(Record):
    """One run in each domain and for each seed."""

    name: str
    part: Part
    recipe: str
    title: str
    changes: dict[str, Any] = msgspec.field(default_factory=dict)  # settings by section, on top of the scale
    instance_of: str | None = None  # trains on one task: what this row's first round learned most of
    published: dict[str, Published] = msgspec.field(default_factory=dict)  # by domain


BASE = {"math": (17.4, -0.4), "tools": (60.5, 0.1), "mle": (4.2, 2.4)}
"""Published figures of the model before training."""

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(
            name="grpo",
            part="paper",
            recipe="grpo",
            title="GRPO",
            published={"math": (18.7, 1.1), "tools": (73.5, -0.5), "mle": (48.0, 9.1)},
        ),
        Row(
            name="curriculum",
            part="paper",
            recipe="exit-curriculum",
            title="+ curriculum",
            published={"math": (18.8, 0.9), "tools": (75.4, 1.0), "mle": (53.0, 11.9)},
        ),
        Row(
            name="improve",
            part="paper",
            recipe="exit-improve",
            title="+ improve",
            published={"math": (19.6, 1.2), "tools": (75.5, 3.4), "mle": (47.8, 9.4)},
        ),
        Row(
            name="diverge",
            part="paper",
            recipe="exit-diverge",
            title="+ diverge",
            published={"math": (20.1, 1.6), "tools": (76.8, 0.6), "mle": (57.3, 10.1)},
        ),
        Row(
            name="exit",
            part="paper",
            recipe="exit",
            title="+ diversity bonus: ExIt",
            published={"math": (20.4, 2.0), "tools": (76.4, 1.2), "mle": (58.6, 8.4)},
        ),
        Row(name="naive-k", part="baselines", recipe="naive-k", title="several steps at once, K drawn"),
        Row(
            name="two-attempts", part="baselines", recipe="two-attempts", title="two attempts, SCoRe's bonus"
        ),
        Row(
            name="robust",
            part="baselines",
            recipe="exit",
            title="ExIt, learning from replayed starts only",
            changes={"curator": {"buffer": {"robust": True}}},
        ),
        Row(
            name="single",
            part="baselines",
            recipe="exit",
            title="ExIt from a single task",
            instance_of="grpo",
        ),
    )
}

PARTS = tuple(dict.fromkeys(row.part for row in ROWS.values()))


def folder_of(runs_dir: Path, row: str, seed: int) -> Path:
    """Where a row's run with this seed is played; `runs_dir` is the domain's."""
    return runs_dir / f"{row}-seed{seed}"
