"""Longest answers: each domain brings its own, and too many that were cut are told."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from demo_run import make_demo_run

from experiments import config, lengths, summary
from memory.reader import RunReader
from protocols.settings import ANSWER_TOKENS


@pytest.mark.parametrize("preset", ["quickstart", "laptop", "smoke"])
@pytest.mark.parametrize("domain", sorted(ANSWER_TOKENS))
def test_another_domain_brings_its_lengths(preset: str, domain: str) -> None:
    made = config.load(preset, [f"domain={domain}"])
    assert made.solver.sampling.max_tokens == made.evaluation.sampling.max_tokens == ANSWER_TOKENS[domain]
    own = config.load(preset)
    assert config.load(preset, ["domain=zwc"]) == own
    assert own.solver.sampling.max_tokens != ANSWER_TOKENS[domain]


def test_what_is_set_counts() -> None:
    sets = ["solver.sampling.max_tokens=7", "domain=tools", "evaluation.sampling={max_tokens: 9}"]
    made = config.load("quickstart", sets)
    assert (made.solver.sampling.max_tokens, made.evaluation.sampling.max_tokens) == (7, 9)


def test_a_file_of_another_domain_says_it_itself(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("domain: tools\nsolver: {sampling: {max_tokens: 11}}\n")
    assert config.load(str(file)).solver.sampling.max_tokens == 11


def test_more_than_a_tenth_of_cut_answers_is_told(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    make_demo_run(run, rounds=1)
    settings = config.load("smoke")
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        db.execute("UPDATE attempts SET finish = 'stop'")
    with RunReader(run) as reader:
        whole = lengths.cut_of(reader)
        assert {cut for cut, _ in whole.values()} == {0} and lengths.warnings(whole, settings) == []
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        db.execute(
            "UPDATE attempts SET finish = 'length' WHERE idx = 0 AND group_id IN"
            " (SELECT id FROM groups WHERE purpose = 'collect')"
        )
    with RunReader(run) as reader:
        found = lengths.cut_of(reader)
        assert found["collect"][0] > 0.1 * found["collect"][1] and found["evaluate"][0] == 0
        (line,) = lengths.warnings(found, settings)
        assert summary._counts(reader)["answers_cut"]["collect"] == list(found["collect"])
    assert "were cut at 32 tokens" in line and "--set solver.sampling.max_tokens=64" in line


def test_a_tenth_is_not_too_many() -> None:
    assert not lengths.too_many(10, 100) and lengths.too_many(11, 100) and not lengths.too_many(0, 0)
