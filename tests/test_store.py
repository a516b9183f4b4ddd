"""The writer: what goes in comes out, once, or not at all."""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_records import (
    a_decision,
    a_group,
    a_proposal,
    a_sample,
    a_task,
    an_evaluation,
    an_update,
)

from memory.buffer import StartBuffer
from memory.codec import from_json, to_json, to_text
from memory.reader import RunReader
from memory.store import Admission, Store, TaskChange
from protocols.errors import StoreError
from protocols.records import Baseline, Prompt, Purpose, Role, Sample, Split, Step


@pytest.fixture
def store(tmp_path: Path):
    with Store.create(tmp_path / "run.db", {"seed": 1}, {"python": "3"}) as store:
        yield store


@pytest.fixture
def reader(store: Store):
    with RunReader(store.path) as reader:
        yield reader


def everything(reader: RunReader) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without the counter."""
    names = [row["name"] for row in reader.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: reader.rows(f"SELECT * FROM {name}") for name in names if name != "counter"}


def test_a_group_comes_back_as_it_was_played(store, reader):
    task = a_task(payload={"cases": [[float("nan"), float("-inf"), 2**70]], "none": None})
    store.add_tasks([task])
    first = a_group(task, rewards=(0.0, 1.0, None))
    revision = a_group(task, position=1, revises=first[0].attempts[1], step=Step.IMPROVE)
    held_out = a_group(task, position=2, purpose=Purpose.EVALUATE)
    assert store.admit_groups([first, revision, held_out]) == Admission(groups=3, attempts=7, repeated=0)
    for group, verdicts in (first, revision, held_out):
        assert reader.group(group.id) == (group, verdicts)
    assert repr(reader.task(task.id)) == repr(task)  # NaN differs from itself, its name does not


def test_numbers_of_a_group_leave_infrastructure_errors_out(store, reader):
    task = a_task()
    store.add_tasks([task])
    store.admit_groups([a_group(task, rewards=(0.0, 1.0, None, 1.0, 1.0))])
    store.admit_groups([a_group(task, position=1, rewards=(None, None))])
    broken, judged = reader.groups()
    assert (judged["attempts"], judged["verified"], judged["infra_errors"], judged["tokens"]) == (5, 3, 1, 15)
    assert judged["mean_reward"] == 0.75
    assert judged["learnability"] == 0.75 * 0.25  # variance of a coin with p = 3/4
    assert (broken["mean_reward"], broken["learnability"]) == (None, None)


def test_admitting_a_batch_again_changes_nothing(store, reader):
    task = a_task()
    store.add_tasks([task])
    batch = [a_group(task, position=position) for position in range(3)]
    decisions = [a_decision(group.id) for group, _ in batch]
    store.admit_groups(batch, decisions, state={"next": 3})
    version, before = reader.version(), everything(reader)
    again = store.admit_groups(batch, decisions, state={"next": 99})
    assert again == Admission(groups=0, attempts=0, repeated=3)
    assert (reader.version(), everything(reader)) == (version, before)


def test_a_batch_with_known_groups_adds_the_others(store, reader):
    task = a_task()
    store.add_tasks([task])
    one, two = a_group(task), a_group(task, position=1)
    store.admit_groups([one])
    assert store.admit_groups([one, two], state={"next": 2}) == Admission(groups=1, attempts=2, repeated=1)
    assert reader.value("SELECT count(*) FROM attempts") == 4
    assert reader.state() == {"next": 2}


def test_a_batch_that_fails_leaves_nothing_behind(store, reader):
    task = a_task()
    store.add_tasks([task])
    before, version = everything(reader), reader.version()
    orphan = a_group(a_task(7), position=1)  # its task was never added
    with pytest.raises(sqlite3.IntegrityError):
        store.admit_groups([a_group(task), orphan], [a_decision("x")], state={"next": 1})
    assert (everything(reader), reader.version()) == (before, version)
    store.admit_groups([a_group(task)])  # and the writer goes on
    assert reader.overview()["attempts"] == 2


def test_several_calls_are_one_transaction(store, reader):
    task = a_task()
    version = reader.version()
    with pytest.raises(RuntimeError, match="on the way"), store.batch():
        store.add_tasks([task])
        store.begin_round(1, [{"start": "a"}], 0)
        assert reader.version() == version  # readers see whole batches only
        raise RuntimeError("on the way")
    assert (reader.tasks(), reader.rounds(), reader.version()) == ([], [], version)
    with store.batch():
        store.add_tasks([task])
        store.begin_round(1, [{"start": "a"}], 0)
    assert reader.version() == version + 1
    assert reader.rounds()[0]["plan"] == [{"start": "a"}]


def test_verdicts_have_to_belong_to_the_attempts(store):
    task = a_task()
    store.add_tasks([task])
    group, verdicts = a_group(task)
    for wrong in (verdicts[:1], verdicts[::-1], []):
        with pytest.raises(ValueError, match="one verdict for each attempt"):
            store.admit_groups([(group, wrong)])


def test_the_plan_of_a_round_is_kept_from_the_first_time(store, reader):
    assert store.begin_round(3, [{"start": "a"}], 2)
    assert not store.begin_round(3, [{"start": "b"}], 5)
    store.finish_round(3)
    finished = reader.rounds()[0]["finished"]
    store.finish_round(3)
    (row,) = reader.rounds()
    assert (row["plan"], row["policy_version"], row["finished"]) == ([{"start": "a"}], 2, finished)


def test_tasks_are_added_once_and_change_by_set_task(store, reader):
    task = a_task()
    assert store.add_tasks([task, a_task(1)], "candidate", 2) == 2
    assert store.add_tasks([task], "active", 3) == 0
    assert reader.tasks(status="candidate")[0]["round"] == 2
    referenced = msgspec.structs.replace(task, reference=[1.0, float("inf")], truth_agrees=False)
    store.set_task(referenced, "active")
    assert reader.task(task.id) == referenced
    assert [row["id"] for row in reader.tasks(status="active")] == [task.id]
    with pytest.raises(ValueError, match="'done' is none of active, candidate, rejected"):
        store.set_task(task, "done")


def test_proposals_keep_their_reasons(store, reader):
    task = a_task(1, origin="proposed")
    proposals = [
        a_proposal(0, task),
        a_proposal(1, reason="syntax", detail="line 1"),
        a_proposal(2, task, reason="duplicate"),
    ]
    assert store.admit_proposals(proposals, [a_decision(p.id, "proposal") for p in proposals]) == 3
    assert store.admit_proposals(proposals[:2]) == 0
    assert reader.rejections() == {"duplicate": 1, "syntax": 1}
    store.add_tasks([a_task()])
    change = TaskChange(
        task=task, status="rejected", reason="inconsistent", detail="2 of 4", proposer_reward=0.25
    )
    store.admit_groups([a_group(a_task())], tasks=[change])
    rows = {row["position"]: row for row in reader.proposals()}
    assert [rows[i]["reason"] for i in range(3)] == ["inconsistent", "syntax", "duplicate"]
    assert [rows[i]["reward"] for i in range(3)] == [0.25, None, None]
    assert (rows[0]["detail"], rows[0]["task_status"]) == ("2 of 4", "rejected")


def test_updates_name_their_samples_and_refuse_other_weights(store, reader):
    task = a_task()
    store.add_tasks([task])
    group, verdicts = a_group(task)
    store.admit_groups([(group, verdicts)])
    update = an_update()
    samples = [a_sample(group.attempts[1]), a_sample(group.attempts[0], weight=0.5)]
    assert store.record_update(update, samples)
    assert not store.record_update(update, samples)
    with pytest.raises(StoreError, match=r"version 1 is recorded with checksum sum1, but .* made other"):
        store.record_update(an_update(checksum="other"), samples)
    (row,) = reader.updates()
    assert row["losses"] == [2.5, 1.25] and repr(row["grad_norms"]) == "[1.0, nan]"
    assert [sample["weight"] for sample in reader.trained_update(1)] == [1.0, 0.5]


def test_evaluations_state_facts_stages_and_events(store, reader):
    assert store.record_evaluation(an_evaluation())
    assert not store.record_evaluation(an_evaluation())
    store.save_state({"rng": [1, 2]})
    store.save_state({"rng": [3]})
    store.save_facts({"sandbox": ["seccomp"]})
    store.add_stage(1, "solver", "play", 5.0, 2.5, {"attempts": 4})
    store.add_event(1, "curator", "info", "one")
    store.add_event(1, "curator", "info", "two")
    assert reader.evaluations()[0]["categories"] == {"correct": 3, "timeout": 1}
    assert (reader.config(), reader.facts(), reader.state()) == (
        {"seed": 1},
        {"sandbox": ["seccomp"]},
        {"rng": [3]},
    )
    assert reader.stages()[0]["numbers"] == {"attempts": 4}
    assert [event["message"] for event in reader.events(after_id=1)] == ["two"]


def test_the_stored_buffer_equals_the_one_in_memory(store, reader):
    buffer = StartBuffer(size=2, kappa=1.0)
    task = a_task()
    store.add_tasks([task])
    for position, score in enumerate((0.1, 0.2, 0.25)):
        judged = a_group(task, position=position)
        start = msgspec.structs.replace(judged[0].start, id=f"start{position}")
        buffer.offer(start, score, 1)
        store.admit_groups([judged], buffer=buffer.take_changes(), state={"buffer": buffer.state_dict()})
    again = StartBuffer(size=2, kappa=1.0)
    again.load_state_dict(reader.state()["buffer"], reader.buffer())
    assert again.entries() == buffer.entries()
    assert [entry.start.id for entry in again.entries()] == ["start2", "start1"]


HOSTILE = (
    "<script>alert(1)</script>",
    "\x1b[31m\x00 NUL, ANSI, \u202e bidi \ufeff",
    "lone surrogates \ud800 and \udfff",
    "'; DROP TABLE attempts; --",
    "x" * 1_000_000,
    "",
)


@pytest.mark.parametrize("text", HOSTILE, ids=("html", "ansi", "surrogates", "sql", "long", "empty"))
def test_hostile_text_is_stored_and_read(store, reader, text):
    task = a_task(statement=text, payload={text: [text]})
    store.admit_proposals([a_proposal(0, task, response=text, detail=text)], status="active")
    group, verdicts = a_group(task)
    attempt = msgspec.structs.replace(group.attempts[0], response=text)
    group = msgspec.structs.replace(group, attempts=(attempt,))
    verdict = msgspec.structs.replace(verdicts[0], evidence={"stdout": text, text: 1})
    store.admit_groups([(group, [verdict])], [a_decision(group.id, reason=text)])
    store.add_event(1, "solver", "error", text)
    episode = reader.attempt(attempt.id)
    assert episode.attempt.response == text.encode(errors="backslashreplace").decode()
    assert episode.attempt.token_ids == attempt.token_ids
    assert episode.verdict.evidence == {"stdout": text, text: 1}  # JSON has an escape for everything
    assert episode.task.payload == {text: [text]}
    assert len(reader.episodes()[0]["response"]) <= 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_columns_come_back_exactly(value):
    text = to_json(value)
    assert repr(from_json(text)) == repr(value)  # repr, because NaN differs from itself
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT json_valid(?)", [text]).fetchone() == (1,)
    connection.close()


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_every_text_has_a_storable_form(text):
    stored = to_text(text)
    assert stored.encode().decode() == stored
    assert stored == text or any("\ud800" <= letter <= "\udfff" for letter in text)
    prompt = Prompt(messages=(), prefill=text)
    assert from_json(to_json(prompt), Prompt) == prompt


def test_held_out_tasks_stay_apart(store, reader):
    store.add_tasks([a_task(), a_task(1, split=Split.TEST)])
    assert (reader.overview()["tasks"], reader.overview()["test_tasks"]) == (1, 1)


def test_further_starts_stand_behind_those_planned_at_first(store, reader):
    store.begin_round(1, [{"start": 1}, {"start": 2}], 0)
    store.extend_round(1, [{"start": 3}], [a_decision("start", "start")])
    store.begin_round(2, [{"start": 4}], 0)
    first, second = reader.rounds()
    assert (first["planned"], first["plan"]) == (2, [{"start": 1}, {"start": 2}, {"start": 3}])
    assert (second["planned"], second["plan"]) == (1, [{"start": 4}])
    assert reader.overview()["groups_resampled"] == 1
    assert [row["subject_id"] for row in reader.decisions()] == ["start"]


def test_proposals_keep_their_tokens_and_are_found_once_their_reward_is_known(store, reader):
    tokens = {"token_ids": (5, 2**32 - 1, 7), "logprobs": (-0.5, -1.25), "prefilled": 1, "finish": "length"}
    task = a_task(7)
    refused = a_proposal(0, reason="no_input", reward=-1.0, **tokens)
    waiting = a_proposal(1, task, **tokens)
    store.admit_proposals([refused, waiting])
    (found,) = reader.rewarded_proposals(1, 1)
    assert (found.id, found.reward, found.prompt) == (refused.id, -1.0, refused.prompt)
    assert {name: getattr(found, name) for name in tokens} == tokens
    change = TaskChange(task=task, status="active", proposer_reward=0.25)
    store.admit_groups([a_group(task, 3)], [a_decision(task.id, "task", round=3)], tasks=[change])
    assert [p.id for p in reader.rewarded_proposals(1, 1)] == [refused.id]
    assert [(p.id, p.reward) for p in reader.rewarded_proposals(3, 3)] == [(waiting.id, 0.25)]
    assert reader.rewarded_proposals(2, 2) == [] and len(reader.rewarded_proposals(1, 3)) == 2


def test_an_update_keeps_the_samples_of_both_roles_and_its_baselines(store, reader):
    task = a_task()
    group, verdicts = a_group(task)
    store.add_tasks([task])
    store.admit_proposals([a_proposal(0, reason="no_input")])
    store.admit_groups([(group, verdicts)])
    proposal = a_proposal(0)
    samples = [
        a_sample(group.attempts[0]),
        Sample(
            attempt_id=proposal.id, prompt=proposal.prompt, token_ids=(1,), role=Role.PROPOSER, weight=-0.5
        ),
        a_sample(group.attempts[1]),
    ]
    baselines = {"proposer": Baseline(count=3, mean=0.5, squares=0.25)}
    store.record_update(an_update(samples=3, baselines=baselines), samples)
    rows = reader.rows("SELECT position, attempt_id FROM samples ORDER BY position")
    assert [(r["position"], r["attempt_id"]) for r in rows] == [
        (0, group.attempts[0].id),
        (2, group.attempts[1].id),
    ]
    (row,) = reader.rows("SELECT * FROM proposal_samples")
    assert (row["position"], row["proposal_id"], row["weight"]) == (1, proposal.id, -0.5)
    assert reader.updates()[0]["baselines"] == {"proposer": {"count": 3, "mean": 0.5, "squares": 0.25}}
