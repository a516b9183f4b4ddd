"""What a record looks like as a row: columns by name, in the words of `memory.schema`.

`keep` stores a long text and gives the key that its `_text` column takes. `created` is UNIX seconds.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from memory.buffer import BufferEntry
from memory.codec import pack_ids, pack_logprobs, to_json, to_text
from memory.privacy import private
from protocols.credit import learnability
from protocols.records import (
    Attempt,
    Decision,
    Evaluation,
    Group,
    Proposal,
    Role,
    Sample,
    Task,
    Update,
    Verdict,
)

Row = dict[str, Any]
Keep = Callable[[str], bytes]

#: The columns of a task that may change after it was added.
TASK_CHANGES = ("payload_json", "reference_json", "truth_agrees", "status")


def task_row(task: Task, status: str, round: int, keep: Keep) -> Row:
    return {
        "id": task.id,
        "domain": task.domain,
        "split": task.split,
        "kind": task.kind,
        "origin": task.origin,
        "statement_text": keep(task.statement),
        "topics_json": to_json(task.topics),
        "payload_json": to_json(task.payload),
        "parent_id": task.parent_id,
        "reference_json": None if task.reference is None else to_json(task.reference),
        "truth_agrees": task.truth_agrees,
        "status": status,
        "round": round,
    }


def proposal_row(proposal: Proposal, created: float, keep: Keep) -> Row:
    return {
        "id": proposal.id,
        "round": proposal.round,
        "position": proposal.position,
        "topic": proposal.topic,
        "prompt_text": keep(to_json(proposal.prompt)),
        "response_text": keep(proposal.response),
        "policy_version": proposal.policy_version,
        "task_id": proposal.task.id if proposal.task else None,
        "reason": proposal.reason,
        "detail": to_text(proposal.detail),
        "reward": proposal.reward,
        "created": created,
        "token_ids": pack_ids(proposal.token_ids),
        "logprobs": pack_logprobs(proposal.logprobs),
        "prefilled": proposal.prefilled,
        "finish": proposal.finish,
    }


def group_row(group: Group, verdicts: Sequence[Verdict], created: float, keep: Keep) -> Row:
    rewards = [verdict.reward for verdict in verdicts if verdict.reward is not None]
    return {
        "id": group.id,
        "round": group.round,
        "position": group.position,
        "purpose": group.purpose,
        "task_id": group.start.task_id,
        "start_id": group.start.id,
        "step": group.start.step,
        "book": group.start.book,
        "parent_attempt_id": group.start.parent_attempt_id,
        "history_text": keep(to_json(group.start.history)),
        "prompt_text": keep(to_json(group.prompt)),
        "prompt_tokens": group.prompt_tokens,
        "policy_version": group.policy_version,
        "engine": group.engine,
        "attempts": len(group.attempts),
        "verified": sum(reward >= 1.0 for reward in rewards),
        "infra_errors": sum(verdict.infra_error is not None for verdict in verdicts),
        "tokens": sum(len(attempt.logprobs) for attempt in group.attempts),
        "mean_reward": math.fsum(rewards) / len(rewards) if rewards else None,
        "learnability": learnability(rewards) if rewards else None,
        "seconds": group.seconds,
        "created": created,
    }


def attempt_row(attempt: Attempt, verdict: Verdict, group_id: str, keep: Keep) -> Row:
    return {
        "id": attempt.id,
        "group_id": group_id,
        "idx": attempt.index,
        "response_text": keep(attempt.response),
        "prefilled": attempt.prefilled,
        "sampled": len(attempt.logprobs),
        "finish": attempt.finish,
        "seed": attempt.seed,
        "reward": verdict.reward,
        "category": verdict.category,
        "infra_error": None if verdict.infra_error is None else to_text(private(verdict.infra_error)),
        "flipped": verdict.flipped,
        "verdict_seconds": verdict.seconds,
        "evidence_json": to_json(verdict.evidence),
        "exchanges_json": to_json(attempt.exchanges) if attempt.exchanges else None,
    }


def token_row(attempt: Attempt) -> Row:
    return {
        "attempt_seq": attempt.id,  # the store looks the number up
        "token_ids": pack_ids(attempt.token_ids),
        "logprobs": pack_logprobs(attempt.logprobs),
    }


def decision_row(decision: Decision, created: float) -> Row:
    return {
        "id": decision.id,
        "round": decision.round,
        "kind": decision.kind,
        "subject_id": decision.subject_id,
        "action": decision.action,
        "reason": to_text(decision.reason),
        "numbers_json": to_json(decision.numbers),
        "created": created,
    }


def update_row(update: Update, created: float) -> Row:
    parts = ("losses", "grad_norms", "learning_rates", "metrics", "baselines")
    return {**_plain(update, parts), **_json(update, parts), "created": created}


def sample_row(sample: Sample, version: int, position: int, keep: Keep) -> Row:
    source = "proposal_id" if sample.role is Role.PROPOSER else "attempt_id"
    return {
        "version": version,
        "position": position,
        source: sample.attempt_id,
        "prompt_text": keep(to_json(sample.prompt)),
        "weight": sample.weight,
    }


def evaluation_row(evaluation: Evaluation, created: float) -> Row:
    parts = ("by_topic", "categories")
    return {**_plain(evaluation, parts), **_json(evaluation, parts), "created": created}


def buffer_row(entry: BufferEntry) -> Row:
    return {
        "start_id": entry.start.id,
        "start_json": to_json(entry.start),
        "score": entry.score,
        "visits": entry.visits,
        "round": entry.round,
        "entered": entry.entered,
        "slot": entry.slot,
        "last": entry.last,
    }


def _plain(record: Any, leave: Sequence[str]) -> Row:
    return {name: getattr(record, name) for name in record.__struct_fields__ if name not in leave}


def _json(record: Any, names: Sequence[str]) -> Row:
    return {f"{name}_json": to_json(getattr(record, name)) for name in names}
