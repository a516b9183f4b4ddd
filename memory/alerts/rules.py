"""Faults that show in what was played and learned: one function each, over plain rows.

Each threshold stands here with its reason. Not here: a run that stands still (`stalls`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from memory.alerts.alert import Alert
from protocols.isolation import Layer, weakness

Row = Mapping[str, Any]

RECENT_GROUPS = 100
"""Newest groups in which infrastructure errors are counted: a fault that is over is forgotten after those."""
INFRA_SHARE = 0.05
"""Of attempts without a verdict. One in a hundred changes no figure; from one in twenty on, accuracies are
over another set of attempts than was planned, and the cause does not go away by itself."""
INFRA_LEAST = 3
"""Errors below which a share says nothing: one helper that died takes a program or two with it."""

ENTROPY_FLOOR = 0.02
"""Nats for each token. There, nearly every token is drawn with a probability above 0.99: the answers of a
group are copies, their rewards are equal, and nothing can be learned from comparing them."""
ENTROPY_LEFT = 0.2
"""Of what it was in the first updates. Learning sharpens a policy; at a fifth it hardly explores any more."""
FIRST_UPDATES = 3
"""Whose median entropy is compared with: one update alone is noisy."""

PROPOSALS_LEAST = 8
"""Of a round; fewer are not judged, because two that are equal by chance would be a quarter of them."""
PROPOSALS_DIFFERENT = 0.5
"""Share that says something new. Once every second proposal repeats a task, half of the proposer's time is
spent on nothing, and what it finds next is more of the same."""

GAP_NATS = 0.1
"""Mean |log-probability at the learner - at the engine|: as `engine.probe_tolerance` allows after publishing.
There, probabilities are wrong by a tenth, and so are the ratios that updates are corrected with."""


def infra_errors(groups: Sequence[Row]) -> Alert | None:
    """Too many attempts without a verdict.

    Args:
        groups: the newest, oldest first: round, attempts, infra_errors, created.
    """
    recent = groups[-RECENT_GROUPS:]
    attempts = sum(row["attempts"] for row in recent)
    failed = [row for row in recent if row["infra_errors"]]
    errors = sum(row["infra_errors"] for row in failed)
    if errors < INFRA_LEAST or errors < INFRA_SHARE * attempts:
        return None
    return Alert(
        kind="infra errors",
        what="Answers get no verdict, because the sandbox fails.",
        where=f"{errors} of the newest {attempts} attempts, in {_span('round', failed)}",
        since=failed[0]["created"],
        do="Run `taskspace doctor` where the verifiers run, and look at the error of an episode with the "
        "verdict infra_error. Such attempts have no reward and are not learned; the run goes on without.",
    )


def weak_sandbox(layers: Sequence[Row], began: float | None) -> Alert | None:
    """Programs run without what should keep them from the machine.

    Args:
        layers: of isolation, on the machine that judges: name, state, reason.
        began: UNIX seconds.
    """
    known = [row for row in layers if isinstance(row, Mapping) and {"name", "state"} <= row.keys()]
    weak = weakness([Layer(row["name"], row["state"], row.get("reason", "")) for row in known])
    if weak is None:
        return None
    return Alert(
        kind="sandbox",
        what="Programs that models wrote run with too little isolation (sandbox.allow_weaker).",
        where=weak,
        since=began or 0.0,
        do="Keep secrets off this machine, and trust no reward of this run. docs/sandbox.md says how to get "
        "the layers; `taskspace doctor` names those that are there.",
    )


def entropy_collapse(updates: Sequence[Row]) -> Alert | None:
    """The policy hardly varies its answers any more. Known of reinforcement learning only.

    Args:
        updates: in order: version, created, metrics.
    """
    measured = [row for row in updates if _finite(row["metrics"].get("entropy"))]
    if not measured:
        return None
    first = median(row["metrics"]["entropy"] for row in measured[:FIRST_UPDATES])
    least = max(ENTROPY_FLOOR, ENTROPY_LEFT * first if len(measured) > FIRST_UPDATES else 0.0)
    low = _tail(measured, lambda row: row["metrics"]["entropy"] < least)
    if not low:
        return None
    newest = low[-1]
    return Alert(
        kind="entropy",
        what="The policy's entropy has collapsed: its answers hardly differ any more.",
        where=f"version {newest['version']}: {newest['metrics']['entropy']:.3f} nats a token, where the "
        f"least is {least:.3f}; {first:.3f} at first; low in {_span('version', low)}",
        since=low[0]["created"],
        do="Answers that are all alike teach nothing. Run again with a lower learner.learning_rate, a higher "
        "solver.sampling.temperature, or learner.grpo.diversity.",
    )


def proposal_collapse(rounds: Sequence[Row]) -> Alert | None:
    """Most proposals repeat what is there.

    Args:
        rounds: in order: round, proposals, different (texts that no other proposal of the round has and that
            were not refused as duplicates), created.
    """
    counted = [row for row in rounds if row["proposals"] >= PROPOSALS_LEAST]
    low = _tail(counted, lambda row: row["different"] < PROPOSALS_DIFFERENT * row["proposals"])
    if not low:
        return None
    newest = low[-1]
    return Alert(
        kind="proposals",
        what="Proposals repeat each other, or the tasks that are there.",
        where=f"round {newest['round']}: {newest['different']} of {newest['proposals']} proposals say "
        f"something new; too few in {_span('round', low)}",
        since=low[0]["created"],
        do="Raise proposer.sampling.temperature or proposer.steer, or propose less (proposer.per_round).",
    )


def mismatch(updates: Sequence[Row], comparable: bool) -> Alert | None:
    """Engine and learner disagree about the probability of the same tokens.

    Updates from experience of older versions do not count: there, what was learned since is in the gap.

    Args:
        updates: in order: version, created, metrics.
        comparable: whether the learner sees the prompt that the engine saw, and learns the weights that
            answered.
    """
    told = [
        row
        for row in updates
        if _finite(row["metrics"].get("rollout_gap")) and not row["metrics"].get("staleness_most")
    ]
    off = _tail(told, lambda row: row["metrics"]["rollout_gap"] > GAP_NATS)
    if not comparable or not off:
        return None
    newest = off[-1]
    return Alert(
        kind="log-probabilities",
        what="Engine and learner give the same tokens different probabilities.",
        where=f"version {newest['version']}: {newest['metrics']['rollout_gap']:.3f} nats a token, where "
        f"{GAP_NATS} are allowed; so in {_span('version', off)}",
        since=off[0]["created"],
        do="Compare engine.dtype with learner.dtype, and try another engine.kind. Until they agree, "
        "learner.grpo.denominator=recomputed with learner.grpo.engine_cap keeps the error out of the ratios.",
    )


def not_finite(updates: Sequence[Row]) -> Alert | None:
    """The learner's loss or its gradient is no number any more.

    Args:
        updates: in order: version, created, losses, grad_norms.
    """
    broken = [row for row in updates if not all(map(_finite, [*row["losses"], *row["grad_norms"]]))]
    if not broken:
        return None
    return Alert(
        kind="loss",
        what="A loss or a gradient norm is not finite.",
        where=_span("version", broken),
        since=broken[0]["created"],
        do="Do not trust the weights from that version on. Run again with a lower learner.learning_rate.",
    )


def _tail(rows: Sequence[Row], off: Callable[[Row], bool]) -> Sequence[Row]:
    """The rows at the end for which `off` holds without a break."""
    start = len(rows)
    while start and off(rows[start - 1]):
        start -= 1
    return rows[start:]


def _span(name: str, rows: Sequence[Row]) -> str:
    """From the first to the last of them, in words."""
    first, last = rows[0][name], rows[-1][name]
    return f"{name} {first}" if first == last else f"{name}s {first} to {last}"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
