"""The benchmark of a busy machine: what it says of rates, and where it cannot measure."""

import sys
import time

import pytest

from experiments.benchmarks import busy


@pytest.mark.slow
def test_a_tiny_model_is_measured_everywhere() -> None:
    found = busy.run(model="tiny-random", work=("engine", "learner_4"), tries=1, seconds=0.5)
    if "not measured" in found:
        pytest.skip(found["not measured"])
    for name in ("engine", "learner_4"):
        for where in ("alone", "beside", "spinning"):
            assert found[f"{name}_{where}"] > 0
        assert isinstance(found[f"{name}_quota"], float | str)
    assert isinstance(found["passed"], bool)


def test_one_core_is_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "usable_cores", lambda: 1)
    found = busy.run(model="tiny-random")
    assert "here is one" in found["not measured"] and "passed" not in found


def worker(code: str) -> busy._Worker:
    return busy._Worker([sys.executable, "-c", code], {})


def test_a_rate_is_whole_pieces_over_their_time() -> None:
    """Pieces of 100 tokens that take 0.1 s each are about 1,000 a second, however long it stood still."""
    ours = worker("import time\nwhile True:\n    time.sleep(0.1)\n    print(100, flush=True)")
    try:
        time.sleep(0.5)  # it is stopped meanwhile
        assert 200 < ours.rate(1.0) < 1500
    finally:
        ours.close()


def test_a_worker_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"it ended.*no such model"):
        worker("import sys; sys.exit('no such model')")
