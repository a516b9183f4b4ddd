"""Stored episodes are shown role by role, and nothing in them acts on the terminal."""

import io
import re
from pathlib import Path

import pytest
from demo_run import MARK, DemoRun
from rich.console import Console

from experiments import replay
from experiments.timeline import LONGEST_S, Clock, offset
from memory.moments import moments
from memory.reader import RunReader
from protocols.errors import SettingError


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "hostile"
    with DemoRun(folder, seed=2, hostile=True) as run:
        run.play_round()
        run.play_round()
    return folder


def printed(run_dir: Path, rows: list[dict]) -> str:
    out = io.StringIO()
    replay.show(run_dir, rows, Console(file=out, width=100, force_terminal=False))
    return out.getvalue()


def test_all_roles_have_their_panel(run_dir: Path) -> None:
    with RunReader(run_dir / "run.db") as reader:
        found = reader.episodes(limit=1, origin="proposed", trained=True)[0]["id"]
    text = printed(run_dir, replay.choose(run_dir, found, None, None, 1))
    for role in ("proposer", "solver was asked", "solver answered", "verifier", "curator", "learner"):
        assert role in text
    assert found in text and "learned from it: version" in text


def test_hostile_answers_are_printed_as_plain_text(run_dir: Path) -> None:
    rows = [row for row in replay.choose(run_dir, None, None, None, None) if MARK in row["response"]]
    text = printed(run_dir, rows[:12])
    assert MARK in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", text)
    assert len(text) < 400_000  # 1 MB lines are cut
    assert "[x](javascript" in text or "<script>" in text or ":red[colour]" in text  # markup is not eaten


def test_choosing_by_round_task_and_beginning_of_an_id(run_dir: Path) -> None:
    rows = replay.choose(run_dir, None, None, 2, None)
    assert rows and {row["round"] for row in rows} == {2}
    one = rows[0]
    assert [row["id"] for row in replay.choose(run_dir, one["id"], None, None, 5)] == [one["id"]]
    same = replay.choose(run_dir, None, one["task_id"][:12], None, None)
    assert one["id"] in {row["id"] for row in same}
    assert {row["task_id"][:12] for row in same} == {one["task_id"][:12]}


def test_without_a_filter_the_newest_verified_episode_comes_first(run_dir: Path) -> None:
    row = replay.choose(run_dir, None, None, None, 1)[0]
    assert row["reward"] == 1.0 and row["purpose"] == "collect" and row["round"] == 2


def test_a_percent_sign_is_no_wildcard(run_dir: Path) -> None:
    with pytest.raises(SettingError, match="--episode %"):
        replay.choose(run_dir, "%", None, None, 1)


def test_json_holds_the_whole_episode(run_dir: Path) -> None:
    rows = replay.choose(run_dir, None, None, None, 2)
    for row, episode in zip(rows, replay.as_json(run_dir, rows), strict=True):
        assert episode["attempt"]["id"] == row["id"]
        assert episode["attempt"]["response"] == row["response"]
        assert len(episode["attempt"]["logprobs"]) > 0
        assert episode["verdict"]["category"] == row["category"]
        assert episode["prompt"]["messages"] and episode["decisions"]
        assert episode["moments"]["answers"][0][0] < episode["moments"]["admitted"]


def test_steps_come_in_the_time_of_the_original(run_dir: Path) -> None:
    rows = replay.choose(run_dir, None, None, 1, None)[:6]
    with RunReader(run_dir / "run.db") as reader:
        for row in rows:
            when = moments(reader, reader.attempt(row["id"]))
            steps = [when.began, *(at for pair in when.answers for at in pair), when.judged, when.admitted]
            assert steps == sorted(steps)
            assert when.learned is None or when.learned >= when.admitted
            group = reader.row("SELECT seconds FROM groups WHERE id = ?", [row["group_id"]])
            assert when.answers[-1][1] - when.answers[0][0] == pytest.approx(group["seconds"], abs=1e-3)


@pytest.mark.parametrize("speed", [0.0, 1.0, 20.0])
def test_the_clock_waits_by_its_speed_and_never_long(run_dir: Path, speed: float) -> None:
    waited: list[float] = []
    out = io.StringIO()
    rows = replay.choose(run_dir, None, None, None, 2)
    clock = Clock(speed, waited.append)
    replay.show(run_dir, rows, Console(file=out, width=100, force_terminal=False), clock)
    with RunReader(run_dir / "run.db") as reader:
        first = moments(reader, reader.attempt(rows[0]["id"]))
    assert f"+{first.answers[0][1] - first.began:.1f} s" in out.getvalue() or "min" in out.getvalue()
    if not speed:
        assert waited == []
    else:
        assert waited and max(waited) <= LONGEST_S
        asked, answered = first.answers[0]
        assert any(seconds == pytest.approx((answered - asked) / speed, abs=1e-6) for seconds in waited)


def test_offsets_are_read_at_a_glance() -> None:
    assert [offset(s) for s in (0, 3.21, 250, 7500)] == ["+0.0 s", "+3.2 s", "+4 min 10 s", "+2 h 5 min"]


def test_what_is_not_there_names_what_is_nearest(run_dir: Path) -> None:
    row = replay.choose(run_dir, None, None, 1, None)[3]
    wrong = row["id"][:6] + ("0" if row["id"][6] != "0" else "1") + row["id"][7:12]
    for asked, said in (
        ((wrong, None, None), [f"--episode {wrong}", "did you mean", row["id"][:6]]),
        ((None, "zzz" + row["task_id"], None), ["--task", "did you mean"]),
        ((None, None, 9), ["--round 9", "there are 0 to 2, nearest is 2"]),
        ((row["id"], None, 2), [f"--episode {row['id']} --round 2 together"]),
    ):
        with pytest.raises(SettingError) as refused:
            replay.choose(run_dir, *asked, 3)
        for part in said:
            assert part in str(refused.value)
        assert "\n" not in str(refused.value)
