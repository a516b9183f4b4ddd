"""Which tests share a worker of pytest-xdist, in which order, and which are alone at the end.

A file's tests go to one worker, one after the other: their fixtures are made once. `TOGETHER` joins files
that must not run at the same time, `APART` names files whose tests each stand alone and take long, and
`ALONE` holds what measures the machine, or has to be quick.
"""

from pathlib import PurePosixPath
from typing import Any

from xdist.scheduler import LoadScopeScheduling

#: Files that share something that there is once on a machine: at any time one of them runs.
TOGETHER = {
    # One Chromium and one server of pages serve them all.
    "browser": (
        "test_screen",
        "test_screen_more",
        "test_screen_space",
        "test_live_learning",
        "test_report_file",
        "test_bench_ui",
    ),
    # An engine or a server takes gigabytes of memory, and every core while it starts.
    "vllm": ("test_engine_vllm", "test_engine_openai_vllm", "test_vllm_loop", "test_accelerators"),
}
#: Files that take minutes and share little: each of their test functions is a unit of its own.
APART = frozenset({"test_cluster", "test_faults"})
#: They begin when all other tests have ended, in one worker: benchmarks, and roles with deadlines of a few
#: seconds, in which the process that replaces one has to start.
ALONE: tuple[str, ...] = (
    "test_engine_replicas::test_an_engine_that_hangs_is_ended_and_asked_again",
    "test_faults::test_a_role_hangs",
    "test_learner_group::test_a_rank_that_falls_silent",
    "test_screen_space::test_the_growth_is_played",
    "test_cluster::test_from_within_and_from_outside",
    "test_bench_scaling::test_a_small_benchmark",
    "test_bench_space::test_a_small_benchmark",
)
#: What takes longest begins first, so that no worker is left with it at the end: units, or files of `APART`.
FIRST: tuple[str, ...] = (
    "browser",
    "vllm",
    "test_faults",
    "test_cluster",
    "test_faults_network",
    "test_faults_nodes",
    "test_resume_selfplay",
    "test_resume",
    "test_resume_exploring",
    "test_cli_run",
    "test_cli_wrong_input",
    "test_cli_replay",
    "test_ahead",
    "test_learner_group",
    "test_mle_domain",
    "test_placement",
)

_GROUP_OF = {file: group for group, files in TOGETHER.items() for file in files}
LAST = "alone"


def unit_of(nodeid: str) -> str:
    """The unit of work that a test belongs to; units are spread over the workers as wholes."""
    path, _, test = nodeid.partition("::")
    file = PurePosixPath(path).stem
    if f"{file}::{test}".startswith(ALONE):
        return LAST
    return f"{file}::{test.partition('[')[0]}" if file in APART else _GROUP_OF.get(file, file)


def place_of(nodeid: str) -> int:
    """Units are begun in the order of these numbers."""
    unit = unit_of(nodeid)
    if unit == LAST:
        return len(FIRST) + 1
    unit = unit.partition("::")[0]
    return FIRST.index(unit) if unit in FIRST else len(FIRST)


class Scheduling(LoadScopeScheduling):
    """Unit after unit; the last one begins when all other workers have gone.

    A worker begins a test when it knows the next one, or that there is none. So while only the last unit is
    left, workers that are done are sent home, and the last of them gets it once the others have ended.
    """

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the order of collection counts (`place_of`)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _reschedule(self, node: Any) -> None:
        if list(self.workqueue) != [LAST] or node.shutting_down:
            super()._reschedule(node)
        elif self._pending_of(self.assigned_work[node]) <= 2:
            if any(not other.shutting_down for other in self.nodes if other is not node):
                node.shutdown()
            else:
                self._assign_work_unit(node)

    def _assign_work_unit(self, node: Any) -> None:
        others = [work for other, work in self.assigned_work.items() if other is not node]
        if list(self.workqueue) != [LAST] or not any(map(self._pending_of, others)):
            super()._assign_work_unit(node)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        self._go_on()

    def remove_node(self, node: Any) -> str | None:
        crashed = super().remove_node(node)
        self._go_on()
        return crashed

    def _go_on(self) -> None:
        if list(self.workqueue) == [LAST]:
            for node in self.nodes:
                self._reschedule(node)
