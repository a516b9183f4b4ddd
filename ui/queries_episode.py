"""What the Episode page asks beyond `RunReader.attempt`: others' texts, token texts, original times."""

from pathlib import Path
from typing import Any, NamedTuple

from memory import token_texts
from memory.codec import from_json
from memory.episodes import Episode
from memory.moments import Moments, moments
from memory.reader import RunReader
from protocols.records import Book, Prompt
from protocols.verdicts import percent

Row = dict[str, Any]


def response(reader: RunReader, attempt_id: str) -> str:
    """An attempt's whole answer; "" for one that is not there."""
    found = reader.value(
        "SELECT r.body FROM attempts a JOIN texts r ON r.id = a.response_text WHERE a.id = ?", [attempt_id]
    )
    return str(found or "")


def retrieved(seen: Episode) -> str | None:
    """Where the book was opened, as the prompt has it; None where no book is open.

    Documentation is that of the task's own functions (oracle retrieval, as in SE-Bench's published code), so
    it is read off the part of the prompt that comes before the task's statement.
    """
    if seen.start.book != Book.OPEN:
        return None
    shown = 0
    for message in seen.prompt.messages:
        shown += message.role == "assistant"
        documentation, found, _ = message.content.partition(seen.task.statement)
        if found and message.role == "user" and documentation.strip():
            named = ", ".join(topic for topic in seen.task.topics if topic in documentation)
            examples = f", after {shown} worked example{'s' * (shown != 1)}" if shown else ""
            return f"documentation of {named}{examples}" if named else None
    return None


class Times(NamedTuple):
    """When an episode's parts were done, and what of it took how long."""

    moments: Moments  # UNIX seconds
    proposing: float | None  # seconds of the stage in which the proposal was written, with all others of it
    learning: float | None  # seconds of the last update that learned from it


def times(reader: RunReader, seen: Episode) -> Times:
    """For replaying it.

    Raises:
        StoreError: the database cannot be read.
    """
    proposing = learning = None
    if seen.proposal is not None:
        proposing = reader.value(
            "SELECT seconds FROM stages WHERE role = 'proposer' AND stage NOT LIKE 'wait%' AND round = ?"
            " AND started <= ? ORDER BY started DESC LIMIT 1",
            [seen.proposal["round"], seen.proposal["created"]],
        )
    if seen.updates:
        learning = reader.value(
            "SELECT seconds FROM updates WHERE version = ?", [seen.updates[-1]["version"]]
        )
    return Times(moments(reader, seen), proposing, learning)


class Background(NamedTuple):
    """Of an episode."""

    pieces: list[list[str]] | None  # the texts of its tokens, see `token_pieces`
    asked: Prompt | None  # what the proposer was asked with, if it wrote the task
    proposal_versions: list[int]  # updates that learned from the proposal


def background(reader: RunReader, run: Path, seen: Episode) -> Background:
    """What stands behind an episode in other places than its own row."""
    asked, versions = None, []
    if seen.proposal is not None:
        asked = from_json(
            reader.value("SELECT body FROM texts WHERE id = ?", [seen.proposal["prompt_text"]]), Prompt
        )
        rows = reader.rows(
            "SELECT DISTINCT version FROM proposal_samples WHERE proposal_id = ? ORDER BY version",
            [seen.proposal["id"]],
        )
        versions = [row["version"] for row in rows]
    return Background(token_pieces(run, reader.config(), seen), asked, versions)


def token_pieces(run: Path, config: Row, seen: Episode) -> list[list[str]] | None:
    """The texts of its tokens, a list for each of its answers; None where they are not to be had."""
    model = config.get("model")
    model = model if isinstance(model, dict) else {}
    file = token_texts.tokenizer_file(run, str(model.get("name", "")), model.get("revision"))
    if file is None:
        return None
    found, begun = [], 0
    for answer, count in answers(seen):
        texts = token_texts.pieces(file, seen.attempt.token_ids[begun : begun + count], answer)
        if texts is None:
            return None
        found.append(texts)
        begun += count
    return found


def answers(seen: Episode) -> list[tuple[str, int]]:
    """Each answer of the attempt, and how many of its token ids it is."""
    attempt = seen.attempt
    if attempt.exchanges:
        return [(one.response, one.tokens) for one in attempt.exchanges]
    return [(attempt.response, len(attempt.token_ids))]


# --- a round ---


class Happening(NamedTuple):
    """Something in a round."""

    at: float  # UNIX seconds
    role: str
    what: str  # of our words and of data: made safe where it is shown
    counts: dict[str, int]  # what it adds to the round's totals
    attempt_id: str | None = None  # an episode to look at


def happenings(reader: RunReader, round: int) -> list[Happening]:
    """What happened in a round, in order: proposals, groups, updates, evaluations, lines for people."""
    found = [
        Happening(
            row["created"],
            "proposer",
            f"about {row['topic']}: {'rejected, ' + row['reason'] if row['reason'] else 'a task'}",
            {"proposals": 1, "rejected": int(row["reason"] is not None)},
        )
        for row in reader.rows(
            "SELECT created, substr(topic, 1, 80) AS topic, substr(reason, 1, 80) AS reason FROM proposals"
            " WHERE round = ? ORDER BY seq",
            [round],
        )
    ]
    for row in reader.rows(
        "SELECT g.created, g.purpose, g.step, g.book, g.attempts, g.verified, t.topics_json,"
        " (SELECT id FROM attempts a WHERE a.group_id = g.id ORDER BY a.reward DESC, a.idx"
        " LIMIT 1) AS best FROM groups g JOIN tasks t ON t.id = g.task_id WHERE g.round = ? ORDER BY g.seq",
        [round],
    ):
        collected = row["purpose"] == "collect"
        found.append(
            Happening(
                row["created"],
                "solver",
                f"{row['step']}, {row['book']} book, {row['verified']} of {row['attempts']} verified"
                f"{'' if collected else ', evaluation'}: {', '.join(from_json(row['topics_json']))}",
                {"groups": 1, "attempts": row["attempts"], "verified": row["verified"]} if collected else {},
                row["best"],
            )
        )
    found += [
        Happening(row["created"], "learner", f"version {row['version']} from {row['samples']} samples", {})
        for row in reader.rows("SELECT created, version, samples FROM updates WHERE round = ?", [round])
    ]
    found += [
        Happening(
            row["created"],
            "arena",
            f"{row['book']} book, version {row['policy_version']}: {percent(row['accuracy'])}",
            {},
        )
        for row in reader.rows("SELECT * FROM evaluations WHERE round = ?", [round])
    ]
    found += [
        Happening(row["at"], row["role"], row["message"], {})
        for row in reader.rows(
            "SELECT at, role, substr(message, 1, 200) AS message FROM events WHERE round = ?", [round]
        )
    ]
    return sorted(found, key=lambda one: one.at)


def stages(reader: RunReader, round: int) -> list[Row]:
    """Who spent how long on what in a round, in order."""
    rows = reader.rows(
        "SELECT role, stage, started, seconds, numbers_json FROM stages WHERE round = ? ORDER BY started",
        [round],
    )
    return [{**row, "numbers": from_json(row.pop("numbers_json"))} for row in rows]


def rounds(reader: RunReader) -> list[int]:
    """Rounds that were begun."""
    return [row["round"] for row in reader.rows("SELECT round FROM rounds ORDER BY round")]
