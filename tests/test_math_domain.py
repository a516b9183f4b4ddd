"""The math domain: problems in splits that share none, prompts, files of the user's, and wrong input."""

import json
import math
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import config, preflight
from memory import hub_rows
from protocols.domain import make_domain
from protocols.domains.math import problems
from protocols.domains.math.answers import is_computed
from protocols.domains.math.domain import MathDomain
from protocols.domains.math.judge import Judge
from protocols.errors import ArtefactError, SettingError
from protocols.iteration import start_of
from protocols.math_settings import MathSettings
from protocols.records import Book, Origin, Split, Step, Turn

SMALL = {"train_problems": 24, "test_problems": 12}


@pytest.fixture(scope="module")
def domain() -> MathDomain:
    return MathDomain(MathSettings(**SMALL))


@pytest.fixture(scope="module")
def judge() -> Judge:
    made = Judge(20.0)
    yield made
    made.close()


def test_splits_share_no_problem_and_kinds_come_in_turn(domain: MathDomain) -> None:
    train, test = domain.tasks(Split.TRAIN), domain.tasks(Split.TEST)
    assert len(test) == 12 and 20 <= len(train) <= 24
    assert not {t.statement for t in train} & {t.statement for t in test}
    assert {t.kind for t in test[:6]} == set(domain.kinds) == {t.kind for t in train[:6]}
    again = MathDomain(MathSettings(**SMALL))
    assert again.tasks(Split.TRAIN) == train and again.tasks(Split.TEST) == test
    other = MathDomain(MathSettings(**SMALL, seed=2))
    assert other.tasks(Split.TEST) != test
    assert [t.kind for t in domain.tasks(Split.TEST, "gcd")] == ["gcd"] * 2


def test_prompts_show_worked_examples_of_the_same_kind_and_never_the_answer(domain: MathDomain) -> None:
    for task in domain.tasks(Split.TRAIN)[:12]:
        prompt = domain.prompt(task, start_of(task, Book.CLOSED), Book.CLOSED)
        shown = [m.content for m in prompt.messages if m.role == "user"][:-1]
        assert len(shown) == 3 and task.statement not in shown
        assert prompt.messages[-1].content == task.statement
    turn = Turn(attempt_id="a", response="I say \\boxed{99}", reward=0.0)
    asked = {
        step: domain.prompt(task, start_of(task, Book.CLOSED, step, [turn]), Book.CLOSED).messages[-1].content
        for step in (Step.IMPROVE, Step.DIVERGE)
    }
    assert all(task.statement in text and "\\boxed{99}" in text for text in asked.values())
    assert "different approach" in asked[Step.DIVERGE] and "different approach" not in asked[Step.IMPROVE]


def test_every_generated_answer_is_right_and_another_one_is_not(domain: MathDomain) -> None:
    for task in [*domain.tasks(Split.TRAIN), *domain.tasks(Split.TEST)]:
        right = domain.check(task, [f"So it is \\boxed{{{task.payload['answer']}}}."])
        wrong = domain.check(task, ["\\boxed{-98765}"])
        assert (right.reward, right.category) == (1.0, "right")
        assert (wrong.reward, wrong.category) == (0.0, "wrong")


@pytest.mark.parametrize(
    ("truth", "response", "category"),
    [
        ("1/2", "\\boxed{\\frac{1}{2}}", "right"),
        ("1/2", "\\boxed{0.5}", "right"),
        ("12", "First \\boxed{7}, then \\boxed{12}.", "right"),
        ("12", "\\boxed{7} and 12", "wrong"),
        ("x^2 + 2x + 1", "\\boxed{(x+1)^2}", "right"),
        ("(1, 2)", "\\boxed{(1, 2)}", "right"),
        ("12", "", "malformed"),
        ("12", "It is 12.", "malformed"),
        ("3", "The problem has no answer: 3 by 0.", "malformed"),
        ("12", "\\boxed{12", "malformed"),
        ("12", "\\boxed{12} or rather \\boxed{13", "right"),
        ("12", "\\boxed{\\frac{24}{2}}}} \\boxed{" + "{" * 9000, "right"),
        ("12", "\\boxed{" * 2500, "malformed"),
        ("12", "\x00\ud83d \\boxed{", "malformed"),
    ],
)
def test_answers_by_hand(judge: Judge, truth: str, response: str, category: str) -> None:
    assert judge.judge(truth, response).category == category


def test_a_generated_problem_is_no_answer_to_itself(domain: MathDomain) -> None:
    """math-verify compares values: what remains to be computed has the right one."""
    asked = {task.kind: task for task in domain.tasks(Split.TRAIN)}
    for kind, pattern in (("products", r"\d+ \* \d+"), ("chain_sum", r"\d+ [+-] \d+")):
        found = re.search(pattern, asked[kind].statement)
        assert found is not None
        truth = asked[kind].payload["answer"]
        for box in (
            found[0],
            f"{found[0]} = {truth}",
            f"{truth} = {found[0]}",
            f"{truth} + 0",
            f"2*{truth}/2",
        ):
            verdict = domain.check(asked[kind], [f"\\boxed{{{box}}}"])
            assert (verdict.reward, verdict.category) == (0.0, "not_computed"), box
        assert domain.check(asked[kind], [f"\\boxed{{ {truth} }}"]).reward == 1.0
    # Data sets are judged by value, as published.
    dataset = msgspec.structs.replace(asked["products"], origin=Origin.DATASET)
    assert domain.check(dataset, [f"\\boxed{{{truth} + 0}}"]).category in ("right", "wrong")


@given(st.integers(-999, 999), st.integers(-999, 999).filter(bool))
def test_only_numbers_as_they_stand_are_computed(over: int, under: int) -> None:
    assert is_computed(str(over)) and is_computed(f"{over / 8}") and is_computed(f" {over} ")
    lowest = math.gcd(over, under) == 1 and under > 0
    assert is_computed(f"{over}/{under}") == lowest
    assert is_computed(f"\\frac{{{abs(over)}}}{{{under}}}") == lowest
    for text in (f"{over} + {abs(under)}", f"{over}*{under}", f"{over} = {over}", f"{over}^1", f"({over})"):
        assert not is_computed(text)


def test_an_answer_that_never_ends_costs_itself_only() -> None:
    impatient = Judge(1.5)
    assert impatient.judge("1", "\\boxed{1}").category == "right"
    for endless in ("\\boxed{9^{9^{9^{9}}}}", "\\boxed{10000000!}", "\\boxed{(x+y+z+w)^{300}}"):
        found = impatient.judge("1", endless)
        assert found.category in ("timeout", "wrong") and found.seconds < 30
        assert impatient.judge("2", "\\boxed{2}").category == "right"  # by a new helper
    impatient.close()


def test_the_vote_is_for_the_value(domain: MathDomain) -> None:
    task = domain.tasks(Split.TRAIN)[0]
    same = [domain.answer(task, text) for text in ("\\boxed{1/2}", "so \\boxed{\\frac{1}{2}}")]
    assert same[0] == same[1] != "" and domain.answer(task, "nothing") == ""


def test_files_of_the_user(tmp_path: Path) -> None:
    rows = [
        {"problem": "1 + 1 = ?", "answer": "2"},
        {"question": "2 + 2 = ?", "answer": 4},
        {"problem": "1 + 1 = ?", "answer": "3"},
        {"problem": "no answer"},
        {"answer": "no problem"},
    ]
    train, test = tmp_path / "train.jsonl", tmp_path / "amc.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n[1]\n")
    test.write_text('{"problem": "3 + 3 = ?", "solution": "6"}\n{"problem": "2 + 2 = ?", "solution": "4"}\n')
    made = MathDomain(MathSettings(train=str(train), test=(str(test),)))
    assert [t.statement for t in made.tasks(Split.TRAIN)] == ["1 + 1 = ?"]  # the other one is held out
    assert made.kinds == ("train", "amc") and made.tasks(Split.TEST)[0].origin is Origin.DATASET
    told = "\n".join(made.notices)
    for expected in (
        "1 lines are left out, the same problem as before: line 3",
        "no answer or solution or target: line 4",
        "no problem or question or prompt: line 5",
        "2 lines are left out, broken JSON: line 6, 7",
    ):
        assert expected in told
    assert MathDomain(MathSettings(train=str(train), train_problems=1)).tasks(Split.TRAIN)
    named = problems.read(test, "problem", "solution")
    assert [p.answer for p in named.problems] == ["6", "4"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generators": {"chain_summ": {}}}, r"has no 'chain_summ'; choose e.g. chain_sum"),
        ({"generators": {"chain_sum": {"nope": 1}}}, r"math.generators.chain_sum: .*nope"),
        ({"generators": {"chain_sum": {"min_terms": 5, "max_terms": 2}}}, r"math.generators.chain_sum: "),
        ({"generators": {}}, "name at least one"),
        ({"train": "nowhere.jsonl"}, "nowhere.jsonl"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make_domain(config.resolve({"domain": "math", "math": settings})).tasks(Split.TRAIN)


def test_a_file_without_a_usable_problem_says_why(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text('{"a": 1}\n')
    with pytest.raises(SettingError, match=r"no usable problem \(no problem or question or prompt 1\)"):
        MathDomain(MathSettings(train=str(path)))


def test_data_sets_of_the_hub_are_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKSPACE_CACHE", str(tmp_path / "cache"))
    asked = []

    def load(name: str, configuration: str | None, split: str) -> list[dict]:
        asked.append((name, configuration, split))
        return [{"problem": f"{split}?", "answer": "1"}]

    monkeypatch.setattr(hub_rows, "hub_answers", lambda name, kind: True)
    monkeypatch.setattr("datasets.load_dataset", load)
    settings = {"train": "some/problems", "test": ["some/test:main:hard"]}
    for _ in range(2):
        made = preflight.with_files(config.resolve({"domain": "math", "math": settings}))
        assert [t.statement for t in make_domain(made).tasks(Split.TEST)] == ["hard?"]
    assert asked == [("some/problems", None, "train"), ("some/test", "main", "hard")]
    monkeypatch.setattr(hub_rows, "hub_answers", lambda name, kind: False)
    for name, message in (
        ("other/problems", "math.train: no hub in reach that has other/problems; check name and network"),
        ("nowhere.jsonl", "math.train: there is no file nowhere.jsonl"),
    ):
        with pytest.raises(ArtefactError, match=message):
            preflight.with_files(config.resolve({"domain": "math", "math": {"train": name}}))
