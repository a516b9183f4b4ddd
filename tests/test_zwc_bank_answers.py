"""The bank's own answers, run on the obfuscated package, are what the strict grader calls correct."""

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from protocols.domains.zwc.bank import NAMES, build_tasks
from protocols.domains.zwc.client import install
from protocols.domains.zwc.codec import Array, nested
from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.domains.zwc.grading import judge
from protocols.domains.zwc.link import open_package
from protocols.domains.zwc.obfuscate import Library, obfuscate
from protocols.domains.zwc.plain import unpack
from protocols.domains.zwc.service import Service
from protocols.records import CaseResult, Outcome, Split, Task


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


def call(service: Service, solve: Callable[..., Any], args: list[Any], shake: bool) -> tuple[Any, str | None]:
    service.shake = shake
    try:
        with np.errstate(all="ignore"):
            return plain(solve(*args)), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        service.shake = False


def run(service: Service, source: str, task: Task) -> Outcome:
    names: dict[str, Any] = {}
    exec(f"import zwc\n{source}", names)
    results = []
    for case in task.payload["cases"]:
        service.calls.clear()
        value, error = call(service, names["solve"], unpack(case["args"]), shake=False)
        calls = tuple(service.calls)
        shaken, error_shaken = call(service, names["solve"], unpack(case["args"]), shake=True)
        results.append(
            CaseResult(value=value, error=error, calls=calls, value_shaken=shaken, error_shaken=error_shaken)
        )
    return Outcome(status="ok", cases=tuple(results))


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_banks_answers_are_correct_on_the_obfuscated_package(
    kind: str, library: Library, service: Service
) -> None:
    makers = {library.entries[n] for n in CONSTRUCTORS}
    for split in Split:
        for task in build_tasks(library, NAMES, split, kind, 2, 7):
            constructors = frozenset(makers - {task.topics[0]})
            service._constructors = set(constructors)  # as `Library.blob_about` has it
            outcome = run(service, task.payload["solution"], task)
            expected = [unpack(case["expected"]) for case in task.payload["cases"]]
            verdict = judge(outcome, expected, constructors)
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
        assert judge(run(service, source, task), expected).reward == 0.0


def test_no_statement_holds_a_name_of_the_package(library: Library) -> None:
    hidden = {part for name in library.public for part in name.split(".")} - {"linalg"}
    for split in Split:
        for task in build_tasks(library, NAMES, split, "all", 2, 7):
            assert not hidden & set(task.statement.replace("`", " ").replace(".", " ").split())
