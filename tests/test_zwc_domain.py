"""The zwc domain from task to verdict, through the real sandbox."""

import json
from pathlib import Path

import pytest

from actors.sandbox.pool import SandboxPool
from protocols.domain import make_domain
from protocols.domains.zwc import bank
from protocols.errors import SettingError
from protocols.iteration import start_of
from protocols.records import Book, Origin, Outcome, Program, Split, Step, Turn
from protocols.settings import RunSettings, SandboxSettings, ZwcSettings


def domain_of(**zwc):
    return make_domain(RunSettings(zwc=ZwcSettings(**zwc)))


@pytest.fixture(scope="module")
def domain():
    return domain_of(functions=12)


@pytest.fixture(scope="module")
def pool():
    with SandboxPool(SandboxSettings(workers=2)) as made:
        yield made


def verdicts(domain, pool, tasks, responses):
    checks = [domain.check(t, [r]) for t, r in zip(tasks, responses, strict=True)]
    assert all(isinstance(c, Program) for c in checks)
    return [domain.judge(t, t.id, o) for t, o in zip(tasks, pool.run(checks), strict=True)]


def fenced(code):
    return f"Sure.\n```python\n{code}\n```"


def test_every_function_of_the_bank_is_solved_by_its_own_answer(pool):
    domain = domain_of(functions=0, test_tasks_per_function=1, tasks_per_function=1, demonstrations=0)
    tasks = domain.tasks(Split.TEST, "single")
    assert len(tasks) == len(bank.NAMES) >= 120
    found = verdicts(domain, pool, tasks, [fenced(t.payload["solution"]) for t in tasks])
    failed = {t.payload["solution"]: v for t, v in zip(tasks, found) if v.reward != 1.0}
    assert failed == {}


def test_multi_function_tasks_are_solved_by_their_own_answers(domain, pool):
    tasks = domain.tasks(Split.TRAIN, "multi", 24)
    assert {len(t.topics) for t in tasks} == {2, 3}
    found = verdicts(domain, pool, tasks, [fenced(t.payload["solution"]) for t in tasks])
    assert [v.category for v in found] == ["correct"] * len(tasks)


def test_another_function_is_wrong_and_pure_python_is_no_library_call(domain, pool):
    tasks = domain.tasks(Split.TRAIN, "single", 12)
    others = [*tasks[1:], tasks[0]]
    body = "    return {}.{}({})"
    swapped = [
        f"def solve({', '.join(t.payload['parameters'])}):\n"
        + body.format("zwc", o.topics[0], t.payload["parameters"][0])
        for t, o in zip(tasks, others)
    ]
    assert all(v.reward == 0.0 for v in verdicts(domain, pool, tasks, map(fenced, swapped)))
    mean = next(t for t in tasks if t.topics == (domain.library.entries["mean"],))
    plain = f"def solve(x):\n    zwc.{mean.topics[0]}([1])\n    return sum(x) / len(x)"
    assert verdicts(domain, pool, [mean], [fenced(plain)])[0].category == "no_library_call"


def test_closed_book_shows_the_task_and_nothing_of_the_package(domain):
    for task in domain.tasks(Split.TEST):
        prompt = domain.prompt(task, start_of(task, Book.CLOSED), Book.CLOSED)
        text = "\n".join(m.content for m in prompt.messages)
        assert task.statement in text and "def solve(" in text and prompt.prefill == ""
        assert not [name for name in domain.library.public if name in text]
        assert ">>>" not in text


def test_open_book_has_the_documentation_and_demonstrations_of_other_functions(domain):
    task = domain.tasks(Split.TRAIN, "single", 1)[0]
    prompt = domain.prompt(task, start_of(task, Book.OPEN), Book.OPEN)
    assert domain.documentation[task.topics[0]] in prompt.messages[-1].content
    shown = "\n".join(m.content for m in prompt.messages[:-1])
    assert not [t for t in domain.topics() if f"zwc.{t}(" in shown]
    assert prompt.prefill.endswith("def solve(")


def test_what_is_learned_open_book_has_documentation_but_no_demonstrations(domain):
    task = domain.tasks(Split.TRAIN, "single", 1)[0]
    start = start_of(task, Book.OPEN)
    learned = domain.learning_prompt(task, start, Book.OPEN)
    assert domain.documentation[task.topics[0]] in learned.messages[-1].content
    assert len(learned.messages) == 2 and learned.prefill == ""
    assert domain.learning_prompt(task, start, Book.CLOSED) == domain.prompt(
        task, start_of(task, Book.CLOSED), Book.CLOSED
    )


def test_a_revision_shows_the_answer_it_starts_from(domain):
    task = domain.tasks(Split.TRAIN, "single", 1)[0]
    turn = Turn(attempt_id="a", response="my answer", reward=0.0)
    prompt = domain.prompt(task, start_of(task, Book.CLOSED, Step.IMPROVE, [turn]), Book.CLOSED)
    assert [m.role for m in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.messages[2].content == "my answer"


def test_a_revision_may_be_told_how_the_program_failed_and_never_what_is_right(pool):
    telling = domain_of(functions=4, feedback=True)
    task = telling.tasks(Split.TRAIN, "multi", 1)[0]
    parameters = ", ".join(task.payload["parameters"])
    right = f"```python\nimport zwc\n\n{task.payload['solution']}\n```"
    failing = f"```python\nimport zwc\n\ndef solve({parameters}):\n    return zwc.nothing(1)\n```"
    wrong = f"```python\nimport zwc\n\ndef solve({parameters}):\n    return 'no'\n```"
    outcomes = pool.run([telling.check(task, [answer]) for answer in (right, failing, wrong)])
    verdicts = [telling.judge(task, "a", outcome) for outcome in outcomes]
    told = [telling.feedback(task, verdict) for verdict in verdicts]
    assert told[0] == told[2] == "" and "AttributeError" in told[1]
    assert domain_of(functions=4).feedback(task, verdicts[1]) == ""
    turn = Turn(attempt_id="a", response=failing, reward=0.0, feedback=told[1])
    prompt = telling.prompt(task, start_of(task, Book.CLOSED, Step.IMPROVE, [turn]), Book.CLOSED)
    assert prompt.messages[-1].content.startswith(told[1])


def test_an_answer_without_code_is_malformed_and_a_sandbox_failure_is_no_reward(domain):
    task = domain.tasks(Split.TRAIN, "single", 1)[0]
    assert domain.check(task, ["I do not know."]).category == "malformed"
    verdict = domain.judge(task, "a", Outcome(status="infra_error", detail="helper died"))
    assert (verdict.reward, verdict.infra_error) == (None, "helper died")


def test_a_proposal_becomes_a_task_by_consensus_and_its_truth_is_known(domain, pool):
    topic = domain.library.entries["cumsum"]
    text = "Task: Given daily rain in `rain`, return the running total of it.\nInput: rain = [3, 1, 4, 1]"
    task = domain.parse_proposal(topic, text, seed=5)
    assert task.origin is Origin.PROPOSED and task.reference is None
    right = fenced(f"def solve(rain):\n    return zwc.{topic}(rain)")
    wrong = fenced(f"def solve(rain):\n    return zwc.{topic}(zwc.{domain.library.entries['sort']}(rain))")
    outcomes = pool.run([domain.check(task, [r]) for r in (right, right, wrong)])
    truth = pool.run([domain.truth_program(task)])[0]
    settled = domain.consensus(task, outcomes, 0.5, truth)
    assert settled.truth_agrees is True and settled.id == task.id
    assert [domain.judge(settled, "a", o).category for o in outcomes] == [
        "correct",
        "correct",
        "wrong_answer",
    ]
    noisy = domain.consensus(task, [outcomes[2], outcomes[2], outcomes[0]], 0.5, truth)
    assert noisy.truth_agrees is False
    assert domain.consensus(task, outcomes, 0.5).truth_agrees is None


def test_the_same_settings_make_the_same_world():
    one, two = domain_of(functions=5), domain_of(functions=5)
    assert one.tasks(Split.TRAIN) == two.tasks(Split.TRAIN)
    assert one.documentation == two.documentation
    assert domain_of(functions=5, seed=8).topics() != one.topics()


@pytest.mark.parametrize("split", Split)
def test_tasks_of_three_functions_are_solved_by_their_own_answers(pool, split):
    domain = domain_of(functions=0, tasks_per_function=1, test_tasks_per_function=1, multi_least=3)
    tasks = domain.tasks(split, "multi")[::5]
    assert len(tasks) >= 50 and all(len(t.topics) >= 3 for t in tasks)
    found = verdicts(domain, pool, tasks, [fenced(t.payload["solution"]) for t in tasks])
    assert {t.payload["solution"]: v.evidence for t, v in zip(tasks, found) if v.reward != 1.0} == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_every_function_in_both_splits_is_solved_by_its_own_answers_for_any_seed(pool, seed):
    domain = domain_of(
        functions=0,
        seed=seed,
        tasks_per_function=2,
        test_tasks_per_function=2,
        demonstrations=0,
        multi_least=3,
    )
    for split in Split:
        tasks = domain.tasks(split)
        assert {t.topics[0] for t in tasks} == set(domain.topics())
        found = verdicts(domain, pool, tasks, [fenced(t.payload["solution"]) for t in tasks])
        assert {t.payload["solution"]: v.evidence for t, v in zip(tasks, found) if v.reward != 1.0} == {}


def test_every_name_of_the_authors_list_can_be_chosen_and_others_are_named():
    names = tuple(json.loads((Path(__file__).parent / "data" / "sebench_names.json").read_text())["names"])
    domain = domain_of(names=names, tasks_per_function=1)
    assert len(domain.topics()) == 278 and [t.topics[0] for t in domain.tasks(Split.TRAIN, "single")] == list(
        domain.topics()
    )
    assert len(domain._demonstrations) == 3
    for wrong, near in (("inv", "linalg.inv, ..."), ("cumsim", "cumsum, ..."), ("frobnicate", "mean, ")):
        with pytest.raises(SettingError, match=f"zwc.names: '{wrong}' has no task bank.*: {near}"):
            domain_of(names=("mean", wrong))


def test_a_task_about_a_constructor_is_not_solved_without_it(pool):
    domain = domain_of(names=("array", "copy", "mean"), tasks_per_function=1)
    tasks = domain.tasks(Split.TRAIN, "single")
    answers = [
        "def solve(x):\n    return [x]",
        "def solve(x):\n    return x",
        f"def solve(x):\n    return zwc.{domain.library.entries['array']}(sum(x) / len(x))",
    ]
    found = verdicts(domain, pool, tasks, [fenced(a) for a in answers])
    assert [v.category for v in found] == ["no_library_call"] * 3
