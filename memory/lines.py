"""Episodes as lines: one attempt each, in the shape that verifiers and trainers read.

    {"example_id", "prompt": [messages], "completion": [messages], "answer", "reward", "task", "info"}

`task` is the domain and `info` holds everything else that the store knows of the attempt, so that lines
written here come back as the same groups, attempts, verdicts and tasks. Lines of other origin give what they
have; `DEFAULTS` says what stands for the rest.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from memory import selects
from memory.codec import from_json
from memory.reading import ReadOnly
from protocols.errors import StoreError
from protocols.records import (
    Attempt,
    Book,
    Exchange,
    Group,
    Message,
    Origin,
    Prompt,
    Purpose,
    Record,
    Split,
    Start,
    Step,
    Task,
    Turn,
    Verdict,
)
from protocols.seeds import digest

Line = dict[str, Any]

#: What a line of other origin is taken for where it does not say so itself, in its `info`.
DEFAULTS: Line = {
    "split": "train",
    "kind": "imported",
    "origin": "dataset",
    "topics": [],
    "status": "active",
    "task_round": 0,
    "round": 1,
    "purpose": "collect",
    "step": "initial",
    "book": "closed",
    "policy_version": 0,
    "engine": "imported",
    "finish": "stop",
    "seed": 0,
    "token_ids": [],
    "logprobs": [],
}

CHUNK = 256  # episodes read at once: prompts may be long
_ORDERED = f"{selects.EPISODE} WHERE a.seq > ? ORDER BY a.seq LIMIT {CHUNK}"


def lines(reader: ReadOnly) -> Iterator[Line]:
    """Every attempt of a run, in order of admission."""
    last = 0
    while rows := reader.rows(_ORDERED, [last]):
        yield from map(_line, rows)
        last = rows[-1]["a_seq"]


def _line(row: Line) -> Line:
    attempt, verdict, task = selects.attempt(row), selects.verdict(row), selects.task(row)
    group = selects.group(row, ())
    info = {
        **_fields(attempt, "response"),
        **_fields(verdict, "attempt_id", "reward"),
        **_fields(group, "id", "attempts", "prompt", "start"),
        **_fields(task, "id", "domain"),
        "task_round": row["t_round"],
        "start_id": group.start.id,
        "step": group.start.step,
        "book": group.start.book,
        "history": group.start.history,
        "prefill": group.prompt.prefill,
        "status": row["t_status"],
        "verdict_seconds": verdict.seconds,
        "seconds": group.seconds,
    }
    reference = task.reference
    answer = reference if isinstance(reference, str) else "" if reference is None else json.dumps(reference)
    line = {
        "example_id": task.id,
        "prompt": group.prompt.messages,
        "completion": _completion(attempt),
        "answer": answer,
        "reward": verdict.reward,
        "task": task.domain,
        "info": info,
    }
    return dict(msgspec.to_builtins(line))


def _fields(record: Record, *leave: str) -> Line:
    return {name: getattr(record, name) for name in record.__struct_fields__ if name not in leave}


def _completion(attempt: Attempt) -> list[Message]:
    """What was said after the prompt: the answers, and between them what the environment told."""
    if not attempt.exchanges:
        return [Message(role="assistant", content=attempt.response)]
    said: list[Message] = []
    for number, exchange in enumerate(attempt.exchanges):
        said += exchange.told if number else ()
        said.append(Message(role="assistant", content=exchange.response))
    return said


class Played(Record, frozen=True):
    """A group that was read from lines, with what its task is."""

    task: Task
    status: str
    task_round: int  # in which it was added
    group: Group
    verdicts: tuple[Verdict, ...]


def played(found: Iterable[Line], where: str) -> Iterator[Played]:
    """See `played_of`, of lines that are counted from 1."""
    return played_of(enumerate(found, 1), where)


def played_of(found: Iterable[tuple[int, Line]], where: str) -> Iterator[Played]:
    """Groups: lines that follow each other with the same `info.group_id`, or else with the same prompt.

    Args:
        found: lines with their numbers.
        where: they come from, for messages.

    Raises:
        StoreError: a line cannot be used; the message names it.
    """
    numbered = ((number, _known(line, f"{where} line {number}")) for number, line in found)
    positions: dict[tuple[int, str], int] = {}
    for _, several in groupby(numbered, key=lambda pair: _key(pair[1])):
        members = list(several)
        number, first = members[0]
        try:
            info = DEFAULTS | first["info"]
            place = (int(info["round"]), str(info["purpose"]))
            positions[place] = positions.get(place, -1) + 1
            yield _group(members, info, number, positions[place])
        except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
            raise StoreError(f"{where} line {number}: {type(error).__name__}: {error}; correct it") from None


def _known(line: Any, where: str) -> Line:
    """The line with its messages and its `info` in their usual form."""
    if not isinstance(line, dict) or "prompt" not in line or "completion" not in line:
        raise StoreError(f"{where}: no episode; a line is an object with prompt, completion and reward")
    info = line.get("info") or {}
    if isinstance(info, str):
        try:
            info = from_json(info)
        except ValueError:
            info = {"info": info}
    reward = line.get("reward")
    if reward is not None and (not isinstance(reward, int | float) or not 0 <= reward <= 1):
        raise StoreError(f"{where}: reward {reward!r} is not in 0 .. 1; scale rewards before the import")
    return {
        **line,
        "prompt": _messages(line["prompt"], "user", where),
        "completion": _messages(line["completion"], "assistant", where),
        "info": info,
    }


def _messages(said: Any, role: str, where: str) -> list[Message]:
    if isinstance(said, str):
        return [Message(role=role, content=said)]
    try:
        made = [Message(role=one["role"], content=one["content"] or "") for one in said]
        if not all(isinstance(text, str) for one in made for text in (one.role, one.content)):
            raise TypeError
        return made
    except (TypeError, KeyError):
        raise StoreError(f"{where}: a prompt is a text, or a list of messages with role, content") from None


def _key(line: Line) -> Any:
    """What lines of one group have in common."""
    info = DEFAULTS | line["info"]
    alike = ("round", "purpose", "step", "book", "policy_version")
    return info.get("group_id") or (line.get("example_id"), line["prompt"], [info[name] for name in alike])


def _group(members: list[tuple[int, Line]], info: Line, number: int, position: int) -> Played:
    line = members[0][1]
    task = _task(line, info)
    prompt = Prompt(messages=tuple(line["prompt"]), prefill=info.get("prefill", ""))
    group_id = info.get("group_id") or digest("imported group", number, task.id)
    start = Start(
        id=info.get("start_id") or digest("imported start", task.id, prompt),
        task_id=task.id,
        step=Step(info["step"]),
        book=Book(info["book"]),
        history=msgspec.convert(info.get("history", []), tuple[Turn, ...]),
    )
    judged = [_attempt(each, DEFAULTS | each["info"], group_id, i) for i, (_, each) in enumerate(members)]
    group = Group(
        id=group_id,
        round=info["round"],
        position=info.get("position", position),
        purpose=Purpose(info["purpose"]),
        start=start,
        prompt=prompt,
        prompt_tokens=info.get("prompt_tokens", 0),
        policy_version=info["policy_version"],
        engine=info["engine"],
        attempts=tuple(attempt for attempt, _ in judged),
        seconds=info.get("seconds", 0.0),
    )
    return Played(
        task=task,
        status=info["status"],
        task_round=info["task_round"],
        group=group,
        verdicts=tuple(verdict for _, verdict in judged),
    )


def _task(line: Line, info: Line) -> Task:
    domain, answer = str(line.get("task") or "imported"), line.get("answer") or None
    asked = [message.content for message in line["prompt"] if message.role == "user"]
    own = "payload" in info  # written here: a name is a name again only among the same tasks
    return Task(
        id=str(line["example_id"]) if own else digest("imported task", domain, line["prompt"]),
        domain=domain,
        split=Split(info["split"]),
        kind=info["kind"],
        origin=Origin(info["origin"]),
        statement=info.get("statement", asked[-1] if asked else ""),
        topics=tuple(info["topics"]),
        payload=info["payload"] if own else {"example_id": line.get("example_id"), "info": line["info"]},
        parent_id=info.get("parent_id"),
        reference=info.get("reference") if own else answer,
        truth_agrees=info.get("truth_agrees"),
    )


def _attempt(line: Line, info: Line, group_id: str, index: int) -> tuple[Attempt, Verdict]:
    answers = [message.content for message in line["completion"] if message.role == "assistant"]
    exchanges = msgspec.convert(info.get("exchanges", []), tuple[Exchange, ...])
    if not exchanges and len(line["completion"]) > 1:
        exchanges = _exchanges(line["completion"])
    reward = line.get("reward")
    problem = info.get("infra_error") or (str(line["error"]) if line.get("error") else None)
    if problem:
        reward, category = None, "infra_error"
    elif reward is None:
        category = "unreferenced"
    else:
        category = "correct" if reward >= 1 else "wrong_answer"
    attempt = Attempt(
        id=info.get("id") or digest("imported attempt", group_id, index),
        group_id=group_id,
        index=info.get("index", index),
        response=answers[-1] if answers else "",
        token_ids=tuple(info["token_ids"]),
        logprobs=tuple(info["logprobs"]),
        prefilled=info.get("prefilled", 0),
        finish=info["finish"],
        seed=info["seed"],
        exchanges=exchanges,
    )
    verdict = Verdict(
        attempt_id=attempt.id,
        reward=reward,
        category=info.get("category", category),
        evidence=info.get("evidence", {}),
        infra_error=problem,
        seconds=info.get("verdict_seconds", 0.0),
        flipped=info.get("flipped", False),
    )
    return attempt, verdict


def _exchanges(said: list[Message]) -> tuple[Exchange, ...]:
    """Answers, each with what was said since the one before."""
    found: list[Exchange] = []
    told: list[Message] = []
    for message in said:
        if message.role == "assistant":
            found.append(Exchange(told=tuple(told), response=message.content, tokens=0))
            told = []
        else:
            told.append(message)
    return tuple(found)
