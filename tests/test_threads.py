"""Threads are given up while other programs want the cores, taken back afterwards, and change no bit."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from actors import threads
from actors.engines.base import Completion, Request
from actors.engines.threads import EngineThreads
from actors.engines.transformers_engine import TransformersEngine
from actors.threads import PERIOD_S, Pace, Reading, choices_of, decide, free_cores, read_machine
from memory.artefacts import fetch_model
from protocols.records import Message, Prompt
from protocols.settings import EngineSettings, Sampling

SHARES = st.floats(0, 8, allow_nan=False)


class Machine:
    """`cores` cores; other programs want `others` of them, this process one for each of its threads."""

    def __init__(self, cores: int) -> None:
        self.cores, self.others = cores, 0.0
        self.now = self.idle = self.own = 0.0
        self.looks = 0

    def look(self) -> Reading | None:
        self.looks += 1
        return Reading(self.now, self.idle, self.own)

    def pass_time(self, seconds: float, threads: int) -> None:
        """Where both together want more than there is, each gets its part of it."""
        wanted = self.others + threads
        part = min(1.0, self.cores / wanted)
        self.now += seconds
        self.own += threads * part * seconds
        self.idle += (self.cores - wanted * part) * seconds


def paced(machine: Machine, *choices: int) -> Pace:
    pace = Pace(choices, machine.cores, machine.look, lambda: machine.now)
    pace.begin()
    return pace


def played(machine: Machine, pace: Pace, seconds: float, step: float = 0.1) -> list[int]:
    """The numbers of threads of every step."""
    found = []
    for _ in range(round(seconds / step)):
        found.append(pace.threads())
        machine.pass_time(step, found[-1])
    return found


def test_a_busy_process_takes_a_thread_and_gives_it_back_when_it_ends() -> None:
    machine = Machine(2)
    pace = paced(machine, 2, 1)
    assert set(played(machine, pace, 3)) == {2}
    machine.others = 1.0
    found = played(machine, pace, 5)
    assert found[0] == 2 and set(found[round(2.5 * PERIOD_S / 0.1) :]) == {1}
    machine.others = 0.0
    found = played(machine, pace, 5)
    assert found[0] == 1 and set(found[round(2.5 * PERIOD_S / 0.1) :]) == {2}


@given(st.floats(0, 4), st.sampled_from([(4, 2, 1), (2, 1), (8, 4, 2, 1)]))
def test_it_stands_still_beside_steady_work(others: float, choices: tuple[int, ...]) -> None:
    machine = Machine(choices[0])
    machine.others = others
    pace = paced(machine, *choices)
    found = played(machine, pace, 20)[100:]
    assert len(set(found)) == 1


@given(SHARES, st.integers(0, 3))
def test_a_decision_is_kept_when_nothing_changes(free: float, at: int) -> None:
    choices = (8, 4, 2, 1)
    first = decide(choices[at], free, choices)
    assert first in choices
    assert decide(first, free, choices) == first


@given(SHARES, SHARES, st.integers(0, 3))
def test_more_free_cores_never_mean_fewer_threads(one: float, other: float, at: int) -> None:
    choices = (8, 4, 2, 1)
    less, more = sorted((one, other))
    assert decide(choices[at], less, choices) <= decide(choices[at], more, choices)


@pytest.mark.parametrize(
    ("threads", "free", "expected"),
    [
        (8, 8.0, 8),
        (8, 7.76, 8),
        (8, 7.74, 4),
        (2, 1.7, 1),
        (1, 1.87, 1),
        (1, 1.88, 2),
        (1, 0.0, 1),
        (1, 8, 8),
    ],
)
def test_when_threads_are_given_up_and_taken_back(threads: int, free: float, expected: int) -> None:
    assert decide(threads, free, (8, 4, 2, 1)) == expected


@given(st.integers(1, 300))
def test_there_is_a_choice_for_one_busy_core_and_for_many(most: int) -> None:
    choices = choices_of(most)
    assert choices == sorted(set(choices), reverse=True)
    assert choices[0] == most and choices[-1] == 1 and max(1, most - 1) in choices
    assert all(2 * fewer + 1 >= more for more, fewer in pairwise(choices))


def test_what_others_leave_is_idle_time_and_our_own() -> None:
    before = Reading(at=10.0, idle=5.0, own=1.0)
    assert free_cores(before, Reading(12.0, 5.0, 3.0), cores=2, threads=2) == 1.0
    assert free_cores(before, Reading(12.0, 7.0, 3.0), cores=2, threads=1) == 2.0
    # A second thread of this process that is not ours to count with is another's work.
    assert free_cores(before, Reading(12.0, 5.0, 5.0), cores=2, threads=1) == 1.0


def test_the_machine_is_looked_at_twice_a_second_however_many_steps_there_are() -> None:
    machine = Machine(2)
    played(machine, paced(machine, 2, 1), 10, step=0.001)
    assert machine.looks <= 1 + 10 / PERIOD_S


def test_with_one_choice_nothing_is_looked_at() -> None:
    machine = Machine(4)
    assert set(played(machine, paced(machine, 4), 5)) == {4} and machine.looks == 0


def test_what_happened_between_two_calls_does_not_count() -> None:
    machine = Machine(2)
    pace = paced(machine, 2, 1)
    machine.others = 2.0
    machine.pass_time(60, 0)
    machine.others = 0.0
    pace.begin()
    assert set(played(machine, pace, 3)) == {2}


def test_a_machine_that_does_not_tell_uses_all_threads(tmp_path: Path) -> None:
    assert read_machine(tmp_path) is None
    pace = Pace((2, 1), 2, lambda: None)
    pace.begin()
    assert pace.threads() == 2


@pytest.mark.parametrize(
    "line", ["", "cpu{} 1 2", "cpu{} a b c d e", "cpu9{} 5 0 5 900 1", "cpu{} 0 0 0 0 0"]
)
def test_a_file_that_does_not_tell_of_every_allowed_core_is_no_reading(tmp_path: Path, line: str) -> None:
    """Odd, numbered anew (a container's own), or never counting: threads would be given up for ever."""
    (tmp_path / "proc").mkdir()
    stat, cores = tmp_path / "proc" / "stat", sorted(os.sched_getaffinity(0))
    stat.write_text("".join(f"{line}\n".format(core) for core in cores))
    assert read_machine(tmp_path) is None
    stat.write_text("".join(f"cpu{core} 5 0 5 900 100 0 0\n" for core in cores))
    found = read_machine(tmp_path)
    assert found is not None and found.idle == len(cores) * 1000 / os.sysconf("SC_CLK_TCK")
    stat.write_text("".join(f"cpu{core} 5 0 5 900 100 0 0\n" for core in cores[1:]))
    assert read_machine(tmp_path) is None


def test_the_kernels_own_figures_are_read() -> None:
    """What is asked for is there: idle time that does not go back, and this process's own time."""
    before = read_machine()
    if before is None:
        pytest.skip("this system has no /proc/stat")
    sum(range(3_000_000))
    after = read_machine()
    assert after is not None
    assert after.at > before.at and after.own > before.own and after.idle >= before.idle


# ---- the engine's use of it ----


class Scripted:
    """A pace that wants what it is told."""

    def __init__(self, *wanted: int) -> None:
        self.wanted = list(wanted)
        self.choices = (2, 1)

    def begin(self) -> None: ...

    def threads(self) -> int:
        return self.wanted.pop(0)


@pytest.fixture
def as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def engine_threads(monkeypatch, logits, *wanted: int) -> EngineThreads:
    monkeypatch.setattr("actors.engines.threads.usable_cores", lambda: 2)
    chosen = EngineThreads(0, logits)
    monkeypatch.setattr(chosen, "_pace", Scripted(*wanted))
    return chosen


def test_a_number_of_threads_that_changes_no_bit_is_used(monkeypatch, as_before) -> None:
    tries = []

    def logits():
        tries.append(torch.get_num_threads())
        return [torch.ones(3)]

    chosen = engine_threads(monkeypatch, logits, 2, 1, 2, 1)
    found = []
    for _ in range(4):
        chosen.set()
        found.append(torch.get_num_threads())
    assert found == [2, 1, 2, 1]
    assert tries == [2, 1]  # once, however often it is used


def test_a_number_of_threads_that_changes_a_bit_is_never_used(monkeypatch, as_before) -> None:
    def logits():
        return [torch.ones(3), torch.full((2,), 1 + torch.get_num_threads() * 2**-20)]

    chosen = engine_threads(monkeypatch, logits, 1)
    chosen.set()
    assert torch.get_num_threads() == 2
    assert chosen._pace.choices == (2,)  # and nobody looks at the machine any more


def test_a_number_that_the_user_set_is_kept(monkeypatch, as_before) -> None:
    monkeypatch.setattr(threads, "read_machine", lambda: pytest.fail("nothing to decide"))
    chosen = EngineThreads(1, lambda: pytest.fail("nothing to try"))
    chosen.begin()
    assert torch.get_num_threads() == 1 and chosen.most == 1


class Restless(Scripted):
    """A pace that never stands still."""

    def threads(self) -> int:
        self.wanted.append(3 - self.wanted[-1])
        return self.wanted[-1]


def completions_of(engine: TransformersEngine, rows: int, tokens: int, opening: str) -> list[Completion]:
    sampling = Sampling(temperature=0.8, max_tokens=tokens)

    def asked(row: int) -> Request:
        said = Message(role="user", content=f"{opening}Say something about {row // 2}.")
        return Request(id=f"r{row}", prompt=Prompt(messages=(said,)), sampling=sampling, seed=row, stop=())

    return engine.generate([asked(row) for row in range(rows)])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize(
    "model", ["tiny-random", pytest.param("smollm2-135m-instruct", marks=pytest.mark.slow)]
)
def test_texts_and_log_probabilities_are_the_same_whatever_the_machine_does(
    monkeypatch, as_before, model: str, dtype: str
) -> None:
    """Bit by bit: a number of threads that changes one is found out and not used."""
    monkeypatch.setattr("actors.engines.threads.usable_cores", lambda: 2)
    engine = TransformersEngine(fetch_model(model), EngineSettings(dtype=dtype, device="cpu", batch_size=12))
    for rows, tokens, opening in ((1, 8, ""), (12, 16, "Know this by heart. " * 40), (20, 6, "")):
        expected = completions_of(engine, rows, tokens, opening)
        pace = Restless(1)
        with monkeypatch.context() as during:
            during.setattr(engine._threads, "_pace", pace)
            assert completions_of(engine, rows, tokens, opening) == expected
        assert len(pace.wanted) > 2 or 1 not in engine._threads._same
