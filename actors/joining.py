"""Joining a Ray cluster: whether its address answers at all, and the code that its workers import.

`ray.init` waits for minutes where nobody answers, so an address is tried first. Not here: what runs there
(`ray_runtime`).
"""

import contextlib
import importlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocols.cores import usable_cores
from protocols.errors import SettingError
from protocols.runtime_settings import RuntimeSettings

PACKAGES = ("actors", "protocols", "memory", "experiments", "ui")
NAMESPACE = "taskspace"
ROOT = Path(__file__).resolve().parents[1]
#: Between two tries of an address whose packets get lost.
RETRY_S = 0.5
#: Ray sets this for the process of a submitted job, whose working directory is on all nodes already.
JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
TOKEN = "the cluster asks for a token; copy its head's ~/.ray/auth_token here and set RAY_AUTH_MODE=token"
#: `token` in the environment makes this process refuse calls of workers that bring none. Ray sets it itself,
#: for the process and its children, once a Ray was started in it.
MODE = "RAY_AUTH_MODE"
#: Read by each worker when it starts.
NICENESS = "RAY_worker_niceness"
REMEDY = "check the address, or leave it out to run on this machine"


def quiet_ray() -> Any:
    """The module ray, set up before its import: no usage reports, no GPU hidden from who asks for none.

    Raises:
        SettingError: it cannot be imported.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise SettingError(
            f"runtime.kind: Ray cannot be imported ({error}); install it or set runtime.kind=inline"
        ) from None
    return ray


def connect(settings: RuntimeSettings) -> None:
    """Join the cluster that the settings name, or start a Ray here.

    Raises:
        SettingError: it does not answer, is of another version, or cannot start.
    """
    ray = quiet_ray()
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "namespace": NAMESPACE}
    if settings.address is None:
        # Nobody looks at its list of past calls, which grows by 3.5 MB with every thousand of them.
        os.environ.setdefault("RAY_task_events_report_interval_ms", "0")
        # The machine's cores are shared by roles that mostly wait for each other; what bounds the work is
        # the arena, so Ray gets no more workers started ahead than this.
        options |= {
            "include_dashboard": False,
            "num_cpus": usable_cores(),
            "object_store_memory": settings.object_store_mb * 2**20,
        }
    else:
        require_answer(settings.address, settings.start_deadline_s)
    try:
        alone = _for_this_user() if settings.address is None else contextlib.nullcontext()
        with environment(settings.upload) as runtime_env, _own_signals(), alone:
            if NICENESS not in os.environ:
                runtime_env.setdefault("env_vars", {})[NICENESS] = str(settings.niceness)
            # "local" and not None, which would join whatever RAY_ADDRESS names.
            ray.init(address=settings.address or "local", runtime_env=runtime_env, **options)
    except Exception as error:  # Ray raises the bare class, too, when a part of it does not start in time
        raise SettingError(refusal(settings.address, error)) from None


def refusal(address: str | None, error: Exception) -> str:
    """One line for what Ray raised when it could not be joined or started."""
    text = " ".join(str(error).split())
    if type(error).__name__ == "AuthenticationError" or "AuthToken" in text:
        return f"runtime.address {address}: {TOKEN}"
    versions = re.findall(r"Ray: (\S+) Python: (\S+)", text)
    if "ersion mismatch" in text and len(versions) == 2:
        theirs, ours = (f"Ray {ray} on Python {python}" for ray, python in versions)
        return (
            f"runtime.address {address}: version mismatch, the cluster has {theirs} and this process {ours}; "
            "install the same versions of both here and there"
        )
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if address is None:
        return f"runtime.kind: Ray cannot start here ({first}); set runtime.kind=inline, or look at its logs"
    return f"runtime.address {address}: Ray cannot be joined ({first}); {REMEDY}"


def require_answer(address: str, deadline_s: float) -> None:
    """Make sure that a Ray cluster answers there.

    Raises:
        SettingError: it is no address of a cluster from within, nobody listens there, or what listens is
            no Ray.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")
    if "://" in address:
        raise SettingError(
            f"runtime.address {address}: a run joins its cluster from within, as auto or HOST:PORT; from "
            "outside write taskspace run --address ray://HOST:10001, or use ray job submit"
        )
    if address in ("auto", "local"):
        return  # Ray looks for a node on this machine, which is quick
    ends = time.monotonic() + deadline_s
    require_port("runtime.address", address, deadline_s)

    def ask(**mode: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
        left = max(1.0, ends - time.monotonic())
        env = os.environ | mode
        return subprocess.run(command, timeout=left, capture_output=True, text=True, check=False, env=env)

    try:
        done = ask()
        open_to_all = os.environ.get(MODE) == "token" and not ask(**{MODE: "disabled"}).returncode
    except subprocess.TimeoutExpired:
        raise SettingError(
            f"runtime.address {address}: something listens there, but gave no answer as a Ray cluster within "
            f"{deadline_s:.0f} s (runtime.start_deadline_s); {REMEDY}"
        ) from None
    if "AuthToken" in done.stderr or "AuthenticationError" in done.stderr:
        raise SettingError(f"runtime.address {address}: {TOKEN}")
    if done.returncode and "ersion mismatch" not in done.stderr:  # that one is told better by joining
        raise SettingError(
            f"runtime.address {address}: something listens there, but it is no Ray cluster; {REMEDY}"
        )
    if open_to_all:
        raise SettingError(
            f"runtime.address {address}: the cluster works without tokens, but here {MODE}=token is set (Ray "
            f"does that where one was started before); set {MODE}=disabled here, or =token on all nodes"
        )


def require_port(what: str, address: str, deadline_s: float) -> None:
    """Make sure that somebody listens at HOST:PORT. A refusal counts at once, silence after the deadline.

    Raises:
        SettingError: nobody does; the line begins with `what` and the address.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingError(f"{what} {address}: not of the form HOST:PORT; write e.g. 10.0.0.1:6379")
    ends = time.monotonic() + deadline_s
    while True:
        try:
            socket.create_connection(
                (host.strip("[]"), int(port)), timeout=max(0.1, ends - time.monotonic())
            ).close()
            return
        except (ConnectionRefusedError, socket.gaierror) as error:
            raise SettingError(f"{what} {address}: nobody answers ({error.strerror}); {REMEDY}") from None
        except OSError as error:  # a timeout, or no route yet
            if time.monotonic() + RETRY_S >= ends:
                why = error.strerror or str(error)
                raise SettingError(
                    f"{what} {address}: no answer within {deadline_s:.0f} s ({why}; "
                    f"runtime.start_deadline_s); {REMEDY}"
                ) from None
            time.sleep(RETRY_S)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray makes SIGTERM an exit; where it means more than that here, it goes on to mean that."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _for_this_user() -> Iterator[None]:
    """A Ray that is started meanwhile listens on the loopback address alone, and nobody else reads its token.

    Ray does the first on macOS and Windows, where it builds no clusters; the same switch does it on Linux.
    """
    constants: Any = importlib.import_module("ray._private.ray_constants")
    switch, before = constants.ENABLE_RAY_CLUSTERS_ENV_VAR, constants.ENABLE_RAY_CLUSTER
    said = os.environ.get(switch)
    os.environ[switch], constants.ENABLE_RAY_CLUSTER = "0", False
    # Ray makes folder and token where they are not there; a home may be read-only, or nobody's.
    with contextlib.suppress(OSError, RuntimeError):
        folder = Path.home() / ".ray"
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        for token in folder.glob("auth_token*"):
            token.chmod(0o600)
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
        if said is None:
            del os.environ[switch]
        else:
            os.environ[switch] = said


@contextlib.contextmanager
def environment(upload: bool) -> Iterator[dict[str, Any]]:
    """The runtime environment that workers get, while Ray is joined: it copies what is uploaded then.

    One folder with all packages: the sandbox looks for them beside each other.
    """
    if JOB in os.environ and "runtime_resources" in ROOT.parts:
        yield {}  # a submitted job's working directory, which Ray brings to every node itself
    elif upload:
        with tempfile.TemporaryDirectory(prefix="taskspace-code-") as folder:
            for package in PACKAGES:
                shutil.copytree(
                    ROOT / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__")
                )
            yield {"working_dir": folder}
    else:
        yield {"env_vars": {"PYTHONPATH": str(ROOT)}}
