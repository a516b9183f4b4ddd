"""What a run explores from: which starts go into the buffer after a group, and which are drawn from it.

Plain functions over a buffer, so that what the curator did can be done again: `buffer_after` makes the buffer
as it was at the end of any round from the stored plans and groups, and proves it by the stored plans.
"""

import random
from collections.abc import Sequence
from typing import Any

from memory.buffer import StartBuffer
from memory.codec import from_json
from memory.reader import RunReader
from protocols.credit import learnability
from protocols.curator_settings import BufferSettings
from protocols.errors import StoreError
from protocols.iteration import decided, expansion, group_id
from protocols.records import Group, Origin, Purpose, Start, Verdict
from protocols.seeds import rng_of
from protocols.settings import RunSettings


def empty(wanted: BufferSettings) -> StartBuffer:
    return StartBuffer(wanted.size, wanted.kappa, wanted.rank, wanted.staleness)


def again(
    buffer: StartBuffer, wanted: BufferSettings, rng: random.Random
) -> tuple[Start, dict[str, Any]] | None:
    """With the set chance, a start from the buffer instead of a base task, and why it was chosen."""
    if len(buffer) < wanted.least or rng.random() >= wanted.p:
        return None
    entry = buffer.sample(rng)
    why = {"score": entry.score, "visits": entry.visits, "scored": entry.round, "kept": entry.start.id}
    return decided(entry.start, wanted.diverge, rng), why


def offer(
    buffer: StartBuffer,
    wanted: BufferSettings,
    group: Group,
    verdicts: Sequence[Verdict],
    rejected: bool,
    score: float | None = None,
) -> None:
    """Keep a collected group's start in the buffer, and what goes on from it, all with the group's score:
    starts that were never played have none of their own yet.

    Args:
        score: as it was kept when the group was judged; None: of these verdicts.
    """
    if group.purpose is not Purpose.COLLECT or rejected or not wanted.p:
        return
    if score is None:
        score = learnability([verdict.reward for verdict in verdicts if verdict.reward is not None])
    for start in expansion(group, verdicts, wanted.children, wanted.revise):
        buffer.offer(start, score, group.round)


def buffer_after(reader: RunReader, settings: Sequence[RunSettings]) -> StartBuffer:
    """The buffer at the end of a round, without what later rounds did to it.

    Args:
        settings: of the rounds 1 .. N, in their order; those of a branch's rounds may differ.

    Raises:
        StoreError: a stored plan is not what this buffer gives; the run was changed by hand.
    """
    buffer = empty(settings[0].curator.buffer)
    if settings[0].curator.source or not any(one.curator.buffer.p for one in settings):
        return buffer
    rounds = len(settings)
    plans = {row["round"]: row for row in reader.rows("SELECT * FROM rounds WHERE round <= ?", [rounds])}
    # Rounds that were collected ahead are planned while others are played: what happened first comes first.
    happened: list[tuple[float, int, Any]] = [(row["started"], 0, row) for row in plans.values()]
    played = reader.rows(
        "SELECT seq, id, created, learnability FROM groups WHERE round <= ? AND purpose = 'collect'", [rounds]
    )
    happened += [(row["created"], row["seq"], row["id"]) for row in played]
    scores = {row["id"]: row["learnability"] for row in played}
    origins = {row["id"]: row["origin"] for row in reader.rows("SELECT id, origin FROM tasks")}
    rejected = {
        (row["round"], row["subject_id"])
        for row in reader.rows(
            "SELECT round, subject_id FROM decisions WHERE kind = 'task' AND action = 'reject'"
        )
    }
    for _, _, what in sorted(happened, key=lambda one: one[:2]):
        if isinstance(what, str):
            group, verdicts = reader.group(what)
            wanted = settings[group.round - 1].curator.buffer
            _suit(buffer, wanted)
            lost = (group.round, group.start.task_id) in rejected
            offer(buffer, wanted, group, verdicts, lost, scores[group.id])
        else:
            own = settings[what["round"] - 1]
            _suit(buffer, own.curator.buffer)
            _draw_again(buffer, own, what, reader, origins)
    _suit(buffer, settings[-1].curator.buffer)
    return buffer


def _draw_again(
    buffer: StartBuffer,
    settings: RunSettings,
    row: dict[str, Any],
    reader: RunReader,
    origins: dict[str, str],
) -> None:
    """Take from the buffer what a round's plan took."""
    round = row["round"]
    starts = from_json(row["plan_json"], list[Start])[: row["planned"]]
    drawn = {
        one["subject_id"]
        for one in reader.rows(
            "SELECT subject_id FROM decisions WHERE round = ? AND kind = 'start' AND reason = 'replay'",
            [round],
        )
    }
    rng = rng_of(settings.seed, "starts", round)
    for position, start in enumerate(starts):
        replayed = group_id(settings.seed, round, position, Purpose.COLLECT, start) in drawn
        if not replayed and origins[start.task_id] == Origin.PROPOSED:
            continue
        found = again(buffer, settings.curator.buffer, rng)
        if (found is not None) is not replayed or (found and found[0].id != start.id):
            raise StoreError(
                f"{reader.path}: the buffer before round {round} cannot be made again: start {position} of "
                "its plan is another one; the run database was changed by hand, or by another version"
            )


def _suit(buffer: StartBuffer, wanted: BufferSettings) -> None:
    """Go on under other settings; what has no room is left out, lowest scores first."""
    ours = (buffer.size, buffer.kappa, buffer.rank, buffer.staleness)
    if ours == (wanted.size, wanted.kappa, wanted.rank, wanted.staleness):
        return
    buffer.change(wanted.size, wanted.kappa, wanted.rank, wanted.staleness)
