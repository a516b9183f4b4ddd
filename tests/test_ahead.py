"""Collection ahead of the learner: never further than allowed, nothing lost or doubled, whatever happens."""

import json
import random
import re
import sqlite3
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_driver import small_run

from actors.ahead import capacity
from actors.arena import Arena
from actors.learning.staleness import staleness
from memory.artefacts import fetch_model
from protocols.errors import EngineError
from protocols.records import Prompt, Sample
from protocols.settings import RunSettings

COUNTS = st.integers(0, 1000)


@given(COUNTS, COUNTS, COUNTS)
def test_what_may_begin_is_never_staler_than_allowed(staleness, learned, ahead):
    begun = learned + ahead
    last = begun + capacity(staleness, learned, begun)
    if last > begun:
        # Round `last` is learned into version last - 1 at the earliest, and begins at version `learned`.
        assert (last - 1) - learned == staleness
    else:
        assert begun - learned - 1 >= staleness


@given(COUNTS, COUNTS, COUNTS)
def test_every_update_lets_one_more_round_begin(staleness, learned, begun):
    now = capacity(staleness, learned, begun)
    assert capacity(staleness, learned + 1, begun) - now in (0, 1)
    assert now == 0 or capacity(staleness, learned, begun + 1) == now - 1


def ahead_run(**changes) -> RunSettings:
    base = {"rounds": 4, "max_staleness": 1, "evaluation": {"tasks": 4, "before": False, "every": 2}}
    return small_run(**(base | changes))


def read(run_dir, sql: str) -> list[tuple]:
    with sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def check_complete(run_dir, settings: RunSettings) -> None:
    """Every round's plan was played once, none staler than allowed, and everything was learned."""
    rounds = read(run_dir, "SELECT round, json_array_length(plan_json), finished FROM rounds ORDER BY round")
    assert [row[0] for row in rounds] == list(range(1, settings.rounds + 1))
    assert all(finished is not None for *_, finished in rounds)
    played = read(run_dir, "SELECT round, position, policy_version FROM groups WHERE purpose = 'collect'")
    assert Counter(round for round, *_ in played) == {round: planned for round, planned, _ in rounds}
    assert len({(round, position) for round, position, _ in played}) == len(played)
    versions = dict(read(run_dir, "SELECT round, version FROM updates"))
    for round, _, version in played:
        newest = max((v for r, v in versions.items() if r < round), default=0)
        assert 0 <= newest - version <= settings.max_staleness
    assert sorted(versions.values()) == list(range(1, len(versions) + 1))
    assert read(run_dir, "SELECT COUNT(*) FROM attempts a LEFT JOIN groups g ON g.id = a.group_id") == read(
        run_dir, "SELECT SUM(attempts) FROM groups"
    )


def play(run_dir, settings: RunSettings, notify=lambda kind, facts: None) -> bool:
    return Arena(settings, run_dir, fetch_model("tiny-random"), notify).run()


@pytest.mark.parametrize("staleness", [1, 3])
def test_a_run_ahead_is_complete_and_not_too_stale(tmp_path, staleness):
    settings = ahead_run(max_staleness=staleness, solver={"group_size": 2, "groups_per_round": 6})
    assert play(tmp_path, settings)
    check_complete(tmp_path, settings)


def test_how_stale_samples_were_is_kept_with_the_update(tmp_path):
    learner = {"recipe": "grpo", "threads": 1, "device": "cpu", "grpo": {"engine_cap": 2.0}}
    settings = ahead_run(rounds=3, max_staleness=2, learner=learner, proposer={"per_round": 0})
    assert play(tmp_path, settings)
    check_complete(tmp_path, settings)
    for round, metrics_json in read(tmp_path, "SELECT round, metrics_json FROM updates"):
        metrics = json.loads(metrics_json)
        counts = {int(name[6:]): n for name, n in metrics.items() if re.fullmatch(r"stale_\d+", name)}
        (samples,) = read(tmp_path, f"SELECT samples FROM updates WHERE round = {round}")
        assert sum(counts.values()) == samples[0]
        assert metrics["staleness_most"] == max(counts) <= 2
        assert metrics["staleness"] == pytest.approx(sum(late * n for late, n in counts.items()) / samples[0])


def test_staleness_is_counted_from_the_weights_that_change():
    made = [Sample(attempt_id="a", prompt=Prompt(messages=()), token_ids=(1,), version=v) for v in (3, 3, 1)]
    unknown = Sample(attempt_id="p", prompt=Prompt(messages=()), token_ids=(1,))
    assert staleness([*made, unknown], 4) == {
        "staleness": 2 / 3, "staleness_most": 2.0, "stale_0": 2.0, "stale_2": 1.0
    }  # fmt: skip
    assert staleness([unknown], 4) == {}


def test_proposals_are_played_once_although_rounds_overlap(tmp_path):
    settings = ahead_run(proposer={"per_round": 8}, curator={"proposed_share": 0.5}, max_staleness=2)
    assert play(tmp_path, settings)
    check_complete(tmp_path, settings)
    twice = """SELECT t.id, COUNT(*) FROM groups g JOIN tasks t ON t.id = g.task_id
      WHERE t.origin = 'proposed' AND g.purpose = 'collect' AND t.status = 'rejected'
      GROUP BY t.id HAVING COUNT(*) > 1"""
    assert read(tmp_path, twice) == []


@pytest.mark.parametrize("seed", range(4))
def test_crashed_again_and_again_it_goes_on(tmp_path, seed):
    class Crash(Exception):
        pass

    rng, settings = random.Random(seed), ahead_run()
    for _ in range(6):
        left = [rng.randint(1, 12)]

        def notify(kind, facts, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        try:
            if play(tmp_path, settings, notify):
                break
        except Crash:
            continue
    else:
        assert play(tmp_path, settings)
    check_complete(tmp_path, settings)


def test_a_stop_admits_what_was_begun_and_a_resume_completes_it(tmp_path):
    settings = ahead_run()
    arena = Arena(settings, tmp_path, fetch_model("tiny-random"), lambda kind, facts: arena.request_stop())
    assert not arena.run()
    assert play(tmp_path, settings)
    check_complete(tmp_path, settings)


def test_a_failure_of_collection_ends_the_run_with_its_cause(tmp_path, monkeypatch):
    from actors.engines.scripted import ScriptedEngine

    def broken(self, requests, progress=None):
        raise EngineError("the device is gone")

    monkeypatch.setattr(ScriptedEngine, "generate", broken)
    with pytest.raises(EngineError, match="the device is gone"):
        play(tmp_path, ahead_run())


def test_waits_say_who_waited_for_whom_and_why(tmp_path):
    settings = ahead_run(
        rounds=3, engine={"kind": "scripted", "scripted": {"latency_s": 0.15}}, runtime={"kind": "ray"}
    )
    began = time.monotonic()
    assert play(tmp_path, settings)
    check_complete(tmp_path, settings)
    waits = read(
        tmp_path,
        """SELECT role, stage, numbers_json ->> 'why', SUM(seconds) FROM stages
           WHERE stage LIKE 'wait for %' GROUP BY 1, 2, 3""",
    )
    told = {(role, stage): (why, seconds) for role, stage, why, seconds in waits}
    assert told["verifier", "wait for solver"][0] == "nothing is to be judged"
    assert any(key == ("learner", "wait for solver") for key in told)
    assert all(0 < seconds < time.monotonic() - began for _, seconds in told.values())
