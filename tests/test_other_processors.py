"""The same tasks on every processor: what the bank chooses does not hang on the last bits of results."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tasks_elsewhere import KINDS, kernels, made

from protocols.domains.zwc.bank import NAMES, rounding
from protocols.domains.zwc.bank.cases import truth
from protocols.domains.zwc.bank.compositions import answer
from protocols.domains.zwc.bank.families import RECIPES
from protocols.domains.zwc.grading import equal
from protocols.domains.zwc.plain import unpack


def asked(task: dict[str, Any]) -> str:
    """All of a task but its answers."""
    payload = task["payload"]
    cases = [case["args"] for case in payload["cases"]]
    return json.dumps({**task, "payload": {**payload, "cases": cases}})


def answers(task: dict[str, Any]) -> list[Any]:
    return [unpack(case["expected"]) for case in task["payload"]["cases"]]


@pytest.mark.parametrize("seed", [7, 8])
def test_two_kernels_make_the_same_tasks_with_answers_within_the_tolerance(seed: int) -> None:
    both = [made(environment, len(NAMES), 2, seed) for environment in kernels()]
    assert both[0]["documentation"] == both[1]["documentation"]
    here, there = (one["tasks"] for one in both)
    assert {(task["split"], task["kind"], task["least"]) for task in here} == {
        (split, *kind) for split in ("train", "test") for kind in KINDS
    }
    assert {topic for task in here for topic in task["topics"]} == set(NAMES)
    assert [asked(task) for task in here] == [asked(task) for task in there]
    for one, other in zip(here, there):
        assert equal(answers(one), answers(other)), one["payload"]["solution"]
    if kernels()[1]["NPY_DISABLE_CPU_FEATURES"]:
        assert any(answers(one) != answers(other) for one, other in zip(here, there)), "the same kernels"


def is_settled(name: str, args: list[Any]) -> bool:
    return rounding.settled(lambda by: truth(RECIPES[name][0], args, by))


@pytest.mark.parametrize(
    ("name", "args", "stands"),
    [
        ("argsort", [[3.5, 1.0, 2.0]], True),
        ("argsort", [[3.5, 1.0, 3.5]], False),  # which of the two comes first is the kernel's choice
        ("sort", [[3.5, 1.0, 3.5]], True),
        ("linalg.pinv", [[[2, 1], [1, 3]]], True),
        ("linalg.pinv", [[[2, 1], [4, 2]]], False),  # nearly nothing, or nothing, turned upside down
        ("linalg.eigh", [[[2, 1], [1, 3]]], True),
        ("linalg.eigh", [[[2, 0], [0, 2]]], False),  # every direction is a main axis
        ("linalg.matrix_rank", [[[2, 1], [4, 2]]], True),
    ],
)
def test_arguments_whose_answer_is_the_kernels_choice_do_not_stand(
    name: str, args: list[Any], stands: bool
) -> None:
    assert is_settled(name, args) is stands


@pytest.mark.parametrize(
    ("tree", "data", "stands"),
    [
        (("floor", ("mean", "x")), [1, 2, 4], True),
        (("floor", ("mean", "x")), [0.1, 0.2, 2.7], False),  # 1, or a little less
        (("unique", ("tanh", "x")), [1.0, 2.0], True),
        (("unique", ("tanh", "x")), [-30.0, -35.0], False),  # -1 twice, or nearly
        (("sqrt", ("sum", "x")), [0.1, 0.2, -0.3], False),  # of nothing, or of less
        (("sqrt", ("absolute", "x")), [0.0, 4.0], True),  # nothing is rounded
    ],
)
def test_results_at_a_limit_do_not_stand(tree: Any, data: list[float], stands: bool) -> None:
    assert rounding.settled(lambda by: answer(tree, [data], by)) is stands


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.sampled_from([rounding.BY, -rounding.BY]))
def test_every_number_is_moved_by_more_than_rounding_and_less_than_graders_see(
    values: list[float], by: float
) -> None:
    moved = rounding.moved(values, by)
    for before, after in zip(values, moved):
        assert 1e-10 * (1 + abs(before)) < abs(after - before) <= 1.01e-9 * (1 + abs(before))
        assert bool(after > before) is (by > 0)
    assert equal(moved.tolist(), values)


def test_what_has_no_last_bits_is_not_moved() -> None:
    for value in (3, True, "a", [1, 2], [[1], [2, 3]], None):
        assert rounding.moved(value, rounding.BY) == value
    assert rounding.moved(np.arange(3), rounding.BY).tolist() == [0, 1, 2]
    uneven = rounding.moved([[1.0], [2, 3]], rounding.BY)
    assert uneven[0] != 1.0 and uneven[1] == [2, 3]


def test_answers_that_differ_by_rounding_are_one_answer() -> None:
    assert rounding.distinct([0.3, 0.1 + 0.2, 0.4]) == 2
    assert rounding.distinct([[1, 2.0], [1, 2.0 + 1e-12], [2, 1.0]]) == 2
