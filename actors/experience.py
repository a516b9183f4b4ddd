"""What of the store is learned, and with which weight: verified answers, groups to compare, proposals.

`gather` reads what counts; the rest are pure functions over it. The curator writes down what was left out and
why. Not here: the update itself (`actors.learning`).
"""

from collections import Counter
from collections.abc import Sequence

from actors import choosing
from actors.choosing import Answer
from actors.learning.advantages import group_advantages, tells_nothing
from memory.episodes import Verified
from memory.outcomes import Rewarded
from memory.reader import RunReader
from protocols.domain import Domain
from protocols.learner_settings import GrpoSettings
from protocols.recipes import Recipe, recipe
from protocols.records import Prompt, Role, Sample
from protocols.settings import RunSettings

Chosen = list[tuple[Verified, float]]
"""Attempts to learn from, each with its weight."""


def gather(
    reader: RunReader, domain: Domain, settings: RunSettings, round: int
) -> tuple[list[Sample], list[str]]:
    """What is learned after a round, on the recipe's prompt; and lines about what was chosen."""
    plan = recipe(settings.learner.recipe)
    compares = plan.algorithm == "grpo"
    kept = settings.curator.experience
    since = round if kept == "round" or (kept == "auto" and compares) else 1
    found = reader.verified_attempts(
        "g.round BETWEEN ? AND ? AND g.book = ? AND t.status = 'active'",
        (since, round, plan.book_at_rollout.value),
        min_reward=0.0 if compares else 1.0,
    )
    counted = [one for one in found if plan.counts(one.task)]
    if compares:
        chosen, dropped = to_compare(counted, settings.learner.grpo)
    else:
        chosen, dropped = to_imitate(counted, settings.curator.per_task_cap, settings.curator.distinct)
    told = [f"{len(chosen)} of {len(counted)} answers chosen, dropped: {dict(dropped)}"]
    samples = [
        Sample(
            attempt_id=one.attempt.id,
            prompt=_learned_on(one, plan, domain),
            token_ids=one.attempt.token_ids,
            logprobs=one.attempt.logprobs,
            prefilled=one.attempt.prefilled,
            weight=weight,
            group_id=one.attempt.group_id,
            kind=one.task.kind,
            reward=one.reward,
        )
        for one, weight in chosen
    ]
    if Role.PROPOSER in plan.roles:
        proposals = reader.rewarded_proposals(since, round)
        proposed, dropped = to_propose(proposals, settings.learner.grpo)
        told.append(f"{len(proposed)} of {len(proposals)} proposals chosen, dropped: {dict(dropped)}")
        samples += proposed
    return samples, told


def _learned_on(one: Verified, plan: Recipe, domain: Domain) -> Prompt:
    """The prompt of the update. Policy gradients with the same book in both places need the very prompt that
    was played, worked examples included: on another one the samples would not be the policy's."""
    if plan.algorithm == "grpo" and plan.book_at_update is plan.book_at_rollout:
        return one.prompt
    return domain.learning_prompt(one.task, one.start, plan.book_at_update)


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
