"""What the curator writes down about what it admits: decisions with reasons, and counts."""

from collections.abc import Sequence
from typing import Any

from actors import choosing
from actors.verifier import Judged
from memory.store import TaskChange
from protocols.credit import learnability, proposer_reward
from protocols.records import Decision, Task, Verdict
from protocols.seeds import digest
from protocols.verdicts import NO_ROOM


def decision(
    round: int,
    kind: str,
    subject: str,
    action: str,
    reason: str,
    numbers: dict[str, Any] | None = None,
) -> Decision:
    return Decision(
        id=digest("decision", round, kind, subject),
        round=round,
        kind=kind,
        subject_id=subject,
        action=action,
        reason=reason,
        numbers=numbers or {},
    )


def group_decision(one: Judged) -> Decision:
    """Every group is admitted; its decision says what it was worth."""
    found = rewards(one.verdicts)
    reason = "verified" if any(found) else "nothing_verified" if found else "no_verdict"
    numbers = {"solve_rate": sum(found) / len(found) if found else None, "judged": len(found)}
    numbers["learnability"] = learnability(found) if found else None
    return decision(one.group.round, "group", one.group.id, "admit", reason, numbers)


def task_change(one: Judged, task: Task, kind: str) -> TaskChange | None:
    """A proposed task becomes active by consensus, or is rejected; other tasks stay as they are.

    Args:
        task: the group's, as it is stored.
        kind: of the proposer's reward, see `protocols.credit`; nobody solved a task without a reference.
    """
    found = rewards(one.verdicts)
    if one.task is not None:
        worth = proposer_reward(kind, sum(found) / len(found)) if found else None
        return TaskChange(task=one.task, status="active", proposer_reward=worth)
    if one.rejected is None:
        return None
    failed = any(verdict.infra_error is not None for verdict in one.verdicts)  # then it was not really tried
    worth = None if failed or kind == "none" else proposer_reward(kind, 0.0)
    return TaskChange(
        task=task, status="rejected", reason=one.rejected, detail=one.detail, proposer_reward=worth
    )


def counts(judged: Sequence[Judged]) -> dict[str, Any]:
    """How many groups, attempts, verified attempts, infrastructure errors and sampled tokens."""
    verdicts = [v for j in judged for v in j.verdicts]
    return {
        "groups": len(judged),
        "attempts": len(verdicts),
        "verified": sum(v.reward == 1.0 for v in verdicts),
        "infra_errors": sum(v.infra_error is not None and v.category != NO_ROOM for v in verdicts),
        "tokens": sum(len(a.token_ids) - a.prefilled for j in judged for a in j.group.attempts),
        "categories": choosing.tally(v.category for v in verdicts),
    }


def rewards(verdicts: Sequence[Verdict]) -> list[float]:
    """Of the verdicts that are no infrastructure errors."""
    return [v.reward for v in verdicts if v.reward is not None]
