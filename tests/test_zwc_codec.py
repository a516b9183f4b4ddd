"""The plain-data codec: what goes in comes out, hostile bytes only ever raise `CodecError`."""

import contextlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.domains.zwc import codec
from protocols.domains.zwc.codec import Array, CodecError, decode, encode, nested

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers() | st.binary()
)
KEYS = st.integers() | st.text() | st.booleans() | st.none() | st.tuples(st.integers(), st.text())
SLICES = st.builds(slice, st.none() | st.integers(), st.none() | st.integers(), st.none() | st.integers())
RANGES = st.builds(range, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 9))
OTHERS = SLICES | RANGES | st.just(Ellipsis) | st.sampled_from([float, int, bool, complex, str])
VALUES = st.recursive(
    SCALARS | OTHERS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=20,
)


def same(a: object, b: object) -> bool:
    """Equal in value and exact type; NaN equals NaN, and the sign of zero counts."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        assert isinstance(b, float)
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, complex):
        assert isinstance(b, complex)
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, list | tuple):
        assert isinstance(b, list | tuple)
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        assert isinstance(b, dict)
        return same(list(a.items()), list(b.items()))
    if isinstance(a, Array):
        assert isinstance(b, Array)
        return same((a.shape, a.dtype, a._values), (b.shape, b.dtype, b._values))
    return a == b


@given(VALUES)
@settings(deadline=None)
def test_values_come_back_as_they_were(value):
    assert same(decode(encode(value)), value)


@given(st.lists(st.integers(0, 4), max_size=4), st.sampled_from(["float64", "complex128", "<U3", "object"]))
@settings(deadline=None)
def test_arrays_come_back_with_shape_and_nesting(shape, dtype):
    size = math.prod(shape)
    kinds = {
        "float64": [0.5, math.nan, -0.0],
        "complex128": [1 - 2j],
        "<U3": ["a", "bc"],
        "object": [None, (1,)],
    }
    values = [kinds[dtype][i % len(kinds[dtype])] for i in range(size)]
    array = decode(encode(Array(tuple(shape), dtype, values)))
    assert same(array, Array(tuple(shape), dtype, values))
    rows = nested(array)
    for length in shape:
        if not isinstance(rows, list):
            break
        assert len(rows) == length
        rows = rows[0] if rows else None


def test_huge_integers_travel_beyond_pythons_digit_limit():
    number = 7**20_000
    assert decode(encode([number, {"a": -number}])) == [number, {"a": -number}]


def test_subclasses_lose_their_class_and_run_no_code():
    class Loud(int):
        def __int__(self):
            raise AssertionError

        __index__ = __repr__ = __str__ = __abs__ = __int__

    class Liar(Array):
        __slots__ = ()

        @property
        def _values(self):
            raise AssertionError

    assert same(decode(encode(Loud(3))), 3)
    assert same(decode(encode(Array((1,), "int64", [4]))), Array((1,), "int64", [4]))
    liar = Liar.__new__(Liar)
    Array.__dict__["_values"].__set__(liar, [5])
    liar._shape, liar._dtype = (1,), "int64"
    assert nested(decode(encode(liar))) == [5]


def test_what_is_no_plain_data_is_refused_by_its_type():
    with pytest.raises(CodecError, match="'set'"):
        encode({1, 2})
    with pytest.raises(CodecError, match="'function'"):
        encode([same])
    with pytest.raises(CodecError, match="'type'"):
        encode(Array)


def test_depth_and_size_are_bounded(monkeypatch):
    circle: list = []
    circle.append(circle)
    with pytest.raises(CodecError, match="deep"):
        encode(circle)
    monkeypatch.setattr(codec, "MAX_NODES", 1000)
    bomb: list = [0]
    for _ in range(50):
        bomb = [bomb, bomb]
    with pytest.raises(CodecError, match="too much"):
        encode(bomb)
    monkeypatch.setattr(codec, "MAX_BYTES", 1000)
    with pytest.raises(CodecError, match="too much"):
        encode("x" * 2000)
    with pytest.raises(CodecError, match="too much"):
        decode(b'"' + b"x" * 2000 + b'"')


HOSTILE = [
    b"",
    b"\xff",
    b"[" * 100_000,
    b'{"t":5}',
    b'{"q":1}',
    b"{}",
    b'{"t":[],"d":[]}',
    b'{"d":[[[1],2]]}',
    b'{"i":"zz"}',
    b'{"b":7}',
    b'{"y":"eval"}',
    b'{"y":[]}',
    b'{"r":[0,1000000000000,1]}',
    b'{"f":0}',
    b'{"a":[[2],"int64",[1]]}',
    b'{"a":[[-1],"int64",[]]}',
    b'{"a":[[0,1000000000000],"int64",[]]}',
    b'{"a":[[1000000000000,0],"int64",[]]}',
    b'{"a":[' + json.dumps([1] * 1000).encode() + b',"int64",[1]]}',
    b'{"a":[[1],7,[1]]}',
    b'{"a":[[1],"int64","x"]}',
    b'{"c":["x",1]}',
    b"9" * 5000,
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bytes_raise_codec_error(data):
    with pytest.raises(CodecError):
        decode(data)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_decode_or_raise_codec_error(data):
    with contextlib.suppress(CodecError):
        decode(data)
