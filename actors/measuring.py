"""Accuracy from verdicts. Infrastructure errors are counted apart and never lower it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from memory.reader import RunReader
from protocols.records import Book, Evaluation, Record, Split
from protocols.seeds import digest
from protocols.settings import RunSettings
from protocols.verdicts import NO_ROOM


class Scored(Record):
    """One judged attempt, as far as accuracy is concerned."""

    task_id: str
    topics: tuple[str, ...]
    reward: float | None
    category: str
    kind: str = ""  # of the task
    mistake: str | None = None


def evaluation(reader: RunReader, settings: RunSettings, round: int, book: Book, version: int) -> Evaluation:
    """The measurement of a round and book, over its groups in the store."""
    rows = reader.rows(
        "SELECT g.task_id, t.topics_json, a.reward, a.category, g.seconds FROM attempts a"
        " JOIN groups g ON g.id = a.group_id JOIN tasks t ON t.id = g.task_id"
        " WHERE g.purpose = 'evaluate' AND g.round = ? AND g.book = ?",
        [round, book.value],
    )
    scored = [
        Scored(
            task_id=r["task_id"],
            topics=tuple(msgspec.json.decode(r["topics_json"])),
            reward=r["reward"],
            category=r["category"],
        )
        for r in rows
    ]
    return Evaluation(
        id=digest("evaluation", settings.seed, round, book),
        round=round,
        policy_version=version,
        book=book,
        split=Split.TEST,
        kind=settings.evaluation.kind,
        seconds=max((r["seconds"] for r in rows), default=0.0),
        **summarise(scored),
    )


def summarise(scored: Sequence[Scored]) -> dict[str, Any]:
    """Fields of `records.Evaluation`: tasks, attempts, accuracy, by_topic, categories, infra_errors.

    Accuracy is the mean reward over judged attempts (None without any: it was not measured); an attempt
    counts for each of its task's topics. A prompt without room is no infrastructure error.
    """
    judged = [s for s in scored if s.reward is not None]
    by_topic: dict[str, list[float]] = defaultdict(list)
    for s in judged:
        for topic in s.topics:
            by_topic[topic].append(s.reward or 0.0)
    return {
        "tasks": len({s.task_id for s in scored}),
        "attempts": len(scored),
        "accuracy": mean(s.reward or 0.0 for s in judged) if judged else None,
        "by_topic": {topic: mean(rewards) for topic, rewards in sorted(by_topic.items())},
        "categories": dict(sorted(Counter(s.category for s in scored).items())),
        "infra_errors": sum(s.reward is None and s.category != NO_ROOM for s in scored),
    }


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
