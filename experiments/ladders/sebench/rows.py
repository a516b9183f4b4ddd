"""The rows of the SE-Bench ladder, as data: every method, ablation and sweep, and what was published of it.

Published figures: SE-Bench (arXiv 2602.04811), Tables 1 and 2, Qwen3-8B; (single, multi) as shares. None
where the paper's figure is not known here. Does not cover: sizes (`scales`).
"""

import itertools
from pathlib import Path
from typing import Any, Literal

import msgspec

from protocols.records import Record

Part = Literal["main", "volume", "after", "gap", "noise"]
Published = tuple[float | None, float | None]


class Row(Record):
    """One run for each seed."""

    name: str
    part: Part
    family: str  # whose settings of the scale it gets
    recipe: str
    title: str = ""
    changes: dict[str, Any] = msgspec.field(
        default_factory=dict
    )  # settings by section, on top of scale and family
    source: str | None = None  # row whose experience it learns from
    start: str | None = None  # row whose last weights it starts from
    published: Published = (None, None)

    @property
    def needs(self) -> tuple[str, ...]:
        """Rows that have to be played before."""
        return tuple(name for name in (self.source, self.start) if name)


class Measured(Record):
    """A measurement without a run: the untrained model under another condition, or with a memory."""

    name: str
    title: str
    book: str = "closed"
    numpy: bool = False
    memory: str | None = None  # row whose verified answers are retrieved
    opened: bool = False
    published: Published = (None, None)


MEASURED = (
    Measured(name="closed", title="closed book, untrained", published=(0.0, 0.0)),
    Measured(name="opened", title="closed book, untrained, answers opened", opened=True),
    Measured(name="open", title="open book, untrained", book="open", published=(0.853, 0.705)),
    Measured(name="numpy", title="the same tasks with NumPy", numpy=True, published=(0.974, 0.936)),
    Measured(name="memory", title="memory: retrieved answers", memory="closed-sft", published=(0.471, 0.155)),
)
"""Table 1 (pass@64), and the best memory baseline of Table 2 (ExpeL, mean of 5)."""

MAIN = (
    Row(
        name="closed-sft",
        part="main",
        family="sft",
        recipe="closed-sft",
        title="Closed-SFT",
        published=(0.396, 0.116),
    ),
    Row(
        name="open-sft",
        part="main",
        family="sft",
        recipe="open-sft",
        title="Open-SFT",
        source="closed-sft",
        published=(0.0, 0.0),
    ),
    Row(
        name="open-rl", part="main", family="open-rl", recipe="open-rl", title="Open-RL", published=(0.0, 0.0)
    ),
    Row(
        name="closed-rl",
        part="main",
        family="closed-rl",
        recipe="closed-rl",
        title="Closed-RL",
        published=(0.0, 0.0),
    ),
    Row(
        name="closed-sft-rl",
        part="main",
        family="closed-rl",
        recipe="closed-rl",
        title="Closed-SFT-RL",
        start="closed-sft",
        published=(0.544, 0.179),
    ),
    Row(
        name="selfplay-sft",
        part="main",
        family="selfplay",
        recipe="selfplay-sft",
        title="self-play, Closed-SFT",
        published=(0.22, None),  # a secondary source: 57 % of Closed-SFT
    ),
    Row(
        name="selfplay-rl",
        part="main",
        family="selfplay-rl",
        recipe="selfplay-rl",
        title="self-play, Closed-RL",
    ),
    Row(
        name="absolute-zero",
        part="main",
        family="selfplay-rl",
        recipe="absolute-zero",
        title="Absolute-Zero",
        changes={"proposer": {"reward": "one_minus_p"}},
        published=(0.0, 0.0),
    ),
)

VOLUME = (
    *(
        Row(
            name=f"closed-sft-{share:.0%}".rstrip("%"),
            part="volume",
            family="sft",
            recipe="closed-sft",
            title=f"Closed-SFT, {share:.0%} of the experience",
            source="closed-sft",
            changes={"curator": {"source_share": share}},
        )
        for share in (0.25, 0.5)
    ),
    Row(  # where Closed-SFT leaves nothing to gain, this one does
        name="closed-sft-25-rl",
        part="volume",
        family="closed-rl",
        recipe="closed-rl",
        title="Closed-SFT, 25% of the experience, then RL",
        start="closed-sft-25",
    ),
)

AFTER = tuple(
    Row(
        name=f"closed-sft-25-rl-{name}",
        part="after",
        family=family,
        recipe="closed-rl",
        title=f"The same, {title}",
        start="closed-sft-25",
        changes={"learner": {"grpo": switches}},
    )
    for name, title, family, switches in (
        ("positive", "without negative advantages", "closed-rl", {"negative": 0.0}),
        ("slow", "a fifth of the step size", "closed-rl-slow", {}),
        ("slow-positive", "both", "closed-rl-slow", {"negative": 0.0}),
    )
)
"""What it takes for RL to add to what Closed-SFT left, instead of taking away from it."""

_CLIP: dict[str, dict[str, Any]] = {
    "clip": {},
    "free": {"clip_low": None, "clip_high": None, "dual_clip": None},
}
_NEGATIVE = {"signed": {"negative": 1.0}, "positive": {"negative": 0.0}}
_DENOMINATOR = {"recomputed": {"denominator": "recomputed"}, "rollout": {"denominator": "rollout"}}
_BATCHES = ("one", "many")


def _gap_row(name: str, batches: str, switches: dict[str, Any]) -> Row:
    return Row(
        name=f"gap-{name}",
        part="gap",
        family=f"gap-{batches}",
        recipe="closed-rl",
        source="closed-sft",
        changes={"learner": {"grpo": switches}},
    )


def _gap() -> tuple[Row, ...]:
    """The RL gap: clip x negative advantages x denominator x mini-batches, all on one experience.

    With one mini-batch and a recomputed denominator every ratio is 1, and no clip can act: there the two
    values of clip are one run. So it is, at any number of mini-batches, against the policy itself.
    """
    found = [
        _gap_row(f"{negative}-policy-many", "many", _NEGATIVE[negative] | {"denominator": "policy"})
        for negative in _NEGATIVE
    ]
    for clip, negative, denominator, batches in itertools.product(_CLIP, _NEGATIVE, _DENOMINATOR, _BATCHES):
        if (clip, denominator, batches) == ("free", "recomputed", "one"):
            continue
        switches = _CLIP[clip] | _NEGATIVE[negative] | _DENOMINATOR[denominator]
        found.append(_gap_row(f"{clip}-{negative}-{denominator}-{batches}", batches, switches))
    return tuple(found)


GAP = _gap()

_RATES = ((0.1, 0.0), (0.3, 0.0), (0.0, 0.3))
"""Injected (false positive, false negative) rates of the verifier."""

_NOISY: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    (
        "sft",
        {"family": "sft", "recipe": "closed-sft", "source": "closed-sft"},
        {"curator": {"source_share": 0.5}},
    ),
    (
        "rl",  # from where, and in the way in which, RL adds to what is known
        {"family": "closed-rl", "recipe": "closed-rl", "start": "closed-sft-25"},
        {"learner": {"grpo": {"negative": 0.0}}},
    ),
)

_INJECTED = tuple(
    Row(
        name=f"noise-{method}-fp{positive:g}-fn{negative:g}",
        part="noise",
        changes={"verifier": {"false_positive": positive, "false_negative": negative}, **changes},
        **how,
    )
    for method, how, changes in _NOISY
    for positive, negative in _RATES
)
NOISE = (
    *_INJECTED,
    Row(
        name="noise-proposals",
        part="noise",
        family="selfplay",
        recipe="selfplay-sft",
        title="self-play, Closed-SFT, any answer that ran as reference",
        changes={"proposer": {"consensus": 0.05}},
    ),
)
CLEAN = {"sft": "closed-sft-50", "rl": "closed-sft-25-rl-positive"}
"""The same without noise."""

ROWS: dict[str, Row] = {row.name: row for row in (*MAIN, *VOLUME, *AFTER, *GAP, *NOISE)}


def folder_of(runs_dir: Path, row: str, seed: int) -> Path:
    """Where a row's run with this seed is played."""
    return runs_dir / f"{row}-seed{seed}"
