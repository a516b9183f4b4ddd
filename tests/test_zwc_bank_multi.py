"""Tasks that compose functions: they need each of them, and their truth is the composition's."""

import re
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from protocols.domains.zwc.bank import NAMES, build_tasks
from protocols.domains.zwc.bank.compositions import answer, functions, needed, offers, shapes, shorter
from protocols.domains.zwc.bank.stages import JOINS, MAPS, PAIRS, REDUCTIONS
from protocols.domains.zwc.plain import pack, to_plain, unpack
from protocols.records import Split, Task

PLAIN = SimpleNamespace(package="np", entries={name: name for name in NAMES})


@pytest.fixture(scope="module")
def tasks() -> dict[Split, list[Task]]:
    return {split: build_tasks(PLAIN, NAMES, split, "multi", 6, 7) for split in Split}


def test_the_solution_gives_the_expected_answer_on_every_case(tasks: dict[Split, list[Task]]) -> None:
    for task in tasks[Split.TRAIN] + tasks[Split.TEST]:
        names: dict[str, Any] = {"np": np}
        exec(task.payload["solution"], names)
        assert len(task.payload["cases"]) >= 6
        for case in task.payload["cases"]:
            assert pack(to_plain(names["solve"](*unpack(case["args"])))) == case["expected"]


def test_tasks_compose_two_or_three_different_functions(tasks: dict[Split, list[Task]]) -> None:
    counts = {2: 0, 3: 0}
    for task in tasks[Split.TRAIN]:
        called = re.findall(r"np\.([\w.]+)\(", task.payload["solution"])
        assert sorted(called) == sorted(task.topics)
        assert len(set(called)) == len(called)
        counts[len(called)] += 1
        assert task.kind == "multi"
        assert len(task.statement.split()) <= 50, task.statement
    assert min(counts.values()) > 20


def test_a_hundred_compositions_even_of_sixteen_functions() -> None:
    made = build_tasks(PLAIN, NAMES[:16], Split.TRAIN, "multi", 12, 7)
    assert len({t.topics for t in made}) >= 100
    led = [t.topics for t in made]
    assert {name for topics in led for name in topics} == set(NAMES[:16])


def test_train_and_test_share_no_statement_no_phrase_and_no_case(tasks: dict[Split, list[Task]]) -> None:
    train, test = tasks[Split.TRAIN], tasks[Split.TEST]
    assert not {t.statement for t in train} & {t.statement for t in test}
    data = [
        {msgspec.json.encode(c["args"]) for t in made for c in t.payload["cases"]} for made in (train, test)
    ]
    assert not data[0] & data[1]
    for table in (MAPS, REDUCTIONS, JOINS, PAIRS):
        assert not {s.train for s in table.values()} & {s.test for s in table.values()}


def test_a_composition_that_can_do_without_a_function_is_refused() -> None:
    data = [[[3.0, 1.0, 2.0]], [[5.0, 9.0, 4.0, 4.0]]]
    for tree, stands in (
        (("max", ("sort", "x")), False),  # the largest is the largest in any order
        (("median", ("exp", ("log", "x"))), False),  # both together do nothing
        (("max", ("diff", "x")), True),
    ):
        assert needed(tree, data, [answer(tree, args) for args in data]) is stands


def test_leaving_functions_out_covers_every_way() -> None:
    tree = ("mean", ("diff", ("sort", "x")))
    assert set(map(str, shorter(tree))) == set(
        map(
            str,
            [
                "x",
                ("sort", "x"),
                ("diff", "x"),
                ("diff", ("sort", "x")),
                ("mean", "x"),
                ("mean", ("sort", "x")),
                ("mean", ("diff", "x")),
            ],
        )
    )
    assert functions(tree) == ["sort", "diff", "mean"]


def test_functions_that_compose_with_no_other_have_no_multi_tasks() -> None:
    assert shapes("linalg.inv", offers(NAMES)) == []
    assert build_tasks(PLAIN, ["linalg.inv", "mean"], Split.TRAIN, "multi", 2, 7) == []
    assert build_tasks(PLAIN, ["max", "sort"], Split.TRAIN, "multi", 1, 7) == []


def test_all_kinds_alternate() -> None:
    made = build_tasks(PLAIN, NAMES[:4], Split.TRAIN, "all", 2, 7)
    assert [t.kind for t in made] == (["single"] * 4 + ["multi"] * 4) * 2
