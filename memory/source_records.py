"""Proposals of a run as records, as another run that learns from it takes them over.

Lists of proposals for people are `EpisodeReader.proposals`.
"""

from memory.codec import from_json, unpack_ids, unpack_logprobs
from memory.reader import RunReader
from protocols.records import Prompt, Proposal

_PROPOSALS = """SELECT p.*, t.status AS task_status, prompt.body AS prompt_json, response.body AS response
FROM proposals p
JOIN texts prompt ON prompt.id = p.prompt_text JOIN texts response ON response.id = p.response_text
LEFT JOIN tasks t ON t.id = p.task_id
WHERE p.round = ? ORDER BY p.seq"""


def proposals_of(reader: RunReader, round: int) -> list[tuple[Proposal, str]]:
    """A round's proposals in order of admission, each with what became of its task ("" without one)."""
    return [
        (
            Proposal(
                id=row["id"],
                round=row["round"],
                position=row["position"],
                topic=row["topic"],
                prompt=from_json(row["prompt_json"], Prompt),
                response=row["response"],
                policy_version=row["policy_version"],
                task=reader.task(row["task_id"]) if row["task_id"] else None,
                reason=row["reason"],
                detail=row["detail"],
                token_ids=() if row["token_ids"] is None else unpack_ids(row["token_ids"]),
                logprobs=() if row["logprobs"] is None else unpack_logprobs(row["logprobs"]),
                prefilled=row["prefilled"] or 0,
                finish=row["finish"] or "stop",
                reward=row["reward"],
            ),
            row["task_status"] or "",
        )
        for row in reader.rows(_PROPOSALS, [round])
    ]
