"""Starts and plays: where attempts begin, and what a round is going to play.

Covers initial, improve and diverge starts of single-turn domains. What is *worth* starting from is the
curator's choice; how much a group has taught is `protocols.credit`.
"""

from collections.abc import Sequence

from protocols.records import Book, Group, Purpose, Record, Start, Step, Task, Turn, Verdict
from protocols.seeds import digest


class Play(Record):
    """One group that a round is going to play. Its id is known beforehand: repeating it changes nothing."""

    group_id: str
    round: int
    position: int
    purpose: Purpose
    start: Start
    task: Task
    size: int  # G


def start_of(task: Task, book: Book, step: Step = Step.INITIAL, history: Sequence[Turn] = ()) -> Start:
    turns = tuple(history)
    start_id = digest("start", task.id, step, book, [t.attempt_id for t in turns])
    return Start(id=start_id, task_id=task.id, step=step, book=book, history=turns)


def play_of(
    seed: int, round: int, position: int, purpose: Purpose, start: Start, task: Task, size: int
) -> Play:
    return Play(
        group_id=digest("group", seed, round, position, purpose, start.id),
        round=round,
        position=position,
        purpose=purpose,
        start=start,
        task=task,
        size=size,
    )


def best_turn(group: Group, verdicts: Sequence[Verdict]) -> Turn | None:
    """The group's best attempt as a turn to go on from; ties go to the first. None without any reward."""
    scored = [(v.reward, -a.index, a) for a, v in zip(group.attempts, verdicts) if v.reward is not None]
    if not scored:
        return None
    reward, _, attempt = max(scored, key=lambda s: s[:2])
    return Turn(attempt_id=attempt.id, response=attempt.response, reward=reward)
