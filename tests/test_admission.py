"""Which proposals stand: none that repeats a task in words or in meaning."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from store_records import a_proposal, a_task

from actors.admission import judge
from actors.similarity import similarity
from protocols.records import Proposal
from protocols.settings import RunSettings

MEAN = "Given the noon temperatures of a week in `temps`, return the average of the temperatures."
AGAIN = "Return the average of the temperatures, given the noon temperatures of a week in `temps`."
LARGEST = "Find the largest number of a list in `values`, whatever its sign may be."


def proposed(*statements: str, topic: str = "f") -> list[Proposal]:
    return [
        a_proposal(i, a_task(100 + i, statement=text, topics=(topic,)), topic=topic)
        for i, text in enumerate(statements)
    ]


def settings(similar: float | None = None, **proposer: object) -> RunSettings:
    return RunSettings.model_validate(
        {"curator": {"duplicate_similarity": similar}, "proposer": {"reward": "one_minus_p", **proposer}}
    )


def test_the_same_words_are_a_duplicate_whatever_the_setting() -> None:
    known = [a_task(1, statement=MEAN.upper())]
    for similar in (None, 0.8):
        (kept,), (decision,) = judge(proposed(MEAN), known, settings(similar))
        assert (kept.task, kept.reason, decision.action) == (None, "duplicate", "reject")


def test_a_paraphrase_names_the_task_that_it_repeats() -> None:
    known = [a_task(1, statement=LARGEST, topics=("f",)), a_task(2, statement=MEAN, topics=("f",))]
    (kept,), (decision,) = judge(proposed(AGAIN), known, settings(0.8))
    assert (kept.task, kept.reason) == (None, "same_meaning")
    assert kept.detail == f"{similarity(MEAN, AGAIN):.2f} like task {known[1].id}"
    assert decision.numbers == {"similarity": round(similarity(MEAN, AGAIN), 4), "nearest": known[1].id}
    (kept,), (decision,) = judge(proposed(AGAIN), known, settings(None))
    assert kept.task is not None and decision.numbers == {}


def test_only_the_same_topic_is_compared_and_the_batch_counts() -> None:
    known = [a_task(1, statement=MEAN, topics=("g",))]
    kept, _ = judge(proposed(AGAIN), known, settings(0.8))
    assert kept[0].reason is None
    kept, decisions = judge(proposed(MEAN, LARGEST, AGAIN), [], settings(0.8))
    assert [p.reason for p in kept] == [None, None, "same_meaning"]
    assert decisions[2].numbers["nearest"] == kept[0].task.id  # type: ignore[union-attr]


def test_what_is_no_new_task_has_the_set_reward_and_the_others_none_yet() -> None:
    broken = msgspec.structs.replace(proposed(MEAN)[0], task=None, reason="no_input")
    kept, _ = judge([*proposed(MEAN), broken], [], settings(unusable_reward=-0.5))
    assert [p.reward for p in kept] == [None, -0.5]
    kept, _ = judge([broken], [], settings(reward="none"))
    assert kept[0].reward is None


@given(st.lists(st.sampled_from([MEAN, AGAIN, LARGEST, "Sort all of them.", ""]), max_size=8))
def test_every_proposal_is_kept_once_with_one_decision(statements: list[str]) -> None:
    given_in = proposed(*statements)
    kept, decisions = judge(given_in, [], settings(0.8))
    assert [p.id for p in kept] == [p.id for p in given_in] == [d.subject_id for d in decisions]
    assert all((p.task is None) == (p.reason is not None) == (d.action == "reject")
               for p, d in zip(kept, decisions))  # fmt: skip
    standing = [p.task.statement for p in kept if p.task]
    assert all(similarity(a, b) < 0.8 for i, a in enumerate(standing) for b in standing[:i])
