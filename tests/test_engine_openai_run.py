"""Runs and measurements whose answers come from an OpenAI-compatible server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import refused, taskspace
from loop_driver import small_run
from openai_server import Script, served

from actors.arena import Arena
from actors.engines.base import Request
from actors.engines.scripted import copy_the_shape
from experiments import config, engine_checks
from memory.artefacts import fetch_model
from memory.codec import unpack_ids, unpack_logprobs
from memory.reader import RunReader
from protocols.errors import EngineError, SettingError
from protocols.records import Message, Prompt
from protocols.settings import Sampling

KEY = "sk-very-secret-0123456789"
FIXED = ["solver.policy=initial", "proposer.policy=initial", "evaluation.every=0", "runtime.kind=inline"]


def answer(body: dict[str, Any]) -> str:
    """What the scripted engine would say to these messages."""
    messages = [Message(**one) for one in body["messages"]]
    prefill = messages.pop().content if messages[-1].role == "assistant" else ""
    prompt = Prompt(messages=tuple(messages), prefill=prefill)
    return copy_the_shape(Request(id="", prompt=prompt, sampling=Sampling(), seed=body["seed"]), 0)


@pytest.fixture
def server() -> Iterator[tuple[Script, str]]:
    script = Script(say=answer, key=KEY)
    with served(script) as url:
        yield script, url


def options(url: str, *more: str) -> list[str]:
    openai = [f"engine.openai.{name}" for name in (f"base_url={url}", "api_key_env=TEST_KEY", "retries=0")]
    together = ["engine.kind=openai", "engine.openai.prefill=continue", *openai, *more]
    return [word for one in together for word in ("--set", one)]


@pytest.mark.slow
def test_a_run_learns_from_the_servers_answers_and_shows_no_key(
    server: tuple[Script, str], tmp_path: Path
) -> None:
    """The learner's versions stay with it: the server answers every round as it came, and is not measured."""
    script, url = server
    runs = ["--runs", str(tmp_path), "--name", "far"]
    done = taskspace("run", "smoke", *runs, *options(url, *FIXED), cwd=tmp_path, TEST_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert "small-model at" in done.stderr and "closed book" in done.stdout
    with RunReader(tmp_path / "far" / "run.db") as reader:
        updates = reader.rows("SELECT version FROM updates ORDER BY version")
        assert [row["version"] for row in updates] == [1, 2]
        played = reader.rows("SELECT DISTINCT policy_version, engine FROM groups")
        assert [(row["policy_version"], row["engine"]) for row in played] == [(0, "openai")]
        measured = reader.rows("SELECT DISTINCT round FROM evaluations")
        assert [row["round"] for row in measured] == [0]
    version = refused("eval", "far", "--runs", tmp_path, cwd=tmp_path, TEST_KEY=KEY)
    assert "cannot measure version 2" in version and "--set engine.kind=transformers" in version
    asked = len(script.asked)
    found = taskspace("eval", "far", "--version", "0", "--runs", tmp_path, cwd=tmp_path, TEST_KEY=KEY)
    assert found.returncode == 0 and len(script.asked) > asked, found.stderr
    script.key = "another"
    line = refused("eval", "far", "--version", "0", "--runs", tmp_path, cwd=tmp_path, TEST_KEY=KEY)
    assert "the key in TEST_KEY is refused" in line
    shown = "".join((done.stdout, done.stderr, found.stdout, found.stderr, version, line))
    assert KEY not in shown
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path


def test_policy_gradients_learn_from_a_servers_ids_and_logprobs(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    path = fetch_model("tiny-random")
    script = Script(tokenizer=AutoTokenizer.from_pretrained(path), context=4096)
    script.say = lambda body: f"    return {body['seed'] % 7}\n```"
    with served(script) as url:
        settings = small_run(
            rounds=1,
            engine={"kind": "openai", "openai": {"base_url": url}},
            learner={"recipe": "open-rl", "batch_size": 4, "threads": 1, "device": "cpu"},
            proposer={"per_round": 0},
            solver={"group_size": 2, "groups_per_round": 3},
            evaluation={"every": 0, "before": False},
        )
        engine_checks.check(settings, path)
        assert Arena(settings, tmp_path, path, lambda *_: None).run()
    with RunReader(tmp_path / "run.db") as reader:
        attempts = reader.rows("SELECT k.token_ids, k.logprobs FROM tokens k")
        (update,) = reader.rows("SELECT samples FROM updates")
    assert update["samples"] == len(attempts) == len(script.asked) == 6
    for row in attempts:
        logprobs = unpack_logprobs(row["logprobs"])
        assert logprobs == tuple(-float(i) for i in unpack_ids(row["token_ids"])[-len(logprobs) :])


def test_a_resumed_run_may_find_the_server_elsewhere() -> None:
    old = config.load("smoke", ["engine.kind=openai"])
    moved = config.load(
        "smoke", ["engine.kind=openai", "engine.openai.base_url=http://x/v1", "engine.openai.retries=1"]
    )
    config.require_resumable(old, moved, "runs/x")
    other = config.load("smoke", ["engine.kind=openai", "engine.openai.model=other"])
    with pytest.raises(SettingError, match=r"engine\.openai\.model \('' -> 'other'\)"):
        config.require_resumable(old, other, "runs/x")


# ---- what is refused before anything is written ----


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ("solver.policy=current", ["setting solver.policy", "--set solver.policy=initial"]),
        ("proposer.policy=current", ["setting proposer.policy", "--set proposer.policy=initial"]),
        ("evaluation.every=1", ["setting evaluation.every", "--set evaluation.every=0", "taskspace eval"]),
    ],
)
def test_what_needs_a_later_version_is_refused(change: str, parts: list[str]) -> None:
    settings = config.load("smoke", ["engine.kind=openai", *FIXED, change])
    with pytest.raises(SettingError) as caught:  # the server is not even asked: there is none
        engine_checks.check(settings, fetch_model("tiny-random"))
    for part in (*parts, "serves fixed weights"):
        assert part in str(caught.value)


def test_one_round_needs_no_later_version(server: tuple[Script, str], monkeypatch: Any) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    changes = options(server[1], "rounds=1", "evaluation.every=0")[1::2]
    engine_checks.check(config.load("smoke", changes), fetch_model("tiny-random"))


def test_recipes_that_need_logprobs_are_refused_where_there_are_none(
    server: tuple[Script, str], monkeypatch: Any
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    changes = [*FIXED, "learner.recipe=closed-rl"]
    settings = config.load("smoke", [*options(server[1])[1::2], *changes])
    with pytest.raises(
        SettingError, match=r"learner\.recipe: closed-rl learns from .* not vLLM.* closed-sft"
    ):
        engine_checks.check(settings, fetch_model("tiny-random"))
    from transformers import AutoTokenizer

    path = fetch_model("tiny-random")
    script = Script(tokenizer=AutoTokenizer.from_pretrained(path), processed=False)
    with served(script) as url:
        given = [*options(url)[1::2], *changes]
        with pytest.raises(SettingError, match="--logprobs-mode processed_logprobs"):
            engine_checks.check(config.load("smoke", given), path)
        engine_checks.check(config.load("smoke", [*given, "solver.sampling.temperature=1"]), path)
        script.processed = True
        engine_checks.check(config.load("smoke", given), path)


def test_a_server_that_is_not_there_is_said_before_the_run_begins(tmp_path: Path) -> None:
    settings = config.load("smoke", [*options("http://127.0.0.1:9/v1")[1::2], *FIXED])
    with pytest.raises(EngineError, match="no server answers there"):
        engine_checks.check(settings, fetch_model("tiny-random"))
    line = refused("run", "smoke", *options("http://127.0.0.1:9/v1", *FIXED), "--runs", "new", cwd=tmp_path)
    assert "http://127.0.0.1:9/v1: no server answers there" in line
    assert not (tmp_path / "new").exists()
