"""Each isolation layer by itself: what it stops with all others switched off, and what happens without it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actors.sandbox import isolation
from actors.sandbox.pool import SandboxPool
from actors.sandbox.slot import layers
from protocols.errors import SandboxError
from protocols.records import CaseResult, Program
from protocols.settings import SandboxSettings

SETTINGS = SandboxSettings(workers=1, wall_s=20.0, memory_mb=128, file_mb=1)
ALL = tuple(isolation.LAYERS)

FORK = """import os
def solve():
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return 'did it'
"""
READ = f"def solve():\n    open({str(Path(__file__))!r}).read()\n    return 'did it'\n"
STATUS = (
    "def solve():\n    lines = open('/proc/self/status').read().splitlines()\n"
    "    return [l.split()[1] for l in lines if l.startswith({field!r})][0]\n"
)
LINK = "import os\ndef solve():\n    return os.readlink('/proc/self/ns/{kind}')\n"
CONNECT = """import socket
def solve():
    socket.create_connection(('127.0.0.1', {port})).close()
    return 'did it'
"""
SIGNAL = f"import os\ndef solve():\n    os.kill({os.getpid()}, 0)\n    return 'did it'\n"
MEMORY = "def solve():\n    y = bytearray(200 << 20)\n    return 'did it'\n"
WRITE = (
    "def solve():\n    with open('f', 'wb') as f:\n        f.write(b'x' * (3 << 20))\n    return 'did it'\n"
)
PEEK = """import ctypes, os
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
def solve():
    libc = ctypes.CDLL(None, use_errno=True)
    kept = ctypes.create_string_buffer(8)
    here, there = Part(ctypes.addressof(kept), 8), Part(ctypes.addressof(kept), 8)
    n = libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    if n != 8: raise PermissionError(os.strerror(ctypes.get_errno()))
    return 'did it'
"""


def play(source: str, without: tuple[str, ...]) -> tuple[CaseResult, str]:
    """One call of a program with these layers off; the states of all layers as well."""
    with SandboxPool(SETTINGS, without=without) as pool:
        states = {layer.name: layer.state for layer in pool.layers}
        for name, state in states.items():
            if name in without:
                assert state == "off", name
            elif state != "on":
                pytest.skip(f"this machine has no {name}")
        outcome = pool.run([Program(source=source, entry_point="solve", cases=((),))])[0]
    return outcome.cases[0], outcome.status


def but(*kept: str) -> tuple[str, ...]:
    """All layers that can be left out, except these."""
    return tuple(name for name in ALL if name not in (*kept, "own process"))


# layer: (what it stops, other layers that it needs, the exception)
STOPS = {
    "seccomp": (FORK, ("no new privileges",), "PermissionError"),
    "landlock": (READ, ("no new privileges",), "PermissionError"),
    "empty root": (READ, ("user namespace",), "FileNotFoundError"),
    "network namespace": (CONNECT, ("user namespace",), "Error"),
    "pid namespace": (SIGNAL, ("user namespace",), "ProcessLookupError"),
}


@pytest.mark.parametrize("layer", STOPS)
def test_a_layer_alone_stops_what_it_is_there_for(layer: str) -> None:
    source, needs, error = STOPS[layer]
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = source.replace("{port}", str(server.getsockname()[1]))
        case, _ = play(source, but(layer, *needs))
        assert case.error is not None and error in case.error, case
        case, _ = play(source, but(*needs))
        assert case.value == "did it", case


def test_limits_alone_stop_memory_and_large_files() -> None:
    assert play(MEMORY, but("rlimits"))[1] == "memory"
    assert play(MEMORY, but())[0].value == "did it"
    assert "File too large" in str(play(WRITE, but("rlimits"))[0].error)
    assert play(WRITE, but())[0].value == "did it"


def test_a_limit_on_processes_alone_stops_forks_of_nobody() -> None:
    case, _ = play(FORK, but("rlimits", "nobody", "no capabilities"))
    assert "BlockingIOError" in str(case.error)


def test_the_scratch_folder_alone_can_be_written_and_is_emptied() -> None:
    source = (
        "import os\ndef solve():\n    found = os.listdir('.')\n    os.makedirs('a/b')\n"
        "    open('a/b/c', 'w').write('x')\n    os.chmod('a', 0)\n    return found\n"
    )
    for without in (
        ("import policy",),
        ("import policy", "empty root"),
        but("landlock", "no new privileges"),
    ):
        with SandboxPool(SETTINGS, without=(*without, "seccomp")) as pool:
            for _ in range(3):
                writing = Program(source=source, entry_point="solve", cases=((),), modules=("json",))
                outcome = pool.run([writing])[0]
                assert outcome.cases[0].value == [], (without, outcome)


def test_a_program_without_modules_has_nowhere_to_write() -> None:
    for without in (("import policy",), ("import policy", "empty root"), ("import policy", "landlock")):
        case, _ = play("def solve():\n    open('f', 'w')\n", without)
        assert "Error" in str(case.error) and "No such file" not in str(case.error), (without, case)


@pytest.mark.parametrize("kind", ["user", "net", "pid", "ipc"])
def test_the_namespaces_are_others_than_ours(kind: str) -> None:
    kept = "network namespace" if kind == "net" else f"{kind} namespace"
    ours = str(Path(f"/proc/self/ns/{kind}").readlink())
    without = but("user namespace", kept)
    case, _ = play(LINK.replace("{kind}", kind), without)
    assert case.value is None or case.value != ours
    assert play(LINK.replace("{kind}", kind), but())[0].value == ours


@pytest.mark.parametrize(
    ("layer", "field", "held"),
    [
        ("no capabilities", "CapEff", "0000000000000000"),
        ("no capabilities", "CapBnd", "0000000000000000"),
        ("no new privileges", "NoNewPrivs", "1"),
        ("seccomp", "Seccomp", "2"),
    ],
)
def test_what_the_kernel_says_of_a_program(layer: str, field: str, held: str) -> None:
    if field == "CapBnd" and os.getuid() != 0:
        pytest.skip("only root may narrow what others could gain; no new privileges does the same")
    needs = ("no new privileges",) if layer == "seccomp" else ()
    assert play(STATUS.replace("{field!r}", repr(field)), but(layer, *needs))[0].value == held


def test_a_program_of_root_runs_as_nobody() -> None:
    source = "import os\ndef solve():\n    return [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]\n"
    case, _ = play(source, ("import policy",))
    if os.getuid() == 0:
        assert case.value == [65534, 65534, 65534, []]
    else:
        assert case.value[0] == 0  # root of a namespace where that is us, without a capability


def test_the_helper_cannot_be_read_by_its_children() -> None:
    case, _ = play(PEEK, but("not dumpable", "no capabilities"))
    assert "PermissionError" in str(case.error)
    assert play(PEEK, but())[0].value == "did it"


def test_signals_to_outsiders_are_stopped_by_landlock_too() -> None:
    case, _ = play(SIGNAL, but("landlock", "no new privileges"))
    if case.value == "did it":
        pytest.skip("this kernel's Landlock knows no signals")
    assert "PermissionError" in str(case.error)


def test_layers_are_named_and_on() -> None:
    found = layers()
    assert [layer.name for layer in found] == list(isolation.LAYERS)
    assert all(layer.state in ("on", "missing") for layer in found)
    assert all(layer.reason for layer in found if layer.state == "missing")


def found(**states: isolation.Layer) -> list[isolation.Layer]:
    return [states.get(name.replace(" ", "_"), isolation.Layer(name, "on")) for name in isolation.LAYERS]


MISSING = {name: isolation.Layer(name, "missing", "not here") for name in isolation.LAYERS}


def test_below_the_floor_no_program_is_run() -> None:
    isolation.insist(found())
    isolation.insist(found(landlock=MISSING["landlock"], user_namespace=MISSING["user namespace"]))
    isolation.insist(found(empty_root=MISSING["empty root"]))
    isolation.insist(found(seccomp=isolation.Layer("seccomp", "off", "switched off")))
    with pytest.raises(
        SandboxError, match=r"files \(empty root: not here; landlock: not here\);.*allow_weaker"
    ):
        isolation.insist(found(landlock=MISSING["landlock"], empty_root=MISSING["empty root"]))
    with pytest.raises(SandboxError, match=r"system call \(seccomp: not here\); install libseccomp"):
        isolation.insist(found(seccomp=MISSING["seccomp"]))


# A process that denies itself some system calls before it becomes another program, as containers do.
DENIED = """import os, sys, errno, pyseccomp
rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
for call in filter(None, sys.argv[1].split(",")):
    if call == "prctl": rules.add_rule(pyseccomp.ERRNO(errno.EPERM), call, pyseccomp.Arg(0, pyseccomp.EQ, 22))
    else: rules.add_rule(pyseccomp.ERRNO(errno.EPERM), call)
rules.load()
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
FILES, CALLS, SOME = "unshare,landlock_create_ruleset", "prctl", "landlock_create_ruleset"


def denied(calls: str, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DENIED, calls, "-m", "experiments.cli", *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


@pytest.mark.slow
@pytest.mark.parametrize(("calls", "named"), [(FILES, "machine's files"), (CALLS, "seccomp"), (SOME, "")])
def test_what_is_denied_is_named_with_the_cure(tmp_path: Path, calls: str, named: str) -> None:
    made = denied("", "tasks", "zwc", "--limit", "1", "--out", "tasks.jsonl", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    task = json.loads((tmp_path / "tasks.jsonl").read_text())
    answer = {"task_id": task["id"], "response": f"```python\n{task['task']['payload']['solution']}\n```"}
    (tmp_path / "answers.jsonl").write_text(json.dumps(answer) + "\n")
    told = denied(calls, "doctor", cwd=tmp_path).stdout
    assert ("refused" in told) == bool(named), told
    grade = ("grade", "tasks.jsonl", "answers.jsonl", "--out", "verdicts.jsonl")
    refused = denied(calls, *grade, cwd=tmp_path)
    if not named:
        assert refused.returncode == 0 and "warning" not in refused.stderr, refused.stderr
        return
    assert refused.returncode != 0 and named in refused.stderr and "Traceback" not in refused.stderr, (
        refused.stderr
    )
    allowed = denied(calls, *grade, "--set", "sandbox.allow_weaker=true", cwd=tmp_path)
    assert allowed.returncode == 0 and "warning: sandbox.allow_weaker" in allowed.stderr, allowed.stderr
    assert json.loads((tmp_path / "verdicts.jsonl").read_text())["category"] == "correct"
