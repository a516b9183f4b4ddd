"""Starts and plays: where attempts begin, and what a round is going to play.

A history keeps the latest answer of every turn, neither the best one nor the chain that led to it. What is
*worth* starting from is the buffer's choice; how much a group has taught is `protocols.credit`. Steps
within one attempt are `protocols.chaining`. Source: ExIt (arXiv 2509.04575), pages 2 to 5.
"""

import random
from collections.abc import Sequence
from typing import Literal

import msgspec

from protocols.records import Attempt, Book, Group, Purpose, Record, Start, Step, Task, Turn, Verdict
from protocols.seeds import digest, rng_of


def kept(start: Start) -> tuple[str, ...]:
    """Answers of a start's history that stand: without the last where it is answered once more."""
    answers = tuple(turn.response for turn in start.history)
    return answers if start.step is Step.INITIAL else answers[:-1]


def shown(start: Start, limit: int) -> Start:
    """The start as a prompt shows it: of an answer that is longer than `limit` characters and is to be
    answered once more, the middle is left out, and said to be. Requests are never cut, nor answers that
    stand: those are played again."""
    if start.step is Step.INITIAL or len(start.history[-1].response) <= limit:
        return start
    *standing, last = start.history
    half, gone = limit // 2, len(last.response) - limit // 2 * 2
    text = last.response
    cut = f"{text[:half]}\n[{gone} characters are left out here]\n{text[len(text) - half :]}"
    history = (*standing, msgspec.structs.replace(last, response=cut))
    return msgspec.structs.replace(start, history=history)


class Play(Record):
    """One group that a round is going to play. Its id is known beforehand: repeating it changes nothing."""

    group_id: str
    round: int
    position: int
    purpose: Purpose
    start: Start
    task: Task
    size: int  # G
    steps: int = 0  # by which every answer is improved within an attempt: `protocols.chaining`


def start_of(task: Task, book: Book, step: Step = Step.INITIAL, history: Sequence[Turn] = ()) -> Start:
    return _start(task.id, book, step, tuple(history))


def _start(task_id: str, book: Book, step: Step, history: tuple[Turn, ...]) -> Start:
    """Two answers with the same text are one start: what follows from it depends on the text alone."""
    start_id = digest("start", task_id, step, book, [turn.response for turn in history])
    return Start(id=start_id, task_id=task_id, step=step, book=book, history=history)


def undecided(start: Start) -> Start:
    """A start as the buffer keeps it: whether the next step improves or diverges is drawn each time."""
    step = Step.INITIAL if start.step is Step.INITIAL else Step.IMPROVE
    return _start(start.task_id, start.book, step, start.history)


def decided(start: Start, diverge: float, rng: random.Random) -> Start:
    """A start from the buffer as it is played: with chance `diverge` its step is a divergence."""
    if start.step is Step.IMPROVE and rng.random() < diverge:
        return _start(start.task_id, start.book, Step.DIVERGE, start.history)
    return start


def group_id(seed: int, round: int, position: int, purpose: Purpose, start: Start) -> str:
    """A group's place in its round is part of its id: the same start can be played twice in a round."""
    return digest("group", seed, round, position, purpose, start.id)


def play_of(
    seed: int,
    round: int,
    position: int,
    purpose: Purpose,
    start: Start,
    task: Task,
    size: int,
    steps: int = 0,
) -> Play:
    return Play(
        group_id=group_id(seed, round, position, purpose, start),
        round=round,
        position=position,
        purpose=purpose,
        start=start,
        task=task,
        size=size,
        steps=steps,
    )


Children = Literal["none", "best", "random", "all"]


def expansion(
    group: Group, verdicts: Sequence[Verdict], children: Children, revise: bool = True
) -> list[Start]:
    """Starts that a played group puts into the buffer: its own, and those that go on from its answers, one
    for each turn of a play.

    Args:
        children: whose answers: nobody's, the best one's (the first of equals), one's at random (by the
            group's id: the same one each time), or everybody's. Answers without a reward are left out.
        revise: they answer a turn once more; otherwise they go on after it, and there is none after the last.
    """
    scored = [
        (verdict, attempt) for attempt, verdict in zip(group.attempts, verdicts) if verdict.reward is not None
    ]
    if not scored:
        return []
    chosen = scored
    if children == "none":
        chosen = []
    elif children == "best":
        chosen = [max(scored, key=lambda one: (one[0].reward, -one[1].index))]
    elif children == "random":
        chosen = [rng_of("child", group.id).choice(scored)]
    start = group.start
    made = [undecided(start)]
    for verdict, attempt in chosen:
        turns = whole(start, attempt, verdict)
        step = Step.IMPROVE if revise else Step.INITIAL
        for count in range(1, len(turns) + revise):
            made.append(_start(start.task_id, start.book, step, turns[:count]))
    return list({one.id: one for one in made}.values())


def whole(start: Start, attempt: Attempt, verdict: Verdict) -> tuple[Turn, ...]:
    """The latest answer of every turn of a play. What was told about it is known for the last one only: the
    environment says the rest again when the play is repeated."""
    answers = attempt.answers
    told = [""] * (len(answers) - 1) + [str(verdict.evidence.get("feedback", ""))]
    standing = start.history if start.step is Step.INITIAL else start.history[:-1]
    return standing + tuple(
        Turn(attempt_id=attempt.id, response=answer, reward=verdict.reward, feedback=feedback)
        for answer, feedback in zip(answers, told, strict=True)
    )
