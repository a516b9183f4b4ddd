"""The buffer against a model: a plain list that is sorted and cut."""

import math
import random
from collections import Counter
from itertools import accumulate
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from memory.buffer import BufferEntry, StartBuffer
from memory.drawing import DrawTree
from protocols.errors import StoreError
from protocols.records import Book, Start, Step

SIZE = 4


def a_start(number: int) -> Start:
    return Start(id=f"start{number}", task_id=f"task{number}", step=Step.IMPROVE, book=Book.OPEN)


class BufferMachine(RuleBasedStateMachine):
    """The model keeps (score, order of entry, id) triples; `rows` is what a store would hold."""

    options: ClassVar[dict[str, float]] = {}

    def made(self) -> StartBuffer:
        return StartBuffer(SIZE, kappa=4.0, **self.options)

    def __init__(self) -> None:
        super().__init__()
        self.buffer = self.made()
        self.model: list[tuple[float, int, str]] = []
        self.rows: dict[str, BufferEntry] = {}
        self.entered = 0
        self.visits: dict[str, int] = {}

    @rule(number=st.integers(0, 9), score=st.sampled_from([0.0, 0.1, 0.1875, 0.25]))
    def offer(self, number: int, score: float) -> None:
        name = f"start{number}"
        held = [entry for entry in self.model if entry[2] == name]
        if held:
            self.model.remove(held[0])
            self.model.append((score, held[0][1], name))
            expected = True
        elif len(self.model) < SIZE or score >= min(self.model)[0]:
            if len(self.model) == SIZE:
                lost = min(self.model)
                self.model.remove(lost)
                self.visits.pop(lost[2])
            self.entered += 1
            self.model.append((score, self.entered, name))
            self.visits[name] = 0
            expected = True
        else:
            expected = False
        assert self.buffer.offer(a_start(number), score, round=1) is expected

    @precondition(lambda self: self.model)
    @rule(seed=st.integers(0, 2**32))
    def sample(self, seed: int) -> None:
        state = self.buffer.state_dict(), self.buffer.entries()
        drawn = self.buffer.sample(random.Random(seed)).start
        self.visits[drawn.id] += 1
        twin = self.made()
        twin.load_state_dict(state[0], state[1])
        assert twin.sample(random.Random(seed)).start == drawn

    @rule()
    def save(self) -> None:
        changes = self.buffer.take_changes()
        for name in changes.drop:
            self.rows.pop(name, None)
        self.rows.update({entry.start.id: entry for entry in changes.put})
        assert self.rows == {entry.start.id: entry for entry in self.buffer.entries()}

    @rule()
    def restore(self) -> None:
        self.save()
        again = self.made()
        again.load_state_dict(self.buffer.state_dict(), list(self.rows.values()))
        assert again.state_dict() == self.buffer.state_dict()
        self.buffer = again

    @invariant()
    def same_as_the_model(self) -> None:
        expected = [name for _, _, name in sorted(self.model, reverse=True)]
        assert [entry.start.id for entry in self.buffer.entries()] == expected
        assert {entry.start.id: entry.visits for entry in self.buffer.entries()} == self.visits
        assert len(self.buffer) == len(self.model) <= SIZE


class RankedMachine(BufferMachine):
    options: ClassVar[dict[str, float]] = {"rank": 1.0, "staleness": 0.3}


TestBuffer = BufferMachine.TestCase
TestRanked = RankedMachine.TestCase
TestBuffer.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRanked.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@given(
    st.lists(st.tuples(st.floats(0, 0.25), st.integers(0, 9)), min_size=1, max_size=9),
    st.sampled_from([0.0, 4.0, 1e6]),
    st.floats(0, 1, exclude_max=True),
)
def test_the_tree_finds_what_adding_up_finds(slots, kappa, u):
    tree = DrawTree(9, kappa)
    for slot, (score, last) in enumerate(slots):
        tree.put(slot, 0.1, 0)  # overwritten: nothing of it may stay
        tree.put(slot, score, last)
    highest = max(score for score, _ in slots)
    for found, masses in (
        (tree.by_score(u), [math.exp(kappa * (score - highest)) for score, _ in slots]),
        (tree.by_age(u, 10), [float(10 - last) for _, last in slots]),
    ):
        ends = list(accumulate(masses))
        before = ends[found] - masses[found]
        assert before / ends[-1] - 1e-9 <= u <= ends[found] / ends[-1] + 1e-9 and masses[found] > 0


@pytest.mark.parametrize("options", [{}, {"rank": 1.5}, {"staleness": 0.4}, {"rank": 0.5, "staleness": 1.0}])
def test_frequencies_of_draws_are_the_chances(options):
    """Chi-square over 4,000 draws from one state; 27.9 is exceeded once in 100,000 times (5 - 1 degrees)."""
    buffer = StartBuffer(5, 6.0, **options)
    for number, score in enumerate((0.0, 0.25, 0.1875, 0.25, 0.05)):
        buffer.offer(a_start(number), score, 1)
        buffer.sample(random.Random(number))  # so that they have waited for different times
    state, entries, chances = buffer.state_dict(), buffer.entries(), buffer.probabilities()
    assert math.isclose(sum(chance for _, chance in chances), 1.0)
    rng, drawn = random.Random(11), Counter()
    for _ in range(4000):
        buffer.load_state_dict(state, entries)
        drawn[buffer.sample(rng).start.id] += 1
    expected = {entry.start.id: 4000 * chance for entry, chance in chances}
    assert all(count == 0 for name, count in drawn.items() if expected[name] == 0)
    counted = [name for name in expected if expected[name]]
    assert sum((drawn[name] - expected[name]) ** 2 / expected[name] for name in counted) < 27.9


def test_who_waits_longest_comes_at_last():
    buffer = StartBuffer(8, kappa=1e6, staleness=0.2)
    for number in range(8):
        buffer.offer(a_start(number), 0.25 if number == 3 else 0.0, 1)
    rng = random.Random(2)
    drawn = Counter(buffer.sample(rng).start.id for _ in range(400))
    assert drawn["start3"] > 300 and len(drawn) == 8


@given(st.lists(st.floats(0, 0.25), min_size=1, max_size=8), st.floats(0, 50))
def test_chances_are_a_softmax(scores, kappa):
    buffer = StartBuffer(8, kappa)
    for number, score in enumerate(scores):
        buffer.offer(a_start(number), score, 1)
    chances = [chance for _, chance in buffer.probabilities()]
    assert math.isclose(math.fsum(chances), 1.0)
    total = math.fsum(math.exp(kappa * score) for score in scores)
    for score, chance in zip(scores, chances):
        assert math.isclose(chance, math.exp(kappa * score) / total, rel_tol=1e-9)


def test_large_kappa_takes_the_best_and_does_not_overflow():
    buffer = StartBuffer(3, kappa=1e6)
    for number, score in enumerate((0.1, 0.25, 0.2)):
        buffer.offer(a_start(number), score, 1)
    assert {buffer.sample(random.Random(seed)).start.id for seed in range(20)} == {"start1"}


def test_draws_follow_the_chances():
    buffer = StartBuffer(2, kappa=math.log(3) / 0.25)  # odds of 3 to 1 between scores 0.25 and 0
    buffer.offer(a_start(0), 0.0, 1)
    buffer.offer(a_start(1), 0.25, 1)
    rng = random.Random(5)
    drawn = sum(buffer.sample(rng).start.id == "start1" for _ in range(4000)) / 4000
    assert abs(drawn - 0.75) < 0.03  # more than four standard errors


def test_state_of_other_settings_is_refused_with_both_sides():
    small, large = StartBuffer(2, 1.0), StartBuffer(3, 1.0)
    with pytest.raises(StoreError, match="saved with size=2, this run has size=3; resume with"):
        large.load_state_dict(small.state_dict(), [])
    with pytest.raises(StoreError, match=r"saved with kappa=1.0, this run has kappa=2.0"):
        StartBuffer(2, 2.0).load_state_dict(small.state_dict(), [])
    small.offer(a_start(0), 0.1, 1)
    with pytest.raises(StoreError, match="counts 1 starts, but the store holds 0"):
        StartBuffer(2, 1.0).load_state_dict(small.state_dict(), [])


def test_metrics_count_what_happened():
    buffer = StartBuffer(1, 1.0)
    buffer.offer(a_start(0), 0.1, 1)
    buffer.offer(a_start(1), 0.0, 1)  # refused
    buffer.offer(a_start(2), 0.1, 1)  # a tie replaces
    buffer.sample(random.Random(0))
    found = buffer.metrics()
    assert {name: found[name] for name in ("offered", "admitted", "replaced", "refused", "drawn")} == {
        "offered": 3.0,
        "admitted": 2.0,
        "replaced": 1.0,
        "refused": 1.0,
        "drawn": 1.0,
    }
    assert (found["starts"], found["score_lowest"], found["score_highest"]) == (1.0, 0.1, 0.1)


def test_wrong_calls_are_named():
    buffer = StartBuffer(1, 1.0)
    with pytest.raises(LookupError, match="empty"):
        buffer.sample(random.Random(0))
    with pytest.raises(ValueError, match="finite"):
        buffer.offer(a_start(0), float("nan"), 1)
    with pytest.raises(ValueError, match="size >= 1"):
        StartBuffer(0, 1.0)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.floats(0, 0.25)), max_size=30),
    st.integers(0, 5),
    st.integers(1, 10),
    st.floats(0, 9),
)
def test_going_on_with_other_settings(offers: list, draws: int, size: int, kappa: float) -> None:
    """The best stay, the store can follow, and what is loaded from it draws the same."""
    buffer = StartBuffer(8, kappa=4.0)
    for number, score in offers:
        buffer.offer(a_start(number), score, 1)
    for seed in range(draws if len(buffer) else 0):
        buffer.sample(random.Random(seed))
    stored = {entry.start.id: entry for entry in buffer.entries()}
    buffer.take_changes()
    best = [entry.start.id for entry in buffer.entries()[:size]]
    buffer.change(size, kappa)
    assert [entry.start.id for entry in buffer.entries()] == best
    changes = buffer.take_changes()
    stored = {name: entry for name, entry in stored.items() if name not in changes.drop}
    stored |= {entry.start.id: entry for entry in changes.put}
    loaded = StartBuffer(size, kappa)
    loaded.load_state_dict(buffer.state_dict(), list(stored.values()))
    assert loaded.entries() == buffer.entries()
    for seed in range(3 if best else 0):
        assert loaded.sample(random.Random(seed)) == buffer.sample(random.Random(seed))
