"""Programs per second in the sandbox, against a fresh interpreter per program and an unprotected warm fork.

The same programs in all three: 8 cases, each with library calls. The fresh interpreter imports NumPy, loads
the library into its own process and runs the cases once, with no isolation; the warm fork has all that loaded
already; like the sandbox's slots, each of its helpers stays on one core. The sandbox runs with every layer
that the machine has, and runs cases a second time with the library's results shaken. All three work on as
many programs at once as the sandbox has slots.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from actors.sandbox.pool import SandboxPool, cores, default_workers
from protocols.domains.zwc.obfuscate import Library, obfuscate
from protocols.records import Program
from protocols.settings import SandboxSettings

NEEDED = 30  # times the fresh interpreter

_SEED = 7
_BODIES = (
    "return zwc.{cumsum}(x)",
    "return zwc.{sort}(x)[0]",
    "total = zwc.{sum}(x)\n    return total / len(x)",
    "y = zwc.{unique}(x)\n    return [v * 2 for v in y]",
    "return zwc.{where}(zwc.{array}(x) > 2.0)[0]",
    "return round(zwc.{std}(x), 6)",
)


def run(programs: int = 400, fresh: int = 24, repeats: int = 3, workers: int = 0) -> dict[str, Any]:
    """Best of `repeats` for each contender, `fresh` programs for the slow one.

    Returns:
        Programs per second of each, and what the sandbox's rate is of the others'.
    """
    library = obfuscate("numpy", seed=_SEED)
    made = [_program(library, i) for i in range(programs)]
    with SandboxPool(SandboxSettings(workers=workers, wall_s=10.0)) as pool:
        layers = {layer.name: layer.state for layer in pool.layers}
        workers = workers or default_workers()
        bad = [o for o in pool.run(made) if o.status != "ok" or any(c.error for c in o.cases)]
        if bad:
            raise RuntimeError(f"a benchmark program failed: {bad[0]}")
        rates: dict[str, list[float]] = {"fresh": [], "warm": [], "sandbox": []}
        for _ in range(repeats):  # in turns, so that a busy moment of the machine hits all of them
            rates["fresh"].append(_rate(lambda: _fresh(library, made[:fresh], workers), fresh))
            rates["sandbox"].append(_rate(lambda: pool.run(made), programs))
            rates["warm"].append(_warm(library, made, workers))
    best = {name: max(values) for name, values in rates.items()}
    return {
        "programs": programs,
        "cases per program": len(made[0].cases),
        "at once": workers,
        "isolation layers on": sum(state == "on" for state in layers.values()),
        "isolation layers in all": len(layers),
        "sandbox programs/s": round(best["sandbox"], 1),
        "fresh python programs/s": round(best["fresh"], 1),
        "warm fork programs/s": round(best["warm"], 1),
        "times the fresh python": round(best["sandbox"] / best["fresh"], 1),
        "share of the warm fork": round(best["sandbox"] / best["warm"], 2),
        "needed": NEEDED,
        "passed": best["sandbox"] >= NEEDED * best["fresh"],
    }


def _program(library: Library, i: int) -> Program:
    body = _BODIES[i % len(_BODIES)].format_map(library.entries)
    return Program(
        source=f"import zwc\n\n\ndef solve(x):\n    {body}\n",
        entry_point="solve",
        cases=tuple(([float((i + k) % 5), 2.0, -1.5, float(k), 4.0],) for k in range(8)),
        library=library.blob,
    )


def _rate(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


# What a fresh interpreter runs: the library in its own process, the program, the cases, the answers as JSON.
_SCRIPT = """
import json, sys, types
root, blob = sys.argv[1:]
for name in ("protocols", "protocols.domains", "protocols.domains.zwc"):
    package = types.ModuleType(name)
    package.__path__ = [root + "/" + name.replace(".", "/")]
    sys.modules[name] = package
from protocols.domains.zwc import client, codec
from protocols.domains.zwc.service import Service

service = Service(open(blob, "rb").read())
public = sorted(json.loads(sys.stdin.readline()))
client.install(client.build("zwc", public, service.handle))


def serve(job):
    module = {"__name__": "solution"}
    exec(job["source"], module)
    values = [module[job["entry_point"]](*case) for case in job["cases"]]
    return codec.encode(values).decode()
"""
_ONCE = _SCRIPT + "\nprint(serve(json.loads(sys.stdin.readline())))\n"
_FORKS = (
    _SCRIPT
    + """
import os
while line := sys.stdin.readline():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, serve(json.loads(line)).encode())
        os._exit(0)
    os.close(write)
    answer = b""
    while data := os.read(read, 65536):
        answer += data
    os.close(read)
    os.waitpid(pid, 0)
    print(answer.decode(), flush=True)
"""
)


def _job(program: Program) -> str:
    return json.dumps({"source": program.source, "entry_point": program.entry_point, "cases": program.cases})


def _command(script: str, blob: Path) -> list[str]:
    return [sys.executable, "-c", script, str(Path(__file__).resolve().parents[2]), str(blob)]


def _fresh(library: Library, programs: Sequence[Program], workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        blob = Path(folder, "library")
        blob.write_bytes(library.blob)
        public = json.dumps(list(library.public))

        def work(program: Program) -> None:
            subprocess.run(
                _command(_ONCE, blob),
                input=f"{public}\n{_job(program)}\n",
                stdout=subprocess.DEVNULL,
                text=True,
                check=True,
            )

        _share(programs, [work] * workers)


def _warm(library: Library, programs: Sequence[Program], workers: int) -> float:
    """Programs per second of helpers that fork with everything loaded; their start is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        blob = Path(folder, "library")
        blob.write_bytes(library.blob)
        helpers = [
            subprocess.Popen(
                _command(_FORKS, blob),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # as in the sandbox's helpers
            )
            for _ in range(workers)
        ]
        for helper, core in zip(helpers, cores(workers)):
            os.sched_setaffinity(helper.pid, {core})

        def asker(helper: "subprocess.Popen[str]") -> Callable[[Program], None]:
            assert helper.stdin is not None and helper.stdout is not None
            stdin, stdout = helper.stdin, helper.stdout

            def work(program: Program) -> None:
                stdin.write(_job(program) + "\n")
                stdin.flush()
                if not stdout.readline():
                    raise RuntimeError("a helper of the warm fork ended")

            return work

        askers = [asker(helper) for helper in helpers]
        for helper, ask in zip(helpers, askers):
            assert helper.stdin is not None
            helper.stdin.write(json.dumps(list(library.public)) + "\n")
            ask(programs[0])
        rate = _rate(lambda: _share(programs, askers), len(programs))
        for helper in helpers:
            helper.communicate()
        return rate


def _share(programs: Sequence[Program], works: Sequence[Callable[[Program], None]]) -> None:
    """Let each worker, in a thread of its own, take the next program until there is none."""
    queue: SimpleQueue[Program] = SimpleQueue()
    for program in programs:
        queue.put(program)
    failures: list[BaseException] = []

    def loop(work: Callable[[Program], None]) -> None:
        try:
            while True:
                work(queue.get_nowait())
        except Empty:
            pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=loop, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
