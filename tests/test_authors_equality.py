"""Printed results against the printed truth, and printed values read as values."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.domains.zwc.authors import literal, truth
from protocols.domains.zwc.authors.equality import all_equal, equal, parse

EQUAL = [
    ("[1, 2]", "[1, 2]"),
    ("[[1 2]\n [3 4]]", "[[1, 2], [3, 4]]"),
    ("array([1. , 2.5])", "[1.  2.5]"),
    ("ZWCArray([1, 2])", "array([1, 2])"),
    ("(array([1, 2]), [3])", "[[1, 2], (3,)]"),
    ("array([], dtype=float64)", "[]"),
    ("array([], shape=(0, 3), dtype=int64)", "ZWCArray([])"),
    ("[True False]", "[1, 0]"),
    ("[inf -inf nan]", "array([inf, -inf, nan])"),
    ("5", "[5]"),
    ("[[[7]]]", "7"),
    ("[[1, 2]]", "[1, 2]"),
    ("True", "1"),
    ("1.009", "1.0"),
    ("np.float64(0.5)", "0.5"),
    ("[np.int64(3), np.True_]", "[3, True]"),
    ("1/2", "0.5"),
    ("['1', '2.0']", "[1, 2]"),
    ("Unique: [1 2]", "anything else: [1, 2]"),
    ("{'a': 1, 'b': 2}", "{'a': 9, 'b': 2}"),  # what is before the last colon is dropped
    ("[0 1 ... 8 9]", "[0, 1, ..., 8, 9]"),
    ("(1+2j)", "1+2j"),
    ("a b", "ab"),
    ("1e-09", "0"),
    ("hello: x", "bye: x"),
]
DIFFERENT = [
    ("[1, 2]", "[2, 1]"),
    ("[1, 2]", "[1, 2, 3]"),
    ("1.02", "1.0"),
    ("1.2345679e+10", "12345678901.0"),  # the same number, in the digits that NumPy prints
    ("(1.001+2j)", "(1+2j)"),
    ("(1+0j)", "1"),
    ("nan", "0"),
    ("inf", "-inf"),
    ("None", "0"),
    ("'a'", "'b'"),
    ("{'a': 1, 'b': 2}", "{'a': 1, 'b': 3}"),
    ("{1, 2}", "[1, 2]"),
    ("[1ZWCArray([])]", "[[]]"),
    ("np.str_('a')", "'a'"),
    ("", "0"),
    ("1" * 5000, "1"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal_in_both_directions(a: str, b: str) -> None:
    assert equal(a, b) and equal(b, a)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different_in_both_directions(a: str, b: str) -> None:
    assert not equal(a, b) and not equal(b, a)


def test_only_as_many_as_the_truth_has() -> None:
    assert all_equal(["1", "2", "what else"], ["1", "2"])
    assert not all_equal(["1"], ["1", "2"])
    assert all_equal([], [])


def test_integers_beyond_every_float_are_compared_as_text() -> None:
    huge = str(10**400)
    assert equal(f"[{huge}]", f"[{huge} ]") is False  # the published one compares these as texts
    assert equal(f"[{huge}, 1]", f"[{huge},  1]")


def test_hostile_texts_end() -> None:
    for text in ("9**9**9**9", "1:" * 2000, "[" * 5000, "-" * 5000 + "1", "inf" * 500 + "x", "'a'*10**9"):
        assert not equal(text, "0")
        assert not equal("0", text)


numbers = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6), st.booleans())
nested = st.recursive(numbers, lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12)


@given(nested)
@settings(deadline=None)
def test_a_value_equals_itself_however_it_is_printed(value: Any) -> None:
    assert equal(str(value), str(value))
    assert equal(f" {value} ", repr(value))
    assert equal(f"[{value}]", str(value))  # one-element containers are taken off
    assert equal(str(value).replace("[", "(").replace("]", ",)"), str(value))  # tuples for lists


@given(nested, nested)
@settings(deadline=None)
def test_equality_is_symmetric(a: Any, b: Any) -> None:
    assert equal(str(a), str(b)) == equal(str(b), str(a))


@given(st.floats(-1e6, 1e6), st.floats(-1, 1))
@settings(deadline=None)
def test_the_tolerance_is_absolute(value: float, apart: float) -> None:
    other = value + apart
    assert equal(repr(value), repr(other)) == (abs(value - other) <= 1e-2)


arrays = st.lists(
    st.lists(st.floats(-1e4, 1e4) | st.sampled_from([math.inf, math.nan]), min_size=2, max_size=2),
    min_size=2,
    max_size=4,
)


@given(arrays)
@settings(deadline=None)
def test_what_numpy_prints_is_read(rows: list[list[float]]) -> None:
    array = np.array(rows)
    assert equal(str(array), str(rows))
    assert equal(repr(array), str(rows))
    from protocols.domains.zwc.grading import equal as strictly

    for text in (str(array), repr(array), str(rows), str((array, 1))):
        value = truth.read(text)
        value = value[0] if text.startswith("(") else value
        assert strictly(value, rows, truth.PRINTED_RELATIVE, truth.PRINTED_ABSOLUTE)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=8))
@settings(deadline=None)
def test_negative_numbers_are_no_differences(values: list[int]) -> None:
    assert truth.read(str(np.array(values))) == values
    assert equal(str(np.array(values)), str(values))


def test_truth_is_read_as_it_was_printed() -> None:
    printed = "(array([[1, 2],\n       [3, 4]]), np.float64(2.0), True)"
    assert truth.read(printed) == [[[1, 2], [3, 4]], 2.0, True]
    assert truth.read("{'a': array([1.5])}") == {"a": [1.5]}
    assert truth.read("['a b' 'c']") == ["a b", "c"]
    assert truth.read("[1.+2.j 3.-1.j]") == [1 + 2j, 3 - 1j]
    assert truth.read("[1. -0.j 2.5-0.j]") == [1, 2.5] and truth.read("[[ 1. +2.j  -3.5-1.j]]") == [
        [1 + 2j, -3.5 - 1j]
    ]
    assert truth.read("[nan +0.j  1. +0.j]")[1] == 1 and truth.read("[1 -2]") == [1, -2]
    assert truth.read("plain words") == "plain words"
    assert truth.read("True") is True
    for text in (
        "EighResult(eigenvalues=array([1, ..., 2]))",
        "[1 2 ... 9]",
        "<object at 0x7f>",
        "",
        "  ",
        "[1, 2",
    ):
        assert not truth.readable(text)
    for text in ("words", "nan", "[]", "{'a': 1}", "None"):
        assert truth.readable(text)


@pytest.mark.parametrize(
    "text",
    [
        "open('x')",
        "np.load('x')",
        "().__class__",
        "[x for x in y]",
        "np.array",
        "f(1)",
        "2**9**9",
    ],
)
def test_nothing_is_executed(text: str) -> None:
    with pytest.raises(ValueError):
        literal.evaluate(text)
    assert isinstance(parse(text), str)


@given(
    st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=1, max_size=6),
    st.sampled_from([1, 2, 4, 8]),
)
@settings(deadline=None)
def test_complex_numbers_are_read_however_columns_are_filled(
    parts: list[tuple[int, int]], divisor: int
) -> None:
    array = np.array([complex(a / divisor, b / 2) for a, b in parts])
    assert truth.read(str(array)) == array.tolist() == truth.read(repr(array))
    assert truth.read(str(array.reshape(1, -1))) == [array.tolist()]


@pytest.mark.parametrize("function", ["eig", "eigh", "qr", "svd", "slogdet"])
def test_named_tuples_are_the_values_in_them(function: str) -> None:
    from protocols.domains.zwc.grading import equal as strictly
    from protocols.domains.zwc.plain import to_plain

    result = getattr(np.linalg, function)(np.array([[2.0, 1.0], [1.0, 3.0]]))
    assert truth.readable(str(result))
    given_ = [to_plain(part) for part in result]
    assert strictly(truth.read(str(result)), given_, truth.PRINTED_RELATIVE, truth.PRINTED_ABSOLUTE)
