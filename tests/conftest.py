"""What all tests have in common: how they share the machine's cores, and what many of them need."""

import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

# Several workers compute at the same time on few cores. A thread that spins at a barrier would keep the one
# that it waits for from running, so all of them sleep there. Read when torch is loaded, here and in every
# process that a test starts.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Ray's workers give way to everything else, unless told otherwise: beside tests that compute, for minutes.
os.environ.setdefault("RAY_worker_niceness", "0")
# Hundreds of processes load the same modules: they are compiled once, wherever the variable comes from.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import hypothesis
import pytest


def pytest_configure() -> None:
    sys.dont_write_bytecode = False
    # How long a property takes is the machine's business, and what runs beside it.
    hypothesis.settings.register_profile("here", deadline=None)
    hypothesis.settings.load_profile("here")
    gc.disable()  # while tests are collected: millions of objects of large libraries, and hardly any garbage


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from scheduling import Scheduling

    return Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one of several workers
        from scheduling import place_of

        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.fixture
def one_core() -> Iterator[list[str]]:
    """What a command begins with to run under a CPU quota of one core."""
    from experiments.benchmarks.quota import limited_to
    from protocols.errors import SettingError

    try:
        with limited_to(1) as prefix:
            yield prefix
    except SettingError as refused:
        pytest.skip(str(refused))
