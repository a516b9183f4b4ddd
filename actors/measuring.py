"""Accuracy from verdicts. Infrastructure errors are counted apart and never lower it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from protocols.records import Record


class Scored(Record):
    """One judged attempt, as far as accuracy is concerned."""

    task_id: str
    topics: tuple[str, ...]
    reward: float | None
    category: str


def summarise(scored: Sequence[Scored]) -> dict[str, Any]:
    """Fields of `records.Evaluation`: tasks, attempts, accuracy, by_topic, categories, infra_errors.

    Accuracy is the mean reward over judged attempts (0.0 without any); an attempt counts for each of its
    task's topics.
    """
    judged = [s for s in scored if s.reward is not None]
    by_topic: dict[str, list[float]] = defaultdict(list)
    for s in judged:
        for topic in s.topics:
            by_topic[topic].append(s.reward or 0.0)
    return {
        "tasks": len({s.task_id for s in scored}),
        "attempts": len(scored),
        "accuracy": mean(s.reward or 0.0 for s in judged),
        "by_topic": {topic: mean(rewards) for topic, rewards in sorted(by_topic.items())},
        "categories": dict(sorted(Counter(s.category for s in scored).items())),
        "infra_errors": len(scored) - len(judged),
    }


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
