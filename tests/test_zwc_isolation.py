"""The package on disk, in a process of its own: nothing reachable there leads to the library or its names."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from protocols.domains.zwc.obfuscate import obfuscate
from protocols.domains.zwc.scrub import WORDS
from protocols.domains.zwc.service import resolve
from protocols.domains.zwc.signatures import parameters

# Crawls everything reachable, once before the package is there and once after using it.
PROBE = r"""
import atexit, contextlib, gc, inspect, json, os, struct, subprocess, sys, types
sys.path.insert(0, sys.argv[1])
public, raising = sys.argv[2].split(","), sys.argv[3]

def crawl(roots):
    seen, texts, pairs, stack = {}, set(), [], list(roots)
    while stack:
        thing = stack.pop()
        if id(thing) in seen or thing is seen or thing is texts or thing is pairs or thing is stack:
            continue
        seen[id(thing)] = thing
        if isinstance(thing, str):
            texts.add(thing)
        if isinstance(thing, bytes):
            texts.add(thing.decode("latin-1"))
        if type(thing) is dict:
            pairs += [(k, v) for k, v in thing.items() if type(k) is str and type(v) is str]
        stack += gc.get_referents(thing)
        if isinstance(thing, BaseException):
            stack += [thing.__traceback__, thing.__cause__, thing.__context__]
        if isinstance(thing, types.TracebackType):
            stack += [thing.tb_frame, thing.tb_next]
        if isinstance(thing, types.FrameType):
            stack += [thing.f_locals, thing.f_globals, thing.f_code, thing.f_back]
        if isinstance(thing, types.FunctionType):
            stack += [thing.__globals__, thing.__closure__, thing.__code__, thing.__dict__]
    return seen, texts, pairs

before = crawl([sys.modules, gc.get_objects()])[1]
import zwc
from zwc import ZWCArray

roots = [zwc]
for name in public:
    function = zwc
    for part in name.split("."):
        function = getattr(function, part)
    roots.append(function)
    for attribute in dir(function):
        roots.append(getattr(function, attribute, None))
    roots.append(inspect.signature(function))
x = ZWCArray([[1.0, 2.0], [3.0, 4.0]])
roots += [x, x.T, x + 1, x[0], x == x, repr(x), str(x)] + [getattr(x, a, None) for a in dir(x)]
function = zwc
for part in raising.split("."):
    function = getattr(function, part)
for arguments in [([[1.0, 1.0], [1.0, 1.0]],), ("text",), (), (1, 2, 3, 4), (object(),)]:
    try:
        function(*arguments)
    except Exception as error:
        roots.append(error)
for broken in ("x.mean()", "-x", "hash(x)", "x.__array__", "zwc.mean"):
    try:
        eval(broken)
    except Exception as error:
        roots.append(error)
seen, texts, pairs = crawl(roots + [sys.modules, gc.get_objects()])
classes = {type(t) for t in seen.values()} | {t for t in seen.values() if isinstance(t, type)}
print(json.dumps({
    "objects": len(seen),
    "errors": sum(isinstance(r, Exception) for r in roots),
    "modules": sorted(sys.modules),
    "class_modules": sorted({str(getattr(c, "__module__", "")) for c in classes}),
    "new_texts": sorted(texts - before),
    "pairs": pairs,
}))
"""


@pytest.fixture(scope="module")
def library():
    return obfuscate()


@pytest.fixture(scope="module")
def folder(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    library.write(folder)
    return folder


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def found(library, folder):
    return json.loads(run(PROBE, str(folder), ",".join(library.public), library.entries["linalg.inv"]))


def test_the_crawl_saw_the_package(found, library):
    assert found["objects"] > 10_000 and found["errors"] >= 9
    assert "Singular matrix" in found["new_texts"]


def test_neither_module_nor_class_of_the_library_is_there(found):
    assert not [m for m in found["modules"] + found["class_modules"] if m.split(".")[0] == "numpy"]


def test_no_text_names_the_library_or_an_original_function(found, library):
    texts = [t for t in found["new_texts"] if len(t) < 100_000]
    assert not [t for t in texts if re.search(r"(?i)numpy|\bnp\b", t)]
    shown = {p[0] for n in library.entries for p in parameters(resolve(numpy, n))}  # parameters keep names
    originals = {part for name in library.entries for part in name.split(".")} - WORDS - shown
    assert len(originals) > 60
    pattern = re.compile(rf"\b({'|'.join(sorted(originals))})\b")
    assert not {t: pattern.findall(t) for t in texts if pattern.search(t)}


def test_the_map_is_not_there(found, library):
    both = {frozenset((o, p)) for o, p in library.entries.items()}
    both |= {frozenset((o.rpartition(".")[2], p.rpartition(".")[2])) for o, p in library.entries.items()}
    assert not [pair for pair in found["pairs"] if frozenset(pair) in both]
    for text in found["new_texts"]:
        words = set(re.findall(r"\w+", text))
        told = [
            o
            for o, p in library.entries.items()
            if o in words and p in words and o not in ("array", "shape", "size")
        ]
        assert not told, text[:300]


def test_the_map_is_not_plain_on_disk_either(folder, library):
    for file in filter(Path.is_file, (folder / "zwc").iterdir()):
        content = file.read_bytes()
        assert not (b'"mean"' in content and library.entries["mean"].encode() in content), file


def test_the_package_restarts_its_service_survives_forks_and_leaves_no_process(folder, library):
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(folder)!r})
import zwc
mean = zwc.{library.entries["mean"]}
assert mean([1, 2]) == 1.5
process = mean._link.send.__self__.process
os.kill(process.pid, signal.SIGKILL)
try:
    mean([1, 2])
except RuntimeError as error:
    assert "restart" in str(error), error
else:
    raise AssertionError
assert mean([1, 3]) == 2.0
child = os.fork()
if child == 0:
    os._exit(0 if mean([2, 2]) == 2.0 else 1)
assert os.waitpid(child, 0)[1] == 0
assert mean([5]) == 5.0
import zwc.{library.entries["linalg.inv"].partition(".")[0]}
print(mean._link.send.__self__.process.pid)
"""
    pid = int(run(code))
    assert not Path(f"/proc/{pid}").exists()


def test_the_documentation_file(folder, library):
    rows = [json.loads(line) for line in (folder / "api_doc.jsonl").read_text().splitlines()]
    assert [set(r) for r in rows] == [
        {"original_name", "curr_name", "docstring", "func_mapping", "rewritten_doc"}
    ] * len(library.entries)
    assert {r["original_name"]: r["curr_name"] for r in rows} == dict(library.entries)
    mean = rows[list(library.entries).index("mean")]
    assert json.loads(mean["func_mapping"])["np.mean"] == f"zwc.{library.entries['mean']}"
    assert "Parameters" in mean["rewritten_doc"] and "arithmetic mean" in mean["docstring"]


def test_a_library_without_arrays_on_disk(tmp_path):
    library = obfuscate("math", package="calc")
    library.write(tmp_path)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import calc
print(calc.{library.entries["gcd"]}(12, 18), calc.{library.entries["isinf"]}(float("-inf")))
try:
    calc.CALCArray([1])
except TypeError as error:
    print(error)
"""
    assert run(code).splitlines() == ["6 True", "this library has no arrays"]
