"""Small records for the tests of `memory`. Ids follow from what a record is about."""

from collections.abc import Sequence
from typing import Any

from protocols.records import (
    Attempt,
    Book,
    Decision,
    Evaluation,
    Group,
    Message,
    Origin,
    Prompt,
    Proposal,
    Purpose,
    Sample,
    Split,
    Start,
    Step,
    Task,
    Turn,
    Update,
    Verdict,
)
from protocols.seeds import digest

Judged = tuple[Group, list[Verdict]]


def a_task(number: int = 0, **changed: Any) -> Task:
    fields: dict[str, Any] = {
        "id": digest("task", number),
        "domain": "zwc",
        "split": Split.TRAIN,
        "kind": "single",
        "origin": Origin.SEED,
        "statement": f"Find the mean of list {number}.",
        "topics": (f"topic{number % 3}",),
        "payload": {"cases": [[number, 1.5]]},
    }
    return Task(**{**fields, **changed})


def a_group(
    task: Task,
    round: int = 1,
    position: int = 0,
    rewards: Sequence[float | None] = (0.0, 1.0),
    revises: Attempt | None = None,
    step: Step = Step.INITIAL,
    purpose: Purpose = Purpose.COLLECT,
    book: Book = Book.OPEN,
    policy_version: int = 0,
    response: str = "answer",
) -> Judged:
    """A judged group; a reward of None is an infrastructure error."""
    history = (Turn(attempt_id=revises.id, response=revises.response, reward=1.0),) if revises else ()
    group_id = digest("group", task.id, round, position, purpose, book)
    start_id = digest("start", task.id, step, book, [turn.attempt_id for turn in history])
    attempts = tuple(
        Attempt(
            id=digest(group_id, index),
            group_id=group_id,
            index=index,
            response=f"{response} {group_id} {index}",
            token_ids=(1, 49151, 2**32 - 1, index),
            logprobs=(-0.5, -1.25, float("-inf")),
            prefilled=1,
            finish="stop",
            seed=2**63 - 1 - index,
        )
        for index in range(len(rewards))
    )
    group = Group(
        id=group_id,
        round=round,
        position=position,
        purpose=purpose,
        start=Start(id=start_id, task_id=task.id, step=step, book=book, history=history),
        prompt=a_prompt(f"documentation and {task.statement}"),
        prompt_tokens=21,
        policy_version=policy_version,
        engine="scripted",
        attempts=attempts,
        seconds=0.25,
    )
    return group, [a_verdict(attempt, reward) for attempt, reward in zip(attempts, rewards)]


def a_verdict(attempt: Attempt, reward: float | None) -> Verdict:
    if reward is None:
        return Verdict(
            attempt_id=attempt.id,
            reward=None,
            category="infra_error",
            evidence={},
            infra_error="helper died",
        )
    category = "correct" if reward == 1.0 else "wrong_answer"
    return Verdict(
        attempt_id=attempt.id, reward=reward, category=category, evidence={"case": 3, "got": [1.5]}
    )


def a_prompt(text: str) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), prefill="```python\n")


def a_proposal(number: int, task: Task | None = None, reason: str | None = None, **changed: Any) -> Proposal:
    fields: dict[str, Any] = {
        "id": digest("proposal", number),
        "round": 1,
        "position": number,
        "topic": f"topic{number % 3}",
        "prompt": a_prompt("write a task"),
        "response": f"proposal {number}",
        "policy_version": 0,
        "task": task,
        "reason": reason,
    }
    return Proposal(**{**fields, **changed})


def a_decision(subject_id: str, kind: str = "group", **changed: Any) -> Decision:
    fields: dict[str, Any] = {
        "id": digest("decision", kind, subject_id),
        "round": 1,
        "kind": kind,
        "subject_id": subject_id,
        "action": "admit",
        "reason": "verified",
        "numbers": {"solve_rate": 0.5},
    }
    return Decision(**{**fields, **changed})


def an_update(version: int = 1, **changed: Any) -> Update:
    fields: dict[str, Any] = {
        "version": version,
        "round": version,
        "recipe": "closed-sft",
        "samples": 1,
        "tokens": 3,
        "steps": 2,
        "losses": (2.5, 1.25),
        "grad_norms": (1.0, float("nan")),
        "learning_rates": (1e-4, 1e-4),
        "seconds": 3.5,
        "path": f"checkpoints/{version}",
        "checksum": f"sum{version}",
    }
    return Update(**{**fields, **changed})


def a_sample(attempt: Attempt, **changed: Any) -> Sample:
    prompt = a_prompt("closed book")
    fields = {"attempt_id": attempt.id, "prompt": prompt, "token_ids": attempt.token_ids, **changed}
    return Sample(**fields)


def an_evaluation(round: int = 1, **changed: Any) -> Evaluation:
    fields: dict[str, Any] = {
        "id": digest("evaluation", round),
        "round": round,
        "policy_version": round,
        "book": Book.CLOSED,
        "split": Split.TEST,
        "kind": "single",
        "tasks": 4,
        "attempts": 4,
        "accuracy": 0.75,
        "by_topic": {"topic0": 0.5},
        "categories": {"correct": 3, "timeout": 1},
    }
    return Evaluation(**{**fields, **changed})
