"""Further starts in place of groups that tell nothing: how many, which, and that the round ends."""

from hypothesis import given
from hypothesis import strategies as st
from store_records import a_group, a_task

from actors import choosing
from actors.replacing import further, to_replace
from memory.outcomes import Compared
from memory.reader import RunReader
from memory.store import Store
from protocols.iteration import group_id, start_of
from protocols.records import Book, Origin, Purpose
from protocols.settings import RunSettings

BASE = [a_task(i) for i in range(40)]
WAITING = [a_task(100 + i, origin=Origin.PROPOSED) for i in range(5)]


def groups(pattern: str) -> list[Compared]:
    """One for each letter: `d` differs, `s` tells nothing."""
    return [Compared(id=f"g{at}", differs=letter == "d") for at, letter in enumerate(pattern)]


def settings(limit: float, share: float = 0.5, planned: int = 4) -> RunSettings:
    grpo = {"zero_variance": "resample", "resample_limit": limit}
    return RunSettings.model_validate(
        {
            "learner": {"recipe": "closed-rl", "grpo": grpo},
            "curator": {"proposed_share": share},
            "solver": {"groups_per_round": planned},
        }
    )


def test_which_groups_are_replaced_by_hand() -> None:
    assert to_replace(groups("dsds"), 4, 0, 2.0) == ["g1", "g3"]
    assert to_replace(groups("dsds" + "ds"), 4, 2, 2.0) == ["g5"]  # the first two have their substitutes
    assert to_replace(groups("dsds" + "ds" + "d"), 4, 3, 2.0) == []  # four of them differ
    assert to_replace(groups("ssss"), 4, 0, 0.5) == ["g0", "g1"]
    assert to_replace(groups("ssss" + "ss"), 4, 2, 0.5) == []  # the limit
    assert to_replace(groups("ssss"), 4, 0, 0.0) == []


def test_further_tasks_go_on_in_turn_and_come_once() -> None:
    base, waiting = BASE[:6], WAITING[:2]
    drawn = {base[0].id, base[1].id, waiting[0].id}
    found = choosing.further_tasks(base, waiting, 3, 0.4, 2, drawn)
    assert found == [waiting[1], base[2], base[3]]
    found = choosing.further_tasks(base, waiting, 30, 0.4, 4, drawn)
    assert found == [waiting[1], base[4], base[5], base[2], base[3]]
    assert choosing.further_tasks([], waiting, 3, 0.0, 0, drawn) == [waiting[1]]
    assert choosing.further_tasks([], [], 3, 0.5, 0, set()) == []


@given(
    st.integers(1, 12),
    st.lists(st.booleans(), min_size=80, max_size=80),
    st.floats(0, 3),
    st.floats(0, 1),
    st.integers(0, 40),
)
def test_a_round_ends_within_its_limit_and_counts_every_group_it_replaces(
    planned: int, differs: list[bool], limit: float, share: float, tasks: int
) -> None:
    chosen, base = settings(limit, share, planned), BASE[:tasks]
    plan = [start_of(task, Book.OPEN) for task in [*BASE, *BASE][len(BASE) - planned :][:planned]]
    decisions, turns = [], 0
    while True:
        played = [Compared(id=f"g{at}", differs=differs[at]) for at in range(len(plan))]
        starts, decided = further(chosen, 1, plan, planned, played, base, WAITING)
        if not starts:
            break
        assert (starts, decided) == further(chosen, 1, plan, planned, played, base, WAITING)
        plan, decisions, turns = [*plan, *starts], [*decisions, *decided], turns + 1
    assert len(plan) - planned <= limit * planned
    assert len({start.id for start in plan}) == len(plan)
    telling = sum(differs[: len(plan)])
    assert telling <= planned or len(plan) == planned
    replaced = [d.subject_id for d in decisions if d.reason == "zero_variance"]
    assert len(replaced) == len(set(replaced)) == len(plan) - planned
    assert all(not differs[int(name[1:])] for name in replaced)
    new = [
        group_id(chosen.seed, 1, position, Purpose.COLLECT, start)
        for position, start in enumerate(plan[planned:], planned)
    ]
    assert [d.subject_id for d in decisions if d.reason == "resample"] == new
    if telling < planned and len(plan) - planned < int(limit * planned):  # then no task was left
        assert {t.id for t in [*base, *WAITING]} <= {s.task_id for s in plan}


def test_groups_differ_only_while_their_task_stands(tmp_path) -> None:
    tasks = [a_task(i) for i in range(4)]
    rewards = [(0.0, 1.0), (1.0, 1.0), (None, 1.0), (0.0, 1.0)]
    judged = [a_group(t, position=i, rewards=r) for i, (t, r) in enumerate(zip(tasks, rewards))]
    with Store.create(tmp_path / "run.db", {}, {}) as store:
        store.add_tasks(tasks)
        store.admit_groups(judged)
        store.set_task(tasks[3], "rejected", "inconsistent")
    with RunReader(tmp_path) as reader:
        assert [group.differs for group in reader.compared(1)] == [True, False, False, False]
        assert [group.id for group in reader.compared(1)] == [group.id for group, _ in judged]
