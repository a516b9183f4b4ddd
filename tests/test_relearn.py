"""Another recipe on stored experience: what is learned is what was selected, and the same is the same."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from loop_driver import self_play, small_run

from actors.arena import Arena
from actors.engines import scripted
from experiments import cli, relearning
from experiments.ladders import counterfactual
from memory import integrity, merging
from memory.artefacts import fetch_model
from memory.codec import from_json
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import SettingError, StoreError
from protocols.records import Prompt
from protocols.settings import RunSettings

UPDATES = "SELECT version, round, samples, tokens, losses_json, checksum FROM updates ORDER BY version"
SAMPLES = "SELECT version, position, attempt_id, weight FROM samples ORDER BY version, position"
LEARNED = """SELECT a.*, g.step, g.parent_attempt_id, s.weight, s.version AS update_version, g.round,
  u.round AS update_round FROM samples s JOIN attempts a ON a.id = s.attempt_id
  JOIN groups g ON g.id = a.group_id JOIN updates u ON u.version = s.version"""


def play(settings: RunSettings, folder: Path) -> Path:
    folder.mkdir()
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of closed-sft that also go on from answers, some of their verdicts turned round."""
    settings = small_run(
        curator={"buffer": {"p": 0.6, "children": "all"}},
        verifier={"false_positive": 0.1, "false_negative": 0.1},
        evaluation={"tasks": 4, "open_book_before": False},
    )
    return play(settings, tmp_path_factory.mktemp("runs") / "source")


def relearned(source: Path, *args, **options) -> Path:
    prepared = relearning.prepare(source, *args, **options)
    counterfactual.finish(prepared, quiet=True)
    return prepared.run_dir


def rows(folder: Path, sql: str) -> list[dict]:
    with RunReader(folder) as reader:
        return reader.rows(sql)


def test_the_same_recipe_on_the_same_experience_is_the_same_update(source: Path) -> None:
    run = relearned(source)
    assert run.name == "source-closed-sft" and run.parent == source.parent
    assert rows(run, UPDATES) == rows(source, UPDATES) and len(rows(run, UPDATES)) == 2
    assert rows(run, SAMPLES) == rows(source, SAMPLES)
    flipped = "SELECT id, reward, flipped FROM episodes WHERE purpose = 'collect' ORDER BY id"
    theirs = {r["id"]: r for r in rows(source, flipped)}
    mine = {r["id"]: r for r in rows(run, flipped)}
    assert mine and mine.items() <= theirs.items()  # noise is in the verdicts, and not injected again
    assert any(r["flipped"] for r in mine.values())


def test_revisions_come_along_in_their_round_with_what_led_to_them(source: Path) -> None:
    run = relearned(source)
    tree = """SELECT g.id, g.round, g.step, g.parent_attempt_id, g.start_id FROM groups g
      JOIN tasks t ON t.id = g.task_id WHERE g.purpose = 'collect' AND t.status = 'active' ORDER BY g.seq"""
    assert rows(run, tree) == rows(source, tree)
    assert any(r["parent_attempt_id"] for r in rows(run, tree))
    why = "SELECT id, round, kind, subject_id, reason, numbers_json FROM decisions WHERE kind = 'start'"
    assert rows(run, why) == rows(source, why) != []
    kept = "SELECT id, round, topic, task_id, reason FROM proposals ORDER BY seq"
    assert rows(run, kept) == rows(source, kept) != []
    with RunReader(run) as reader:
        assert reader.space().graph.number_of_nodes()


def test_it_points_to_its_source_without_a_local_path(source: Path) -> None:
    run = relearned(source)
    with RunReader(run) as reader, RunReader(source) as other:
        config, facts = reader.config(), reader.facts()
        assert facts["source"] == {"run": "source", "created": other.created(), "where": None}
    assert config["curator"]["source"] == "source"
    assert str(source.parent) not in json.dumps([config, facts])
    assert str(source.parent) not in (run / "config.yaml").read_text()


def test_what_was_played_elsewhere_is_not_ascribed_to_weights_of_its_own(source: Path) -> None:
    run = relearned(source, "open-sft")
    generated = """SELECT a.id, g.policy_version FROM attempts a JOIN groups g ON g.id = a.group_id
      WHERE g.purpose = ? AND g.policy_version = ? LIMIT 1"""

    def weights(folder: Path, purpose: str, version: int) -> dict | None:
        with RunReader(folder) as reader:
            (row,) = reader.rows(generated, [purpose, version])
            return reader.attempt(row["id"]).weights

    theirs, here = weights(source, "collect", 1), weights(run, "collect", 1)
    assert theirs and (theirs["source"], theirs["version"]) == (None, 1) and theirs["checksum"]
    assert here and (here["source"], here["version"], here["checksum"]) == ("source", 1, None)
    assert weights(source, "collect", 0) is weights(run, "collect", 0) is None
    measured = weights(run, "evaluate", 2)
    (made,) = [row for row in rows(run, UPDATES) if row["version"] == 2]
    assert measured and (measured["source"], measured["checksum"]) == (None, made["checksum"])


@pytest.mark.parametrize("how", ["as it was", "in one round", "every other attempt", "depth 0, other seed"])
def test_a_relearned_run_is_whole(source: Path, how: str) -> None:
    run = {
        "as it was": lambda: relearned(source, "closed-rl"),
        "in one round": lambda: relearned(source, overrides=["curator.source_rounds=1"]),
        "every other attempt": lambda: relearned(source, where="idx % 2 = 1"),
        "depth 0, other seed": lambda: relearned(source, seed=7, where="parent_attempt_id IS NULL"),
    }[how]()
    assert [(check.name, check.problems) for check in integrity.checks(run) if check.problems] == []


def test_merging_does_not_count_experience_twice(source: Path, tmp_path: Path) -> None:
    run = relearned(source, "open-sft")
    with pytest.raises(StoreError, match="are those of source, so that they would count twice"):
        merging.merge([source, run], tmp_path / "merged")


def test_open_book_is_learned_on_open_prompts(source: Path) -> None:
    run = relearned(source, "open-sft")
    same = "SELECT attempt_id FROM samples WHERE version = 1 ORDER BY position"
    assert rows(run, same) == rows(source, same) != []

    def learned(folder: Path) -> list[int]:
        sql = "SELECT body FROM samples s JOIN texts t ON t.id = s.prompt_text ORDER BY version, position"
        prompts = [from_json(row["body"], Prompt) for row in rows(folder, sql)]
        return [sum(len(message.content) for message in prompt.messages) for prompt in prompts]

    assert all(opened > closed for opened, closed in zip(learned(run), learned(source)))
    assert rows(run, "SELECT checksum FROM updates") != rows(source, "SELECT checksum FROM updates")


def test_without_negative_advantages(source: Path) -> None:
    both = rows(relearned(source, "closed-rl"), LEARNED)
    assert {row["weight"] < 0 for row in both} == {True, False}
    run = relearned(source, "closed-rl", overrides=["learner.grpo.negative=0"])
    kept = rows(run, LEARNED)
    assert min(row["weight"] for row in kept) == 0 < max(row["weight"] for row in kept)
    assert all(row["round"] == row["update_round"] for row in kept)  # RL learns each round's own
    assert run.name.startswith("source-closed-rl-")


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("parent_attempt_id IS NULL -- depth 0", lambda row: row["step"] == "initial"),
        ("NOT flipped", lambda row: not row["flipped"]),
        ("step = 'improve'", lambda row: row["step"] == "improve"),
        ("SELECT id FROM attempts WHERE idx = 0", lambda row: row["idx"] == 0),
    ],
)
def test_what_was_selected_is_all_there_is_to_learn(source: Path, where: str, holds) -> None:
    run = relearned(source, where=where)
    attempts = rows(
        run,
        "SELECT a.*, g.step FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.purpose = 'collect'",
    )
    assert attempts and all(holds(row) for row in attempts)
    assert rows(run, LEARNED) and all(holds(row) for row in rows(run, LEARNED))
    everything = "SELECT count(*) AS n FROM episodes WHERE purpose = 'collect'"
    assert len(attempts) < rows(source, everything)[0]["n"]
    with RunReader(run) as reader:  # histories are kept, with no names of attempts that are not there
        assert reader.space().graph.number_of_nodes()
        assert reader.facts()["source"]["where"] == where


def test_a_recipe_has_its_own_switches_and_keeps_what_was_set(source: Path) -> None:
    settings = relearning.settings_of(source, "open-rl")
    assert settings.learner.grpo.mini_batches == 2  # open-rl's default, not closed-sft's
    assert settings.learner.batch_size == 4  # the source's
    assert settings.verifier.false_positive == 0 and settings.curator.source_rounds == 0
    settings = relearning.settings_of(source, "open-rl", seed=9, overrides=["learner.grpo.mini_batches=3"])
    assert (settings.learner.grpo.mini_batches, settings.seed) == (3, 9)


def test_proposals_are_learned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from loop_driver import imaginative

    monkeypatch.setattr(scripted, "copy_the_shape", imaginative)
    source = play(self_play(), tmp_path / "az")
    run = relearned(source)
    assert rows(run, UPDATES) == rows(source, UPDATES) != []
    learned = "SELECT version, position, proposal_id, weight FROM proposal_samples ORDER BY version, position"
    assert rows(run, learned) == rows(source, learned) != []
    with pytest.raises(SettingError, match=r"given with the book closed"):
        relearning.prepare(source, "exit")


def test_a_ladder_is_a_table_with_intervals(source: Path) -> None:
    folders = counterfactual.play(source, ["closed-sft", "open-sft"], None, [3, 4], [], quiet=True)
    assert [f.name for f in folders] == [
        f"source-{name}-seed{seed}" for name in ("closed-sft", "open-sft") for seed in (3, 4)
    ]
    played = [(f / "run.db").stat().st_mtime_ns for f in folders]
    assert counterfactual.play(source, ["closed-sft", "open-sft"], None, [3, 4], [], quiet=True) == folders
    assert [(f / "run.db").stat().st_mtime_ns for f in folders] == played  # not played again
    first, found = (
        counterfactual.figures(source, source),
        [counterfactual.figures(f, source) for f in folders],
    )
    assert first.difference is None
    assert all(f.after and f.after.tasks == 4 and f.difference and f.learned for f in found)
    rows_ = counterfactual.summaries(found)
    assert [(row.recipe, row.seeds) for row in rows_] == [("closed-sft", 2), ("open-sft", 2)]
    text = counterfactual.table(first, found)
    assert "| closed-sft (the source) | 1 |" in text and "95 % interval over seeds" in text


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"name": "closed-stf"}, "did you mean 'closed-sft'"),
        ({"name": "grpo"}, "with it open; choose one of"),
        ({"where": "reward > 7"}, "selects nothing of the"),
        ({"where": "purpose = 'evaluate'"}, "none of which can be learned from"),
        ({"where": "rewrd >= 1"}, "did you mean 'reward'"),
        ({"where": "DELETE FROM attempts"}, "only SELECT"),
        ({"where": "1) UNION SELECT id FROM tasks --"}, "syntax error"),
        ({"where": "SELECT task_id FROM episodes"}, "no id of an attempt"),
        ({"where": "reward = 0"}, "verified answers only"),
        ({"overrides": ["learner.recipe=open-sft"]}, "--recipe"),
        ({"overrides": ["zwc.seed=8"]}, "zwc.seed differs"),
        ({"name": "absolute-zero"}, "not rewarded by one_minus_p"),
    ],
)
def test_what_cannot_be_learned_is_one_line_and_leaves_nothing(
    source: Path, options: dict, part: str
) -> None:
    before = sorted(path.name for path in source.parent.iterdir())
    with pytest.raises((SettingError, StoreError)) as refused:
        relearning.prepare(source, **options)
    assert part in str(refused.value) and "\n" not in str(refused.value)
    assert sorted(path.name for path in source.parent.iterdir()) == before


def test_a_source_without_log_probabilities_has_no_reinforcement_learning(
    source: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "texts"
    copy.mkdir()
    with sqlite3.connect(source / "run.db") as db:
        db.execute("VACUUM INTO ?", [str(copy / "run.db")])
    with sqlite3.connect(copy / "run.db") as db:
        for seq, size in db.execute("SELECT attempt_seq, length(logprobs) / 4 FROM tokens").fetchall():
            db.execute(
                "UPDATE tokens SET logprobs = ? WHERE attempt_seq = ?", [b"\x00\x00\xc0\x7f" * size, seq]
            )
    with pytest.raises(SettingError, match="log-probabilities"):
        relearning.prepare(copy, "closed-rl")
    assert relearning.prepare(copy, "open-sft").settings.learner.recipe == "open-sft"


def test_another_run_under_the_sources_name_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with sqlite3.connect(source / "run.db") as db:
        db.execute("VACUUM INTO ?", [str(tmp_path / "source" / "run.db")])
    prepared = relearning.prepare(tmp_path / "source")
    counterfactual.finish(prepared, quiet=True)
    with sqlite3.connect(tmp_path / "source" / "run.db") as db:
        db.execute("UPDATE run SET value_json = '1.0' WHERE key = 'created'")
    with pytest.raises(SettingError, match="another one of its name"):
        relearning.prepare(tmp_path / "source")


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["taskspace", *arguments])
    monkeypatch.delenv("TASKSPACE_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_prints_one_object(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.md"
    wanted = ("relearn", str(source), "--recipe", "closed-sft", "--recipe", "open-sft", "--out", str(out))
    assert command(monkeypatch, *wanted, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["source"]["run"] == "source" and told["source"]["difference"] is None
    assert [run["run"] for run in told["runs"]] == ["source-closed-sft", "source-open-sft"]
    assert [row["recipe"] for row in told["summary"]] == ["closed-sft", "open-sft"]
    assert out.read_text().startswith("| run | recipe | seed |")


def test_the_command_refuses_in_one_line(
    source: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in source.parent.iterdir())
    # One bad recipe among good ones: nothing is played at all.
    wanted = ("relearn", str(source), "--recipe", "closed-rl", "--recipe", "exit", "--seed", "77")
    assert command(monkeypatch, *wanted) == 2
    line = capfd.readouterr().err.rstrip("\n")
    assert line.startswith("taskspace: ") and "\n" not in line and "--recipe exit" in line
    assert sorted(path.name for path in source.parent.iterdir()) == before


def test_an_unfinished_source_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()
    Store.create(folder / "run.db", small_run().model_dump(mode="json"), {}).close()
    with pytest.raises(SettingError, match="0 of 2 rounds are played"):
        relearning.prepare(folder)


def test_a_relearned_run_can_be_relearned_and_goes_on_where_it_stopped(source: Path) -> None:
    first = relearned(source)
    again = relearned(first, folder="again")
    assert rows(again, UPDATES) == rows(source, UPDATES)
    (again / "summary.json").unlink()  # as if it had been killed before its end
    assert relearning.prepare(first, folder="again").resumed
    relearned(first, folder="again")
    assert rows(again, UPDATES) == rows(source, UPDATES)
