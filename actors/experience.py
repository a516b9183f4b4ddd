"""What of the store is learned, and with which weight: verified answers, groups to compare, proposals.

Pure functions over what was read from the store; the curator reads, and writes down what was left out and
why. Not here: the update itself (`actors.learning`).
"""

from collections import Counter
from collections.abc import Sequence

from actors import choosing
from actors.choosing import Answer
from actors.learning.advantages import group_advantages, tells_nothing
from memory.episodes import Verified
from memory.outcomes import Rewarded
from protocols.records import Role, Sample
from protocols.settings import GrpoSettings

Chosen = list[tuple[Verified, float]]
"""Attempts to learn from, each with its weight."""


def to_imitate(
    found: Sequence[Verified], per_task_cap: int, distinct: bool = True
) -> tuple[Chosen, Counter[str]]:
    """(Distinct) verified answers, a few for each task, with weight 1; and what was left out, by reason."""
    by_id = {one.attempt.id: one for one in found}
    kept, dropped = choosing.chosen_answers(
        (
            Answer(attempt_id=i, task_id=one.task.id, response=one.attempt.response)
            for i, one in by_id.items()
        ),
        per_task_cap,
        distinct,
    )
    return [(by_id[answer.attempt_id], 1.0) for answer in kept], Counter(dropped.values())


def to_compare(found: Sequence[Verified], switches: GrpoSettings) -> tuple[Chosen, Counter[str]]:
    """Judged attempts, weighted by their advantage in their group; and what was left out, by reason.

    Advantages are those of the whole group; what is left out afterwards does not change its siblings'.
    """
    groups: dict[str, list[Verified]] = {}
    for one in found:
        groups.setdefault(one.attempt.group_id, []).append(one)
    chosen: Chosen = []
    dropped: Counter[str] = Counter()
    for group in groups.values():
        rewards = [one.reward for one in group]
        if switches.zero_variance != "keep" and tells_nothing(rewards):
            dropped["zero_variance"] += len(group)
            continue
        for one, advantage in zip(group, group_advantages(rewards, switches.normalise, switches.negative)):
            if switches.overlong == "drop" and one.attempt.finish == "length":
                dropped["overlong"] += 1
            elif len(one.attempt.token_ids) == one.attempt.prefilled:
                dropped["nothing_sampled"] += 1
            else:
                chosen.append((one, advantage))
    return chosen, dropped


def to_propose(found: Sequence[Rewarded], switches: GrpoSettings) -> tuple[list[Sample], Counter[str]]:
    """Proposals to learn from, on the prompt they were asked with; and what was left out, by reason.

    Their weight is the learner's business: a proposal has no group, only a baseline.
    """
    chosen: list[Sample] = []
    dropped: Counter[str] = Counter()
    for one in found:
        if switches.overlong == "drop" and one.finish == "length":
            dropped["overlong"] += 1
        elif len(one.token_ids) == one.prefilled:
            dropped["nothing_sampled"] += 1
        else:
            chosen.append(
                Sample(
                    attempt_id=one.id,
                    prompt=one.prompt,
                    token_ids=one.token_ids,
                    logprobs=one.logprobs,
                    prefilled=one.prefilled,
                    group_id=one.id,
                    role=Role.PROPOSER,
                    reward=one.reward,
                )
            )
    return chosen, dropped
