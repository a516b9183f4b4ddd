"""Tasks of three and more functions: a recipe and steps on its result, each of them needed."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from protocols.domains.zwc.bank import NAMES, build_tasks, leads
from protocols.domains.zwc.bank.chains import FOUND, RESULTS, Chain, form_of
from protocols.domains.zwc.bank.families import RECIPES
from protocols.domains.zwc.bank.kinds import KINDS
from protocols.domains.zwc.bank.rounding import settled
from protocols.domains.zwc.bank.steps import STEPS
from protocols.domains.zwc.bank.values import OWN
from protocols.domains.zwc.bank.wording import STEPWISE_FRAMES, scenarios
from protocols.domains.zwc.grading import equal
from protocols.domains.zwc.plain import to_plain, unpack
from protocols.records import Split, Task

PLAIN = SimpleNamespace(package="np", entries={name: name for name in NAMES})  # solutions run on NumPy itself
#: Functions that lead no chain: results of uneven lists or texts, and results that are what came in.
NO_LEADS = {
    *("histogram", "array_split", "ix_", "squeeze", "astype", "array_repr"),
    *("copy", "ascontiguousarray", "asfortranarray", "positive"),
}


@pytest.fixture(scope="module")
def tasks() -> dict[Split, list[Task]]:
    return {split: build_tasks(PLAIN, NAMES, split, "multi", 2, 7, multi_least=3) for split in Split}


def every(tasks: dict[Split, list[Task]]) -> Iterator[Task]:
    for made in tasks.values():
        yield from made


def called(task: Task) -> set[str]:
    return {name for name in task.topics if f"np.{name}(" in task.payload["solution"]}


def test_nearly_every_function_leads_tasks_of_three(tasks: dict[Split, list[Task]]) -> None:
    assert set(NAMES) - set(leads(NAMES, 3)) == NO_LEADS
    for made in tasks.values():
        assert len(made) == 2 * len(leads(NAMES, 3)) == 580
        assert {name for task in made for name in task.topics} >= set(NAMES) - NO_LEADS


@pytest.mark.parametrize("least", [3, 4])
def test_a_task_calls_at_least_as_many_functions_as_are_asked_for(least: int) -> None:
    for seed in (1, 2):
        for task in build_tasks(PLAIN, NAMES[:60], Split.TRAIN, "multi", 2, seed, multi_least=least):
            assert task.kind == "multi" and called(task) == set(task.topics)
            assert len(task.topics) >= least and len(set(task.topics)) == len(task.topics)


def test_the_solution_gives_the_expected_answer_on_every_case(tasks: dict[Split, list[Task]]) -> None:
    for task in every(tasks):
        names: dict[str, Any] = {"np": np}
        exec(task.payload["solution"], names)
        assert len(task.payload["cases"]) >= 6
        for case in task.payload["cases"]:
            with np.errstate(all="ignore"):
                given = to_plain(names["solve"](*unpack(case["args"])))
            assert equal(given, unpack(case["expected"])), task.payload["solution"]


def test_train_and_test_share_no_statement_no_phrase_and_no_case(tasks: dict[Split, list[Task]]) -> None:
    train, test = tasks[Split.TRAIN], tasks[Split.TEST]
    assert not {t.statement for t in train} & {t.statement for t in test}
    data = [
        {msgspec.json.encode(c["args"]) for t in made for c in t.payload["cases"]} for made in (train, test)
    ]
    assert not data[0] & data[1]
    assert not {s.train for s in STEPS} & {s.test for s in STEPS}
    for table in (RESULTS, STEPWISE_FRAMES):
        assert not set(table[Split.TRAIN]) & set(table[Split.TEST])


def test_statements_name_their_parameters_and_stay_short(tasks: dict[Split, list[Task]]) -> None:
    for task in every(tasks):
        parameters = task.payload["parameters"]
        assert len(set(parameters)) == len(parameters) and FOUND not in parameters
        assert all(f"`{p}`" in task.statement for p in parameters), task.statement
        assert len(task.statement.split()) <= 60 and "{" not in task.statement


def test_the_words_of_a_step_leave_no_doubt_what_it_is_about() -> None:
    """Words that end in the result nest: in "the square of the largest of it" nothing can be read twice."""
    for step in STEPS:
        for split in Split:
            assert step.phrase(split).endswith("{0}"), step
        assert step.name in NAMES and all(generator in OWN for _, generator in step.own)
        assert all(f"{{{p}}}" in step.how and f"`{{{p}}}`" in step.extra for p, _ in step.own)


def test_no_scenario_has_a_parameter_of_the_solutions_own_name() -> None:
    for kind in KINDS:
        for split in Split:
            assert not any(FOUND in scenario.names for scenario in scenarios(kind, split))


def chain(head: str, *names: str) -> Chain:
    recipe = RECIPES[head][0]
    form, steps = form_of(recipe), []
    for name in names:
        step = next(s for s in STEPS if s.name == name and form in s.takes)
        steps.append(step)
        form = step.form(str(form))
    return Chain(recipe, tuple(steps))


def test_a_chain_that_can_do_without_a_function_is_refused() -> None:
    data = [[[3.0, 1.0, -2.0]], [[5.0, 9.0, 4.0, 4.5]]]
    for made, stands in (
        (chain("sort", "diff", "max"), True),
        (chain("sort", "square", "max"), False),  # the largest is the largest in any order
        (chain("cumsum", "flip", "sum"), False),
        (chain("negative", "absolute", "mean"), False),  # of either sign
    ):
        answers = [made.answer(args) for args in data]
        assert None not in answers
        assert made.needed(data, answers) is stands, made.functions


def test_a_chain_whose_answer_hangs_on_rounding_is_refused() -> None:
    data = [[[[2.0, 1.0], [1.0, 3.0]]], [[[4.0, 1.0], [2.0, 3.0]]]]  # determinants 5 and 10, nearly
    for made, stands in (
        (chain("linalg.det", "floor", "negative"), False),
        (chain("linalg.det", "cos"), True),
    ):
        for args in data:
            assert settled(lambda by: made.answer(args, by=by)) is stands  # noqa: B023  (called at once)


def test_functions_without_steps_for_their_results_make_no_tasks() -> None:
    assert build_tasks(PLAIN, ["histogram", "mean"], Split.TRAIN, "multi", 1, 7, multi_least=3) == []
    assert leads(["mean", "sort"], 3) == []
