"""What the judge of mathematics takes for right: public reports, properties, untrusted answers."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.domains.math.asking import Helper
from protocols.domains.math.domain import MathDomain
from protocols.domains.math.generated import Makers
from protocols.domains.math.judge import Judge, perturbed
from protocols.domains.math.notation import number, plain
from protocols.domains.math.reading import Words, read
from protocols.domains.math.values import equal
from protocols.errors import SettingError
from protocols.math_settings import MathSettings
from protocols.records import Split

CASES = [json.loads(line) for line in Path("tests/cases/math.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def helper() -> Helper:
    made = Helper()
    yield made
    made.close()


@pytest.fixture(scope="module")
def judge(helper: Helper) -> Judge:
    return Judge(30.0, helper)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['truth']} | {case['answer']}")
def test_case(judge: Judge, case: dict) -> None:
    found = judge.judge(case["truth"], f"\\boxed{{{case['answer']}}}")
    assert (found.category == "right") == case["right"], found
    assert judge.unusable(case["truth"]) is None


def test_the_table_of_the_docs_holds(judge: Judge) -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.*?) \|$", Path("docs/domains.md").read_text(), re.M)
    assert len(rows) > 8
    for truth, right, wrong in rows:
        for said, category in ((right, "right"), (wrong, "wrong")):
            for answer in re.findall(r"`(.+?)`", said):
                assert judge.judge(truth, f"\\boxed{{{answer}}}").category == category, (truth, answer)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ("$$", "empty"),
        ("\\boxed{}", "empty"),
        ("\\text{ }", "empty"),
        ("\\frac{1}{", "cannot be read"),
        ("x^", "cannot be read"),
        ("\\boxed{", "cannot be read"),
        ("2 = 1", "told from others"),
    ],
)
def test_truths_that_cannot_be_ones(judge: Judge, truth: str, reason: str) -> None:
    assert reason in (judge.unusable(truth) or "")


def test_a_truth_without_end_is_refused() -> None:
    impatient = Judge(1.0)
    assert "cannot be read" in (impatient.unusable("9^{9^{9^{9}}}") or "")
    impatient.close()


@pytest.mark.parametrize("truth", ["So \\boxed{7}.", "3 + 4 is 7.\n#### 7", "7"])
def test_truths_within_worked_solutions(judge: Judge, truth: str) -> None:
    assert judge.judge(truth, "\\boxed{7}").category == "right"
    assert judge.judge(truth, "\\boxed{8}").category == "wrong"


@given(
    st.fractions(max_denominator=999),
    st.sampled_from(["{}/{}", "\\frac{{{}}}{{{}}}", "$\\dfrac{{{}}}{{{}}}$"]),
)
def test_fractions_are_read_exactly(value: Fraction, form: str) -> None:
    found = number(plain(form.format(value.numerator, value.denominator)))
    assert found is not None and found.value == value and found.lowest


@given(
    st.decimals(-(10**9), 10**9, places=4),
    st.sampled_from(["{}", "${}$", "**{}**", " {} ", "`{}`", "\\({}\\)", "{}.", "\\text{{{}}}", "{}e0"]),
)
def test_decimals_are_read_in_every_wrapping(value: object, form: str) -> None:
    truth, said = read(str(value)), read(form.format(f"{value:f}".replace("-", "−")))
    assert truth is not None and said is not None
    assert equal(truth, said, _never)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_integers_are_equal_only_to_themselves(one: int, other: int) -> None:
    for form in ("{:,}", "{}.0", "{}e0", "{:e}"):
        said = read(form.format(other))
        if said is not None and Fraction(form.format(other).replace(",", "")) == other:
            assert equal(read(str(one)), said, _never) == (one == other)


@given(st.text(min_size=1, max_size=80))
def test_no_text_stops_the_reading(text: str) -> None:
    value = read(text)
    assert value is None or isinstance(read(value.text), object)
    for other in perturbed(text):
        assert other != text


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6), st.randoms())
def test_lists_in_brackets_have_an_order_and_bare_ones_have_none(items: list[int], random: object) -> None:
    mixed = items.copy()
    random.shuffle(mixed)
    bare, brackets = (", ".join(map(str, some)) for some in (items, mixed)), "[{}]"
    truth, said = bare
    assert equal(read(truth), read(said), _never)
    assert equal(read(brackets.format(truth)), read(brackets.format(said)), _never) == (items == mixed)


def test_long_and_deep_answers_cost_little(judge: Judge) -> None:
    for text in (
        "(" * 4000 + ")" * 4000,
        "[" * 900 + "1" + "]" * 900,
        "1," * 900 + "1",
        "word " * 3000,
        "1" * 9000,
    ):
        assert judge.judge("12", f"\\boxed{{{text}}}").category in ("wrong", "malformed", "timeout")


def _never(*asked: object) -> bool:
    raise AssertionError(f"asked for {asked}")


# Generated problems


def _one(helper: Helper, name: str, **settings: object) -> tuple[Judge, object]:
    made = Makers({name: settings}, 1, helper).problems(1, "train")[0][0]
    return Judge(30.0, helper), made


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("spell_backward", lambda answer: answer[::-1]),
        ("word_sorting", lambda answer: ", ".join(reversed(answer.split(", ")))),
        ("word_sequence_reversal", lambda answer: ", ".join(reversed(answer.split(", ")))),
        ("puzzle24", lambda answer: "24"),
        ("puzzle24", lambda answer: "4*6/(1*1)"),
        ("countdown", lambda answer: re.sub(r"[-+*/() ]+", " + ", answer)),
        ("mini_sudoku", lambda answer: "\n".join(line[::-1] for line in answer.splitlines())),
        ("manipulate_matrix", lambda answer: "0"),
        ("rotate_matrix", lambda answer: "0"),
        ("polynomial_multiplication", lambda answer: "7"),
        ("simple_integration", lambda answer: "3"),
        ("game_of_life_halting", lambda answer: {"True": "False", "False": "True"}[answer]),
        ("coin_flip", lambda answer: "0"),
        ("base_conversion", lambda answer: answer + "0"),
        ("chain_sum", lambda answer: answer + " 7"),
        ("number_sorting", lambda answer: answer.replace("[", "").replace("]", "")[::-1]),
        ("string_manipulation", lambda answer: answer[1:]),
        ("caesar_cipher", lambda answer: answer[::-1]),
    ],
)
def test_a_generators_own_scorer_judges(helper: Helper, name: str, wrong) -> None:
    judge, made = _one(helper, name)

    def ask(said: str):
        return judge.score(made.source, made.question, made.answer, f"\\boxed{{{said}}}")

    right = ask(made.answer)
    assert (right.category, right.score) == ("right", 1.0)
    found = ask(wrong(made.answer))
    assert found.category == "wrong" and found.score < 1.0


@pytest.mark.parametrize("name", ["graph_color", "propositional_logic", "rush_hour", "rubiks_cube", "boxnet"])
def test_where_no_answer_is_the_only_one_none_is_not_the_truth(helper: Helper, name: str) -> None:
    judge, made = _one(helper, name)
    assert made.answer == ""
    for said in ("None", "", "0"):
        found = judge.score(made.source, made.question, made.answer, f"\\boxed{{{said}}}")
        assert found.category == "wrong" and found.score < 1.0


def test_one_of_several_solutions_is_right(helper: Helper) -> None:
    judge, made = _one(
        helper, "graph_color", min_num_vertices=3, max_num_vertices=3, num_colors=3, edge_probability=0.9
    )
    colors = json.dumps({"0": 1, "1": 2, "2": 3})
    assert judge.score(made.source, made.question, "", f"\\boxed{{{colors}}}").score == 1.0
    same = json.dumps({"0": 1, "1": 1, "2": 1})
    assert judge.score(made.source, made.question, "", f"\\boxed{{{same}}}").score < 1.0


@pytest.mark.parametrize(
    "name", ["puzzle24", "countdown", "polynomial_multiplication", "string_insertion", "spiral_matrix"]
)
def test_nothing_that_a_model_wrote_is_evaluated(helper: Helper, tmp_path: Path, name: str) -> None:
    judge, made = _one(helper, name)
    mark = tmp_path / "mark"
    codes = ",".join(str(ord(sign)) for sign in f"import os; os.mkdir({str(mark)!r})")
    for said in (
        f"__import__('os').mkdir({str(mark)!r})",
        f"[__import__('os').mkdir({str(mark)!r})]",
        f"exec(bytes([{codes}]).decode())",
        "().__class__.__base__.__subclasses__()[0]",
        f"open({str(mark)!r}, 'w')",
        f"sympify(exec(bytes([{codes}])))",
    ):
        found = judge.score(made.source, made.question, made.answer, f"\\boxed{{{said}}}")
        assert found.score < 1.0
    assert not mark.exists()


def test_the_same_problems_whatever_hashes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of strings have another order in every process."""
    made = []
    for hashes in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", hashes)
        helper = Helper()
        made.append(Makers({"ransom_note": {}, "isomorphic_strings": {}}, 3, helper).problems(4, "train"))
        helper.close()
    assert made[0] == made[1]


def test_parts_of_a_score_are_a_setting() -> None:
    for parts, wanted in ((True, 0.5), (False, 0.0)):
        settings = MathSettings(
            generators={"polynomial_equations": {}}, train_problems=12, test_problems=1, partial_scores=parts
        )
        domain = MathDomain(settings)
        task = next(t for t in domain.tasks(Split.TRAIN) if t.payload["answer"].count(",") == 1)
        verdict = domain.check(task, [f"\\boxed{{{task.payload['answer'].split(',')[0]}}}"])
        assert (verdict.category, verdict.reward) == ("wrong", pytest.approx(wanted))


def test_fewer_problems_than_asked_for_are_told() -> None:
    settings = {"chain_sum": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}}
    domain = MathDomain(MathSettings(generators=settings, train_problems=5000, test_problems=5))
    assert any("of the 5000 problems asked for (train)" in line for line in domain.notices)


def test_a_generator_that_makes_nothing_in_time_is_named(
    helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocols.domains.math.generated._SILENCE_S", 0.0)
    with pytest.raises(SettingError, match=r"math.generators.sudoku: no problem in 0 s; give it easier"):
        Makers({"sudoku": {}}, 1, helper).problems(1, "train")


def test_another_version_of_a_generator_gives_no_verdict(helper: Helper) -> None:
    judge, made = _one(helper, "gcd")
    found = judge.score(made.source, "another question", made.answer, "\\boxed{-1}")
    assert found.category in ("wrong", "infra_error")
    found = judge.score(made.source, "another question", "x", "\\boxed{-1}")
    assert found.category == "infra_error" and "another problem" in found.detail


def test_lines_that_cannot_be_used_are_named_and_how_others_are_compared(tmp_path: Path) -> None:
    answers = ["4", "$$", "\\boxed{}", "\\frac{1}{", 1e-05, "x^2", "Thursday", "x^", float("nan")]
    path = tmp_path / "mixed.jsonl"
    path.write_text(
        "".join(json.dumps({"problem": f"{n}?", "answer": a}) + "\n" for n, a in enumerate(answers))
    )
    domain = MathDomain(MathSettings(train=str(path), test=(str(path),), demonstrations=0))
    assert [t.payload["answer"] for t in domain.tasks(Split.TEST)] == ["4", "1e-05", "x^2", "Thursday"]
    small = domain.tasks(Split.TEST)[1]
    assert domain.check(small, ["\\boxed{0.00001}"]).reward == 1.0
    told = "\n".join(domain.notices)
    assert "2 lines are left out, the answer is empty: line 2, 3" in told
    assert "2 lines are left out, the answer cannot be read as mathematics: line 4, 8" in told
    assert "no answer or solution or target: line 9" in told
    assert "answers are compared as mathematics 1, number 2, text 1" in told


def test_words_are_words() -> None:
    assert isinstance(read("hsihpleuG"), Words) and not isinstance(read("2 \\sin x"), Words)


def test_no_generator_takes_another_problems_answer_or_nonsense(helper: Helper) -> None:
    names = helper.ask(120.0, do="make", source={"name": ""})["known"]
    judge = Judge(3.0, helper)
    assert len(names) > 90
    for name in names:
        if name == "composite":  # made of others by its settings
            continue
        first, second = Makers({name: {}}, 1, helper).problems(2, "train")[0]

        def ask(said: str, of=first) -> float:
            return judge.score(of.source, of.question, of.answer, f"\\boxed{{{said}}}").score

        truth = first.answer
        assert not truth or ask(truth) == 1.0, name
        wrong = {second.answer, "0", "7", "None", "nonsense", truth[::-1]} - {truth, ""}
        for said in wrong:
            reordered = sorted(said.split(", ")) == sorted(truth.split(", "))
            if not reordered and name != "palindrome_generation":
                assert ask(said) < 1.0, (name, truth, said)
