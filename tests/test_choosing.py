"""What the curator chooses, and accuracy from verdicts."""

from hypothesis import given
from hypothesis import strategies as st

from actors.choosing import Answer, chosen_answers, draw_tasks, mixed
from actors.measuring import Scored, summarise
from protocols.records import Origin, Split, Task


def task(name, origin=Origin.SEED):
    return Task(
        id=name, domain="zwc", split=Split.TRAIN, kind="single", origin=origin, statement=name, topics=("f",),
        payload={},
    )  # fmt: skip


BASE = [task(f"b{i}") for i in range(5)]
PROPOSED = [task(f"p{i}", Origin.PROPOSED) for i in range(5)]


@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 99), st.integers(0, 5))
def test_a_round_has_its_size_and_its_share(count, share, played, proposals):
    drawn = draw_tasks(BASE, PROPOSED[:proposals], count, share, played)
    proposed = [t for t in drawn if t.origin is Origin.PROPOSED]
    assert len(drawn) == count
    assert len(proposed) == min(proposals, round(count * share))


def test_base_tasks_come_in_turn_over_rounds():
    first = draw_tasks(BASE, [], 3, 0.5, 0)
    second = draw_tasks(BASE, [], 3, 0.5, 3)
    assert [t.id for t in first + second] == ["b0", "b1", "b2", "b3", "b4", "b0"]


def test_without_base_tasks_only_proposals_are_played():
    assert draw_tasks([], PROPOSED[:2], 10, 1.0, 0) == PROPOSED[:2]


@given(st.floats(0, 1))
def test_two_kinds_are_mixed_evenly(share):
    made = mixed(BASE * 20, PROPOSED * 20, share)
    for length in range(1, len(made) + 1):
        others = sum(t.origin is Origin.PROPOSED for t in made[:length])
        assert abs(others - length * share) <= 1


def answer(number, body, of="t"):
    return Answer(attempt_id=f"a{number}", task_id=of, response=f"```python\n{body}\n```")


def test_the_same_code_counts_once_and_a_task_has_a_cap():
    answers = [answer(0, "x = 1"), answer(1, "x  =  1"), answer(2, "y = 2"), answer(3, "z = 3")]
    kept, dropped = chosen_answers([*answers, answer(4, "x = 1", of="other")], cap=2)
    assert [a.attempt_id for a in kept] == ["a0", "a2", "a4"]
    assert dropped == {"a1": "duplicate", "a3": "task_cap"}
    kept, dropped = chosen_answers(answers, cap=3, distinct=False)
    assert [a.attempt_id for a in kept] == ["a0", "a1", "a2"] and dropped == {"a3": "task_cap"}


def scored(of, reward, topics=("f",), category="correct"):
    return Scored(task_id=of, topics=topics, reward=reward, category=category)


def test_infra_errors_do_not_lower_accuracy():
    rows = [
        scored("a", 1.0),
        scored("a", None, category="infra_error"),
        scored("b", 0.0, ("f", "g"), "timeout"),
    ]
    found = summarise(rows)
    assert (found["accuracy"], found["infra_errors"], found["tasks"], found["attempts"]) == (0.5, 1, 2, 3)
    assert found["by_topic"] == {"f": 0.5, "g": 0.0}
    assert found["categories"] == {"correct": 1, "infra_error": 1, "timeout": 1}


def test_nothing_measured_is_zero():
    assert summarise([])["accuracy"] is None
