"""What many tests need."""

from collections.abc import Iterator

import pytest

from experiments.benchmarks.quota import limited_to
from protocols.errors import SettingError


@pytest.fixture
def one_core() -> Iterator[list[str]]:
    """What a command begins with to run under a CPU quota of one core."""
    try:
        with limited_to(1) as prefix:
            yield prefix
    except SettingError as refused:
        pytest.skip(str(refused))
