"""The bank's own answers, run on the obfuscated package, are what the strict grader calls correct."""

import re
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.domains.zwc.bank import NAMES, build_tasks
from protocols.domains.zwc.client import install
from protocols.domains.zwc.codec import Array, nested
from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.domains.zwc.grading import judge
from protocols.domains.zwc.link import open_package
from protocols.domains.zwc.obfuscate import Library, obfuscate
from protocols.domains.zwc.plain import unpack
from protocols.domains.zwc.scrub import WORDS
from protocols.domains.zwc.service import Service
from protocols.domains.zwc.shaking import STRENGTHS, Shaking
from protocols.records import CaseResult, Outcome, Shaken, Split, Task


@pytest.fixture(scope="module")
def library() -> Library:
    return obfuscate("numpy", seed=7)


@pytest.fixture(scope="module")
def service(library: Library) -> Iterator[Service]:
    service = Service(library.blob)
    before = set(sys.modules)
    install(open_package(library, service))
    yield service
    for name in set(sys.modules) - before:
        del sys.modules[name]


def plain(value: Any) -> Any:
    if isinstance(value, Array):
        return plain(nested(value))
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def call(solve: Callable[..., Any], args: list[Any]) -> tuple[Any, str | None]:
    try:
        with np.errstate(all="ignore"):
            return plain(solve(*args)), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def run(service: Service, source: str, task: Task, needed: tuple[str, ...]) -> Outcome:
    """As the sandbox runs it, in this process."""
    names: dict[str, Any] = {}
    exec(f"import zwc\n{source}", names)
    arguments = [unpack(case["args"]) for case in task.payload["cases"]]
    results, shaken = [], []
    for args in arguments:
        service.begin(needed)
        value, error = call(names["solve"], args)
        results.append(CaseResult(value=value, error=error, calls=tuple(service.calls)))
    for number, strength in enumerate(STRENGTHS):
        service.begin(needed, Shaking(strength, number))
        values, errors = zip(*(call(names["solve"], args) for args in arguments))
        shaken.append(Shaken(status="ok", values=values, errors=errors))
    service.begin()
    return Outcome(status="ok", cases=tuple(results), shaken=tuple(shaken))


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_banks_answers_are_correct_on_the_obfuscated_package(
    kind: str, library: Library, service: Service
) -> None:
    makers = {library.entries[n] for n in CONSTRUCTORS}
    for split in Split:
        for task in build_tasks(library, NAMES, split, kind, 2, 7):
            constructors = frozenset(makers - {task.topics[0]})
            needed = tuple(t for t in task.topics if t not in constructors)
            outcome = run(service, task.payload["solution"], task, needed)
            expected = [unpack(case["expected"]) for case in task.payload["cases"]]
            verdict = judge(outcome, expected, constructors, needed=needed)
            assert verdict.category == "correct", (task.statement, task.payload["solution"], verdict.evidence)
            assert {name for case in outcome.cases for name in case.calls} == set(task.topics)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the wrong function meets data that it is not for
def test_the_answer_to_one_function_is_wrong_for_the_next(library: Library, service: Service) -> None:
    made = build_tasks(library, NAMES[:16], Split.TEST, "single", 1, 7)
    for task, other in pairwise(made):
        source = other.payload["solution"].replace(
            other.payload["parameters"][0], task.payload["parameters"][0]
        )
        expected = [unpack(case["expected"]) for case in task.payload["cases"]]
        assert judge(run(service, source, task, task.topics), expected, needed=task.topics).reward == 0.0


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 1 << 40), split=st.sampled_from(Split))
def test_any_function_has_tasks_for_any_seed_that_give_nothing_away(
    library: Library, service: Service, name: str, seed: int, split: Split
) -> None:
    made = build_tasks(library, [name], split, "single", 4, seed)
    made += build_tasks(library, [name, "sum", "diff", "add"], split, "multi", 1, seed, multi_least=3)
    assert {task.topics[0] for task in made} >= {library.entries[name]}
    makers = {library.entries[n] for n in CONSTRUCTORS}
    for task in made:
        assert hidden_in(task.statement, library) == set(), task.statement
        constructors = frozenset(makers - {task.topics[0]})
        needed = tuple(t for t in task.topics if t not in constructors)
        outcome = run(service, task.payload["solution"], task, needed)
        expected = [unpack(case["expected"]) for case in task.payload["cases"]]
        verdict = judge(outcome, expected, constructors, needed=needed)
        assert verdict.category == "correct", (task.statement, task.payload["solution"], verdict.evidence)


@pytest.mark.parametrize("least", [2, 3])
def test_no_statement_holds_a_name_of_the_package_or_of_the_original(library: Library, least: int) -> None:
    for split in Split:
        for task in build_tasks(library, NAMES, split, "all", 2, 7, multi_least=least):
            assert hidden_in(task.statement, library) == set(), task.statement


def hidden_in(statement: str, library: Library) -> set[str]:
    """Names of the package in a statement, and original names that are no words of English."""
    public = {part for name in library.public for part in name.split(".")}
    original = {part for name in library.entries for part in name.split(".")} - WORDS
    return (public | original) & set(re.findall(r"\w+", statement))
