"""Tokens per second of engine and learner alone, beside one busy process, and under a quota of one core.

Each works without a pause in a process of its own, at the niceness of Ray's workers, and tells when it has
computed how many tokens; what else the machine has to do changes meanwhile, in turns. The baseline is the
same with all of OpenMP's threads in every operation, spinning at every barrier, as torch has it by itself.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.benchmarks.quota import limited_to
from protocols.cores import usable_cores
from protocols.errors import SettingError
from protocols.learner_settings import LearnerSettings
from protocols.runtime_settings import RuntimeSettings
from protocols.settings import EngineSettings, Sampling

NEEDED = 0.45  # of the rate alone, beside one busy process
LOST = 0.1  # of the baseline's rate at most, when alone

WORK = ("engine", "learner_4", "learner_16")
SPINNING = {"OMP_WAIT_POLICY": "ACTIVE"}
DEADLINE_S = 120.0  # for a piece to begin, and for the tokens of one window
SETTLE_S = 1.0  # after a change: the engine looks at the machine twice a second


def run(
    model: str = "smollm2-135m-instruct", work: tuple[str, ...] = WORK, tries: int = 2, seconds: float = 6.0
) -> dict[str, Any]:
    """Measure.

    Args:
        seconds: of each window; longer where two pieces of work take longer.

    Returns:
        for each of `work`: tokens per second (means over `tries`) `alone`, `beside` one busy process, under a
        `quota` of one core, and `spinning` alone; `kept` beside of alone, and `lost` alone of spinning.
    """
    from memory.artefacts import fetch_model

    if usable_cores() < 2:
        return {"not measured": "beside a busy process means on two cores or more, and here is one"}
    path, passed = str(fetch_model(model)), True
    found: dict[str, Any] = {"cores": usable_cores(), "niceness": RuntimeSettings().niceness}
    for name in work:
        rates: dict[str, list[float]] = {"alone": [], "beside": [], "spinning": []}
        with _working(name, path) as ours, _working(name, path, spinning=True) as spinning:
            for _ in range(tries):
                rates["alone"].append(ours.rate(seconds))
                with _busy():
                    rates["beside"].append(ours.rate(seconds))
                rates["spinning"].append(spinning.rate(seconds))
        means = {where: sum(each) / len(each) for where, each in rates.items()}
        kept, lost = means["beside"] / means["alone"], 1 - means["alone"] / means["spinning"]
        passed = passed and kept >= NEEDED and lost <= LOST
        found |= {f"{name}_{where}": round(rate, 1) for where, rate in means.items()}
        found |= {f"{name}_kept": round(kept, 2), f"{name}_lost": round(lost, 2)}
        found[f"{name}_quota"] = _under_quota(name, path, seconds)
    return found | {"needed": NEEDED, "lost_at_most": LOST, "passed": passed}


def _under_quota(name: str, path: str, seconds: float) -> float | str:
    try:
        with limited_to(1) as prefix, _working(name, path, prefix=prefix) as limited:
            return round(limited.rate(seconds), 1)
    except SettingError as refused:
        return f"not measured: {refused}"


class _Worker:
    """A process that computes, stopped unless its rate is being measured."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
        )
        self._told: list[tuple[float, int]] = []
        self._errors: list[str] = []
        self._more = threading.Condition()
        for read in (self._listen, self._keep_errors):
            threading.Thread(target=read, daemon=True).start()
        try:
            self._wait_for(1)
        except BaseException:
            self.close()
            raise
        self._process.send_signal(signal.SIGSTOP)

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            with self._more:
                self._told.append((time.monotonic(), int(line)))
                self._more.notify()
        self._process.wait()  # its output ends before it does
        with self._more:
            self._more.notify()

    def _keep_errors(self) -> None:
        for line in self._process.stderr or ():
            self._errors = [*self._errors[-20:], line]

    def _wait_for(self, count: int) -> None:
        with self._more:
            ended = self._more.wait_for(
                lambda: len(self._told) >= count or self._process.poll() is not None, DEADLINE_S
            )
            if len(self._told) < count:
                why = "it ended" if ended else f"no tokens within {DEADLINE_S:.0f} s"
                raise RuntimeError(f"busy: {why}: {''.join(self._errors)[-2000:]}")

    def rate(self, seconds: float) -> float:
        """Tokens per second from one piece's end to another's, at least two pieces and `seconds` later."""
        self._process.send_signal(signal.SIGCONT)
        time.sleep(SETTLE_S)
        first = len(self._told)
        self._wait_for(first + 1)
        began = self._told[first][0]
        while True:
            last = len(self._told)
            if last >= first + 3 and self._told[last - 1][0] - began >= seconds:
                break
            self._wait_for(last + 1)
        self._process.send_signal(signal.SIGSTOP)
        pieces = self._told[first + 1 : last]
        return sum(tokens for _, tokens in pieces) / (pieces[-1][0] - began)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _working(
    name: str, path: str, *, spinning: bool = False, prefix: list[str] | None = None
) -> Iterator[_Worker]:
    command = [*(prefix or ()), sys.executable, "-m", __name__, name, path, "all" if spinning else "chosen"]
    worker = _Worker(command, os.environ | (SPINNING if spinning else {}))
    try:
        yield worker
    finally:
        worker.close()


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


# ---- in the processes that compute ----


def _tell(tokens: int) -> None:
    print(tokens, flush=True)


def _engine(path: Path, threads: int) -> None:
    from actors.engines.transformers_engine import TransformersEngine
    from experiments.benchmarks.engine import shared_requests

    engine = TransformersEngine(path, EngineSettings(kind="transformers", threads=threads))
    requests = shared_requests(64, Sampling(max_tokens=12))
    while True:
        _tell(sum(len(completion.logprobs) for completion in engine.generate(requests)))


def _learner(path: Path, batch_size: int, lanes: int) -> None:
    from actors.learning.sft import SftLearner
    from experiments.benchmarks.learner import batches_of, samples_of

    settings = LearnerSettings(
        batch_size=batch_size, epochs=1000, lanes=lanes, train_embeddings=False, device="cpu"
    )
    samples = samples_of(path, 96)
    tokens = [sum(map(len, batch)) for batch in batches_of(path, samples, settings, 1)]
    with tempfile.TemporaryDirectory() as folder:
        learner = SftLearner(path, settings, Path(folder), 1)
        learner.learn(samples, 1, 0, "closed-sft", lambda done, *_: _tell(tokens[done - 1]))


def _compute(name: str, path: Path, policy: str) -> None:
    os.nice(RuntimeSettings().niceness)
    if name == "engine":
        _engine(path, usable_cores() if policy == "all" else 0)
    else:
        _learner(path, int(name.removeprefix("learner_")), 1 if policy == "all" else 0)


if __name__ == "__main__":
    _compute(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
