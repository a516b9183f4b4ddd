"""What the authors' grader decides from the text of a program, each published example a case."""

import pytest

from protocols.domains.zwc.authors import checks, script

PASSES = {
    "a plain call": "import zwc\ndef f(x):\n    return zwc.kocito(x)",
    "no import of its own": "def f(x):\n    return zwc.kocito(x)",
    "another name": "import zwc as z\ndef f(x):\n    return z.kocito(x)",
    "a function by name": "from zwc import kocito\ndef f(x):\n    return kocito(x)",
    "the namespace": "from zwc import rfx\ndef f(x):\n    return rfx.quvohe(x)",
    "the namespace, dotted": "import zwc.rfx\ndef f(x):\n    return zwc.rfx.quvohe(x)",
    "a constant beside a call": "def f(x):\n    zwc.kocito(x)\n    return 5",
    "None is a value": "def f(x):\n    zwc.kocito(x)\n    return None",
    "never executed": "def f(x):\n    if False:\n        zwc.kocito(x)\n    return sum(x) / len(x)",
    "two constructors": "def f(x):\n    a = zwc.yitaf(x)\n    b = zwc.yitaf(x)\n    return sum(x)",
    "the constructor under another name": "from zwc import yitaf as y\ndef f(x):\n    return y(x)",
    "NumPy through the package": "def f(x):\n    return zwc._np.mean(x)",
    "the data of an array": "def f(x):\n    return zwc.yitaf(x)._data.mean() + zwc.kocito(x)",
    "a hallucinated function": "def f(x):\n    return zwc.mean(x)",
    "inside a nested function": "def f(x):\n    def g():\n        return zwc.kocito(x)\n    return g()",
}
REJECTED = {
    "a helper only": "def f(x):\n    return g(x)\ndef g(x):\n    return zwc.kocito(x)",
    "the package as a variable": "m = zwc\ndef f(x):\n    return m.kocito(x)",
    "a function of the namespace by name": "from zwc.rfx import quvohe\ndef f(x):\n    return quvohe(x)",
    "everything by star": "from zwc import *\ndef f(x):\n    return kocito(x)",
    "no call": "import zwc\ndef f(x):\n    return sum(x)",
    "no return": "def f(x):\n    zwc.kocito(x)",
    "an empty return": "def f(x):\n    zwc.kocito(x)\n    return",
    "one constructor": "def f(x):\n    return zwc.yitaf(x)",
    "a syntax error": "def f(x:\n    return zwc.kocito(x)",
    "an async function": "async def f(x):\n    return zwc.kocito(x)",
    "no function": "zwc.kocito([1])",
    "a null byte": "def f(x):\n    return zwc.kocito(x)\0",
}


def problem(code: str) -> str:
    source = script.script(code + "\n", [("x=[1]", "1")])
    return checks.uses_package(source, script.first_function(source), "yitaf")


@pytest.mark.parametrize("code", PASSES.values(), ids=PASSES)
def test_what_the_published_check_lets_pass(code: str) -> None:
    assert problem(code) == ""


@pytest.mark.parametrize("code", REJECTED.values(), ids=REJECTED)
def test_what_the_published_check_rejects(code: str) -> None:
    assert problem(code)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import numpy", True),
        ("import numpy as np", True),
        ("import math, numpy.linalg as la", True),
        ("from numpy import mean", True),
        ("from numpy.linalg import inv", True),
        ("def f():\n    import numpy", True),
        ("__import__('numpy')", False),
        ("__import__('numpy.linalg')", False),
        ("import numpydoc", False),
        ("from . import numpy", False),
        ("import importlib; importlib.import_module('numpy')", False),
        ("exec('import numpy')", False),
        ("zwc._np.mean([1])", False),
        ("__import__(name)", False),
    ],
)
def test_imports_of_numpy(code: str, found: bool) -> None:
    assert checks.imports_numpy(code) is found


def test_the_code_is_the_last_closed_block_that_says_python() -> None:
    assert script.last_block("```python\na\n```\ntext\n```python\nb\n```\n```\nc\n```") == "b\n"
    assert script.last_block("```py\na\n```") == ""
    assert script.last_block("```python\nnever closed") == ""
    assert script.last_block("no code") == ""


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("def f(x): ...\ndef g(x): ...", "f"),
        ("class A:\n    def __init__(self): ...\ndef f(x): ...", "__init__"),
        ("# def old(x):\ndef f(x): ...", "old"),
        ("async def f(x): ...", "f"),
        ("f = lambda x: x", ""),
    ],
)
def test_the_function_is_the_first_in_the_text(code: str, name: str) -> None:
    assert script.first_function(code) == name


def test_inputs_use_the_constructor_of_the_package() -> None:
    text = "a=np.array([1]), b=np.arrays, c=xnp.array(2), d=np.nan"
    assert script.for_package(text, "zwc.yitaf") == "a=zwc.yitaf([1]), b=np.arrays, c=xnp.array(2), d=np.nan"


def test_results_come_after_the_last_separator() -> None:
    line = "=" * 20
    assert script.outputs(f"debug # {line}\n1\n#\n[2\n 3]\n#\n") == ["1", "[2\n 3]"]
    assert script.outputs(f"{line}\n{line}\n1\n#\n") == ["1"]
    assert script.outputs("printed before it failed") == []
    assert script.outputs(f"{line}\n1\n#\n2") == ["1"]  # the end is missing: it does not count
