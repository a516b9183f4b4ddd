"""What of the store is learned, and with which weight: verified answers, groups to compare, proposals.

`gather` reads what counts; the rest are pure functions over it. The curator writes down what was left out and
why. Not here: the update itself (`actors.learning`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

from actors import choosing
from actors.choosing import Answer
from actors.learning.advantages import group_advantages, tells_nothing
from memory.episodes import Verified
from memory.outcomes import Rewarded
from memory.reader import RunReader
from protocols.credit import chain_reward, gain
from protocols.domain import Domain
from protocols.learner_settings import GrpoSettings
from protocols.logprobs import all_known
from protocols.prompting import prompts_of
from protocols.recipes import Recipe, recipe
from protocols.records import Exchange, Prompt, Role, Sample, Step
from protocols.settings import RunSettings

_REPLAYED = """EXISTS (SELECT 1 FROM decisions d WHERE d.subject_id = g.id AND d.kind = 'start'
  AND d.reason = 'replay')"""

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
    replayed = f" AND {_REPLAYED}" if settings.curator.buffer.robust else ""
    found = reader.verified_attempts(
        f"g.round BETWEEN ? AND ? AND g.book = ? AND t.status = 'active'{replayed}",
        (since, round, plan.book_at_rollout.value),
        min_reward=0.0 if compares else 1.0,
    )
    counted = [one for one in found if plan.counts(one.task)]
    endings = (
        domain.stops if compares and domain.multi_turn and settings.learner.grpo.overlong == "drop" else ()
    )
    if compares:
        chosen, dropped = to_compare(counted, settings.learner.grpo, _worth(domain, settings), endings)
    else:
        chosen, dropped = to_imitate(counted, settings.curator.per_task_cap, settings.curator.distinct)
    told = [f"{len(chosen)} of {len(counted)} answers chosen, dropped: {dict(dropped)}"]
    samples = [
        sample
        for one, weight in chosen
        for sample in samples_of(one, weight, _learned_on(one, plan, domain), endings)
    ]
    if endings:
        given = sum(max(1, len(one.attempt.exchanges)) for one, _ in chosen)
        told.append(f"{len(samples)} of their {given} answers learned, those with a valid ending")
    if Role.PROPOSER in plan.roles:
        proposals = reader.rewarded_proposals(since, round)
        proposed, dropped = to_propose(proposals, settings.learner.grpo)
        told.append(f"{len(proposed)} of {len(proposals)} proposals chosen, dropped: {dict(dropped)}")
        samples += proposed
    return samples, told


def samples_of(one: Verified, weight: float, prompt: Prompt, endings: Sequence[str] = ()) -> list[Sample]:
    """Every answer of an attempt that anything was sampled for, on the prompt it was given to.

    Args:
        prompt: the first one, as learned.
        endings: an answer with none of these is left out; () = any ending will do.
    """
    attempt = one.attempt
    whole = Exchange(
        told=(), response=attempt.response, tokens=len(attempt.token_ids), prefilled=attempt.prefilled
    )
    exchanges = attempt.exchanges or (whole,)
    made, ids, logprobs = [], iter(attempt.token_ids), iter(attempt.logprobs)
    for exchange, asked in zip(exchanges, prompts_of(prompt, exchanges)):
        sampled = exchange.tokens - exchange.prefilled
        sample = Sample(
            attempt_id=attempt.id,
            prompt=asked,
            token_ids=tuple(islice(ids, exchange.tokens)),
            logprobs=tuple(islice(logprobs, sampled)),
            prefilled=exchange.prefilled,
            weight=weight,
            group_id=attempt.group_id,
            kind=one.task.kind,
            reward=one.reward,
            version=one.policy_version,
        )
        ended = not endings or any(ending in exchange.response for ending in endings)
        if sampled and ended:
            made.append(sample)
    return made


def _worth(domain: Domain, settings: RunSettings) -> Callable[[Verified], float]:
    """What an attempt's advantage is taken from: its reward, what it gained, or what its chain is worth."""
    chain, wanted = settings.solver.chain, settings.learner.grpo.improve_reward
    by_gain = (domain.improve_reward if wanted == "auto" else wanted) == "gain"

    def worth(one: Verified) -> float:
        first = one.evidence.get("first")
        if first is not None:
            return chain_reward(first, one.reward, chain.reward, chain.bonus)
        before = one.start.history[-1].reward if one.start.history else None
        if by_gain and one.start.step is Step.IMPROVE and before is not None:
            return gain(one.reward, before)
        return one.reward

    return worth


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


def to_compare(
    found: Sequence[Verified],
    switches: GrpoSettings,
    worth: Callable[[Verified], float] = lambda one: one.reward,
    endings: Sequence[str] = (),
) -> tuple[Chosen, Counter[str]]:
    """Judged attempts, weighted by their advantage in their group; and what was left out, by reason.

    Advantages are those of the whole group; what is left out afterwards does not change its siblings'.

    Args:
        endings: where answers have to end with one of these, what is overlong is left out answer by answer
            (`samples_of`), and not the whole play.
    """
    groups: dict[str, list[Verified]] = {}
    for one in found:
        groups.setdefault(one.attempt.group_id, []).append(one)
    chosen: Chosen = []
    dropped: Counter[str] = Counter()
    for group in groups.values():
        rewards = [worth(one) for one in group]
        if switches.zero_variance != "keep" and tells_nothing(rewards):
            dropped["zero_variance"] += len(group)
            continue
        for one, advantage in zip(group, group_advantages(rewards, switches.normalise, switches.negative)):
            if switches.overlong == "drop" and one.attempt.finish == "length" and not endings:
                dropped["overlong"] += 1
            elif len(one.attempt.token_ids) == one.attempt.prefilled:
                dropped["nothing_sampled"] += 1
            elif not all_known(one.attempt.logprobs):  # a server that gives texts only, or odd numbers
                dropped["no_logprobs"] += 1
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
        elif not all_known(one.logprobs):
            dropped["no_logprobs"] += 1
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
