"""Which attempts are learned, and with which weight."""

import msgspec
import pytest
from store_records import a_group

from actors.deciding import task_change
from actors.experience import samples_of, to_compare, to_imitate, to_propose
from actors.verifier import Judged
from memory.episodes import Verified
from memory.outcomes import Rewarded
from protocols.learner_settings import GrpoSettings
from protocols.records import Attempt, Book, Exchange, Origin, Prompt, Role, Split, Start, Step, Task

TASK = Task(
    id="t", domain="zwc", split=Split.TRAIN, kind="single", origin=Origin.SEED, statement="", topics=(),
    payload={},
)  # fmt: skip
START = Start(id="s", task_id="t", step=Step.INITIAL, book=Book.OPEN)


def judged(name: str, group: str, reward: float, finish: str = "stop", sampled: int = 2) -> Verified:
    attempt = Attempt(
        id=name, group_id=group, index=0, response=f"answer {name}", token_ids=(7,) * (1 + sampled),
        logprobs=(-1.0,) * sampled, prefilled=1, finish=finish, seed=0,
    )  # fmt: skip
    return Verified(
        attempt=attempt, task=TASK, prompt=Prompt(messages=()), start=START, round=1,
        policy_version=0, reward=reward, evidence={},
    )  # fmt: skip


def test_imitation_takes_distinct_answers_up_to_the_cap() -> None:
    chosen, dropped = to_imitate([judged(name, "g", 1.0) for name in "abc"], 2)
    assert [(one.attempt.id, weight) for one, weight in chosen] == [("a", 1.0), ("b", 1.0)]
    assert sum(dropped.values()) == 1


def test_comparison_takes_whole_groups_with_their_advantages() -> None:
    found = [judged("a", "g", 1.0), judged("b", "g", 0.0), judged("c", "h", 1.0), judged("d", "h", 1.0)]
    chosen, dropped = to_compare(found, GrpoSettings(normalise=False))
    assert {one.attempt.id: weight for one, weight in chosen} == {"a": 0.5, "b": -0.5, "c": 0.0, "d": 0.0}
    assert not dropped
    chosen, dropped = to_compare(found, GrpoSettings(normalise=False, negative=0.0, zero_variance="drop"))
    assert {one.attempt.id: weight for one, weight in chosen} == {"a": 0.5, "b": 0.0}
    assert dropped == {"zero_variance": 2}


def test_answers_without_logprobs_are_compared_with_and_not_learned() -> None:
    known, unknown = judged("a", "g", 1.0), judged("b", "g", 0.0)
    attempt = msgspec.structs.replace(unknown.attempt, logprobs=(-1.0, float("nan")))
    chosen, dropped = to_compare(
        [known, msgspec.structs.replace(unknown, attempt=attempt)], GrpoSettings(normalise=False)
    )
    assert [(one.attempt.id, weight) for one, weight in chosen] == [("a", 0.5)]
    assert dropped == {"no_logprobs": 1}


def test_what_is_left_out_still_counts_for_its_siblings() -> None:
    found = [judged("a", "g", 1.0), judged("b", "g", 0.0, finish="length"), judged("c", "g", 0.0, sampled=0)]
    chosen, dropped = to_compare(found, GrpoSettings(normalise=False, overlong="drop"))
    assert [(one.attempt.id, weight) for one, weight in chosen] == [("a", pytest.approx(2 / 3))]
    assert dropped == {"overlong": 1, "nothing_sampled": 1}


def test_in_a_play_of_several_answers_those_without_an_ending_teach_nothing() -> None:
    one = judged("a", "g", 1.0, finish="length", sampled=5)
    said = ("ls", 2, 1), ("ls</tool>", 3, 0), ("I would", 1, 0)
    told = [
        Exchange(told=(), response=text, tokens=tokens, prefilled=given, fresh=True)
        for text, tokens, given in said
    ]
    replace = msgspec.structs.replace
    one = replace(one, attempt=replace(one.attempt, exchanges=tuple(told)))
    chosen, dropped = to_compare([one], GrpoSettings(overlong="drop"), endings=("</tool>",))
    assert [kept.attempt.id for kept, _ in chosen] == ["a"] and not dropped
    assert len(samples_of(one, 1.0, one.prompt)) == 3
    (sample,) = samples_of(one, 1.0, one.prompt, ("</tool>", "<TASK_FINISHED>"))
    assert (len(sample.token_ids), len(sample.logprobs)) == (3, 3)


@pytest.mark.parametrize("variance", ["drop", "resample"])
def test_what_is_played_anew_is_left_out_and_counted(variance: str) -> None:
    found = [judged("a", "g", 1.0), judged("b", "g", 0.0), judged("c", "h", 1.0), judged("d", "h", 1.0)]
    chosen, dropped = to_compare(found, GrpoSettings.model_validate({"zero_variance": variance}))
    assert [one.attempt.id for one, _ in chosen] == ["a", "b"] and dropped == {"zero_variance": 2}


def proposal(name: str, reward: float, finish: str = "stop", sampled: int = 2) -> Rewarded:
    return Rewarded(
        id=name, prompt=Prompt(messages=(), prefill="Task:"), token_ids=(7,) * (1 + sampled),
        logprobs=(-1.0,) * sampled, prefilled=1, finish=finish, reward=reward,
    )  # fmt: skip


def test_proposals_are_learned_as_they_were_asked() -> None:
    found = [proposal("a", 0.5), proposal("b", -1.0, finish="length"), proposal("c", 0.0, sampled=0)]
    samples, dropped = to_propose(found, GrpoSettings(overlong="drop"))
    assert dropped == {"overlong": 1, "nothing_sampled": 1}
    (sample,) = samples
    assert (sample.role, sample.attempt_id, sample.reward) == (Role.PROPOSER, "a", 0.5)
    assert (sample.prompt, sample.token_ids, sample.logprobs) == (
        found[0].prompt, found[0].token_ids, found[0].logprobs,
    )  # fmt: skip
    assert len(to_propose(found, GrpoSettings())[0]) == 2


@pytest.mark.parametrize(
    ("rewards", "rejected", "reward"),
    [
        ((1.0, 1.0, 0.0, 0.0), None, 0.5),
        ((1.0, 1.0), None, 0.0),
        ((1.0, None, 0.0), None, 0.5),  # an infrastructure error is no failed attempt
        ((0.0, 0.0), "unsolvable", 0.0),  # nobody solved it
        ((0.0, None), "unsolvable", None),  # it was not really tried
    ],
)
def test_what_a_proposal_was_worth(
    rewards: tuple[float | None, ...], rejected: str | None, reward: float
) -> None:
    group, verdicts = a_group(TASK, rewards=rewards)
    one = Judged(group=group, verdicts=tuple(verdicts), task=None if rejected else TASK, rejected=rejected)
    change = task_change(one, TASK, "one_minus_p")
    assert change is not None and (change.proposer_reward, change.reason) == (reward, rejected)
    if rejected:
        without = task_change(one, TASK, "none")
        assert without is not None and without.proposer_reward is None
