"""From rows back to records: the columns to select for each record, and what builds it from them.

Columns carry their table's letter (`a_` attempts, `g_` groups, `t_` tasks), so that one join can hold
several records.
"""

from typing import Any

from memory.codec import from_json, unpack_ids, unpack_logprobs
from protocols.records import (
    Attempt,
    Book,
    Exchange,
    Group,
    Origin,
    Prompt,
    Purpose,
    Split,
    Start,
    Step,
    Task,
    Turn,
    Verdict,
)

Row = dict[str, Any]


def _columns(letter: str, names: str) -> str:
    return ", ".join(f"{letter}.{name} AS {letter}_{name}" for name in names.split())


TASK = (
    _columns(
        "t",
        "id domain split kind origin topics_json payload_json parent_id reference_json truth_agrees status"
        " round",
    )
    + ", statement.body AS t_statement"
)
TASK_TEXTS = "JOIN texts statement ON statement.id = t.statement_text"

GROUP = (
    _columns(
        "g",
        "seq id round position purpose task_id start_id step book parent_attempt_id prompt_tokens"
        " policy_version engine attempts verified infra_errors tokens mean_reward learnability seconds"
        " created",
    )
    + ", history.body AS g_history_json, prompt.body AS g_prompt_json"
)
GROUP_TEXTS = (
    "JOIN texts history ON history.id = g.history_text JOIN texts prompt ON prompt.id = g.prompt_text"
)

ATTEMPT = (
    _columns(
        "a",
        "seq id group_id idx prefilled finish seed reward category infra_error flipped verdict_seconds"
        " evidence_json exchanges_json",
    )
    + ", response.body AS a_response, k.token_ids AS a_token_ids, k.logprobs AS a_logprobs"
)
ATTEMPT_TEXTS = "JOIN texts response ON response.id = a.response_text JOIN tokens k ON k.attempt_seq = a.seq"

#: A whole episode: attempt, group and task in one join; a WHERE clause goes behind it.
EPISODE = f"""SELECT {ATTEMPT}, {GROUP}, {TASK}
FROM attempts a {ATTEMPT_TEXTS}
JOIN groups g ON g.id = a.group_id {GROUP_TEXTS}
JOIN tasks t ON t.id = g.task_id {TASK_TEXTS}"""


def task(row: Row) -> Task:
    return Task(
        id=row["t_id"],
        domain=row["t_domain"],
        split=Split(row["t_split"]),
        kind=row["t_kind"],
        origin=Origin(row["t_origin"]),
        statement=row["t_statement"],
        topics=tuple(from_json(row["t_topics_json"])),
        payload=from_json(row["t_payload_json"]),
        parent_id=row["t_parent_id"],
        reference=None if row["t_reference_json"] is None else from_json(row["t_reference_json"]),
        truth_agrees=None if row["t_truth_agrees"] is None else bool(row["t_truth_agrees"]),
    )


def start(row: Row) -> Start:
    return Start(
        id=row["g_start_id"],
        task_id=row["g_task_id"],
        step=Step(row["g_step"]),
        book=Book(row["g_book"]),
        history=from_json(row["g_history_json"], tuple[Turn, ...]),
    )


def group(row: Row, attempts: tuple[Attempt, ...]) -> Group:
    return Group(
        id=row["g_id"],
        round=row["g_round"],
        position=row["g_position"],
        purpose=Purpose(row["g_purpose"]),
        start=start(row),
        prompt=prompt(row),
        prompt_tokens=row["g_prompt_tokens"],
        policy_version=row["g_policy_version"],
        engine=row["g_engine"],
        attempts=attempts,
        seconds=row["g_seconds"],
    )


def prompt(row: Row) -> Prompt:
    return from_json(row["g_prompt_json"], Prompt)


def attempt(row: Row) -> Attempt:
    return Attempt(
        id=row["a_id"],
        group_id=row["a_group_id"],
        index=row["a_idx"],
        response=row["a_response"],
        token_ids=unpack_ids(row["a_token_ids"]),
        logprobs=unpack_logprobs(row["a_logprobs"]),
        prefilled=row["a_prefilled"],
        finish=row["a_finish"],
        seed=row["a_seed"],
        exchanges=from_json(row["a_exchanges_json"] or "[]", tuple[Exchange, ...]),
    )


def verdict(row: Row) -> Verdict:
    return Verdict(
        attempt_id=row["a_id"],
        reward=row["a_reward"],
        category=row["a_category"],
        evidence=from_json(row["a_evidence_json"]),
        infra_error=row["a_infra_error"],
        seconds=row["a_verdict_seconds"],
        flipped=bool(row["a_flipped"]),
    )


def parsed(row: Row) -> Row:
    """The same row with its JSON columns read: `topics_json` becomes `topics`."""
    return {
        name.removesuffix("_json"): from_json(value)
        if name.endswith("_json") and value is not None
        else value
        for name, value in row.items()
    }
