"""What can be asked of a stored run, and what cannot."""

import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from store_records import (
    a_decision,
    a_group,
    a_proposal,
    a_sample,
    a_task,
    an_evaluation,
    an_update,
)

from memory.reader import RunReader
from memory.store import Store, TaskChange
from protocols.errors import StoreError
from protocols.records import Book, Origin, Purpose, Split, Step


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    """A run with a base task, a proposed one, a revision, an update, an evaluation; its records by name."""
    folder: Path = tmp_path_factory.mktemp("run")
    base, test = a_task(0), a_task(2, split=Split.TEST)
    proposed = a_task(1, origin=Origin.PROPOSED, parent_id=base.id, statement="Find 100 % of a_b.")
    proposals = [a_proposal(0, proposed), a_proposal(1, reason="syntax"), a_proposal(2, reason="syntax")]
    first = a_group(base, 1, 0, (0.0, 1.0, None))
    asked = a_group(proposed, 1, 1, (1.0, 1.0))
    revised = a_group(base, 2, 0, (1.0,), revises=first[0].attempts[0], step=Step.IMPROVE, policy_version=1)
    held_out = a_group(test, 2, 0, (0.0, 1.0), purpose=Purpose.EVALUATE, book=Book.CLOSED, policy_version=1)
    with Store.create(folder / "run.db", {"seed": 1}, {}) as store:
        store.add_tasks([base, test])
        store.begin_round(1, [], 0)
        store.admit_proposals(proposals, [a_decision(p.id, "proposal") for p in proposals])
        store.admit_groups(
            [first, asked],
            [a_decision(first[0].id), a_decision(proposed.id, "task", reason="consensus")],
            tasks=[TaskChange(task=proposed, status="active")],
        )
        store.record_update(an_update(), [a_sample(first[0].attempts[1]), a_sample(asked[0].attempts[0])])
        store.finish_round(1)
        store.begin_round(2, [], 1)
        store.admit_groups([revised, held_out], [a_decision(revised[0].id, "start", action="choose")])
        store.record_evaluation(an_evaluation(2))
    with RunReader(folder) as reader:
        yield SimpleNamespace(
            path=folder / "run.db",
            reader=reader,
            base=base,
            test=test,
            proposed=proposed,
            proposals=proposals,
            first=first[0],
            asked=asked[0],
            revised=revised[0],
            held_out=held_out[0],
        )


def test_the_overview_counts_collection_and_evaluation_apart(run):
    expected = {
        "rounds": 2,
        "rounds_finished": 1,
        "tasks": 2,
        "proposed_tasks": 1,
        "test_tasks": 1,
        "proposals": 3,
        "proposals_rejected": 2,
        "groups": 3,
        "attempts": 6,
        "verified": 4,
        "infra_errors": 1,
        "evaluation_attempts": 2,
        "tokens_generated": 24,
        "tokens_trained": 3,
        "policy_version": 1,
        "attempts_trained": 2,
    }
    found = run.reader.overview()
    assert {name: found[name] for name in expected} == expected


def test_rounds_have_their_own_numbers(run):
    one, two = run.reader.rounds()
    names = ("groups", "attempts", "verified", "infra_errors", "proposals", "proposals_rejected")
    assert [one[name] for name in names] == [2, 5, 3, 1, 3, 2]
    assert [two[name] for name in names] == [1, 1, 1, 0, 0, 0]
    assert (one["mean_reward"], one["learnability"]) == (0.75, 0.125)  # 3 of 4 judged; mean of 1/4 and 0


def test_lists_are_newest_first_and_paged(run):
    seen = [row["id"] for row in run.reader.episodes()]
    assert len(seen) == 8 and seen[0] == run.held_out.attempts[1].id
    pages = [run.reader.episodes(limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [row["id"] for page in pages for row in page] == seen
    assert len(run.reader.episodes(limit=None)) == 8


def test_filters_of_episodes(run):
    def count(**filters):
        return len(run.reader.episodes(**filters))

    assert count(purpose="evaluate") == count(book="closed") == count(split="test") == 2
    assert count(verified=True) == 5 and count(verified=False) == 3
    assert count(infra_error=True) == 1
    assert count(trained=True) == 2 and count(trained=True, round=2) == 0
    assert count(origin="proposed", verified=True) == 2
    assert count(topic="topic1") == 2 and count(topic="topic") == 0
    assert count(parent_attempt_id=run.first.attempts[0].id) == 1
    assert count(search="100 %") == count(search="A_B") == 2 and count(search="1__%") == 0
    assert count(category="correct", step="improve") == 1
    with pytest.raises(ValueError, match="'reward' is unknown; choose from round, purpose"):
        count(reward=1)


def test_filters_of_tasks_proposals_and_groups(run):
    (row,) = run.reader.tasks(origin="proposed")
    assert (row["statement"], row["verified"], row["attempts"], row["parent_id"]) == (
        run.proposed.statement,
        2,
        2,
        run.base.id,
    )
    assert [row["id"] for row in run.reader.tasks(search="list 2")] == [run.test.id]
    assert run.reader.task_records(split="train") == [(run.base, "active"), (run.proposed, "active")]
    assert run.reader.rejections() == {"syntax": 2}
    assert [row["position"] for row in run.reader.proposals(rejected=True)] == [2, 1]
    assert [row["id"] for row in run.reader.groups(task_id=run.base.id)] == [run.revised.id, run.first.id]


def test_which_episodes_trained_an_update(run):
    rows = run.reader.trained_update(1)
    assert [row["id"] for row in rows] == [run.first.attempts[1].id, run.asked.attempts[0].id]
    assert run.reader.trained_update(2) == []


def test_an_episode_holds_everything_about_an_attempt(run):
    episode = run.reader.attempt(run.first.attempts[0].id)
    assert (episode.attempt, episode.task, episode.prompt) == (
        run.first.attempts[0],
        run.base,
        run.first.prompt,
    )
    assert (episode.parent, episode.weights, episode.proposal, episode.updates) == (None, None, None, [])
    assert [row["id"] for row in episode.siblings] == [attempt.id for attempt in run.first.attempts]
    assert [row["id"] for row in episode.children] == [run.revised.attempts[0].id]
    assert [(d["kind"], d["numbers"]) for d in episode.decisions] == [("group", {"solve_rate": 0.5})]

    revision = run.reader.attempt(run.revised.attempts[0].id)
    assert revision.parent["id"] == run.first.attempts[0].id
    assert revision.start == run.revised.start and revision.start.history[0].reward == 1.0
    assert (revision.weights["version"], revision.weights["checksum"]) == (1, "sum1")
    assert [d["action"] for d in revision.decisions] == ["choose"]


def test_an_episode_leads_back_to_the_proposal_of_its_task(run):
    episode = run.reader.attempt(run.asked.attempts[0].id)
    assert episode.proposal["response"] == "proposal 0"
    assert [d["kind"] for d in episode.decisions] == ["proposal", "task"]
    (learned,) = episode.updates
    assert (learned["version"], learned["weight"], learned["prompt"].messages[0].content) == (
        1,
        1.0,
        "closed book",
    )


def test_verified_attempts_are_what_can_be_learned_from(run):
    found = run.reader.verified_attempts()
    assert [v.attempt for v in found] == [
        run.first.attempts[1],
        *run.asked.attempts,
        run.revised.attempts[0],
    ]  # nothing of the evaluation
    assert {v.task.id for v in found} == {run.base.id, run.proposed.id}
    (one,) = run.reader.verified_attempts("g.round = ? AND t.origin = ?", (1, "seed"))
    assert (one.prompt, one.start, one.reward, one.round) == (run.first.prompt, run.first.start, 1.0, 1)
    assert len(run.reader.verified_attempts(min_reward=0.0)) == 5


def test_unknown_ids_are_one_line(run):
    for ask in (run.reader.task, run.reader.group, run.reader.attempt):
        with pytest.raises(StoreError, match=r"no .* has the id 'nobody'"):
            ask("nobody")
    assert run.reader.attempts("nobody") == []


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM attempts",
        "INSERT INTO events VALUES (1, 1, 1, 'a', 'b', 'c')",
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA user_version = 9",
        "PRAGMA query_only = OFF",
        "VACUUM",
        "CREATE TEMP TABLE t (x)",
        "DROP TABLE attempts",
        "BEGIN",
    ],
)
def test_query_reads_only(run, sql):
    before = run.path.read_bytes()
    with pytest.raises(StoreError, match=r"^query: "):
        run.reader.query(sql)
    assert run.path.read_bytes() == before


def test_query_is_limited_and_names_mistakes(run):
    assert run.reader.query("SELECT count(*) AS n FROM episodes WHERE reward >= ?", [1]) == [{"n": 5}]
    assert len(run.reader.query("SELECT id FROM attempts", limit=3)) == 3
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(StoreError, match=r"stopped after 0\.1 s"):
        run.reader.query(endless, seconds=0.1)
    for wrong in ("SELECT x FROM attempts", "SELECT 1; SELECT 2", "nonsense"):
        with pytest.raises(StoreError, match=r"docs/store\.md"):
            run.reader.query(wrong)


def test_a_reader_cannot_write_and_threads_may_share_it(run):
    with pytest.raises((sqlite3.OperationalError, StoreError), match=r"readonly|may not be written"):
        run.reader.rows("DELETE FROM events")
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(run.reader.episodes() for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80 and all(rows == found[0] for rows in found)


def test_the_version_tells_when_to_look_again(tmp_path):
    with Store.create(tmp_path / "run.db", {}, {}) as store, RunReader(tmp_path) as reader:
        seen = reader.version()
        store.add_event(0, "curator", "info", "hello")
        assert reader.version() == seen + 1
        assert reader.version() == seen + 1
    with RunReader(tmp_path / "run.db") as reader:  # and on a finished file
        assert reader.version() == seen + 1
