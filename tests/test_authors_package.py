"""The published package as answers meet it, and the sandbox that lends it NumPy."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from actors.sandbox.pool import SandboxPool
from protocols.domains.zwc.authors import grading
from protocols.records import Outcome, Program
from protocols.settings import SandboxSettings

NAMES = json.loads((Path(__file__).parent / "data" / "sebench_names.json").read_text())["names"]


@pytest.fixture(scope="module")
def pool() -> Iterator[SandboxPool]:
    with SandboxPool(SandboxSettings(workers=1, wall_s=3.0)) as made:
        yield made


def printed(pool: SandboxPool, *lines: str) -> list[str]:
    """What each line, an expression, prints; or the exception it ends in."""
    source = "import zwc\na = zwc.yitaf([1.0, 2.0, 4.0])\nm = zwc.yitaf([[1.0, 2.0], [3.0, 4.0]])\n"
    for line in lines:
        source += f"try:\n    print({line})\nexcept Exception as e:\n    print(type(e).__name__, e)\n"
    outcome = pool.run([grading.program(NAMES, source)])[0]
    stdout, error = grading.printed(outcome)
    assert error is None and outcome.status == "ok"
    return stdout.splitlines()


def test_arrays_show_themselves_as_numpy_does(pool: SandboxPool) -> None:
    assert printed(pool, "a", "repr(a)", "[a]", "zwc.yitaf([1, 2])", "zwc.yitaf(5)") == [
        "[1. 2. 4.]",
        "ZWCArray([1.0, 2.0, 4.0])",
        "[ZWCArray([1.0, 2.0, 4.0])]",
        "[1 2]",
        "5",
    ]


def test_arrays_have_five_attributes_and_no_methods(pool: SandboxPool) -> None:
    lines = ["(a.shape, a.ndim, a.size, a.dtype)", "type(m.T).__name__", "type(a._data).__name__"]
    assert printed(pool, *lines) == [
        "((3,), 1, 3, dtype('float64'))",
        "ndarray",
        "ndarray",
    ]
    lines = printed(pool, "a.mean()", "a.trace", "a.tolist()", "a.astype(int)")
    assert all(line.startswith("AttributeError ZWCArray has no attribute") for line in lines)
    assert ["use the function" in line for line in lines] == [True, True, False, False]


def test_operators(pool: SandboxPool) -> None:
    lines = ["a + 1", "10 - a", "a * a", "1 / a", "a ** 2", "2 ** a", "a == 2", "a < [2, 2, 5]"]
    assert printed(pool, *lines) == [
        "[2. 3. 5.]",
        "[9. 8. 6.]",
        "[ 1.  4. 16.]",
        "[1.   0.5  0.25]",
        "[ 1.  4. 16.]",
        "[ 2.  4. 16.]",
        "[False  True False]",
        "[ True False  True]",
    ]
    unsupported = ["-a", "+a", "~a", "abs(a)", "m @ m", "a & a", "a | a", "a // 2", "a % 2", "round(a)"]
    lines = printed(pool, *unsupported, "int(zwc.yitaf(5))", "float(zwc.yitaf(5))", "hash(a)")
    assert all(line.startswith("TypeError") for line in lines), lines


def test_items(pool: SandboxPool) -> None:
    lines = ["(a[0], type(a[0]).__name__)", "repr(m[0])", "repr(a[a > 1])", "len(m)", "list(m)"]
    assert printed(pool, *lines) == [
        "(1.0, 'float')",
        "ZWCArray([1.0, 2.0])",
        "ZWCArray([2.0, 4.0])",
        "2",
        "[ZWCArray([1.0, 2.0]), ZWCArray([3.0, 4.0])]",
    ]
    assert printed(pool, "(a.__setitem__(0, 9), a)") == ["(None, ZWCArray([9.0, 2.0, 4.0]))"]


def test_functions_unwrap_and_wrap_main_ones_only(pool: SandboxPool) -> None:
    assert printed(
        pool,
        "repr(zwc.dorujot(a))",
        "repr(zwc.kocito(a))",
        "repr(zwc.kocito(a=a))",
        f"[type(x).__name__ for x in zwc.{NAMES['modf']}(a)]",
        f"[type(x).__name__ for x in zwc.{NAMES['split']}(a, 3)]",
        "type(zwc.rfx.quvohe(m)).__name__",
        "type(zwc.rfx.sarik(m, [1, 2])).__name__",
        "zwc._np.mean([1, 2])",
        "zwc.mean([1])",
    ) == [
        "ZWCArray([1.0, 3.0, 7.0])",
        "np.float64(2.3333333333333335)",
        "np.float64(2.3333333333333335)",
        "['ZWCArray', 'ZWCArray']",
        "['ZWCArray', 'ZWCArray', 'ZWCArray']",
        "ndarray",
        "ndarray",
        "1.5",
        "AttributeError module 'zwc' has no attribute 'mean'",
    ]


def test_all_names_are_there(pool: SandboxPool) -> None:
    found = printed(
        pool,
        "(len(zwc.__all__), len(zwc.rfx.__all__))",
        "all(hasattr(zwc._np.linalg, n) for n in ['inv', 'trace'])",
        "zwc.pi",
    )
    assert found[:2] == ["(247, 31)", "True"]
    assert found[2].startswith("AttributeError")


def test_a_program_that_needs_modules_has_them_and_others_do_not(pool: SandboxPool) -> None:
    source = "import importlib, os\nprint(importlib.import_module('numpy').pi, os.sep)"
    with_numpy = grading.program(NAMES, source)
    plain = Program(source="def f(x):\n    import numpy\n    return 1", entry_point="f", cases=((1,),))
    simple = Program(source="def f(x):\n    return x + 1", entry_point="f", cases=((1,),))
    first, second, third, fourth = pool.run([plain, with_numpy, simple, with_numpy])
    assert first.status == "forbidden_import"
    assert grading.printed(second)[0] == grading.printed(fourth)[0] == f"{np.pi} /\n"
    assert third.cases[0].value == 2


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("open('/etc/passwd')", "FileNotFoundError"),
        ("import pandas", "ModuleNotFoundError"),
        ("import subprocess; subprocess.run(['ls'])", "PermissionError"),
        ("import socket; socket.socket()", "PermissionError"),
        ("import os; os.fork()", "PermissionError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_the_layers_hold_with_modules(pool: SandboxPool, source: str, error: str) -> None:
    stdout, ended = grading.printed(pool.run([grading.program(NAMES, source)])[0])
    assert stdout == "" and str(ended).startswith(error)


def test_a_broken_main_module_is_an_outcome(pool: SandboxPool) -> None:
    def run(source: str) -> Outcome:
        return pool.run([grading.program(NAMES, source)])[0]

    assert run("import os; os._exit(0)").status == "runtime_error"
    assert run("import sys; sys.stdout.close()").status == "ok"
    assert run("x = [0] * 10 ** 10").status == "memory"
    assert run("print('y' * 10 ** 6)").status == "output_limit"
    assert grading.printed(run("import sys\nprint('out'); print('no', file=sys.stderr)"))[0] == "out\n"
    script = "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: 'int'\nprint(A(1), __name__)"
    assert grading.printed(run(script))[0] == "A(x=1) __main__\n"
