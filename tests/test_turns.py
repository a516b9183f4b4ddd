"""Plays of several turns, from the engine to the learner, and attempts that improve their own answer."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import talking_domain
from loop_driver import small_run

from actors.arena import Arena
from experiments import config, replay, verify
from memory.artefacts import fetch_model
from memory.reader import RunReader
from protocols.chaining import Chain
from protocols.credit import chain_reward, gain
from protocols.domain import Session
from protocols.errors import SettingError
from protocols.iteration import expansion, kept, start_of
from protocols.prompting import exchange, prompts_of
from protocols.records import Book, Purpose, Step

DOMAIN = talking_domain.TalkingDomain()
TASK = DOMAIN.tasks("train")[0]


def play(folder: Path, **changes: object) -> Path:
    settings = small_run(
        **{
            "domain": "talking",
            "rounds": 3,
            "learner": {"recipe": "exit-improve", "threads": 1, "device": "cpu"},
            "proposer": {"per_round": 0},
            "solver": {"groups_per_round": 4, "group_size": 4, "sampling": {"max_tokens": 6}},
            "evaluation": {"every": 0, "before": False, "kind": "all", "tasks": 2},
            **changes,
        }
    )
    folder.mkdir()
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    buffer = {"p": 0.6, "diverge": 0.3, "children": "best"}
    return play(tmp_path_factory.mktemp("turns") / "run", curator={"buffer": buffer})


def groups_of(run_dir: Path) -> list:
    with RunReader(run_dir) as reader:
        return [reader.group(row["id"]) for row in reader.rows("SELECT id FROM groups ORDER BY seq")]


def test_a_play_goes_on_to_its_end_and_is_stored_as_it_was(run_dir: Path) -> None:
    for group, verdicts in groups_of(run_dir):
        for attempt, verdict in zip(group.attempts, verdicts, strict=True):
            standing = kept(group.start)
            answers = standing + attempt.answers
            assert len(answers) == talking_domain.TURNS and verdict.evidence["answers"] == list(answers)
            assert sum(one.tokens for one in attempt.exchanges or ()) in (0, len(attempt.token_ids))
            assert len(attempt.logprobs) == len(attempt.token_ids) - attempt.prefilled
            prompts = prompts_of(group.prompt, attempt.exchanges)
            session = DOMAIN.session(TASK, group.start, group.start.book)
            for prompt, one in zip(prompts, attempt.exchanges):
                assert session.prompt().messages[1:] == prompt.messages[1:]  # the first names the task
                session.receive(one.response)


def test_verdicts_of_whole_plays_are_the_same_again(run_dir: Path) -> None:
    with RunReader(run_dir) as reader:
        rows = reader.rows("SELECT * FROM episodes WHERE purpose = 'collect'")
    told = verify.verify(run_dir, rows, quiet=True)
    assert told["verified"] == len(rows) > 20 and told["differences"] == []
    with RunReader(run_dir) as reader:
        episode = reader.attempt(rows[0]["id"])
    panels = replay.panels(episode)
    said = [body for title, body, _ in panels if title == "solver answered"]
    asked = [body for title, body, _ in panels if title == "solver was asked"]
    assert len(said) == len(asked) == talking_domain.TURNS and "That was 2." in asked[2]


def test_every_turn_of_a_play_is_a_start_of_its_own_and_is_played_from(run_dir: Path) -> None:
    groups = groups_of(run_dir)
    played = [group.start for group, _ in groups]
    assert {start.step for start in played} == set(Step)
    assert {len(start.history) for start in played if start.step is not Step.INITIAL} > {0}.difference({0})
    group, verdicts = groups[0]
    made = expansion(group, verdicts, "best")
    best = max(range(4), key=lambda i: (verdicts[i].reward, -i))
    answers = group.attempts[best].answers
    histories = [tuple(turn.response for turn in start.history) for start in made]
    assert histories == [(), answers[:1], answers[:2], answers]
    assert made[-1].history[-1].feedback and not made[-1].history[0].feedback
    going_on = expansion(group, verdicts, "best", revise=False)
    assert [len(start.history) for start in going_on] == [0, 1, 2]
    assert all(start.step is Step.INITIAL for start in going_on)
    with RunReader(run_dir) as reader:
        entries = {entry.start.id for entry in reader.buffer()}
    assert {start.id for start in made} <= entries


def test_every_answer_is_learned_on_the_prompt_it_was_given_to(run_dir: Path) -> None:
    with RunReader(run_dir) as reader:
        learned = reader.rows(
            "SELECT s.attempt_id, s.weight, prompt.body AS prompt FROM samples s"
            " JOIN texts prompt ON prompt.id = s.prompt_text ORDER BY s.version, s.position"
        )
    by_id = {a.id: (g, a) for g, _ in groups_of(run_dir) for a in g.attempts}
    seen: dict[str, list] = {}
    for row in learned:
        seen.setdefault(row["attempt_id"], []).append(row)
    assert seen
    for attempt_id, rows in seen.items():
        group, attempt = by_id[attempt_id]
        assert len({row["weight"] for row in rows}) == 1
        expected = [
            [[m.role, m.content] for m in prompt.messages]
            for prompt, one in zip(prompts_of(group.prompt, attempt.exchanges), attempt.exchanges)
            if one.tokens
        ] or [[[m.role, m.content] for m in group.prompt.messages]]
        found = [[[m["role"], m["content"]] for m in json.loads(r["prompt"])["messages"]] for r in rows]
        assert found == expected


def test_only_replayed_starts_are_learned_from_in_the_robust_mode(tmp_path: Path) -> None:
    folder = play(tmp_path / "robust", curator={"buffer": {"p": 0.6, "robust": True}})
    with RunReader(folder) as reader:
        learned = reader.rows(
            "SELECT DISTINCT g.id FROM samples s JOIN attempts a ON a.id = s.attempt_id"
            " JOIN groups g ON g.id = a.group_id"
        )
        drawn = reader.rows(
            "SELECT subject_id, numbers_json FROM decisions WHERE kind = 'start' AND reason = 'replay'"
        )
        played = reader.rows("SELECT id FROM groups WHERE purpose = 'collect'")
    replayed = {row["subject_id"] for row in drawn}
    assert {row["id"] for row in learned} <= replayed <= {row["id"] for row in played}
    assert learned and len(replayed) < len(played)
    assert all(json.loads(row["numbers_json"])["score"] >= 0 for row in drawn)


def test_a_single_task_fills_its_rounds(tmp_path: Path, run_dir: Path) -> None:
    with RunReader(run_dir) as reader:
        name = reader.rows("SELECT task_id FROM groups WHERE purpose = 'collect'")[0]["task_id"]
    folder = play(tmp_path / "single", curator={"base_tasks": [name], "buffer": {"p": 0.0}})
    groups = [group for group, _ in groups_of(folder) if group.purpose is Purpose.COLLECT]
    assert [group.round for group in groups] == [1] * 4 + [2] * 4 + [3] * 4
    assert len({group.start.id for group in groups}) == 1
    assert len({attempt.seed for group in groups for attempt in group.attempts}) == 12 * 4


@pytest.mark.parametrize(("recipe", "counts"), [("naive-k", {1, 2, 3, 4}), ("two-attempts", {2})])
def test_attempts_that_improve_their_own_answer(tmp_path: Path, recipe: str, counts: set[int]) -> None:
    folder = play(
        tmp_path / recipe,
        domain="zwc",
        zwc={"functions": 2, "demonstrations": 0},
        evaluation={"every": 0, "before": False, "tasks": 2},
        learner={"recipe": recipe, "threads": 1, "device": "cpu", "grpo": {"normalise": False}},
        solver={"groups_per_round": 8, "group_size": 2, "sampling": {"max_tokens": 4}},
    )
    sizes = set()
    with RunReader(folder) as reader:
        rows = reader.rows("SELECT id FROM groups WHERE purpose = 'collect'")
        groups = [reader.group(row["id"]) for row in rows]
    for group, verdicts in groups:
        numbers = {len(attempt.answers) for attempt in group.attempts}
        assert len(numbers) == 1  # drawn for the group
        sizes |= numbers
        for attempt, verdict in zip(group.attempts, verdicts):
            assert ("first" in verdict.evidence) == (len(attempt.answers) > 1)
            prompts = prompts_of(group.prompt, attempt.exchanges)
            for number, (one, following) in enumerate(pairwise(attempt.exchanges), 1):
                shown = [m.content for m in prompts[number].messages if m.role == "assistant"]
                assert shown == [one.response] and following.fresh == (number > 1)  # the latest answer only
    assert sizes <= counts and (recipe != "naive-k" or len(sizes) > 1)


def test_a_chain_improves_every_turn_before_the_next_one() -> None:
    session: Session = Chain(DOMAIN, TASK, Book.CLOSED, 1)
    shown = []
    for answer in ("a1", "b1", "a2", "b2", "a3", "b3"):
        prompt = session.prompt()
        assert prompt is not None
        shown.append([message.content for message in prompt.messages])
        session.receive(answer)
    assert session.prompt() is None
    assert shown[1] == [f"improve a1: {TASK.statement}"]
    assert shown[2] == [TASK.statement, "b1", "That was 1."]  # the latest answer only
    assert shown[5] == [TASK.statement, "b1", "That was 1.", "b2", "improve a3: That was 2."]


def test_prompts_are_told_again_from_what_is_kept() -> None:
    session = DOMAIN.session(TASK, start_of(TASK, Book.CLOSED), Book.CLOSED)
    prompts, kept_, before, answered = [], [], None, ""
    while (prompt := session.prompt()) is not None:
        response = f"answer {len(prompts)}"
        kept_.append(exchange(before, answered, prompt, response, tokens=1, prefilled=0))
        prompts.append(prompt)
        before, answered = prompt, response
        session.receive(response)
    assert not any(one.fresh for one in kept_) and prompts_of(prompts[0], kept_) == prompts


@pytest.mark.parametrize(
    ("reward", "before", "expected"),
    [(1.0, 0.5, 1.0), (0.75, 0.5, 0.5), (0.2, 0.5, 0.0), (1.0, 1.0, 0.0), (0.4, 0.0, 0.4)],
)
def test_gain_by_hand(reward: float, before: float, expected: float) -> None:
    assert gain(reward, before) == pytest.approx(expected)


def test_chain_rewards_by_hand() -> None:
    assert chain_reward(1.0, 0.0, "last", 10.0) == -10.0
    assert chain_reward(0.0, 1.0, "last", 10.0) == 11.0
    assert chain_reward(0.25, 1.0, "gain", 0.0) == 0.75
    with pytest.raises(ValueError, match="lie in"):
        chain_reward(0.0, 1.5, "last", 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"learner": {"recipe": "closed-sft"}, "solver": {"chain": {"answers": 2}}},
            "cannot learn from several",
        ),
        ({"learner": {"recipe": "exit"}, "solver": {"chain": {"answers": 2}}}, "curator.buffer.p=0"),
        (
            {"learner": {"recipe": "grpo"}, "curator": {"buffer": {"robust": True}}},
            "nothing is ever replayed",
        ),
    ],
)
def test_settings_that_do_not_go_together(changes: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        config.resolve(changes)
