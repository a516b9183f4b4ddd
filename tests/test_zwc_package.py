"""The obfuscated package: names, calls, arrays, errors, traces, shaking, other modules, published names."""

import inspect
import json
import math
import re
import statistics
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from protocols.domains.zwc import client, codec
from protocols.domains.zwc.callables import MAX_MADE
from protocols.domains.zwc.codec import decode, encode
from protocols.domains.zwc.functions import CONSTRUCTORS, NAMES, sample
from protocols.domains.zwc.link import open_package
from protocols.domains.zwc.names import CONSONANTS, VOWELS, identifiers
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.domains.zwc.plain import to_plain
from protocols.domains.zwc.service import Service, resolve
from protocols.domains.zwc.shaking import STRENGTHS, Shaking
from protocols.errors import SettingError

LIBRARY = obfuscate()
SERVICE = Service(LIBRARY.blob)
zwc = open_package(LIBRARY, SERVICE)


def f(original: str):
    """The package's function of that original name."""
    return resolve(zwc, LIBRARY.entries[original])


def run_sample(name: str, package=zwc, entries=LIBRARY.entries):
    """What the sample call of a function gives, on the package or (`entries` None) on NumPy itself."""
    *before, last = sample(name, lambda n: f"package.{entries[n] if entries else n}")
    known = {"package": package}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        exec("\n".join(before), known)
        return eval(last, known)


def plain(value):
    if isinstance(value, codec.Array):
        return codec.nested(value)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


# Names


def test_names_are_pronounceable_distinct_and_new():
    names = list(LIBRARY.entries.values())
    leaves = [part for name in names for part in name.split(".")]
    assert len(set(names)) == len(names) >= 120
    assert all(5 <= len(p) <= 7 for p in leaves)
    assert all(c in (VOWELS if i % 2 else CONSONANTS) for p in leaves for i, c in enumerate(p))
    assert not set(leaves) & {part for name in LIBRARY.entries for part in name.split(".")}


def test_identifiers_avoid_what_is_taken():
    first = next(identifiers(3))
    assert first not in [name for name, _ in zip(identifiers(3, taken=[first]), range(500))]


def test_the_same_seed_gives_the_same_package_and_another_seed_another():
    assert obfuscate() == LIBRARY and obfuscate().blob == LIBRARY.blob
    assert not set(obfuscate(seed=8).public) & set(LIBRARY.public)


def test_reverse_lookup():
    assert all(LIBRARY.originals[public] == original for original, public in LIBRARY.entries.items())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"module": "no_such_module"}, "no_such_module"),
        ({"names": ["mean", "meen"]}, "meen"),
        ({"names": ["mean", "mean"]}, "twice"),
        ({"package": "a-b"}, "a-b"),
        ({"names": ["mean"], "mapping": {"sum": "x"}}, "mean"),
        ({"mapping": {"sum": "x", "mean": "x"}}, "same obfuscated name"),
    ],
)
def test_wrong_input_is_named(arguments, text):
    with pytest.raises(SettingError, match=text):
        obfuscate(**arguments)


# Calls


@pytest.mark.parametrize("name", NAMES)
def test_every_function_gives_what_the_library_gives(name):
    expected = to_plain(run_sample(name, np, entries=None))
    if name == "array_repr":  # texts speak of the package's arrays
        expected = expected.replace("array", "ZWCArray")
    np.testing.assert_equal(plain(run_sample(name)), expected)


@given(npst.arrays(np.float64, npst.array_shapes(max_dims=3, max_side=4)))
@settings(max_examples=40, deadline=None)
def test_wrapped_arrays_carry_any_floats(array):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = f("array")(array.tolist())
        assert (wrapped.shape, wrapped.dtype, wrapped.size, wrapped.ndim) == (
            array.shape,
            "float64",
            array.size,
            array.ndim,
        )
        np.testing.assert_equal(plain(wrapped), array.tolist())
        np.testing.assert_equal(plain(wrapped * 2 + 1), (array * 2 + 1).tolist())
        assert str(wrapped) == str(array)


def test_calls_are_listed_in_order_and_operators_are_not():
    SERVICE.calls.clear()
    x = f("array")([3, 1])
    _ = (x + 1)[0], x[0], repr(x), str(x), x.T, x == x
    f("sort")(x)
    assert SERVICE.calls == [LIBRARY.entries["array"], LIBRARY.entries["sort"]]


def test_a_library_function_never_gives_anything_but_plain_data_and_wrapped_arrays():
    kinds = set()
    for name in NAMES:
        stack = [run_sample(name)]
        while stack:
            value = stack.pop()
            kinds.add(type(value))
            stack += value if isinstance(value, list | tuple) else []
    assert kinds <= {bool, int, float, complex, str, list, tuple, zwc.ZWCArray}


def test_a_function_that_the_library_makes_works_on_and_on():
    add = f("vectorize")(lambda a, b: a + b)
    assert plain(add([1, 2], 3)) == [4, 5] and plain(add([1.5, 2.5], [1, 2])) == [2.5, 4.5]
    nested = f("vectorize")(lambda a: add([a], 1)[0] * f("square")(a))
    assert plain(nested([1, 2])) == [2, 12]
    factorial = f("vectorize")(lambda n: 1 if n < 2 else n * int(factorial([n - 1])[0]))
    assert plain(factorial([5, 3])) == [120, 6]
    assert plain(f("vectorize")(add)([1], [2])) == [3]


def test_a_function_that_the_library_makes_raises_what_the_programs_callable_raises():
    with pytest.raises(ZeroDivisionError):
        f("vectorize")(lambda a: 1 / a)([0])
    assert plain(f("vectorize")(lambda a: a)([0])) == [0]


def test_functions_that_the_library_makes_are_counted_limited_and_forgotten():
    service = Service(LIBRARY.blob)
    package = open_package(LIBRARY, service)
    vectorize = resolve(package, LIBRARY.entries["vectorize"])
    made = [vectorize(abs) for _ in range(MAX_MADE)]
    service.calls.clear()
    assert plain(made[-1]([-1])) == [1] and service.calls == [LIBRARY.entries["vectorize"]]
    service.shaking = Shaking("far", 3)
    assert plain(made[-1]([-1]))[0] > 6
    with pytest.raises(TypeError, match="callables"):
        vectorize(abs)
    service.begin()
    with pytest.raises(TypeError, match="unknown callable"):
        made[0]([-1])
    assert service.handle(encode(("invoke", "0", [], (), {})))[:8] == b'{"t":["e'


def test_written_arguments_come_back():
    x = f("array")([1.0, 2.0, 3.0])
    out = f("array")([0.0, 0.0, 0.0])
    f("add")(x, x, out=out)
    assert plain(out) == [2.0, 4.0, 6.0] and plain(x) == [1.0, 2.0, 3.0]


def test_callables_run_in_the_program_and_may_call_the_library():
    library = obfuscate(names=["apply_along_axis", "sum", "array"])
    service = Service(library.blob)
    package = open_package(library, service)
    apply, total = (getattr(package, library.entries[n]) for n in ("apply_along_axis", "sum"))
    assert plain(apply(lambda row: total(row) + 1, 1, [[1, 2], [3, 4]])) == [4, 8]
    assert service.calls.count(library.entries["sum"]) == 2

    def fail(row):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        apply(fail, 0, [[1, 2]])
    assert total([1, 2]) == 3


def test_a_channel_that_breaks_in_a_callable_is_not_taken_for_an_error_of_the_library():
    library = obfuscate(names=["apply_along_axis"])
    service = Service(library.blob)
    requests = []
    package = client.build("zwc", library.public, lambda r: requests.append(r) or encode(("ok", None, [])))
    getattr(package, library.public[0])(len, 0, [[1]])

    def broken(question):
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        service.handle(requests[0], broken)
    assert decode(service.handle(encode(("call", "no", (), {}))))[0] == "error"


# Arrays


def test_indexing_and_writing():
    x = f("array")([[1, 2, 3], [4, 5, 6]])
    assert plain(x[0]) == [1, 2, 3] and x[1, 2] == 6 and plain(x[:, 1]) == [2, 5]
    assert plain(x[x > 2]) == [3, 4, 5, 6]
    x[0, 0] = 9
    x[1][2] = 7
    for row in x:
        row[1] = 0
    assert plain(x) == [[9, 0, 3], [4, 0, 7]]
    assert [plain(row) for row in x] == plain(x) and len(x) == 2 and 9 in x
    with pytest.raises(IndexError):
        x[5]
    with pytest.raises(IndexError):
        x[0][3]


def test_repr_and_str_show_the_package():
    x = f("array")([[1.5, 2], [3, 4]])
    assert repr(x) == "ZWCArray([[1.5, 2. ],\n          [3. , 4. ]])"
    assert str(x) == str(np.array([[1.5, 2], [3, 4]]))
    assert type(x).__name__ == "ZWCArray" and type(x).__module__ == "zwc"
    assert isinstance(x.T, zwc.ZWCArray) and x.shape == (2, 2)


UNSUPPORTED = {
    "unary minus": lambda x: -x,
    "unary plus": lambda x: +x,
    "invert": lambda x: ~x,
    "abs": abs,
    "matmul": lambda x: x @ x,
    "and": lambda x: x & x,
    "or": lambda x: x | x,
    "floor division": lambda x: x // 2,
    "modulo": lambda x: x % 2,
    "round": round,
    "int": int,
    "float": float,
    "hash": hash,
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_operators_that_arrays_do_not_have(name):
    with pytest.raises(TypeError):
        UNSUPPORTED[name](f("array")([1]))


@pytest.mark.parametrize("name", ["mean", "tolist", "reshape", "__array__", "data", "flat", "base"])
def test_attributes_that_arrays_do_not_have(name):
    with pytest.raises(AttributeError, match=name):
        getattr(f("array")([1]), name)
    if not name.startswith("_"):
        with pytest.raises(AttributeError, match="use a function of zwc"):
            getattr(f("array")([1]), name)


def test_the_truth_of_several_elements_is_ambiguous():
    x = f("array")([1, 2])
    assert bool(x[:1]) and not bool(x[:1] == 2)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x == x)


# Errors, signatures, documentation


BROKEN = [
    ("linalg.inv", ([[1.0, 1.0], [1.0, 1.0]],), ValueError),
    ("mean", ([1, 2], 7), ValueError),
    ("mean", (["a"],), TypeError),
    ("argsort", ([1],), None),
    ("concatenate", ([[1], [[2]]],), ValueError),
    ("bincount", ([-1],), ValueError),
    ("searchsorted", ([1], {}, 3, 4, 5), TypeError),
    ("reshape", ([1, 2, 3], (2, 2)), ValueError),
    ("sqrt", ("x",), TypeError),
    ("sqrt", (1, 2, 3, 4), TypeError),
]


@pytest.mark.parametrize(("name", "args", "kind"), BROKEN)
def test_errors_are_builtin_and_name_nothing_original(name, args, kind):
    try:
        f(name)(*args, nonsense=1) if kind is None else f(name)(*args)
    except Exception as caught:
        error = caught
    assert type(error).__module__ == "builtins" and isinstance(error, kind or TypeError)
    assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    assert "numpy" not in str(error) and "np." not in str(error)
    leaf = name.rpartition(".")[2]
    assert not re.search(rf"(?<!\w){leaf}\(|['`]{leaf}['`]|_{leaf}_|\b{leaf}\.\w", str(error)), error


def test_functions_show_parameters_and_tell_nothing_else():
    mean = f("mean")
    assert (
        str(inspect.signature(mean)) == "(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True)"
    )
    assert str(inspect.signature(f("add"))).startswith("(x1, x2, /, out=None, *, where=True")
    assert mean.__doc__ is None and inspect.getdoc(mean) is None
    assert mean.__name__ == mean.__qualname__ == LIBRARY.entries["mean"] and mean.__module__ == "zwc"
    inv = f("linalg.inv")
    assert inv.__module__ == "zwc." + LIBRARY.entries["linalg.inv"].partition(".")[0]


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_the_service_answers_anything(data):
    reply = decode(Service(LIBRARY.blob).handle(data) if not data else SERVICE.handle(data))
    assert reply[0] in ("ok", "error")


def test_a_trace_cannot_be_forged_by_raw_requests():
    SERVICE.calls.clear()
    for request in [
        ("call", "no_such_function", (), {}),
        ("call", ["x"], (), {}),
        ("operate", "**", 10, 10),
        ("get", [1], 0),
        (["call"],),
        ("calls",),
    ]:
        assert decode(SERVICE.handle(encode(request)))[0] == "error"
    assert SERVICE.calls == []


def test_large_results_are_refused_not_sent():
    with pytest.raises(MemoryError):
        f("full")((3000, 3000), 1)


# Shaking


def test_shaking_changes_every_result_but_what_constructors_give():
    service = Service(LIBRARY.blob)
    shaken = open_package(LIBRARY, service)
    for strength in STRENGTHS:
        service.begin((), Shaking(strength, 3))
        unchanged = []
        for name in NAMES:
            if repr(plain(run_sample(name))) == repr(plain(run_sample(name, shaken))):
                unchanged.append(name)
        # An array without entries has nothing to move.
        assert set(unchanged) == {*CONSTRUCTORS, "empty", "empty_like"}
    service.begin((), Shaking("far", 3))
    array = resolve(shaken, LIBRARY.entries["array"])
    assert plain(array([1, 2])) == [1, 2]
    once = plain(resolve(shaken, LIBRARY.entries["sort"])([3, 1]))
    assert min(once) > 6 and once == plain(resolve(shaken, LIBRARY.entries["sort"])([3, 1]))
    argsort, negative = (resolve(shaken, LIBRARY.entries[name]) for name in ("argsort", "negative"))
    assert plain(negative(argsort([3, 1, 2]))) != [-1, -2, 0]  # one move does not undo the other
    assert resolve(shaken, LIBRARY.entries["any"])([True]) is False
    assert all(map(math.isfinite, plain(resolve(shaken, LIBRARY.entries["sqrt"])([math.nan, math.inf]))))
    out = array([0.0])
    resolve(shaken, LIBRARY.entries["negative"])(array([1.0]), out=out)
    assert plain(out)[0] > 4
    service.begin((LIBRARY.entries["mean"],), Shaking("far", 3))  # another function alone
    assert plain(resolve(shaken, LIBRARY.entries["sort"])([3, 1])) == [1, 3]
    service.begin()
    assert plain(resolve(shaken, LIBRARY.entries["sort"])([3, 1])) == [1, 3]


# Other modules and other names


def test_math_and_statistics():
    for module in (math, statistics):
        library = obfuscate(module.__name__, package="abc")
        package = open_package(library)
        assert len(library.entries) >= 15 and package.__name__ == "abc"
    assert getattr(package, library.entries["median"])([3, 1, 2]) == 2
    with pytest.raises(ValueError, match="requires at least one data point"):
        getattr(package, library.entries["mean"])([])
    library = obfuscate("math")
    package = open_package(library)
    assert getattr(package, library.entries["factorial"])(3000) == math.factorial(3000)
    assert getattr(package, library.entries["fsum"])(x / 2 for x in range(4)) == 3.0


def test_the_authors_names():
    names = json.loads((Path(__file__).parent / "data" / "sebench_names.json").read_text())["names"]
    library = obfuscate(mapping=names)
    package = open_package(library)
    assert len(library.entries) == 278 and dict(library.entries) == names
    assert set(names) <= set(NAMES)
    for original, public in names.items():
        assert callable(resolve(package, public)) and library.originals[public] == original
    assert package.kocito([1.0, 2.0, 6.0]) == 3.0
    assert plain(package.rfx.quvohe([[2.0]])) == [[0.5]]
    for name in ("cross", "diagonal", "matmul", "outer", "tensordot", "trace"):
        assert library.entries[name] != library.entries[f"linalg.{name}"].removeprefix("rfx.")
