"""The pool: order, limits, statuses, the library beside the program, and helpers that die."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from actors.sandbox.pool import SandboxPool
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.errors import SandboxError
from protocols.records import Program
from protocols.settings import SandboxSettings

SETTINGS = SandboxSettings(workers=2, wall_s=20.0, cpu_s=10, memory_mb=256, output_kb=64)
LIBRARY = obfuscate("numpy", seed=7)
N = LIBRARY.entries


def program(source: str, *cases: tuple, library: bytes | None = None, name: str = "zwc") -> Program:
    return Program(
        source=source, entry_point="solve", cases=cases or ((),), library=library, library_name=name
    )


@pytest.fixture(scope="module")
def pool():
    with SandboxPool(SETTINGS) as pool:
        yield pool


def test_outcomes_come_in_the_order_of_the_programs(pool: SandboxPool) -> None:
    source = "import time\ndef solve(i):\n    time.sleep(0.02 * (i % 3 == 0))\n    return i\n"
    outcomes = pool.run([program(source, (i,)) for i in range(40)])
    assert [o.cases[0].value for o in outcomes] == list(range(40))
    assert pool.run([]) == []


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, -(2**70), 1.5, 1e308, complex(1, -2), "a\nü€😀\x00", [], [1, [2.0, "x"], None],
        (1, (2, ())), {"a": [1], 2: {"b": None}}, [float("inf"), float("-inf")], [True, False],
    ],
)  # fmt: skip
def test_plain_values_come_through_both_ways(pool: SandboxPool, value: object) -> None:
    outcome = pool.run([program("def solve(x):\n    return x\n", (value,))])[0]
    assert outcome.status == "ok"
    assert outcome.cases[0].value == value
    assert type(outcome.cases[0].value) is type(value)


def test_arrays_of_the_library_arrive_as_nested_lists(pool: SandboxPool) -> None:
    source = (
        f"import zwc\ndef solve(x):\n    y = zwc.{N['array']}(x)\n    return [y, (y, 1), {{'a': y * 2}}]\n"
    )
    case = pool.run([program(source, ([[1, 2], [3, 4]],), library=LIBRARY.blob)])[0].cases[0]
    y = [[1, 2], [3, 4]]
    assert case.value == [y, (y, 1), {"a": [[2, 4], [6, 8]]}]


def test_calls_are_noted_under_their_case_and_results_shaken(pool: SandboxPool) -> None:
    source = (
        f"import zwc\nzwc.{N['mean']}([1.0])\n"  # at the top level: no case's call
        f"def solve(x):\n    return zwc.{N['sum']}(zwc.{N['sort']}(x)) if x else 0.0\n"
    )
    outcome = pool.run([program(source, ([],), ([2.0, 1.0],), library=LIBRARY.blob)])[0]
    assert [c.calls for c in outcome.cases] == [(), (N["sort"], N["sum"])]
    assert outcome.cases[1].value == 3.0
    assert outcome.calls_before == (N["mean"],)
    assert {run.values[1] for run in outcome.shaken if run.errors[1] is None}.isdisjoint({3.0})


def test_without_a_library_nothing_is_shaken(pool: SandboxPool) -> None:
    outcome = pool.run([program("def solve():\n    return 1\n")])[0]
    assert (outcome.shaken, outcome.cases[0].calls) == ((), ())


def test_a_program_starts_afresh_in_the_shaken_pass(pool: SandboxPool) -> None:
    source = f"import zwc, functools\n@functools.lru_cache\ndef solve(x):\n    return zwc.{N['sqrt']}(x)\n"
    outcome = pool.run([program(source, (4.0,), library=LIBRARY.blob)])[0]
    assert outcome.cases[0].value == 2.0
    assert outcome.shaken[0].values[0] not in (None, 2.0)


def test_the_library_calls_back_into_the_program(pool: SandboxPool) -> None:
    library = obfuscate("functools", names=["reduce"], package="qux")
    source = f"import qux\ndef solve(x):\n    return qux.{library.entries['reduce']}(lambda a, b: a * b, x)\n"
    outcome = pool.run([program(source, ([2, 3, 4],), library=library.blob, name="qux")])[0]
    assert (outcome.status, outcome.cases[0].value) == ("ok", 24)
    source = (
        f"import qux\ndef solve(x):\n    return qux.{library.entries['reduce']}(lambda a, b: exit(), x)\n"
    )
    assert pool.run([program(source, ([2, 3],), library=library.blob, name="qux")])[0].status == "ok"


def test_programs_with_different_libraries_alternate(pool: SandboxPool) -> None:
    others = [obfuscate("math", seed=seed, package="zwc") for seed in range(11)]
    programs = [
        program(f"import zwc\ndef solve(x):\n    return zwc.{o.entries['sqrt']}(x)\n", (9.0,), library=o.blob)
        for o in others * 2
    ]
    assert [o.cases[0].value for o in pool.run(programs)] == [3.0] * 22


def test_no_name_can_be_found_in_the_package(pool: SandboxPool) -> None:
    source = (
        "import typing, zwc\nfrom zwc import *\n"
        f"def solve():\n    zwc.{N['sum']}([1.0])\n"
        "    found = [*dir(zwc), *vars(zwc), *globals(), *typing.sys.modules]\n"
        f"    return found + [*dir(zwc.{N['sum']}), *vars(zwc.{N['sum']})]\n"
    )
    found = pool.run([program(source, library=LIBRARY.blob)])[0].cases[0].value
    assert "zwc" in found
    assert not {part for name in found for part in name.split(".")} & {
        n for o in LIBRARY.public for n in o.split(".")
    }


def test_names_that_are_not_there_are_counted_and_end_the_program(pool: SandboxPool) -> None:
    source = (
        "import zwc\ndef solve(n):\n    for i in range(n):\n"
        "        try: getattr(zwc, 'name' + 'x' * i)(1)\n        except AttributeError: pass\n    return n\n"
    )
    few, many = pool.run([program(source, (n,), library=LIBRARY.blob) for n in (8, 9)])
    assert (few.status, few.cases[0].value) == ("ok", 8)
    assert (many.status, many.cases[0].value) == ("invented_attribute", None)


def test_the_number_of_functions_is_bounded(pool: SandboxPool) -> None:
    names = [N[n] for n in ("sum", "mean", "sort", "max")]
    source = "import zwc\ndef solve(x):\n" + "".join(f"    zwc.{n}(x)\n" for n in names) + "    return 1\n"
    made = program(source, ([1.0],), library=LIBRARY.blob)
    within, beyond = pool.run([msgspec.structs.replace(made, functions=n) for n in (4, 3)])
    assert (within.status, beyond.status) == ("ok", "too_many_functions")


def test_error_texts_name_no_other_function(pool: SandboxPool) -> None:
    source = (
        f"import zwc\ndef solve(x):\n    try: zwc.{N['sum']}(x, nosuch=1)\n"
        "    except TypeError as error: return str(error)\n"
    )
    told = pool.run([program(source, ([1.0],), library=LIBRARY.blob)])[0].cases[0].value
    assert not {name for name in LIBRARY.public if name != N["sum"] and f".{name}" in told}


def test_memory_of_the_library_is_zeroed(pool: SandboxPool) -> None:
    source = (
        f"import zwc\ndef solve():\n    kept = [zwc.{N['full']}(1000, 7.0) for i in range(20)]; del kept\n"
        f"    y = zwc.{N['empty']}(1000)\n    return [max(y), min(y)]\n"
    )
    assert pool.run([program(source, library=LIBRARY.blob)] * 4)[3].cases[0].value == [0.0, 0.0]


def test_a_library_call_without_end_is_a_timeout_of_that_program_only() -> None:
    library = obfuscate("time", names=["sleep"])
    stuck = program(
        f"import zwc\ndef solve():\n    zwc.{library.entries['sleep']}(60)\n", library=library.blob
    )
    good = program("def solve():\n    return 1\n")
    settings = SETTINGS.model_copy(update={"wall_s": 3.0, "workers": 1})
    with SandboxPool(settings) as pool:
        outcomes = pool.run([good, stuck, good, good])
    assert [o.status for o in outcomes] == ["ok", "timeout", "ok", "ok"]


def test_a_library_call_in_c_that_cannot_be_interrupted_is_a_timeout() -> None:
    library = obfuscate("numpy", names=["convolve", "full"])
    convolve, full = library.entries["convolve"], library.entries["full"]
    source = f"import zwc\ndef solve():\n    x = zwc.{full}(400_000, 1.0)\n    return zwc.{convolve}(x, x)\n"
    settings = SETTINGS.model_copy(update={"wall_s": 1.5, "workers": 1, "memory_mb": 512})
    with SandboxPool(settings) as pool:
        outcomes = pool.run([program(source, library=library.blob), program("def solve():\n    return 1\n")])
    assert [o.status for o in outcomes] == ["timeout", "ok"]


def test_cpu_time_is_limited_apart_from_the_deadline() -> None:
    settings = SETTINGS.model_copy(update={"wall_s": 200.0, "cpu_s": 1, "workers": 1})
    with SandboxPool(settings) as pool:
        outcome = pool.run([program("def solve():\n    while True: pass\n")])[0]
    assert outcome.status == "timeout"
    assert "CPU" in outcome.detail


def test_printed_text_is_kept_and_clipped(pool: SandboxPool) -> None:
    source = (
        "import warnings\ndef solve(n):\n    print('é' * n)\n    warnings.warn('careful')\n    return 1\n"
    )
    outcome = pool.run([program(source, (3,), (9000,))])[0]
    assert outcome.status == "ok"
    assert outcome.stdout.startswith("ééé\n")
    assert "careful" in outcome.stdout
    assert len(outcome.stdout) <= 4000


def test_programs_are_deterministic(pool: SandboxPool) -> None:
    source = "import random\ndef solve():\n    return [random.random(), list({'a', 'b', 'c', 'd'})]\n"
    outcomes = pool.run([program(source)] * 6)
    with SandboxPool(SETTINGS) as other:
        outcomes += other.run([program(source)] * 2)
    assert len({str(o.cases[0].value) for o in outcomes}) == 1


def test_every_offered_module_works_with_no_file_in_reach(pool: SandboxPool) -> None:
    from actors.sandbox.imports import ALLOWED

    source = "\n".join(f"import {name}" for name in sorted(ALLOWED - {"__future__"}))
    source = "from __future__ import annotations\n" + source
    source += """
from collections.abc import Sequence
@dataclasses.dataclass
class Point:
    x: int = 0
    y: list = dataclasses.field(default_factory=list)
class Pair(typing.NamedTuple):
    a: int
class Colour(enum.Enum):
    RED = 1
def solve():
    datetime.datetime.strptime("2020-01-02", "%Y-%m-%d")
    decimal.getcontext().prec = 10
    pprint.pformat([1]), textwrap.dedent(" a"), calendar.month(2020, 1)
    "é".encode("latin-1"), "a".encode("utf-16")
    typing.get_type_hints(Point), copy.deepcopy(Point()), json.dumps([1]), re.compile("a+").match("aa")
    try:
        1 / 0
    except ZeroDivisionError:
        warnings.warn("x")
    return [statistics.mean([1, 2, 3]), str(fractions.Fraction(1, 3)), str(decimal.Decimal("0.1") * 3)]
"""
    outcome = pool.run([program(source)])[0]
    assert outcome.status == "ok", outcome
    assert outcome.cases[0].value == [2, "1/3", "0.3"], outcome


def test_a_warden_that_dies_costs_no_program() -> None:
    with SandboxPool(SETTINGS) as pool:
        programs = [
            program("import time\ndef solve(i):\n    time.sleep(0.01)\n    return i\n", (i,))
            for i in range(150)
        ]
        victims = [slot.process.pid for slot in pool._slots]
        threading.Timer(0.3, lambda: os.kill(victims[0], signal.SIGKILL)).start()
        outcomes = pool.run(programs)
        assert [o.cases[0].value for o in outcomes] == list(range(150))
        assert [slot.process.pid for slot in pool._slots] != victims


def test_a_zygote_that_dies_costs_no_program() -> None:
    with SandboxPool(SETTINGS) as pool:
        programs = [
            program("import time\ndef solve(i):\n    time.sleep(0.01)\n    return i\n", (i,))
            for i in range(150)
        ]
        victim = psutil.Process(pool._slots[0].process.pid).children()[0]
        threading.Timer(0.3, victim.kill).start()
        assert [o.cases[0].value for o in pool.run(programs)] == list(range(150))


def test_a_helper_that_died_between_runs_is_replaced() -> None:
    with SandboxPool(SETTINGS) as pool:
        good = program("def solve():\n    return 1\n")
        for slot in list(pool._slots):
            slot.process.kill()
            slot.process.wait()
        assert [o.status for o in pool.run([good] * 4)] == ["ok"] * 4


def test_helpers_end_when_the_pool_closes_and_when_its_process_dies() -> None:
    with SandboxPool(SETTINGS) as pool:
        family = [
            p for slot in pool._slots for p in psutil.Process(slot.process.pid).children(recursive=True)
        ]
        assert len(family) == 2
    assert not psutil.wait_procs(family, timeout=10)[1]
    with pytest.raises(SandboxError, match="closed"):
        pool.run([])

    code = (
        "import time\nfrom actors.sandbox.pool import SandboxPool\n"
        "from protocols.settings import SandboxSettings\n"
        "p = SandboxPool(SandboxSettings(workers=1))\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    family = psutil.Process(owner.pid).children(recursive=True)
    assert len(family) == 2
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert not psutil.wait_procs(family, timeout=10)[1]


def test_several_threads_may_use_one_pool(pool: SandboxPool) -> None:
    found: dict[int, list] = {}

    def use(k: int) -> None:
        found[k] = [
            o.cases[0].value
            for o in pool.run([program("def solve(i):\n    return i\n", (k * 10 + i,)) for i in range(10)])
        ]

    threads = [threading.Thread(target=use, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [k * 10 + i for i in range(10)] for k in range(4)}


def test_large_programs_and_arguments_pass(pool: SandboxPool) -> None:
    source = "x = 1\n" * 20_000 + "def solve(v):\n    return len(v)\n"
    outcomes = pool.run([program(source, ([1.5] * 100_000,), ("é" * 300_000,))] * 5)
    assert [[c.value for c in o.cases] for o in outcomes] == [[100_000, 300_000]] * 5


def test_the_pools_own_process_stays_small() -> None:
    code = (
        "import sys\nfrom actors.sandbox.pool import SandboxPool\nfrom protocols.records import Program\n"
        "from protocols.settings import SandboxSettings\n"
        "with SandboxPool(SandboxSettings(workers=1)) as pool:\n"
        "    pool.run([Program(source='def solve(): return 1', entry_point='solve', cases=((),))])\n"
        "print([m for m in ('numpy', 'torch', 'ray', 'transformers') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "[]\n"


def test_a_deadline_counts_from_dispatch(pool: SandboxPool) -> None:
    settings = SETTINGS.model_copy(update={"wall_s": 3.0, "workers": 1})
    source = "import time\ndef solve(i):\n    time.sleep(1.6)\n    return i\n"
    with SandboxPool(settings) as short:
        started = time.monotonic()
        outcomes = short.run([program(source, (i,)) for i in range(2)])
        assert time.monotonic() - started > 3.0  # they waited for each other, which is not held against them
    assert [o.status for o in outcomes] == ["ok"] * 2


def test_an_interrupted_pool_gives_no_stale_answers() -> None:
    source = "import time\ndef solve(i):\n    time.sleep(0.3)\n    return i\n"

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with SandboxPool(SETTINGS) as pool:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                pool.run([program(source, (i,)) for i in range(20)])
            with pytest.raises(SandboxError, match="closed"):
                pool.run([program(source, (1,))])
    finally:
        signal.signal(signal.SIGALRM, before)


def test_the_library_cannot_write_files(pool: SandboxPool, tmp_path: Path) -> None:
    library = obfuscate("numpy", names=["save"])
    target = tmp_path / "written"
    source = f"import zwc\ndef solve(p):\n    zwc.{library.entries['save']}(p, [1.0])\n"
    outcome = pool.run([program(source, (str(target),), library=library.blob)])[0]
    assert "Error" in str(outcome.cases[0].error), outcome
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_in_the_temporary_folder() -> None:
    source = (
        "import os\ndef solve():\n    for i in range(40):\n        os.mkdir('d')\n        os.chdir('d')\n"
    )
    deep = msgspec.structs.replace(program(source), modules=("json",))
    with SandboxPool(SETTINGS) as pool, SandboxPool(SETTINGS, without=("empty root",)) as other:
        made = set()
        for one in (pool, other):
            assert [o.cases[0].error for o in one.run([deep] * 3)] == [None] * 3
            made |= {Path(slot._scratch) for slot in one._slots}
        assert any(path.exists() for path in made)
    assert not any(path.exists() for path in made)
