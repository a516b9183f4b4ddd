"""Greedy search over improvements: what is shown, what counts; and played with scripted answers."""

from pathlib import Path

import pytest

from actors.engines import scripted
from actors.engines.base import Request
from experiments import iterate
from experiments.search import Line
from protocols.domains.mle import prompts
from protocols.records import Turn

STEPS = 7


def turn(name: str, reward: float | None, feedback: str = "") -> Turn:
    return Turn(attempt_id=name, response=name, reward=reward, feedback=feedback)


def shown(line: Line) -> str:
    return line.shown.attempt_id + "/" + line.counts.attempt_id


def test_the_last_answer_is_shown_and_counts_where_nothing_is_selected() -> None:
    line = Line(turn("a", 1.0), "last", 3)
    line.take(turn("b", 0.0, "it failed"))
    assert shown(line) == "b/b"


def test_the_best_answer_is_improved_and_failures_are_repaired_for_a_while() -> None:
    line = Line(turn("a", 0.5), "best", 2)
    steps = [
        (turn("b", 0.4), "a/a"),  # worse: back to the best
        (turn("c", 0.0, "error"), "c/a"),  # failed: repair
        (turn("d", 0.0, "error"), "d/a"),
        (turn("e", 0.0, "error"), "a/a"),  # twice is enough
        (turn("f", 0.0, "error"), "f/a"),
        (turn("g", 0.8), "g/g"),
        (turn("h", 0.8), "g/g"),  # the first of equals
        (turn("i", None), "g/g"),  # a failure of the sandbox is none of the answer
        (turn("j", 0.0), "g/g"),  # it ran, and is worth nothing
    ]
    for taken, expected in steps:
        line.take(taken)
        assert shown(line) == expected, taken
    first = Line(turn("a", 0.0, "error"), "best", 0)
    assert shown(first) == "a/a"
    first.take(turn("b", None))
    assert shown(first) == "a/a"
    first.take(turn("c", 0.0))  # it ran
    assert shown(first) == "c/c"


def test_a_policy_that_repairs_and_then_breaks_keeps_its_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First a typing error, then the sample submission, then a guess that is better, then errors only."""
    monkeypatch.setenv("TASKSPACE_CACHE", str(tmp_path))
    copy = "import pandas as pd\nt = pd.read_csv(PUBLIC_RESOURCE_PATH + '/sample_submission.csv')\n{}\n"
    copy += "t.to_csv('submission.csv', index=False)"
    read = "x = pd.read_csv(PUBLIC_RESOURCE_PATH + '/test.csv')\n"
    better = copy.format(read + "t['cultivar'] = (x['alcohol'] < 12.9).astype(int)")
    seen = []

    def tell(request: Request, version: int) -> str:
        asked = request.prompt.messages[-1].content
        script = asked.split("```python\n")[1].split("\n```")[0]
        seen.append((prompts.DEBUG in asked, script))
        step = len(seen) - (STEPS + 1)  # after the independent answers
        return f"```python\n{ {2: copy.format(''), 3: better}.get(step, f'x{step} = (') }\n```"

    monkeypatch.setattr(scripted, "copy_the_shape", tell)
    from memory.artefacts import fetch_model

    overrides = [
        "domain=mle", "engine.kind=scripted", "sandbox.workers=1", "sandbox.memory_mb=1024",
        "sandbox.wall_s=60", "sandbox.cpu_s=30", 'mle.test=["wine-cultivars"]', "mle.debug_depth=2",
        "evaluation.sampling.max_tokens=512",
    ]  # fmt: skip
    model = str(fetch_model("tiny-random"))
    told = iterate.iterate(model, STEPS, "closed", "test", "all", 1, None, {}, overrides, tmp_path, True)
    assert told["keeps"] == "best"
    accuracy = [row["accuracy"] for row in told["steps"]]
    assert accuracy[:3] == [0.0, 0.0, pytest.approx(0.0, abs=0.01)]
    assert 0.1 < accuracy[3] < 1 and accuracy[4:] == [accuracy[3]] * (STEPS - 3)
    # Repaired until it runs; then the best is improved, and two failures in a row are repaired.
    assert [debug for debug, _ in seen[STEPS + 1 :]] == [True, True, False, False, True, True, False]
    assert [script for _, script in seen[-4:]] == [better, "x4 = (", "x5 = (", better]
    assert told["steps"][-1]["best"]["accuracy"] == 0.0
    assert "the best answer so far counts" in " ".join(
        iterate.text(told).split()
    )  # wrapped where the path ends
