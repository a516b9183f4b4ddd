"""Metrics against scikit-learn and hand-made numbers, submissions of every kind, the normalised score."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from protocols.domains.mle import competition, grading
from protocols.domains.mle.metrics import METRICS, Unusable, normalised, plain, table
from protocols.errors import ArtefactError, SettingError
from protocols.records import CaseResult, Outcome

Make = Callable[..., competition.Competition]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a competition with these answers, and load it."""

    def made(text: str | None, name: str = "one", **definition: object) -> competition.Competition:
        here = tmp_path / name
        (here / "prepared" / "public").mkdir(parents=True)
        (here / "prepared" / "private").mkdir()
        (here / "prepared" / "public" / "description.md").write_text("What to do.")
        if text is not None:
            (here / "prepared" / "private" / "test.csv").write_text(text)
        if definition:
            whole = {"metric": "accuracy", "id": "id", "targets": ["y"], "worst": 0, "best": 1} | definition
            (here / "competition.yaml").write_text(yaml.safe_dump(whole))
        return competition.load(tmp_path, name)

    return made


def rows(columns: dict[str, list]) -> str:
    lines = [",".join(columns)] + [",".join(map(str, row)) for row in zip(*columns.values())]
    return "\n".join(lines) + "\n"


numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=20)


@settings(deadline=None)
@given(pairs)
def test_errors_are_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    truth, said = (np.array(column)[:, None] for column in zip(*pairs))
    assert METRICS["rmse"].compute(truth, said) == pytest.approx(theirs.root_mean_squared_error(truth, said))
    assert METRICS["mae"].compute(truth, said) == pytest.approx(theirs.mean_absolute_error(truth, said))
    expected = theirs.root_mean_squared_log_error(abs(truth), abs(said))
    assert METRICS["rmsle"].compute(abs(truth), abs(said)) == pytest.approx(expected)
    if len(set(truth[:, 0])) > 1:
        assert METRICS["r2"].compute(truth, said) == pytest.approx(theirs.r2_score(truth, said), rel=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=20))
def test_labels_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    truth, said = zip(*pairs)
    a, b = table([truth], "labels"), table([said], "labels")
    assert METRICS["accuracy"].compute(a, b) == pytest.approx(theirs.accuracy_score(truth, said))
    expected = theirs.f1_score(truth, said, average="macro", zero_division=0.0)
    assert METRICS["macro_f1"].compute(a, b) == pytest.approx(expected)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.lists(st.floats(0.01, 1), min_size=3, max_size=3)), min_size=1)
)
def test_log_loss_is_scikit_learns(drawn: list[tuple[int, list[float]]]) -> None:
    said = np.array([p for _, p in drawn])
    said /= said.sum(axis=1, keepdims=True)
    classes = [c for c, _ in drawn]
    truth = np.eye(3)[classes]
    expected = theirs.log_loss(classes, said, labels=[0, 1, 2])
    assert METRICS["log_loss"].compute(truth, said) == pytest.approx(expected)
    binary = theirs.log_loss([c == 0 for c in classes], said[:, 0], labels=[False, True])
    assert METRICS["log_loss"].compute(truth[:, :1], said[:, :1]) == pytest.approx(binary)


def test_auc_is_the_mean_over_columns() -> None:
    truth = np.array([[0, 1], [1, 0], [1, 1], [0, 0.0]])
    said = np.array([[0.1, 0.9], [0.8, 0.2], [0.7, 0.1], [0.9, 0.3]])
    # By hand: in the first column 2 of 4 pairs are in order, in the second 2 of 4.
    assert METRICS["auc"].compute(truth, said) == pytest.approx(0.5)
    assert METRICS["auc"].compute(truth[:, :1], truth[:, :1]) == 1.0


@settings(deadline=None)
@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-10, 10))
def test_a_normalised_score_lies_between_worst_and_best(score: float, worst: float, best: float) -> None:
    if abs(best - worst) < 1e-6:
        return
    worth = normalised(score, worst, best)
    assert 0 <= worth <= 1
    assert (normalised(worst, worst, best), normalised(best, worst, best)) == (0, 1)
    if min(worst, best) < score < max(worst, best):
        assert worst + worth * (best - worst) == pytest.approx(score, abs=1e-6)


def test_the_scores_of_the_paper() -> None:
    known = competition.known()
    assert len(known) == 6
    spooky = known["spooky-author-identification"]
    assert normalised(0.45, spooky["worst"], spooky["best"]) == pytest.approx(0.7)
    assert all(one["metric"] in METRICS for one in known.values())
    assert [one["split"] for one in known.values()].count("train") == 3


@pytest.mark.parametrize(
    ("a", "b"), [("3", "3.0"), (" 3 ", "3"), ("+3", "3."), ("-0", "0.0"), ("-2", "-2.0"), ("x ", "x")]
)
def test_one_label_in_two_spellings(a: str, b: str) -> None:
    assert plain(a) == plain(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("3", "3.1"),
        ("a", "A"),
        ("nan", "0"),
        ("1e400", "inf!"),
        ("1_11_1", "11_1_1"),
        ("007", "7"),
        ("1e5", "100000"),
        ("1_0", "10"),
        ("\u0663", "3"),
        ("0x10", "16"),
    ],
)
def test_two_labels(a: str, b: str) -> None:
    assert plain(a) != plain(b)


@pytest.mark.parametrize("said", [["True", "False"], ["TRUE", "FALSE"], ["true", " False "]])
def test_truth_values_are_labels_however_they_are_written(said: list[str]) -> None:
    assert table([said], "labels").tolist() == table([["True", "False"]], "labels").tolist()
    assert table([["Yes"]], "labels").tolist() != table([["yes"]], "labels").tolist()


ANSWERS = rows({"id": [3, 1, 2, 4], "y": ["a", "b", "a", "c"]})

BAD = {
    "": "column 'id' is missing",
    "\x00\x01\x02": "column 'id' is missing",
    "y,z\n1,2\n": "column 'id' is missing",
    "id,z\n1,2\n": "column 'y' is missing",
    "id,y\n1,a\n": "1 rows where 4 are expected",
    "id,y\n1,a\n2,a\n3,a\n4,a\n5,a\n": "more than 4 rows",
    "id,y\n1,a\n1,a\n3,a\n4,a\n": "not those of the test data",
    "id,y\n1,a\n2\n3,a\n4,a\n": "row 2 has 1 values",
    'id,y\n1,"' + "x" * (2 << 20) + '"\n': "not a table",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_submissions_that_are_none(make: Make, text: str) -> None:
    with pytest.raises(Unusable, match=BAD[text]):
        grading.measure(make(ANSWERS, kind="tabular"), text)


@pytest.mark.parametrize(
    ("metric", "said", "why"),
    [
        ("rmse", ["1", "x", "3"], "'x' is not a number"),
        ("rmse", ["1", "nan", "3"], "not finite"),
        ("rmse", ["1", "1e999", "3"], "not finite"),
        ("rmse", ["1", "", "3"], "not a number"),
        ("rmse", ["1", "1e300", "3"], "its score is not finite"),
        ("rmsle", ["1", "-1", "3"], "above -1"),
        ("rmse", ["1", "1_0", "3"], "'1_0' is not a number"),
        ("rmse", ["1", "\u0663", "3"], "is not a number"),
        ("mae", ["1", "7", "3"], "between 0 and 5"),
    ],
)
def test_values_that_cannot_be_graded(make: Make, metric: str, said: list[str], why: str) -> None:
    limits = {"within": [0, 5]} if metric == "mae" else {}
    one = make(rows({"id": [1, 2, 3], "y": [1, 2, 4]}), metric=metric, worst=1, best=0, **limits)
    with pytest.raises(Unusable, match=why):
        grading.measure(one, rows({"id": [1, 2, 3], "y": said}))


@pytest.mark.parametrize(
    ("said", "why"), [([[0.5, 0.6], [1, 0]], "sum to 1"), ([[-0.5, 1.5], [1, 0]], "between 0 and 1")]
)
def test_rows_that_are_no_probabilities(make: Make, said: list[list[float]], why: str) -> None:
    answers = rows({"id": [1, 2], "a": [1, 0], "b": [0, 1]})
    one = make(answers, metric="log_loss", targets=["a", "b"], worst=1, best=0)
    a, b = zip(*said)
    with pytest.raises(Unusable, match=why):
        grading.measure(one, rows({"id": [1, 2], "a": list(a), "b": list(b)}))


def test_rows_and_columns_may_come_in_any_order(make: Make) -> None:
    one = make(ANSWERS, kind="tabular")
    assert grading.measure(one, "z,y,id\n0,c,4\n0,a,2.0\n0,b,1\n0,c,3\n") == 0.75
    assert grading.measure(one, "\ufeffid,y\r\n1,b\r\n2,a\r\n\r\n3,a\r\n4,c\r\n") == 1.0


def test_the_right_submission_in_any_order_scores_whatever_ids_look_like(make: Make) -> None:
    ids = ["1_11_1", "11_1_1", "007", "7", "1e5", "100000", "0.10", "0.1", "x"]
    one = make(rows({"id": ids, "y": list("abcdefghi")}), kind="tabular")
    for shift in range(len(ids)):
        moved = ids[shift:] + ids[:shift]
        said = [dict(zip(ids, "abcdefghi"))[text] for text in moved]
        assert grading.measure(one, rows({"id": moved, "y": said})) == 1.0


def test_sums_and_values_just_inside_the_limits_count(make: Make) -> None:
    one = make(rows({"id": [1], "a": [1], "b": [0]}), metric="log_loss", targets=["a", "b"], worst=1, best=0)
    assert grading.measure(one, rows({"id": [1], "a": [0.9], "b": [0.100009]})) == pytest.approx(
        0.10536, abs=1e-4
    )
    other = make(rows({"id": [1, 2], "y": [1, 2]}), "other", metric="rmsle", worst=9, best=0)
    assert grading.measure(other, rows({"id": [1, 2], "y": [-0.5, 2]})) > 0


def test_ids_may_be_texts_that_repeat(make: Make) -> None:
    answers = 'Usage,Comment,Insult\nx,"a, ""b""\nc",1\nx,same,0\nx,same,0\n'
    one = make(answers, metric="auc", id="Comment", targets=["Insult"])
    assert grading.measure(one, 'Comment,Insult\nsame,0.1\n"a, ""b""\nc",0.9\nsame,0.2\n') == 1.0


def test_rows_marked_as_skipped_do_not_count(make: Make) -> None:
    answers = rows({"id": [1, 2, 3, 4], "a": [0, 1, -1, 0], "b": [1, 0, -1, 0]})
    one = make(answers, metric="auc", targets=["a", "b"], skip=-1)
    said = rows({"id": [1, 2, 3, 4], "a": [0.1, 0.9, 0.5, 0.2], "b": [0.8, 0.1, 0.5, 0.3]})
    assert grading.measure(one, said) == 1.0


WRONG: dict[str, tuple[str | None, dict, str]] = {
    "no answers": (None, {"kind": "x"}, "no answers in"),
    "answers under another name": (ANSWERS, {"answers": "gold.csv"}, "looked for gold.csv"),
    "an unknown metric": (ANSWERS, {"metric": "gini"}, "metric 'gini' is unknown; choose accuracy"),
    "nothing known": (ANSWERS, {}, "nothing is known about its grading; write"),
    "a key too many": (ANSWERS, {"grader": "x"}, "grader: Extra inputs are not permitted"),
    "a value of another kind": (ANSWERS, {"worst": "low"}, "worst: "),
    "the wrong way round": (ANSWERS, {"worst": 1, "best": 0}, "best 0 is not above worst 1"),
    "no range": (ANSWERS, {"worst": 1, "best": 1}, "best 1 is not above worst 1"),
    "a column that is not there": (ANSWERS, {"targets": ["z"]}, "column 'z' is missing"),
    "texts where numbers belong": (ANSWERS, {"metric": "rmse", "worst": 1, "best": 0}, "metric rmse fails"),
    "one class for AUC": (rows({"id": [1, 2], "y": [1, 1]}), {"metric": "auc"}, "metric auc fails on"),
    "a range for labels": (ANSWERS, {"within": [0, 1]}, "within: only for metrics of numbers"),
    "labels to skip": (ANSWERS, {"skip": -1}, "skip: only for metrics of numbers"),
    "no range of values": (
        rows({"id": [1, 2], "y": [0.5, 1]}),
        {"metric": "rmse", "worst": 1, "best": 0, "within": [1, 1]},
        "within: 1 is not below 1",
    ),
    "only a header": ("id,y\n", {"kind": "x"}, "there is a header, and no row"),
    "ids that are one": ("id,y\n3,a\n3.0,b\n", {"kind": "x"}, "the ids '3' and '3.0' are one"),
    "an id with two answers": ("id,y\nx,a\nx,b\n", {"kind": "x"}, "the ids 'x' and 'x' are one"),
    "no classes for log loss": (
        rows({"id": [1, 2], "y": [0.5, 1]}),
        {"metric": "log_loss", "worst": 1, "best": 0},
        "metric log_loss fails on the answers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_competition_that_is_not_in_order_is_one_line(make: Make, case: str) -> None:
    answers, definition, said = WRONG[case]
    with pytest.raises(ArtefactError) as error:
        assert make(answers, **definition).answers
    assert said in str(error.value) and "\n" not in str(error.value)


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is not a folder"):
        competition.names(tmp_path / "no")
    with pytest.raises(SettingError, match="holds no competition"):
        competition.names(tmp_path)
    (tmp_path / "one" / "prepared" / "public").mkdir(parents=True)
    (tmp_path / "one" / "competition.yaml").write_text("metric: [")
    with pytest.raises(ArtefactError, match=r"competition\.yaml: cannot be read"):
        competition.load(tmp_path, "one")
    (tmp_path / "one" / "competition.yaml").write_text(
        "{metric: mae, id: a, targets: [b], worst: 1, best: 0}"
    )
    with pytest.raises(ArtefactError, match="is missing or empty"):
        competition.load(tmp_path, "one")


def ended(value: object = None, status: str = "ok", detail: str = "") -> Outcome:
    return Outcome(status=status, detail=detail, cases=(CaseResult(value=value),) if status == "ok" else ())


@pytest.mark.parametrize(
    ("outcome", "category"),
    [
        (ended({"error": "", "kind": "", "submission": "id,y\n1,b\n2,a\n3,a\n4,c\n"}), "scored"),
        (ended({"error": "", "kind": "", "submission": None}), "no_submission"),
        (ended({"error": "", "kind": "", "submission": 7}), "no_submission"),
        (ended({"error": "", "kind": "", "submission": "id"}), "bad_submission"),
        (ended({"error": "line 1: x\nNameError: x", "kind": "NameError"}), "runtime_error"),
        (ended({"error": "line 1", "kind": "IndentationError"}), "syntax_error"),
        (ended("rubbish"), "runtime_error"),
        (ended({}), "no_submission"),
        (ended(status="timeout", detail="no end after 4 s"), "timeout"),
        (ended(status="memory"), "memory"),
        (ended(status="output_limit"), "output_limit"),
    ],
)
def test_what_outcomes_mean(make: Make, outcome: Outcome, category: str) -> None:
    from protocols.verdicts import CATEGORIES

    verdict = grading.judge(make(ANSWERS, kind="x"), "a", outcome)
    assert verdict.category == category and category in CATEGORIES
    assert verdict.reward == (1.0 if category == "scored" else 0.0)
    told = grading.feedback(verdict, 600, show_score=True)
    assert told.startswith("Score: 1 (accuracy" if category == "scored" else ("line 1", category))
    assert grading.feedback(verdict, 0, show_score=False) == ""
    assert len(grading.feedback(verdict, 10, show_score=False)) <= 13


def test_a_failure_of_the_sandbox_has_no_reward(make: Make) -> None:
    verdict = grading.judge(make(ANSWERS, kind="x"), "a", ended(status="infra_error", detail="it died"))
    assert (verdict.reward, verdict.infra_error) == (None, "it died")
    assert grading.feedback(verdict, 600, True) == ""


def test_a_metric_that_fails_later_has_no_reward(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make(ANSWERS, kind="x")
    assert one.answers

    def fail(truth: object, said: object) -> float:
        raise ZeroDivisionError("no\nreason")

    monkeypatch.setitem(METRICS, "accuracy", METRICS["accuracy"]._replace(compute=fail))
    verdict = grading.judge(one, "a", ended({"submission": "id,y\n1,b\n2,a\n3,a\n4,c\n"}))
    assert (verdict.reward, verdict.category) == (None, "infra_error")
    assert verdict.infra_error == "competition one: metric accuracy failed (no reason)"


def test_the_answers_are_in_no_evidence(make: Make) -> None:
    secret = rows({"id": [1, 2], "y": ["hidden-a", "hidden-b"]})
    one = make(secret, kind="x")
    for text in ("id,y\n1,x\n2,x\n", "id,y\n1,x\n", "id\n", "id,y\n1,x\n9,x\n"):
        verdict = grading.judge(one, "a", ended({"submission": text}))
        assert "hidden" not in str(verdict.evidence)
    assert math.isclose(verdict.reward or 0.0, 0.0)
