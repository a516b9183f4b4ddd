"""What stands in a store where a body is gone: removed on purpose, or lost with a damaged file.

A body is a long text of an episode (prompt, answer, the answers in a history) or its tokens. What is counted
does not need them. The mark that stands for one is an ordinary text, so that whoever shows an episode shows
it, in one line.
"""

from typing import Any

from memory.codec import from_json, to_json
from memory.reading import ReadOnly
from protocols.errors import StoreError
from protocols.records import Message, Prompt

PRUNED = "(removed by taskspace prune)"
LOST = "(lost with the damaged store)"

_BODIES = {"response": "", "feedback": "", "prefill": "", "told": [], "token_ids": [], "logprobs": []}


def prompt_of(mark: str) -> str:
    """JSON of a prompt that says no more than the mark."""
    return to_json(Prompt(messages=(Message(role="user", content=mark),)))


def bodiless(text: str | None) -> str | None:
    """JSON of a plan, a history, exchanges or a start, without the bodies in it; ids and rewards stay."""
    return None if text is None else to_json(_emptied(from_json(text)))


def _emptied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _BODIES.get(key, _emptied(inner)) for key, inner in value.items()}
    return [_emptied(inner) for inner in value] if isinstance(value, list) else value


def gone(response: str) -> bool:
    """Whether a mark stands where an answer was."""
    return response in (PRUNED, LOST)


def require_tokens(reader: ReadOnly) -> None:
    """Refuse to learn from what has no tokens.

    Raises:
        StoreError: token ids of collected attempts were pruned, lost, or never there.
    """
    without = reader.value(
        "SELECT count(*) FROM tokens k JOIN attempts a ON a.seq = k.attempt_seq JOIN groups g"
        " ON g.id = a.group_id WHERE g.purpose = 'collect' AND a.sampled > 0 AND length(k.token_ids) = 0"
    )
    if without:
        raise StoreError(
            f"{reader.path.parent}: {without} attempts have no token ids (pruned, lost, or imported without),"
            " and cannot be learned from; choose a run that has them"
        )
