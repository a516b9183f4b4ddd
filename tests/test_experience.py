"""Which attempts are learned, and with which weight."""

import pytest

from actors.experience import to_compare, to_imitate
from memory.episodes import Verified
from protocols.records import Attempt, Book, Origin, Prompt, Split, Start, Step, Task
from protocols.settings import GrpoSettings

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
        policy_version=0, reward=reward,
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


def test_what_is_left_out_still_counts_for_its_siblings() -> None:
    found = [judged("a", "g", 1.0), judged("b", "g", 0.0, finish="length"), judged("c", "g", 0.0, sampled=0)]
    chosen, dropped = to_compare(found, GrpoSettings(normalise=False, overlong="drop"))
    assert [(one.attempt.id, weight) for one, weight in chosen] == [("a", pytest.approx(2 / 3))]
    assert dropped == {"overlong": 1, "nothing_sampled": 1}
