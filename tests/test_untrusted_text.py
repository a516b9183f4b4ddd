"""Whatever a model writes ends as a task, a verdict or a named rejection, in every domain; nothing raises."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import config, preflight
from protocols.domain import Domain, Rejected, make_domain
from protocols.domains.zwc.domain import ZwcDomain
from protocols.records import CaseResult, Outcome, Program, Shaken, Split, Task, Verdict
from protocols.settings import ZwcSettings
from protocols.verdicts import STATUSES

DOMAINS = {
    "zwc": {"zwc": {"functions": 3, "tasks_per_function": 2, "test_tasks_per_function": 2}},
    "math": {"math": {"train_problems": 4, "test_problems": 4}},
    "mle": {},
    "tools": {},
}
PARTS = st.sampled_from(
    ["```python\n", "\n```", "~~~", "def solve(x):\n", "    return ", "\\boxed{", "}", "\\frac{1}{", "[",
     "](", "{", "zwc.", "import zwc\n", "Task: Given the numbers in `a`, return them.\n", "Input: ", "a = ",
     "[1, 2.5, -3]", "10**5000", "1e999", "{'a': 1}", "[[", "nan", "cd(folder='x')", "[ls()]", "\x00",
     "\ud83d", "\u200b", "9" * 5000, "(" * 300, "id,target\n1,0\n"]
)  # fmt: skip
TEXTS = st.lists(PARTS | st.text(max_size=12), max_size=14).map("".join)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(max_size=5)
    | st.sampled_from([10**4000, -(2**63), 1e308]),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@st.composite
def outcomes(draw: st.DrawFn, cases: int) -> Outcome:
    def values() -> tuple[Any, ...]:
        return tuple(draw(st.lists(PLAIN, min_size=cases, max_size=cases)))

    calls = tuple(draw(st.lists(st.text(min_size=1, max_size=3), max_size=3)))
    errors = [None, None, None, "ValueError: \ud83d", "TypeError: result is not plain data"]
    return Outcome(
        status=draw(st.sampled_from(["ok"] * 4 + sorted(STATUSES))),
        cases=tuple(CaseResult(value=v, error=draw(st.sampled_from(errors)), calls=calls) for v in values()),
        shaken=(Shaken(status="ok", values=values(), errors=(None,) * cases),),
        detail=draw(st.text(max_size=20)),
        stdout=draw(st.text(max_size=20)),
    )


@pytest.fixture(scope="module", params=DOMAINS)
def domain(request: pytest.FixtureRequest) -> Domain:
    chosen = {"domain": request.param, "proposer": {"per_round": 0}, **DOMAINS[request.param]}
    return make_domain(preflight.with_files(config.resolve(chosen)))


several = settings(max_examples=60, deadline=None)


@several
@given(data=st.data(), text=TEXTS)
def test_any_answer_and_any_outcome_end_in_a_verdict(domain: Domain, data: st.DataObject, text: str) -> None:
    task = domain.tasks(Split.TRAIN, limit=1)[0]
    check = domain.check(task, [text])
    verdict = check
    if isinstance(check, Program):
        verdict = domain.judge(task, "a", data.draw(outcomes(len(check.cases))))
    assert isinstance(verdict, Verdict) and verdict.category
    assert verdict.reward is None or 0 <= verdict.reward <= 1
    json.dumps(verdict.evidence)
    domain.mistake(task, text, verdict)
    domain.feedback(task, verdict)
    assert isinstance(domain.answer(task, text), str)


@pytest.fixture(scope="module")
def zwc() -> ZwcDomain:
    return ZwcDomain(ZwcSettings(functions=3))


@several
@given(text=TEXTS, seed=st.integers(0, 99))
def test_any_proposal_is_a_task_or_a_named_rejection(zwc: ZwcDomain, text: str, seed: int) -> None:
    try:
        task = zwc.parse_proposal(zwc.topics()[0], text, seed)
    except Rejected as error:
        assert error.reason.isidentifier()
    else:
        json.dumps(task.payload)


@several
@given(data=st.data())
def test_any_agreement_is_a_reference_or_a_named_rejection(zwc: ZwcDomain, data: st.DataObject) -> None:
    task: Task = zwc.parse_proposal(
        zwc.topics()[0], "Task: Given the numbers in `a`, return them all.\nInput: a = [1, 2.5, -3]", 1
    )
    cases = len(task.payload["cases"])
    one = data.draw(outcomes(cases))
    called = tuple(CaseResult(value=c.value, error=c.error, calls=(task.topics[0],)) for c in one.cases)
    agreeing = Outcome(status="ok", cases=called)
    truth = data.draw(st.none() | outcomes(cases))
    try:
        settled = zwc.consensus(task, [agreeing, agreeing, one], 0.5, truth)
    except Rejected as error:
        assert error.reason.isidentifier()
    else:
        json.dumps(settled.payload)
        assert zwc.judge(settled, "a", one).category
