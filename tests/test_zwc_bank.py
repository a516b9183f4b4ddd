"""The zwc task bank: every function has tasks whose truth is the library's, and the splits share nothing."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from protocols.domains.zwc.bank import NAMES, build_tasks, demonstrations
from protocols.domains.zwc.bank.aliases import ALIASES, meaning
from protocols.domains.zwc.bank.array_scenarios import ARRAY_SCENARIOS
from protocols.domains.zwc.bank.cases import CASES, varied
from protocols.domains.zwc.bank.families import RECIPES, recipe_at
from protocols.domains.zwc.bank.further_scenarios import FURTHER_SCENARIOS
from protocols.domains.zwc.bank.kinds import KINDS
from protocols.domains.zwc.bank.scenarios import SCENARIOS
from protocols.domains.zwc.bank.wording import FRAMES, LINKS, NOUNS, scenarios, statement
from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.domains.zwc.plain import pack, to_plain, unpack
from protocols.records import Split, Task
from protocols.seeds import digest, rng_of

pytestmark = pytest.mark.filterwarnings("ignore:.trapz. is deprecated:DeprecationWarning")

PLAIN = SimpleNamespace(package="np", entries={name: name for name in NAMES})  # solutions run on NumPy itself
SEED = 7
PER_FUNCTION = 9  # enough for a function's third recipe to come


@pytest.fixture(scope="module")
def tasks() -> dict[Split, list[Task]]:
    return {split: build_tasks(PLAIN, NAMES, split, "single", PER_FUNCTION, SEED) for split in Split}


def solve(task: Task) -> Any:
    names: dict[str, Any] = {"np": np}
    exec(task.payload["solution"], names)
    return names[task.payload["entry_point"]]


def cases(task: Task) -> list[tuple[list[Any], Any]]:
    return [(unpack(case["args"]), unpack(case["expected"])) for case in task.payload["cases"]]


def same(a: Any, b: Any) -> bool:
    """Equal for a grader: same shape, numbers within tolerance."""
    try:
        return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
    except (TypeError, ValueError):  # ragged lists
        return bool(a == b)


def test_the_authors_list_is_there_after_the_functions_that_runs_usually_take() -> None:
    names = json.loads((Path(__file__).parent / "data" / "sebench_names.json").read_text())["names"]
    assert len(names) == 278 and sum(name.startswith("linalg.") for name in names) == 31
    assert set(names) <= set(NAMES) and len(set(NAMES)) == len(NAMES) == 300
    assert set(NAMES[190:]) <= set(names)
    assert digest(NAMES[:190]) == "cc4ecf3896cacb2c"


@pytest.mark.parametrize(
    ("count", "split", "kind", "expected"),
    [
        (16, Split.TRAIN, "single", "96dadd776bb81476"),
        (16, Split.TRAIN, "multi", "86104e6cd90b35ef"),
        (16, Split.TEST, "single", "627a18b2298c802f"),
        (16, Split.TEST, "multi", "5b0c1560bfd84392"),
        (96, Split.TRAIN, "single", "ea601e3f5f9813af"),
        (96, Split.TRAIN, "multi", "faf8695f4f25d22c"),
        (96, Split.TEST, "single", "799c569068ecec76"),
        (96, Split.TEST, "multi", "a91b6acf808197bb"),
    ],
)
def test_the_first_functions_keep_their_tasks(count: int, split: Split, kind: str, expected: str) -> None:
    """On every processor: names, statements and arguments. Figures that are published hold for them."""
    made = build_tasks(obfuscate(), NAMES[:count], split, kind, 4, 7)
    assert digest([task.id for task in made]) == expected


def test_second_names_stand_for_functions_with_the_same_results() -> None:
    functions = [eval(f"np.{meaning(name)}", {"np": np}) for name in NAMES if name not in ALIASES]
    assert len(set(map(id, functions))) == len(NAMES) - len(ALIASES)
    for name, first in ALIASES.items():
        assert first not in ALIASES and len(RECIPES[name]) == len(RECIPES[first])


def test_every_function_has_tasks_in_both_splits(tasks: dict[Split, list[Task]]) -> None:
    for split in Split:
        assert {task.topics[0] for task in tasks[split]} == set(NAMES)
        helping = {name for task in tasks[split] for name in task.topics[1:]}
        assert helping <= {*CONSTRUCTORS, "copyto"}
        assert all(task.split is split and task.kind == "single" for task in tasks[split])


def test_the_solution_gives_the_expected_answer_on_every_case(tasks: dict[Split, list[Task]]) -> None:
    with np.errstate(all="ignore"):
        for task in tasks[Split.TRAIN] + tasks[Split.TEST]:
            function = solve(task)
            for args, expected in cases(task):
                assert pack(to_plain(function(*args))) == pack(expected), task.payload["solution"]


def test_cases_are_enough_and_answers_differ(tasks: dict[Split, list[Task]]) -> None:
    for task in tasks[Split.TRAIN] + tasks[Split.TEST]:
        answers = [expected for _, expected in cases(task)]
        assert 6 <= len(answers) <= CASES
        packed = {msgspec.json.encode(case["expected"]) for case in task.payload["cases"]}
        if not all(isinstance(answer, bool) for answer in answers):
            assert len(packed) >= 4, task
        else:
            assert 2 <= sum(answers) <= len(answers) - 2, task


@pytest.mark.parametrize(
    ("answers", "enough"),
    [
        ([True] * 6 + [False], False),
        ([True] * 5 + [False] * 2, True),
        ([1, 2, 3] * 2, False),
        ([1, 2, 3, 4, 4, 4], True),
    ],
)
def test_answers_that_hardly_differ_are_refused(answers: list[Any], enough: bool) -> None:
    assert varied(answers) is enough


def test_no_other_function_passes_for_the_one_that_is_asked(tasks: dict[Split, list[Task]]) -> None:
    """Every recipe that takes the same inputs fails at least one case."""
    rivals: dict[Any, list[Any]] = {}
    for recipes in RECIPES.values():
        for recipe in recipes:
            rivals.setdefault((recipe.kind, recipe.own), []).append(recipe)
    compared = 0
    for split in Split:
        for number, task in enumerate(tasks[split][: 4 * len(NAMES)]):
            asked = recipe_at(task.topics[0], number // len(NAMES))
            for rival in rivals[asked.kind, asked.own]:
                if meaning(rival.name) == meaning(asked.name) and rival.how == asked.how:
                    continue
                compared += 1
                assert not passes(rival, task), (task.payload["solution"], rival.name, rival.how)
    assert compared > 5_000


def passes(recipe: Any, task: Task) -> bool:
    try:
        with np.errstate(all="ignore"):
            return all(same(to_plain(recipe.evaluate(args)), expected) for args, expected in cases(task))
    except (TypeError, ValueError, IndexError, np.linalg.LinAlgError):
        return False


def test_train_and_test_share_no_statement_and_no_case(tasks: dict[Split, list[Task]]) -> None:
    statements = {split: {task.statement for task in tasks[split]} for split in Split}
    assert not statements[Split.TRAIN] & statements[Split.TEST]
    data = {
        split: {msgspec.json.encode(c["args"]) for task in tasks[split] for c in task.payload["cases"]}
        for split in Split
    }
    assert not data[Split.TRAIN] & data[Split.TEST]


def test_train_and_test_share_no_template_and_no_scenario() -> None:
    assert len(set(FRAMES[Split.TRAIN])) >= 8
    assert len(set(FRAMES[Split.TEST])) >= 4
    for table in (FRAMES, LINKS, NOUNS):
        assert not set(table[Split.TRAIN]) & set(table[Split.TEST])
    for recipes in RECIPES.values():
        for recipe in recipes:
            assert recipe.train and recipe.test
            assert not set(recipe.train) & set(recipe.test), recipe.name
    nouns: dict[Split, set[str]] = {split: set() for split in Split}
    data: dict[Split, set[str]] = {split: set() for split in Split}
    for kind in KINDS:
        for split in Split:
            nouns[split] |= {s.plural for s in scenarios(kind, split)}
            data[split] |= {s.data for s in scenarios(kind, split)}
    assert not nouns[Split.TRAIN] & nouns[Split.TEST]
    assert not data[Split.TRAIN] & data[Split.TEST]
    assert {pool for pool, _ in KINDS.values()} == set(SCENARIOS | ARRAY_SCENARIOS | FURTHER_SCENARIOS)


def test_one_function_is_asked_for_in_dozens_of_wordings() -> None:
    rng = rng_of("wordings")
    for split, least in ((Split.TRAIN, 48), (Split.TEST, 20)):
        for name, recipes in RECIPES.items():
            made = {
                statement(recipe, rng.choice(scenarios(recipe.kind, split)), split, rng)
                for recipe in recipes
                for _ in range(150)
            }
            assert len(made) >= least, (name, split)


def test_statements_are_short_and_name_their_parameters(tasks: dict[Split, list[Task]]) -> None:
    for task in tasks[Split.TRAIN] + tasks[Split.TEST]:
        assert 9 <= len(task.statement.split()) <= 40, task.statement
        assert "{" not in task.statement and "}" not in task.statement
        parameters = task.payload["parameters"]
        assert len(set(parameters)) == len(parameters)
        assert all(f"`{p}`" in task.statement for p in parameters), task.statement
        assert len(task.payload["cases"][0]["args"]) == len(parameters)


def test_the_same_seed_gives_the_same_tasks_and_more_tasks_keep_the_first_ones() -> None:
    names = NAMES[:20]
    few, again, more, other = (
        build_tasks(PLAIN, names, Split.TRAIN, "all", count, seed)
        for count, seed in ((2, 3), (2, 3), (3, 3), (2, 4))
    )
    assert few == again
    assert more[: len(few)] == few
    assert not {t.id for t in few} & {t.id for t in other}
    assert len({t.id for t in more}) == len(more)


def test_functions_take_turns() -> None:
    made = build_tasks(PLAIN, NAMES[:5], Split.TEST, "single", 3, SEED)
    assert [t.topics[0] for t in made] == list(NAMES[:5]) * 3


def test_tasks_use_the_obfuscated_names_only_in_the_solution() -> None:
    library = SimpleNamespace(package="zwc", entries={n: n.replace(".", ".x") + "qu" for n in NAMES})
    for task in build_tasks(library, NAMES, Split.TRAIN, "all", 1, SEED):
        for topic in task.topics:
            assert f"zwc.{topic}(" in task.payload["solution"]
            assert topic not in task.statement
        assert "zwc" not in task.statement


def test_tasks_survive_json(tasks: dict[Split, list[Task]]) -> None:
    for task in tasks[Split.TEST]:
        assert msgspec.json.decode(msgspec.json.encode(task), type=Task) == task


def test_demonstrations_are_about_other_functions() -> None:
    shown = demonstrations(PLAIN, 3, SEED, exclude=NAMES[:16])
    assert len({t.topics for t in shown}) == 3
    assert not {t.topics[0] for t in shown} & set(NAMES[:16])
    assert shown == demonstrations(PLAIN, 3, SEED, exclude=NAMES[:16])


@pytest.mark.parametrize("chosen", [12, 40, 100, 190])
def test_demonstrations_take_one_list_as_long_as_there_are_such_functions(chosen: int) -> None:
    for task in demonstrations(PLAIN, 3, SEED, exclude=NAMES[:chosen]):
        assert len(task.payload["parameters"]) == 1, task.statement


def test_wordings_that_are_used_up_come_again_with_other_data() -> None:
    made = build_tasks(PLAIN, ["unravel_index"], Split.TEST, "single", 60, SEED)
    assert len({t.statement for t in made}) < len({t.id for t in made}) == 60
