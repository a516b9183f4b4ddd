"""Parsing the proposer's text, and consensus among attempts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.domain import Rejected
from protocols.domains.zwc.proposals import CASES, agree, cases, parse
from protocols.records import CaseResult, Outcome

GOOD = "Task: Given the heights of plants in `values`, return the tallest one.\nInput: values = [3, 1, 2]"


def same(a, b):
    return a == b


def outcome(*values, status="ok", calls=("f",)):
    results = [
        CaseResult(error="ValueError: x") if v is None else CaseResult(value=v, calls=calls) for v in values
    ]
    return Outcome(status=status, cases=tuple(results))


def test_a_statement_and_an_example_are_read():
    statement, example = parse(GOOD)
    assert statement == "Given the heights of plants in `values`, return the tallest one."
    assert example == {"values": [3, 1, 2]}


def test_several_parameters_keep_their_order():
    _, example = parse(
        "Task: Clip all the values between two bounds.\nInput: b = [1.5, -2], low = 0, high = 1"
    )
    assert list(example) == ["b", "low", "high"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Here is a task", "no_input"),
        ("Input: values = [1, 2]", "no_task"),
        ("Task: Sum them.\nInput: values = [1, 2]", "too_short"),
        ("Task: " + "word " * 80 + "\nInput: values = [1, 2]", "too_long"),
        (GOOD.replace("[3, 1, 2]", "open('x')"), "bad_input"),
        (GOOD.replace("[3, 1, 2]", "[1, 2"), "bad_input"),
        (GOOD.replace("[3, 1, 2]", "['a', 'b']"), "bad_input"),
        (GOOD.replace("values = [3, 1, 2]", "[3, 1, 2]"), "bad_input"),
        (GOOD.replace("[3, 1, 2]", "[" * 500 + "1" + "]" * 500), "bad_input"),
        (GOOD.replace("[3, 1, 2]", str(list(range(100)))), "bad_input"),
    ],
)
def test_what_is_not_a_task_is_named(text, reason):
    with pytest.raises(Rejected) as rejected:
        parse(text)
    assert rejected.value.reason == reason


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8), st.integers(0, 2**32))
def test_variants_keep_shape_and_lone_integers(values, seed):
    made = cases({"values": values, "k": 3}, random.Random(seed))
    assert len(made) == CASES and made[0] == [values, 3]
    for varied, k in made:
        assert k == 3 and len(varied) == len(values) and all(type(v) is int for v in varied)


def test_the_largest_party_decides():
    arguments = [[[1]], [[2]], [[3]]]
    outcomes = [outcome(1.5, 2.5, 4), outcome(1.5, 2.5, 4), outcome(9, 9, 8), outcome(0, 0, 1)]
    assert agree(outcomes, arguments, 0.5, same) == ([0, 1, 2], [1.5, 2.5, 4])


def test_cases_on_which_the_party_fails_are_left_out():
    where, values = agree([outcome(1, None, 2), outcome(1, None, 2)], [[0], [0], [0]], 0.5, same)
    assert (where, values) == ([0, 2], [1, 2])


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ([outcome(1, 2), outcome(status="timeout")], "unsolvable"),
        ([outcome(1, 2, calls=()), outcome(1, 2, calls=())], "unsolvable"),
        ([outcome(1, 2), outcome(2, 1)], "inconsistent"),
        ([outcome(1, 2), outcome(1, 2), outcome(3, 4), outcome(5, 6), outcome(7, 8)], "inconsistent"),
        ([outcome(5, 5), outcome(5, 5)], "trivial"),
        ([outcome([1], [2]), outcome([1], [2])], "trivial"),
        ([outcome({"a": 1}, {"a": 2})] * 2, "bad_answer"),
        ([outcome(10**5000, 1)] * 2, "bad_answer"),
        ([outcome(10**4000, 10**4000)] * 2, "trivial"),
        ([outcome(1, 2, calls=("g",))] * 2, "unsolvable"),
    ],
)
def test_no_reference_without_agreement(outcomes, reason):
    with pytest.raises(Rejected) as rejected:
        agree(outcomes, [[[1]], [[2]]], 0.5, same, ("f",))
    assert rejected.value.reason == reason
