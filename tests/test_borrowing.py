"""A run that learns from another run's experience plays nothing, and learns the same answers."""

from pathlib import Path

import pytest
from loop_driver import small_run

from actors import borrowing
from actors.arena import Arena
from memory.artefacts import fetch_model
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.settings import RunSettings

ATTEMPTS = "SELECT a.* FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.purpose = 'collect'"


def play(settings: RunSettings, folder: Path) -> Path:
    folder.mkdir()
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = small_run(solver={"rounds": 1, "group_size": 3, "groups_per_round": 9})
    return play(settings, tmp_path_factory.mktemp("source") / "run")


def borrower(source: Path, **changes) -> RunSettings:
    curator = {"source": str(source), **changes.pop("curator", {})}
    return small_run(curator=curator, **changes)


def rows(folder: Path, sql: str) -> list[dict]:
    with RunReader(folder) as reader:
        return reader.rows(sql)


def test_later_rounds_play_nothing_and_learn_again(source: Path) -> None:
    groups = rows(source, "SELECT DISTINCT round FROM groups WHERE purpose = 'collect'")
    assert [g["round"] for g in groups] == [1]
    assert {p["round"] for p in rows(source, "SELECT round FROM proposals")} == {1}
    updates = rows(source, "SELECT round, samples FROM updates ORDER BY round")
    assert [u["round"] for u in updates] == [1, 2] and updates[0]["samples"] == updates[1]["samples"] > 0


def test_the_same_answers_are_learned_on_another_prompt(source: Path, tmp_path: Path) -> None:
    run = play(
        borrower(source, learner={"recipe": "open-sft", "threads": 1, "device": "cpu"}), tmp_path / "b"
    )
    same = "SELECT attempt_id FROM samples WHERE version = 1 ORDER BY position"
    assert rows(run, same) == rows(source, same) != []
    assert not rows(run, "SELECT * FROM proposals")
    kept = "SELECT a.id, a.reward, a.category FROM (" + ATTEMPTS + ") a ORDER BY a.id"
    theirs = {r["id"]: r for r in rows(source, kept)}
    mine = {r["id"]: r for r in rows(run, kept)}
    assert mine and mine.items() <= theirs.items()  # groups of rejected tasks stay behind


def test_groups_are_spread_over_rounds(source: Path, tmp_path: Path) -> None:
    rl = {"recipe": "closed-rl", "threads": 1, "device": "cpu"}
    settings = borrower(source, learner=rl, rounds=4, curator={"source_rounds": 3})
    run = play(settings, tmp_path / "b")
    by_round = rows(run, "SELECT round, count(*) AS n FROM groups WHERE purpose = 'collect' GROUP BY round")
    counts = [r["n"] for r in by_round]
    assert [r["round"] for r in by_round] == [1, 2, 3] and max(counts) - min(counts) <= 1
    learned = rows(
        run,
        "SELECT DISTINCT g.round, u.round AS update_round FROM samples s JOIN updates u USING (version)"
        " JOIN attempts a ON a.id = s.attempt_id JOIN groups g ON g.id = a.group_id",
    )
    assert learned and all(r["round"] == r["update_round"] for r in learned)  # auto: RL learns the round's


def test_a_share_takes_the_earliest(source: Path) -> None:
    every = borrowing.groups(borrower(source), 1)
    half = borrowing.groups(borrower(source, curator={"source_share": 0.5}), 1)
    assert [j.group.id for j in half] == [j.group.id for j in every[: len(half)]]
    assert len(half) == int(len(every) / 2 + 0.5) and borrowing.groups(borrower(source), 2) == []


def test_noise_is_injected_here_and_not_into_measurements(source: Path, tmp_path: Path) -> None:
    noisy = borrower(source, verifier={"false_positive": 1.0, "false_negative": 1.0})
    run = play(noisy, tmp_path / "b")
    theirs = {r["id"]: r["reward"] for r in rows(source, ATTEMPTS)}
    mine = rows(run, ATTEMPTS)
    assert mine and all(r["flipped"] and r["reward"] == 1 - theirs[r["id"]] for r in mine)
    measured = "SELECT a.* FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.purpose = 'evaluate'"
    assert rows(run, measured) and not any(r["flipped"] for r in rows(run, measured))


def test_a_source_that_cannot_be_used_is_one_line(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no run\.db there"):
        borrowing.check(borrower(tmp_path / "none"))
    with pytest.raises(SettingError, match=r"zwc\.seed differs"):
        borrowing.check(borrower(source, zwc={"seed": 8}))
