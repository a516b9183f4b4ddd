"""What is told while a run goes on."""

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import config
from experiments import progress as progress_module
from experiments.progress import RunProgress, TimeLeft
from protocols.settings import RunSettings

SETTINGS = RunSettings.model_validate(
    {
        "rounds": 3,
        "solver": {"groups_per_round": 10},
        "evaluation": {"tasks": 4},
        "curator": {"experience": "all"},
    }
)


def test_nothing_is_promised_before_anything_was_measured() -> None:
    assert TimeLeft(SETTINGS).seconds(learned=False) is None


def test_time_left_counts_what_is_still_to_do() -> None:
    """Round 1 took 5 s to propose, 20 s for 10 groups, 30 s to learn; measuring takes 1 s a task."""
    left = TimeLeft(SETTINGS)
    left.batch("evaluate", 4, 4.0)
    left.round = 1
    left.played = {"collect": 0, "evaluate": 0}
    left.proposals(5.0)
    left.batch("collect", 10, 20.0)
    left.update(1, 30.0)
    # still: 4 s measuring; rounds 2 and 3: 5 + 20 + 4 s each; learning on 2 and 3 times as much
    assert left.seconds(learned=True) == 4 + 2 * (5 + 20 + 4) + 60 + 90
    left.batch("evaluate", 3, 3.0)
    assert left.seconds(learned=True) == 1 + 2 * (5 + 20 + 4) + 60 + 90


@given(st.lists(st.tuples(st.sampled_from(["collect", "evaluate"]), st.integers(1, 9), st.floats(0, 99))))
def test_time_left_is_never_negative(batches: list[tuple[str, int, float]]) -> None:
    left = TimeLeft(SETTINGS)
    for purpose, groups, seconds in batches:
        left.batch(purpose, groups, seconds)
    assert (left.seconds(learned=False) or 0.0) >= 0.0


def story(progress: RunProgress) -> None:
    tell = progress.notify
    tell("started", {"runtime": "inline", "run_dir": "x"})
    tell("batch", {"round": 0, "purpose": "evaluate", "total": 4, "groups": 4, "attempts": 4, "verified": 0})
    tell("evaluation", {"round": 0, "book": "closed", "version": 0, "accuracy": 0.0, "attempts": 4})
    tell("proposals", {"round": 1, "proposals": 6, "rejected": {"unparsed": 2}})
    for _ in range(5):
        tell(
            "batch",
            {"round": 1, "purpose": "collect", "total": 10, "groups": 2, "attempts": 4, "verified": 1},
        )
    tell("update", {"round": 1, "version": 1, "samples": 5, "tokens": 100, "loss": 0.5, "seconds": 2.0})
    tell("evaluation", {"round": 1, "book": "closed", "version": 1, "accuracy": 0.75, "attempts": 4})
    tell("round", {"round": 1, "rounds": 3})


def test_plain_lines_tell_the_story_without_escape_codes() -> None:
    out = io.StringIO()
    with RunProgress(SETTINGS, stream=out) as progress:
        story(progress)
    text = out.getvalue()
    assert "\x1b" not in text and "\r" not in text
    for part in (
        "proposals 6",
        "unparsed 2",
        "10/10 groups: 20 attempts, 25 % verified",
        "version 1 on 5 answers",
        "75.0 %",
    ):
        assert part in text
    assert "50 tokens/s" in text
    assert text.count("collected") == 1  # batches are not told one by one


def heartbeats(settings: RunSettings, monkeypatch: pytest.MonkeyPatch, *told: tuple[str, dict]) -> list[str]:
    """What is said to be under way after each of these."""
    monkeypatch.setattr(progress_module, "HEARTBEAT_S", 0.01)
    found = []
    for i in range(len(told)):
        out = io.StringIO()
        with RunProgress(settings, stream=out) as progress:
            for kind, facts in told[: i + 1]:
                progress.notify(kind, facts)
            deadline = time.monotonic() + 10
            while "still" not in out.getvalue() and time.monotonic() < deadline:
                time.sleep(0.01)
        found.append(out.getvalue().split("still ")[1].split()[0])
    return found


def test_what_is_said_to_be_under_way_is_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"version": 0, "accuracy": 0.0, "attempts": 4}
    told = [
        ("started", {"runtime": "ray"}),
        ("evaluation", {"round": 0, "book": "closed", **measured}),
        ("evaluation", {"round": 0, "book": "open", **measured}),
        ("update", {"round": 1, "version": 1, "samples": 5, "tokens": 100, "loss": 0.5, "seconds": 2.0}),
        ("evaluation", {"round": 1, "book": "closed", **measured}),
        ("round", {"round": 1, "rounds": 3}),
    ]
    began = ["measuring", "measuring"]
    found = heartbeats(SETTINGS, monkeypatch, *told)
    assert found == [*began, "proposing", "measuring", "proposing", "proposing"]
    source = SETTINGS.curator.model_copy(update={"source": "another"})
    borrowed = SETTINGS.model_copy(update={"curator": source})
    found = heartbeats(borrowed, monkeypatch, *told)
    assert found == [*began, "learning", "measuring", "learning", "learning"]


def test_a_terminal_gets_a_bar_and_the_same_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with RunProgress(SETTINGS, stream=out) as progress:
        story(progress)
    assert "75.0 %" in out.getvalue()


def test_quiet_says_nothing() -> None:
    out = io.StringIO()
    with RunProgress(config.load("smoke"), quiet=True, stream=out) as progress:
        story(progress)
    assert out.getvalue() == ""
