"""Calls under one version go together, a change of version waits for them, and nobody starves."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from actors.engines.gate import VersionGate
from protocols.errors import EngineError


class Served:
    """An engine's version, and how many calls are inside."""

    def __init__(self, together: int) -> None:
        self.gate = VersionGate(together)
        self.version = 0
        self.inside: list[int] = []
        self.most = 0
        self.loads: list[int] = []
        self._lock = threading.Lock()

    def call(self, version: int, seconds: float = 0.01) -> None:
        def load() -> None:
            assert not self.inside, "loaded while others generate"
            self.version = version
            self.loads.append(version)

        with self.gate.under(version, lambda: self.version, load):
            assert self.version == version
            with self._lock:
                self.inside.append(version)
                self.most = max(self.most, len(self.inside))
                assert set(self.inside) == {version}
            time.sleep(seconds)
            with self._lock:
                self.inside.remove(version)


def test_calls_of_one_version_go_together_up_to_the_limit():
    served = Served(3)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: served.call(0), range(24)))
    assert served.most == 3
    assert served.loads == []


def test_versions_never_mix_and_all_calls_get_theirs():
    served = Served(4)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(served.call, [n // 5 % 3 for n in range(45)]))
    assert served.most <= 4
    assert set(served.loads) <= {0, 1, 2}


def test_a_new_version_does_not_starve_under_a_stream_of_the_old_one():
    served = Served(2)
    stop = threading.Event()

    def stream() -> None:
        while not stop.is_set():
            served.call(0, 0.005)

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    changed = threading.Thread(target=served.call, args=(1,))
    changed.start()
    changed.join(timeout=10)
    stop.set()
    for thread in threads:
        thread.join()
    assert not changed.is_alive()
    assert 1 in served.loads
    assert served.gate.waited > 0


def test_a_load_that_fails_leaves_the_gate_open():
    gate = VersionGate(1)

    def failing() -> None:
        raise EngineError("other weights than published")

    with pytest.raises(EngineError), gate.under(1, lambda: 0, failing):
        pytest.fail("nothing may be generated")
    with gate.under(0, lambda: 0, failing):
        pass
