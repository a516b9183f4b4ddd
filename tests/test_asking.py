"""What a round asks about: topics in turn, and poorly known ones more often."""

from collections import Counter
from pathlib import Path

import pytest
from store_records import a_group, a_task, an_evaluation

from actors.asking import Known, asks_of, knowledge, steered, weights_of
from memory.reader import RunReader
from memory.store import Store
from protocols.records import Book
from protocols.settings import RunSettings

TOPICS = ("f", "g", "h", "k")
#: The 99.9 % quantile of chi-square with 3 degrees of freedom.
CHI_SQUARE_3 = 16.27


def settings(steer: float, per_round: int = 8, seed: int = 1) -> RunSettings:
    return RunSettings.model_validate({"seed": seed, "proposer": {"per_round": per_round, "steer": steer}})


@pytest.fixture
def run(tmp_path: Path):
    """Round 1 solved `f` once in two, `h` never; the evaluation after it knows `f` well and `g` half."""
    f, h = a_task(1, topics=("f",)), a_task(2, topics=("h",))
    with Store.create(tmp_path / "run.db", {}, {}) as store:
        store.add_tasks([f, h])
        store.admit_groups([a_group(f), a_group(h, position=1, rewards=(0.0, 0.0, None))])
        store.record_evaluation(an_evaluation(0, by_topic={"f": 0.0, "g": 0.0, "h": 0.0, "k": 0.0}))
        store.record_evaluation(an_evaluation(1, by_topic={"f": 0.9, "g": 0.5}))
        opened = an_evaluation(1, id="open", book=Book.OPEN, by_topic={"f": 0.0})
        store.record_evaluation(opened)
        store.record_evaluation(an_evaluation(2, by_topic={"f": 0.0}))
    with RunReader(tmp_path) as reader:
        yield reader


def test_without_steering_topics_come_in_turn_over_rounds(run) -> None:
    rounds = [asks_of(settings(0, per_round=3), run, TOPICS, round) for round in (1, 2)]
    assert [a.topic for asks, _ in rounds for a in asks] == ["f", "g", "h", "k", "f", "g"]
    assert all(decisions == [] for _, decisions in rounds)


def test_knowledge_is_that_of_the_newest_closed_measurement_before_the_round(run) -> None:
    assert knowledge(run, TOPICS, 2) == {
        "f": Known(accuracy=0.9, source="evaluation", round=1),
        "g": Known(accuracy=0.5, source="evaluation", round=1),
        "h": Known(accuracy=0.0, source="groups"),
        "k": Known(accuracy=0.0, source="nothing"),
    }
    assert knowledge(run, ["f"], 1) == {"f": Known(accuracy=0.0, source="evaluation", round=0)}


def test_solve_rates_are_those_of_judged_attempts(run) -> None:
    assert run.solve_rates(2) == {"f": 0.5, "h": 0.0}
    assert run.solve_rates(1) == {}


def test_weights_by_hand() -> None:
    known = {t: Known(accuracy=a, source="groups") for t, a in zip(TOPICS, (0.5, 0.5, 1.0, 0.0))}
    assert weights_of(TOPICS, known) == {"f": 0.25, "g": 0.25, "h": 0.0, "k": 0.5}
    mastered = {t: Known(accuracy=1.0, source="groups") for t in TOPICS}
    assert weights_of(TOPICS, mastered) == dict.fromkeys(TOPICS, 0.25)


@pytest.mark.parametrize(("steer", "count"), [(0, 0), (0.25, 2), (0.5, 4), (1, 8)])
def test_exactly_the_set_share_is_steered_and_each_has_its_numbers(run, steer, count) -> None:
    asks, decisions = asks_of(settings(steer), run, TOPICS, 2)
    assert steered(settings(steer)) == count == len(decisions)
    assert [a.position for a in asks] == list(range(8)) and len({a.id for a in asks}) == 8
    turn = 8 - count
    assert [a.topic for a in asks[:turn]] == [TOPICS[(turn + i) % 4] for i in range(turn)]
    for ask, decision in zip(asks[turn:], decisions):
        assert (decision.kind, decision.subject_id, decision.reason) == ("ask", ask.id, "steered")
        assert decision.numbers["topic"] == ask.topic
    assert asks_of(settings(steer), run, TOPICS, 2) == (asks, decisions)  # asked again, the same


def test_steered_topics_are_drawn_by_their_weight(run) -> None:
    drawn = 4000
    asks, decisions = asks_of(settings(1, per_round=drawn), run, TOPICS, 2)
    counted = Counter(a.topic for a in asks)
    weights = {"f": 0.1, "g": 0.5, "h": 1.0, "k": 1.0}
    expected = {topic: drawn * weight / 2.6 for topic, weight in weights.items()}
    assert sum((counted[t] - e) ** 2 / e for t, e in expected.items()) < CHI_SQUARE_3
    assert {d.numbers["topic"]: d.numbers["chance"] for d in decisions} == pytest.approx(
        {topic: weight / 2.6 for topic, weight in weights.items()}
    )
    others, _ = asks_of(settings(1, per_round=drawn, seed=2), run, TOPICS, 2)
    assert [a.topic for a in others] != [a.topic for a in asks]
