# ruff: noqa: E501  (one program, one line)
"""Hostile programs and the category each has to end in; the next one is unharmed, no process is left.

The first table runs as programs run in earnest. In the second the import policy is off, so that the kernel's
layers have to hold by themselves; `test_sandbox_layers` shows them one by one.
"""

import os
import time
from pathlib import Path

import psutil
import pytest

from actors.sandbox.pool import SandboxPool
from protocols.domains.zwc.grading import judge
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.records import Outcome, Program, Verdict
from protocols.settings import SandboxSettings

SETTINGS = SandboxSettings(workers=1, wall_s=2.0, cpu_s=2, memory_mb=256, file_mb=1, output_kb=64)
LIBRARY = obfuscate("numpy", seed=7)
N = LIBRARY.entries
CONSTRUCTORS = frozenset({N["array"], N["asarray"]})
CASES = ([3.0, 1.0, 2.0], [5.0, 4.0, 4.5, 1.5])
TRUTH = [sum(case) for case in CASES]
GOOD = f"import zwc\n\ndef solve(x):\n    return zwc.{N['sum']}(x)\n"


def solve(*lines: str, before: str = "") -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"import zwc\n{before}\n\ndef solve(x):\n{body}\n    return zwc.{N['sum']}(x)\n"


def program(source: str) -> Program:
    return Program(
        source=source,
        entry_point="solve",
        cases=tuple((c,) for c in CASES),
        library=LIBRARY.blob,
        about=(N["sum"],),
    )


def verdict(outcome: Outcome) -> Verdict:
    return judge(outcome, TRUTH, CONSTRUCTORS, arguments=CASES, needed=(N["sum"],))


HOSTILE: dict[str, tuple[str, str]] = {
    # time
    "endless loop": (solve("while True: pass"), "timeout"),
    "endless loop in C": (solve("sum(iter(int, 1))"), "timeout"),
    "endless loop at the top level": (solve(before="while True: pass"), "timeout"),
    "sleeping": (solve("time.sleep(60)", before="import time"), "timeout"),
    "swallowing every exception": (
        "def solve(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass\n",
        "timeout",
    ),
    "catastrophic regular expression": (
        solve("re.match('(a+)+$', 'a' * 40 + 'b')", before="import re"),
        "timeout",
    ),
    "large power": (solve("y = 7 ** (10 ** 9)"), "timeout"),
    # memory and output
    "memory bomb": (solve("y = [0]", "while True: y = y + y"), "memory"),
    "memory bomb kept in a global": (
        solve("while True: kept.append(bytearray(1 << 20))", before="kept = []"),
        "memory",
    ),
    "one huge allocation": (solve("y = bytearray(1 << 40)"), "memory"),
    "memory bomb in the library": (f"import zwc\n\ndef solve(x):\n    return zwc.{N['full']}((10**6, 10**6), 1.0)\n", "memory"),
    "output flood": (solve("while True: print('x' * 1000)"), "output_limit"),
    "output flood on stderr": (
        solve("while True: print('x' * 1000, file=w.sys.stderr)", before="import warnings as w"),
        "output_limit",
    ),
    "huge result": ("def solve(x):\n    return [1.5] * 1_000_000\n", "output_limit"),
    "huge string": ("def solve(x):\n    return 'x' * 10_000_000\n", "output_limit"),
    "recursion": (solve("return solve(x)"), "runtime_error"),
    "recursion without a limit": (
        solve("f = lambda y: f(bytearray(1 << 16))", "f(0)", before="import typing\ntyping.sys.setrecursionlimit(10**9)"),
        "memory",
    ),
    "no room for a frame": (solve("raise SystemError('error return without exception set')"), "memory"),
    "nested result": ("def solve(x):\n    y = []\n    for i in range(100_000): y = [y]\n    return y\n", "malformed"),
    "endless iterator as a result": ("import itertools\n\ndef solve(x):\n    return itertools.count()\n", "malformed"),
    "result that contains itself": ("def solve(x):\n    y = []\n    y.append(y)\n    return y\n", "malformed"),
    # forbidden modules
    **{
        f"import of {name}": (solve(f"import {name}"), "forbidden_import")
        for name in ("os", "sys", "ctypes", "subprocess", "socket", "threading", "multiprocessing", "gc",
                     "importlib", "builtins", "inspect", "signal", "shutil", "pathlib", "io", "numpy")
    },
    "numpy at the top level": (solve(before="import numpy as np"), "forbidden_import"),
    "numpy inside try": (
        solve(before="try:\n    import numpy as np\nexcept BaseException:\n    np = None"),
        "forbidden_import",
    ),
    "numpy in a branch that is not taken": (solve("if x is None:", "    import numpy"), "forbidden_import"),
    "numpy from numpy": (solve("from numpy.linalg import inv"), "forbidden_import"),
    "numpy by __import__": (solve("__import__('numpy')"), "forbidden_import"),
    "numpy by __import__ inside try": (
        solve("try: __import__('num' + 'py')", "except BaseException: pass"),
        "forbidden_import",
    ),
    "numpy by exec": (solve("exec('import numpy')"), "forbidden_import"),
    "numpy by exec with bare globals": (solve("exec('import numpy', {})"), "forbidden_import"),
    "numpy by eval": (solve("eval(\"__import__('numpy')\")"), "forbidden_import"),
    "numpy by importlib": (
        solve("m['importlib'].import_module('numpy')", before="import typing\nm = typing.sys.modules"),
        "forbidden_import",
    ),
    "numpy by its C core": (
        solve("m['importlib'].import_module('numpy._core._multiarray_umath')", before="import typing\nm = typing.sys.modules"),
        "forbidden_import",
    ),
    "numpy by a loader found in a module": (
        solve("math.__spec__.__class__('numpy', None)", "math.__loader__.load_module('numpy')", before="import math"),
        "runtime_error",
    ),
    "numpy from a file": (
        solve(
            "u = m['importlib.machinery'].SourceFileLoader('numpy', '/usr/lib/python3/dist-packages/numpy/__init__.py')",
            "u.load_module()",
            before="import typing\nm = typing.sys.modules",
        ),
        "runtime_error",
    ),
    "relative import": (solve("from . import numpy"), "forbidden_import"),
    # leaving, and talking out of turn
    "leaving by SystemExit": (solve("raise SystemExit(0)"), "runtime_error"),
    "leaving by os._exit": (solve("o._exit(0)", before="import random\no = random._os"), "runtime_error"),
    "leaving by os._exit at the top level": (solve(before="import random\nrandom._os._exit(0)"), "runtime_error"),
    "dying of a signal": (solve("o.abort()", before="import random\no = random._os"), "runtime_error"),
    "closing the result channel": (
        solve("o.closerange(0, 64)", before="import random\no = random._os"),
        "runtime_error",
    ),
    "writing rubbish to the result channel": (
        solve("for fd in range(3, 64):", "    try: o.write(fd, b'V\\xff\\xff\\xff\\xffrubbish' * 99)", "    except OSError: pass",
              before="import random\no = random._os"),
        "output_limit",
    ),
    "writing a forged result to the channel": (
        solve("for fd in range(3, 64):", "    try: o.write(fd, b'V\\x03\\x00\\x00\\x006.0')", "    except OSError: pass",
              before="import random\no = random._os"),
        "wrong_answer",  # the second case got what belongs to the first
    ),
    "writing an unknown frame to the channel": (
        solve("for fd in range(3, 64):", "    try: o.write(fd, b'Z\\x00\\x00\\x00\\x00')", "    except OSError: pass",
              before="import random\no = random._os"),
        "runtime_error",
    ),
    "claiming success on the channel": (
        solve("for fd in range(3, 64):", "    try: o.write(fd, b'X\\x0a\\x00\\x00\\x00correct\\nok')", "    except OSError: pass",
              before="import random\no = random._os"),
        "runtime_error",
    ),
    # lies
    "an object whose __eq__ lies": (
        "class Liar:\n    __eq__ = lambda s, o: True\n    __hash__ = None\n\ndef solve(x):\n    return Liar()\n",
        "malformed",
    ),
    "a float whose __eq__ lies": (
        "class Liar(float):\n    __eq__ = lambda s, o: True\n    __sub__ = __rsub__ = lambda s, o: 0.0\n"
        "    __float__ = lambda s: 6.0\n\ndef solve(x):\n    return Liar(17.0)\n",
        "wrong_answer",
    ),
    "a list whose items lie": (
        "class Liar(list):\n    __len__ = lambda s: 1\n    __eq__ = lambda s, o: True\n\ndef solve(x):\n    return Liar()\n",
        "wrong_answer",
    ),
    "replacing built-ins": (
        solve("return 1.0", before="import typing\nb = typing.sys.modules['builtins']\n"
              "b.all = b.any = lambda *a: True\nb.abs = lambda *a: 0\nb.zip = lambda *a: []"),
        "wrong_answer",
    ),
    "replacing the comparison": (
        solve("return 1.0", before="import typing, math\nmath.isclose = lambda *a, **k: True\n"
              "for m in list(typing.sys.modules.values()):\n    for n in ('equal', '_equal', 'judge'):\n"
              "        setattr(m, n, lambda *a, **k: True)"),
        "wrong_answer",
    ),
    "replacing a function of the package": (
        f"import zwc\nzwc.{N['sum']} = lambda x: sum(x)\n\ndef solve(x):\n    return zwc.{N['sum']}(x)\n",
        "no_library_call",
    ),
    "computing by hand": ("import zwc\n\ndef solve(x):\n    return sum(x)\n", "no_library_call"),
    "calling the library for show": (
        f"import zwc\n\ndef solve(x):\n    zwc.{N['sum']}(x)\n    return sum(x)\n",
        "no_library_call",
    ),
    "calling another function for show": (
        f"import zwc\n\ndef solve(x):\n    zwc.{N['mean']}(x)\n    return sum(x)\n",
        "wrong_function",
    ),
    "another function does the work": (
        f"import zwc\n\ndef solve(x):\n    return zwc.{N['mean']}(x) * len(x)\n",
        "wrong_function",
    ),
    # proof of dependence
    "right in the first run only": (
        f"import zwc, math\nfirst = not hasattr(math, 'k'); math.k = 1\n\ndef solve(x):\n"
        f"    try: zwc.{N['sum']}(x)\n    except Exception: pass\n    return sum(x) if first else 0\n",
        "no_library_call",
    ),
    "right until the library is called twice": (
        f"import zwc, math\n\ndef solve(x):\n    math.n = getattr(math, 'n', 0) + 1\n    zwc.{N['sum']}(x)\n"
        "    if math.n > 2: raise ValueError\n    return sum(x)\n",
        "no_library_call",
    ),
    "a call that raises": (
        f"import zwc\n\ndef solve(x):\n    try: zwc.{N['sum']}(nosuch=1)\n    except TypeError: pass\n    return sum(x)\n",
        "no_library_call",
    ),
    "a call at the top level": (
        f"import zwc\nzwc.{N['sum']}([1.0])\n\ndef solve(x):\n    return sum(x)\n",
        "no_library_call",
    ),
    "most of the time at the top level": (
        f"import zwc, time\ntime.sleep(1.1)\n\ndef solve(x):\n    zwc.{N['sum']}(x)\n    return sum(x)\n",
        "no_library_call",
    ),
    "ending when the library is moved": (
        f"import zwc, random\n\ndef solve(x):\n    if zwc.{N['sum']}(x) != sum(x): random._os._exit(0)\n    return sum(x)\n",
        "unproven",
    ),
    "raising when the library is moved": (
        f"import zwc\n\ndef solve(x):\n    assert zwc.{N['sum']}(x) == sum(x)\n    return sum(x)\n",
        "unproven",
    ),
    "hanging when the library is moved": (
        f"import zwc\n\ndef solve(x):\n    while zwc.{N['sum']}(x) != sum(x): pass\n    return sum(x)\n",
        "unproven",
    ),
    # a program that knows no name
    "trying every name that is listed": (
        "import zwc\n\ndef solve(x):\n    for f in [v for v in vars(zwc).values() if callable(v)]:\n"
        "        try:\n            if f(x) == sum(x): return f(x)\n        except Exception: pass\n    return sum(x)\n",
        "no_library_call",
    ),
    "trying many names": (
        "import zwc, itertools\n\ndef solve(x):\n    for p in itertools.product('bcdf', 'aeiou', 'ghjk', 'aeiou'):\n"
        "        try: getattr(zwc, ''.join(p))(x)\n        except Exception: pass\n    return sum(x)\n",
        "invented_attribute",
    ),
    # values that grow
    "a shape of empty lists": (
        f"import zwc\n\ndef solve(x):\n    return zwc.{N['full']}((2000, 2000, 0), 1.0)\n",
        "output_limit",
    ),
    "many empty lists": ("def solve(x):\n    return [[] for i in range(20_000)]\n", "output_limit"),
    "only making an array": (
        f"import zwc\n\ndef solve(x):\n    return sum(zwc.{N['array']}(x))\n",
        "no_library_call",
    ),
    "answers kept from the first pass": (
        f"import zwc, math\n\ndef solve(x):\n    if not hasattr(math, 'kept'): math.kept = {{}}\n    k = str(x)\n"
        f"    y = zwc.{N['sum']}(x)\n    return math.kept.setdefault(k, sum(x))\n",
        "no_library_call",
    ),
    "looking for the answers in frames": (
        "import typing\n\ndef solve(x):\n    f = typing.sys._getframe()\n    while f:\n"
        "        for v in list(f.f_locals.values()) + list(f.f_globals.values()):\n"
        f"            if v == {TRUTH}[0] or v == {TRUTH}: return {TRUTH}[0]\n        f = f.f_back\n    return -1.0\n",
        "wrong_answer",
    ),
    "changing the arguments": (solve("x.clear()", "x.append(1.0)"), "wrong_answer"),
    # exceptions
    "an exception": (solve("1 / 0"), "runtime_error"),
    "an exception with a hostile __str__": (
        solve("raise E()", before="class E(Exception):\n    def __str__(self): raise SystemExit('no')"),
        "runtime_error",
    ),
    "an exception whose __str__ never ends": (
        solve("raise E()", before="class E(Exception):\n    def __str__(self):\n        while True: pass"),
        "timeout",
    ),
    "an exception with an endless message": (solve("raise ValueError('x' * 10_000_000)"), "runtime_error"),
    "an exception with a hostile class": (
        solve("raise E('no')", before="class M(type):\n    __name__ = property(lambda c: 1 / 0)\n"
              "class E(Exception, metaclass=M): pass"),
        "runtime_error",
    ),
    "a message that is not text": (solve("raise ValueError('\\ud800\\x00\\x1b[2J')"), "runtime_error"),
    # values
    "a huge integer": ("def solve(x):\n    return 1 << 4_000_000\n", "output_limit"),
    "a rather huge integer": ("def solve(x):\n    return 10 ** 5000\n", "wrong_answer"),
    "NaN": ("def solve(x):\n    return float('nan')\n", "wrong_answer"),
    "infinity": ("def solve(x):\n    return float('inf')\n", "wrong_answer"),
    "None": ("def solve(x):\n    pass\n", "wrong_answer"),
    "a set": ("def solve(x):\n    return {1.0}\n", "malformed"),
    "a generator": ("def solve(x):\n    return (v for v in x)\n", "malformed"),
    "a function": ("def solve(x):\n    return solve\n", "malformed"),
    "bytes": ("def solve(x):\n    return b'6.0'\n", "malformed"),
    "half a character": ("def solve(x):\n    return '\\ud800'\n", "malformed"),
    # no program
    "a syntax error": ("def solve(x:\n", "syntax_error"),
    "a null byte": ("def solve(x):\n    return '\0'\n", "syntax_error"),
    "deeply nested source": ("x = " + "(" * 5000 + ")" * 5000, "syntax_error"),
    "deeply nested operators": ("x = " + "-" * 200_000 + "1", "syntax_error"),
    "no entry point": ("def solved(x):\n    return 1\n", "malformed"),
    "an entry point that is no function": ("solve = 3\n", "malformed"),
    "other parameters": ("def solve(a, b, c):\n    return 1\n", "malformed"),
    "an empty program": ("", "malformed"),
}  # fmt: skip

# With the import policy off.
NO_POLICY: dict[str, tuple[str, str]] = {
    "fork bomb": (solve("while True: os.fork()", before="import os"), "runtime_error"),
    "fork bomb that tries again": (
        "import os\n\ndef solve(x):\n    while True:\n        try: os.fork()\n        except OSError: pass\n",
        "timeout",
    ),
    "thread bomb": (
        solve("while True: threading.Thread(target=time.sleep, args=(9,)).start()", before="import threading, time"),
        "runtime_error",
    ),
    "a subprocess": (solve("subprocess.run(['/bin/true'])", before="import subprocess"), "runtime_error"),
    "exec": (solve("os.execv('/bin/true', ['true'])", before="import os"), "runtime_error"),
    "os.system": (solve("assert os.system('true') == 0", before="import os"), "runtime_error"),
    "killing the parent": (solve("os.kill(os.getppid(), 9)", before="import os"), "runtime_error"),
    "killing everybody": (solve("os.kill(-1, 9)", before="import os"), "runtime_error"),
    "killing siblings": (
        solve("for p in range(1, 5000):", "    if p != os.getpid(): os.kill(p, 9)", before="import os"),
        "runtime_error",
    ),
    "a TCP socket": (solve("socket.create_connection(('127.0.0.1', 22))", before="import socket"), "runtime_error"),
    "a UDP socket": (solve("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", before="import socket"), "runtime_error"),
    "a Unix socket": (solve("socket.socket(socket.AF_UNIX)", before="import socket"), "runtime_error"),
    "DNS": (solve("socket.getaddrinfo('example.org', 80)", before="import socket"), "runtime_error"),
    "reading a system file": (solve("open('/etc/passwd').read()"), "runtime_error"),
    "reading the home folder": (solve(f"assert __import__('os').listdir({str(Path.home())!r})"), "runtime_error"),
    "reading its own process": (solve("open('/proc/self/environ').read()"), "runtime_error"),
    "reading the parent's memory": (solve("open('/proc/1/mem', 'rb').read(1)"), "runtime_error"),
    "writing outside the scratch folder": (solve("open('/tmp/taskspace-was-here', 'w')"), "runtime_error"),
    "writing to the root": (solve("open('/was-here', 'w')"), "runtime_error"),
    "leaving by a device": (solve("os.mknod('m', 0o20666, os.makedev(1, 1))", before="import os"), "runtime_error"),
    "leaving by a link": (
        solve("os.symlink('/etc/passwd', 'l')", "open('l').read()", before="import os"),
        "runtime_error",
    ),
    "filling the disk": (
        solve("for i in range(10_000):", "    with open(str(i), 'wb') as f: f.write(b'x' * 100_000)"),
        "runtime_error",
    ),
    "one large file": (solve("open('f', 'wb').write(b'x' * (64 << 20))"), "runtime_error"),
    "mounting": (
        solve("assert ctypes.CDLL(None).mount(b'a', b'/', b'tmpfs', 0, None) == 0", before="import ctypes"),
        "runtime_error",
    ),
    "tracing the parent": (
        solve("assert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0", before="import ctypes"),
        "runtime_error",
    ),
    "raising its own limits": (
        solve("resource = __import__('resource')", "resource.setrlimit(resource.RLIMIT_CPU, (99, 99))"),
        "runtime_error",
    ),
    "shared memory": (
        solve("SharedMemory('a', True, 99)", before="from multiprocessing.shared_memory import SharedMemory"),
        "runtime_error",
    ),
    "machine code by ctypes": (
        solve("f = ctypes.CFUNCTYPE(ctypes.c_int)", "p = mmap.mmap(-1, 4096, prot=7)", before="import ctypes, mmap"),
        "runtime_error",
    ),
    "numpy without the policy": (solve("import numpy"), "runtime_error"),
    "the library without the policy": (
        "import sys\n\ndef solve(x):\n    from protocols.domains.zwc import service\n    return 1\n",
        "runtime_error",
    ),
    "a thousand descriptors": (
        solve("y = [os.dup(0) for i in range(1000)]", before="import os"),
        "runtime_error",
    ),
    "an unknown system call": (
        solve("assert ctypes.CDLL(None).syscall(425, 1, 0) >= 0", before="import ctypes"),
        "runtime_error",
    ),
}  # fmt: skip


PATIENT = SETTINGS.model_copy(update={"wall_s": 30.0, "cpu_s": 20})  # for all that ends by itself


def ending(table: dict[str, tuple[str, str]], *, timeout: bool) -> dict[str, tuple[str, str]]:
    return {name: entry for name, entry in table.items() if (entry[1] == "timeout") is timeout}


@pytest.fixture(scope="module")
def pool():
    with SandboxPool(PATIENT) as pool:
        yield pool


@pytest.fixture(scope="module")
def open_pool():
    with SandboxPool(PATIENT, without=("import policy",)) as pool:
        yield pool


def living(pid: int) -> list[psutil.Process]:
    """Descendants of a process that have not ended."""
    found = psutil.Process(pid).children(recursive=True)
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def endure(pool: SandboxPool, source: str, category: str) -> None:
    started = time.monotonic()
    ended = verdict(pool.run([program(source)])[0])
    assert time.monotonic() - started < 60  # bounded, on a machine however busy
    assert ended.category == category, ended
    assert ended.reward == 0.0
    after = verdict(pool.run([program(GOOD)])[0])
    assert (after.category, after.reward) == ("correct", 1.0), after
    for slot in pool._slots:
        patience = time.monotonic() + 10
        while len(living(slot.process.pid)) > 1 and time.monotonic() < patience:
            time.sleep(0.01)
        assert len(living(slot.process.pid)) == 1  # the zygote


@pytest.mark.parametrize("name", ending(HOSTILE, timeout=False))
def test_hostile_program(pool: SandboxPool, name: str) -> None:
    endure(pool, *HOSTILE[name])


@pytest.mark.parametrize("name", ending(NO_POLICY, timeout=False))
def test_hostile_program_without_the_import_policy(open_pool: SandboxPool, name: str) -> None:
    endure(open_pool, *NO_POLICY[name])


@pytest.mark.parametrize("without", [(), ("import policy",)])
def test_programs_without_end_are_stopped_and_the_next_ones_unharmed(without: tuple[str, ...]) -> None:
    table = ending(NO_POLICY if without else HOSTILE, timeout=True)
    sources = [source for bad, _ in table.values() for source in (bad, GOOD)]
    before = {p.pid for p in living(os.getpid())}
    with SandboxPool(SETTINGS.model_copy(update={"workers": 4}), without=without) as pool:
        ended = [verdict(o) for o in pool.run([program(s) for s in sources])]
    assert dict(zip(table, [v.category for v in ended[::2]])) == dict.fromkeys(table, "timeout")
    assert all(v.reward == 0.0 for v in ended[::2])
    assert [v.category for v in ended[1::2]] == ["correct"] * len(table)
    assert {p.pid for p in living(os.getpid())} <= before


def test_hostile_programs_together_leave_the_good_ones_alone() -> None:
    quick = [source for source, category in HOSTILE.values() if category not in ("timeout", "memory")]
    sources = [source for bad in quick for source in (bad, GOOD)]
    before = {p.pid for p in living(os.getpid())}
    with SandboxPool(PATIENT.model_copy(update={"workers": 2})) as pool:
        ended = [verdict(o) for o in pool.run([program(s) for s in sources])]
    assert all(v.reward == 1.0 for v in ended[1::2])
    assert all(v.reward == 0.0 for v in ended[::2])
    assert {p.pid for p in living(os.getpid())} <= before
