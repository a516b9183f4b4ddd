"""The audit passes an honest run, and finds what was planted in it."""

import json
import sqlite3
from pathlib import Path

import pytest
from command import taskspace
from loop_driver import small_run

from actors.arena import Arena
from experiments import config
from experiments.audit import audit, text
from memory.artefacts import fetch_model
from protocols.domain import Rejected
from protocols.domains.zwc.domain import ZwcDomain
from protocols.domains.zwc.leaks import secrets_of
from protocols.domains.zwc.obfuscate import obfuscate
from protocols.settings import ZwcSettings


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "honest"
    folder.mkdir()
    settings = small_run(rounds=1)
    config.save(settings, folder / "config.yaml")
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


def change(run_dir: Path, sql: str, *parameters: str) -> None:
    with sqlite3.connect(run_dir / "run.db") as db:
        assert db.execute(sql, parameters).rowcount == 1


def test_an_honest_run_is_clean(run_dir: Path) -> None:
    found = audit(run_dir)
    assert found.clean and min(found.prompts, found.learned_prompts, found.rewards) > 0
    done = taskspace("audit", run_dir, "--json", cwd=run_dir.parent)
    assert done.returncode == 0 and json.loads(done.stdout)["findings"] == []


def test_what_was_planted_is_found(run_dir: Path, tmp_path: Path) -> None:
    name = obfuscate("numpy").entries["cumsum"]
    for table, book in (("groups", "AND book = 'closed'"), ("samples", "")):
        change(
            run_dir,
            "UPDATE texts SET body = replace(body, 'Complete', ?)"
            f" WHERE id = (SELECT prompt_text FROM {table} WHERE 1 {book} LIMIT 1)",
            f"Use {name} and complete",
        )
    change(
        run_dir,
        "UPDATE attempts SET evidence_json = '{\"calls\": {}}'"
        " WHERE id = (SELECT id FROM attempts WHERE reward = 1 LIMIT 1) AND '' = ?",
        "",
    )
    change(
        run_dir,
        "UPDATE texts SET body = body || ? WHERE id = (SELECT response_text FROM attempts WHERE reward = 1"
        " ORDER BY seq DESC LIMIT 1)",
        "\n```python\nf = [v for v in vars(zwc).values()]\n```",
    )
    found = audit(run_dir)
    assert {f.kind for f in found.findings} == {"prompt", "learned prompt", "reward", "program"}
    assert [f.kind for f in found.findings][:3] == ["prompt", "learned prompt", "reward"]
    assert "vars(zwc" in found.findings[-1].detail
    assert repr(name) in found.findings[0].detail
    assert text(found).endswith(f"{len(found.findings)} findings")
    done = taskspace("audit", run_dir, cwd=tmp_path)
    assert done.returncode == 1 and name in done.stdout


def test_names_and_whole_sentences_are_secrets_and_words_are_not() -> None:
    library = obfuscate("numpy")
    secrets = secrets_of(library)
    assert len(secrets.names) > 120 and len(secrets.sentences) > 300
    assert secrets.in_text(f"call zwc.{library.entries['mean']}(x)") == [library.entries["mean"]]
    assert secrets.in_text("Find the unique\n  elements of an array!") == [
        "find the unique elements of an array"
    ]
    assert secrets.in_text("Given the heights in `x`, return the average of the heights with zwc.") == []


def test_a_proposal_that_repeats_its_documentation_is_refused() -> None:
    domain = ZwcDomain(ZwcSettings())
    topic = domain.library.entries["unique"]
    with pytest.raises(
        Rejected, match="leak: the statement gives away 'find the unique elements of an array'"
    ):
        domain.parse_proposal(topic, "Task: Find the unique elements of an array.\nInput: x = [1, 2, 2]", 1)
    assert domain.parse_proposal(
        topic, "Task: Which values occur in x, each once?\nInput: x = [1, 2, 2]", 1
    ).topics == (topic,)
