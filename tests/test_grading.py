"""The strict grader: equality of plain data, and what makes an answer correct."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.domains.zwc.grading import equal, judge, shown
from protocols.records import CaseResult, Outcome, Shaken
from protocols.verdicts import CATEGORIES, STATUSES

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text()
plain = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner), max_leaves=20
)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
few = settings(max_examples=60, deadline=None)
NAN, INF = float("nan"), float("inf")


def as_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(as_tuples(v) for v in value)
    return {k: as_tuples(v) for k, v in value.items()} if isinstance(value, dict) else value


@few
@given(plain)
def test_everything_equals_itself_and_its_tuples(value: Any) -> None:
    assert equal(value, value, 0.0, 0.0)
    assert equal(as_tuples(value), value, 0.0, 0.0)
    assert equal(value, as_tuples(value), 0.0, 0.0)


@few
@given(plain, plain)
def test_equality_never_raises_and_nesting_counts(a: Any, b: Any) -> None:
    assert equal(a, b) in (True, False)
    assert equal([a, b], [a, b])
    assert not equal([a], [a, b])


@few
@given(plain)
def test_a_list_is_not_its_only_element(value: Any) -> None:
    assert not equal([value], value)


@few
@given(finite, finite, st.floats(0, 0.5), st.floats(0, 10))
def test_numbers_are_equal_within_the_tolerance_and_not_beyond(
    a: float, b: float, relative: float, absolute: float
) -> None:
    bound = max(relative * abs(b), absolute)
    assert equal(a, b, relative, absolute) == (abs(a - b) <= bound)
    assert equal([{"k": (a,)}], [{"k": [b]}], relative, absolute) == (abs(a - b) <= bound)


@few
@given(st.integers(), st.integers())
def test_integers_are_equal_exactly(a: int, b: int) -> None:
    assert equal(a, b, 0.5, 100.0) == (a == b)


@few
@given(plain, finite)
def test_one_changed_number_is_noticed_wherever_it_stands(value: Any, number: float) -> None:
    assert not equal([value, number, value], [value, number + 1 + abs(number), value])
    assert not equal({"a": value, "b": number}, {"a": value, "b": number + 1 + abs(number)})


@pytest.mark.parametrize(
    ("value", "expected", "same"),
    [
        (NAN, NAN, True), (NAN, 0.0, False), (0.0, NAN, False), ([NAN, 1], [NAN, 1.0], True),
        (INF, INF, True), (INF, -INF, False), (1e308, INF, False), (INF, 1e308, False), (NAN, INF, False),
        (True, True, True), (True, 1, False), (1, True, False), (0, False, False), (1.0, True, False),
        (1, 1.0, True), (1.0, 1, True), (1.00001, 1, True), (1.001, 1, False), (10**400, INF, False),
        (10**400, 10**400, True), (10**400, 10**400 + 1, False), (10**400, 1.0, False), (1.0, 10**400, False),
        (1 + 0j, 1.0, True), (1.0, 1 + 0j, True), (1 + 1j, 1.0, False),
        (complex(NAN, 1), complex(NAN, 1), True),
        (complex(INF, 1), complex(INF, 2), False), (complex(1e308, 1e308), complex(1e308, 1e308), True),
        ("a", "a", True), ("a", "b", False), ("1", 1, False), ("", None, False), (None, None, True),
        (None, 0, False), (0, None, False), ([], None, False), ([], [], True), ([], (), True),
        ([], {}, False),
        ([], [[]], False), ([[1, 2], [3, 4]], [1, 2, 3, 4], False), ([1, 2], [2, 1], False),
        ({"a": 1}, {"a": 1.0}, True), ({"a": 1}, {"b": 1}, False), ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False), ("abc", ["a", "b", "c"], False), (b"a", "a", False),
    ],
)  # fmt: skip
def test_the_rules_by_example(value: Any, expected: Any, same: bool) -> None:
    assert equal(value, expected) is same


def test_nesting_beyond_any_limit_is_just_unequal() -> None:
    deep: Any = []
    other: Any = []
    for _ in range(100_000):
        deep, other = [deep], [other]
    assert equal(deep, other) is False
    assert equal(deep, [1.0]) is False
    assert "too large" in shown(deep)
    assert "too large" in shown(10**5000)
    assert len(shown("x" * 10_000)) < 300
    while deep:  # undone by hand: freeing nested lists recursively is what the interpreter limits
        deep, other = deep[0], other[0]


class Liar:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_an_object_that_claims_equality_is_not_plain_data() -> None:
    for truth in (None, 1, 1.0, "a", True, [1], {"a": 1}):
        assert not equal(Liar(), truth)
        assert not equal([Liar()], [truth])


# -- judge

MAKES = frozenset({"make"})


def case(value: Any, *calls: str, error: str | None = None) -> CaseResult:
    return CaseResult(value=value, calls=calls, error=error)


def run_on_moved(*values: Any, status: str = "ok") -> Shaken:
    """A run on moved results; an exception stands for a case that raised it."""
    errors = tuple(f"{type(v).__name__}: no" if isinstance(v, Exception) else None for v in values)
    return Shaken(status=status, values=values, errors=errors)


def grade(
    *cases: CaseResult,
    truth: list[Any],
    status: str = "ok",
    shaken: tuple[Shaken, ...] | None = None,
    needed: tuple[str, ...] = (),
) -> Any:
    if shaken is None:
        shaken = (run_on_moved(*["other"] * len(cases)),)
    outcome = Outcome(status=status, cases=cases, shaken=shaken, detail="why", seconds=0.5)
    return judge(outcome, truth, MAKES, attempt_id="a", needed=needed)


def test_right_answers_by_the_library_are_correct() -> None:
    verdict = grade(case(1.0, "f"), case([2.0], "make", "f", "g"), truth=[1, (2,)])
    assert (verdict.reward, verdict.category, verdict.infra_error) == (1.0, "correct", None)
    assert verdict.evidence["calls"] == {"f": 2, "make": 1, "g": 1}
    assert (verdict.attempt_id, verdict.seconds) == ("a", 0.5)


@pytest.mark.parametrize("status", sorted(STATUSES.keys() - {"ok", "infra_error"}))
def test_a_program_that_did_not_finish_gets_its_status_as_category(status: str) -> None:
    verdict = grade(case(1, "f"), truth=[1], status=status)
    assert (verdict.reward, verdict.category, verdict.evidence["detail"]) == (0.0, status, "why")


def test_a_failure_of_the_sandbox_is_no_reward() -> None:
    verdict = grade(status="infra_error", truth=[1])
    assert (verdict.reward, verdict.category, verdict.infra_error) == (None, "infra_error", "why")
    verdict = grade(case(1, "f"), truth=[1, 2])
    assert verdict.reward is None
    assert "1 results for 2 cases" in str(verdict.infra_error)


def test_the_first_failing_case_is_the_evidence() -> None:
    outcome = Outcome(status="ok", cases=(case(1, "f"), case(2, "f"), case(9, "f", error="ValueError: x")))
    verdict = judge(outcome, [1, 3, 9], arguments=[["a"], ["b"], ["c"]])
    assert (verdict.category, verdict.reward) == ("wrong_answer", 0.0)
    assert verdict.evidence == {"case": 1, "expected": "3", "got": "2", "args": "['b']", "calls": {"f": 3}}


def test_exceptions_and_results_that_are_not_plain_data() -> None:
    verdict = grade(case(None, "f", error="ValueError: no"), truth=[1])
    assert (verdict.category, verdict.evidence["exception"]) == ("runtime_error", "ValueError: no")
    verdict = grade(case(None, error="TypeError: result is not plain data (a set)"), truth=[1])
    assert verdict.category == "malformed"


def test_every_case_needs_the_library() -> None:
    assert grade(case(1, "f"), case(2), truth=[1, 2]).category == "no_library_call"
    assert grade(case(1, "f"), case(2, "make"), truth=[1, 2]).category == "no_library_call"
    assert grade(case(1, "f"), case(7), truth=[1, 2]).category == "wrong_answer"


def test_answers_have_to_depend_on_the_library() -> None:
    both = case(1, "f"), case(2, "f")

    def category(*shaken: Shaken) -> str:
        return str(grade(*both, truth=[1, 2], shaken=shaken).category)

    assert category(run_on_moved(1, 2.0)) == "no_library_call"
    assert category(run_on_moved(1, 9)) == "correct"
    assert category(run_on_moved(IndexError(), 9)) == "correct"
    # What raised, or did not come to its end, shows nothing.
    assert category(run_on_moved(IndexError(), IndexError())) == "unproven"
    assert category(run_on_moved(9, 9, status="timeout")) == "unproven"
    assert category() == "unproven"
    assert category(run_on_moved(1, 2), run_on_moved(IndexError(), IndexError())) == "no_library_call"
    assert category(run_on_moved(IndexError(), 2), run_on_moved(7, 2)) == "correct"


@given(st.integers(1, 12), st.data())
def test_a_quarter_of_the_answers_has_to_move(count: int, data: st.DataObject) -> None:
    moved = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    shaken = run_on_moved(*["other" if m else i for i, m in enumerate(moved)])
    verdict = grade(*[case(i, "f") for i in range(count)], truth=list(range(count)), shaken=(shaken,))
    assert verdict.reward == (1.0 if 4 * sum(moved) >= count else 0.0)


def test_the_tasks_own_functions_have_to_be_called() -> None:
    assert grade(case(1, "g"), truth=[1], needed=("f",)).category == "wrong_function"
    assert grade(case(1, "g", "f"), case(2, "g"), truth=[1, 2], needed=("f",)).category == "wrong_function"
    assert grade(case(1, "g", "f"), truth=[1], needed=("f", "h")).category == "correct"
    assert grade(case(1), truth=[1], needed=("f",)).category == "no_library_call"


@few
@given(st.lists(plain, min_size=1, max_size=4), st.sampled_from(sorted(STATUSES)), st.booleans())
def test_rewards_follow_categories(truth: list[Any], status: str, right: bool) -> None:
    cases = [case(t if right else [t], "f") for t in truth]
    shaken = (run_on_moved(*[[t, t] for t in truth]),)
    verdict = judge(Outcome(status=status, cases=tuple(cases), shaken=shaken), truth)
    assert verdict.category in CATEGORIES
    assert verdict.reward == {"correct": 1.0, "infra_error": None}.get(verdict.category, 0.0)
    assert (verdict.category == "correct") == (status == "ok" and right)
    assert math.isfinite(verdict.seconds)
