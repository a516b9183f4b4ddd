"""The process that does what may run for ever, seen from outside (`helper` is what runs in it).

A response can make computer algebra run for ever (9^9^9^9), and a generator can search for its next problem
without end; math-verify's own deadline is a signal that only a main thread may use. So a helper is asked, one
question at a time, under limits of memory and time; one that does not answer is killed, and a new one is
started for the next question. What it makes depends on no hash seed.
"""

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

_HELPER = Path(__file__).with_name("helper")
_STARTING_S = 120.0  # importing sympy and reasoning-gym on a machine however busy


class HelperLost(Exception):
    """Nothing can be judged or made, whatever was asked."""


class Helper:
    """Asked from any thread, one question at a time. It starts with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(_close, weakref.ref(self))

    def ask(self, within: float, **question: Any) -> dict[str, Any]:
        """What it says.

        Raises:
            TimeoutError: nothing within so many seconds; or it died, most likely of its memory limit.
            HelperLost: it does not start.
        """
        with self._lock:
            process = self._process or self._start()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(question).encode() + b"\n")
                process.stdin.flush()
                told = _receive(process, within)
            except (OSError, ValueError) as error:
                self._kill()
                raise TimeoutError(str(error)) from None
        if told["said"] == "timeout":
            raise TimeoutError(told["why"])
        return told

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", str(_HELPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            _receive(self._process, _STARTING_S)
        except (OSError, ValueError) as error:
            self._kill()
            raise HelperLost(f"the helper with math-verify does not start ({error})") from None
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None

    def close(self) -> None:
        with self._lock:
            self._kill()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self._kill()


def _receive(process: subprocess.Popen[bytes], within: float) -> dict[str, Any]:
    assert process.stdout is not None
    out, line = process.stdout, b""
    until = time.monotonic() + within
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError(f"no answer after {within:g} s")
            part = os.read(out.fileno(), 65536)
            if not part:
                raise ConnectionError("the helper died")
            line += part
    found: dict[str, Any] = json.loads(line)
    return found


def _close(helper: "weakref.ref[Helper]") -> None:
    found = helper()
    if found is not None:
        found.close()
