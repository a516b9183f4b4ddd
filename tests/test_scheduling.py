"""Units of tests are spread over workers as wholes, and what measures the machine runs alone at the end."""

import random
from types import SimpleNamespace

import pytest
import scheduling
from command import ROOT
from hypothesis import given
from hypothesis import strategies as st
from scheduling import LAST, Scheduling, place_of, unit_of
from xdist.remote import Producer

ALONE = "tests/test_bench_space.py::test_a_small_benchmark_measures_both_sides"
#: Units by their number of tests; the last one is what has to be alone.
sizes = st.lists(st.integers(1, 4), min_size=0, max_size=12)


class Worker:
    """As xdist's own: begins a test when it knows the next one, or that there is none."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.waiting: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    def can_begin(self) -> bool:
        return len(self.waiting) > (0 if self.shutting_down else 1)


def played(tests: list[str], workers: int, seed: int) -> list[tuple[str, str, int]]:
    """Every test in the order in which they ended: worker, test, tests under way elsewhere meanwhile."""
    option = SimpleNamespace(loadscopereorder=True, tx=[f"{workers}*popen"], px=[])
    config = SimpleNamespace(option=option, getvalue=lambda name: getattr(option, name))
    made, rng = Scheduling(config, Producer("quiet", enabled=False)), random.Random(seed)
    nodes = [Worker(f"w{number}") for number in range(workers)]
    for node in nodes:
        made.add_node(node)
    for node in nodes:
        made.add_node_collection(node, tests)
    made.schedule()
    at: dict[Worker, int] = {}
    most: dict[Worker, int] = {}
    told = []
    while True:
        if made.tests_finished:
            for node in nodes:
                node.shutdown()
        idle = [node for node in nodes if node not in at and node.can_begin()]
        if idle and (not at or rng.random() < 0.6):
            node = rng.choice(idle)
            at[node] = node.waiting.pop(0)
            for other in at:
                most[other] = max(most.get(other, 0), len(at) - 1)
        elif at:
            node = rng.choice(list(at))
            index = at.pop(node)
            told.append((node.gateway.id, tests[index], most.pop(node)))
            made.mark_test_complete(node, index)
        else:
            gone = [node for node in nodes if node.shutting_down and node in made.nodes]
            if not gone:
                break
            assert made.remove_node(rng.choice(gone)) is None
    assert not made.nodes, "a worker waits for ever"
    return told


@given(sizes, st.integers(0, 3), st.integers(1, 4), st.integers(0, 2**32))
def test_everything_is_played_once_units_stay_together_and_the_last_one_is_alone(
    units: list[int], alone: int, workers: int, seed: int
) -> None:
    tests = [f"tests/test_u{unit}.py::test_{n}" for unit, size in enumerate(units) for n in range(size)]
    tests += [f"{ALONE}[{n}]" for n in range(alone)]
    if not tests:
        return
    told = played(tests, workers, seed)
    assert sorted(test for _, test, _ in told) == sorted(tests)
    for unit in {unit_of(test) for test in tests}:
        of_unit = [(worker, test) for worker, test, _ in told if unit_of(test) == unit]
        assert len({worker for worker, _ in of_unit}) == 1
        assert [test for _, test in of_unit] == [test for test in tests if unit_of(test) == unit]
    measured = [others for _, test, others in told if unit_of(test) == LAST]
    assert measured == [0] * alone
    assert all(unit_of(test) == LAST for _, test, _ in told[len(told) - alone :])


def test_the_tables_name_what_there_is_and_the_longest_come_first() -> None:
    there = {path.stem: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = [*scheduling.APART, *scheduling.FIRST, *(one.split("::")[0] for one in scheduling.ALONE)]
    for file in [*named, *(file for files in scheduling.TOGETHER.values() for file in files)]:
        assert file in there or file in scheduling.TOGETHER, file
    for one in scheduling.ALONE:
        file, test = one.split("::")
        assert f"def {test}" in there[file]
    assert place_of(ALONE) > place_of("tests/test_docs.py::test_x")
    assert len(set(scheduling.FIRST)) == len(scheduling.FIRST)


@pytest.mark.parametrize("name", ["test_screen", "test_report_file"])
def test_files_that_share_something_are_one_unit(name: str) -> None:
    assert unit_of(f"tests/browser/{name}.py::test_x[a::b]") == "browser"
