"""Plain data through JSON and back."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.domains.zwc.plain import pack, to_plain, unpack

scalars = st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.complex_numbers()
data = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=20)


def identical(a: Any, b: Any) -> bool:
    """Same type and value; NaN is itself, and zeros keep their signs."""
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, complex):
        return isinstance(b, complex) and identical(a.real, b.real) and identical(a.imag, b.imag)
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return type(a) is type(b) and bool(a == b)


@given(data)
def test_packed_data_comes_back_through_json(value: Any) -> None:
    text = json.dumps(pack(value), allow_nan=False)
    assert identical(unpack(json.loads(text)), value)


def test_results_become_lists_and_scalars() -> None:
    value = (np.array([[1, 2], [3, 4]]), np.float64(0.5), [np.bool_(True)], np.array(3), "text")
    plain = to_plain(value)
    assert identical(plain, [[[1, 2], [3, 4]], 0.5, [True], 3, "text"])


@pytest.mark.parametrize("value", [object(), {"a": 1}, np.array([object()]), np.float64, {1, 2}])
def test_what_is_not_plain_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="is not plain data"):
        to_plain(value)


def test_packing_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(TypeError, match="is not plain data"):
        pack([1, {"a": 2}])
    assert pack([float("inf"), (1, 2)]) == [{"$float": "inf"}, [1, 2]]
