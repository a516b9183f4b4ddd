"""Every page on runs in every state: finished, empty, missing, damaged, newer, hostile."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_run import MARK, DemoRun, make_demo_run
from pages import Show, texts
from streamlit.testing.v1 import AppTest

from memory.reader import RunReader
from memory.store import Store

PAGES = {"live": "Live", "space": "Task space", "episode": "Episode", "learning": "Learning"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_demo_run(folder / "demo", rounds=3)
    make_demo_run(folder / "hostile", rounds=1, topics=4, hostile=True)
    with Store.create(folder / "empty" / "run.db", {"preset": "demo", "rounds": 4}, {}):
        pass
    return folder


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    yield Show(monkeypatch)


def attempt_ids(runs: Path, run: str, **filters: object) -> list[str]:
    with RunReader(runs / run) as reader:
        return [row["id"] for row in reader.episodes(limit=10_000, **filters)]


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_a_finished_run(demo: Path, show: Show, page: str) -> None:
    app = show(demo, page, "demo")
    assert [title.value for title in app.title] == [PAGES[page]]
    assert not app.info
    assert app.query_params["run"] == "demo" and "page" not in app.query_params


def test_live_tells_the_numbers_of_the_store(demo: Path, show: Show) -> None:
    app = show(demo, "live", "demo")
    with RunReader(demo / "demo") as reader:
        numbers, last = reader.overview(), reader.evaluations()[-1]
    told = {metric.label: metric.value for metric in app.metric}
    assert told["Attempts"] == f"{numbers['attempts']:,}" and numbers["attempts"] > 500
    assert told["Verified"] == f"{numbers['verified']:,}"
    assert told["Closed book"] == f"{100 * last['accuracy']:.1f} %"
    assert told["Round"] == "3 of 4" and told["Policy version"] == "3"
    assert "round 3 finished" in texts(app) and "tokens/s" in texts(app)


def test_live_asks_again_only_when_the_version_moved(
    tmp_path: Path, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("ui.runs.CHEAP_S", 60.0)  # on a busy machine, too, every version is looked at
    original = RunReader.overview
    monkeypatch.setattr(RunReader, "overview", lambda self: asked.append(1) or original(self))
    with DemoRun(tmp_path / "growing", topics=3, groups_per_round=8) as run:
        app = show(tmp_path, "live", "growing")
        before = {metric.label: metric.value for metric in app.metric}
        assert len(asked) == 1 and before["Attempts"] == "0"
        app.run()
        assert len(asked) == 1  # nothing was written, so nothing was asked
        run.play_round()
        app.run()
        assert not app.exception
        assert len(asked) == 2
        assert {metric.label: metric.value for metric in app.metric}["Attempts"] == "32"


def test_an_update_by_reinforcement_shows_what_it_measured(tmp_path: Path, show: Show) -> None:
    make_demo_run(tmp_path / "plain", rounds=1)

    def shown_with(**metrics: float) -> AppTest:
        with sqlite3.connect(tmp_path / "plain" / "run.db") as db:
            db.execute("UPDATE updates SET metrics_json = ?", [json.dumps(metrics)])
        return show(tmp_path, "learning", "plain")

    fine_tuned = shown_with(staleness=1.0)
    assert "Policy gradient" not in [heading.value for heading in fine_tuned.subheader]
    app = shown_with(entropy=1.25, clipped_negative=0.5)
    assert "Policy gradient" in [heading.value for heading in app.subheader]
    shown = app.dataframe[len(app.dataframe) - 1].value
    assert (shown["version"][0], shown["entropy"][0], shown["clipped_negative"][0]) == (1, 1.25, 0.5)


def test_an_episode_holds_what_the_store_holds(demo: Path, show: Show) -> None:
    chosen = attempt_ids(demo, "demo", step="improve", category="correct")[0]
    with RunReader(demo / "demo") as reader:
        episode = reader.attempt(chosen)
    app = show(demo, "episode", "demo", attempt=chosen)
    boxes = [code.value for code in app.code]
    assert episode.attempt.response in boxes
    assert episode.task.statement in boxes
    assert all(message.content in boxes for message in episode.prompt.messages)
    assert episode.prompt.prefill in boxes
    (call,) = episode.verdict.evidence["calls"]
    assert f"{call}  6 times" in boxes
    assert chosen in texts(app) and "improves an earlier answer" in badges(app)
    assert "open book" in badges(app) and "verified" in badges(app)
    with_group = next(d for d in episode.decisions if d["kind"] == "group")
    assert f"learnability {with_group['numbers']['learnability']:.3g}" in texts(app)


def badges(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_an_episode_that_was_learned_says_from_which_prompt(demo: Path, show: Show) -> None:
    chosen = attempt_ids(demo, "demo", trained=True)[0]
    app = show(demo, "episode", "demo", attempt=chosen)
    with RunReader(demo / "demo") as reader:
        update = reader.attempt(chosen).updates[-1]
    assert update["prompt"].messages[-1].content in [code.value for code in app.code]
    assert "closed-sft" in texts(app) and "another prompt (below)" in texts(app)


def test_a_proposed_task_shows_its_proposal(demo: Path, show: Show) -> None:
    chosen = attempt_ids(demo, "demo", origin="proposed")[0]
    with RunReader(demo / "demo") as reader:
        proposal = reader.attempt(chosen).proposal
    assert proposal is not None
    app = show(demo, "episode", "demo", attempt=chosen)
    assert proposal["response"] in [code.value for code in app.code]


def test_a_wrong_answer_shows_the_case_that_failed(demo: Path, show: Show) -> None:
    app = show(demo, "episode", "demo", attempt=attempt_ids(demo, "demo", category="wrong_answer")[0])
    case = next(code.value for code in app.code if code.value.startswith("case"))
    assert case.splitlines() == [
        "case      1",
        "args      [1, 2, 3]",
        "expected  [1, 3, 6]",
        "got       [6, 3, 1]",
    ]


def test_an_attempt_without_verdict_has_no_reward(demo: Path, show: Show) -> None:
    chosen = attempt_ids(demo, "demo", category="infra_error")[0]
    app = show(demo, "episode", "demo", attempt=chosen)
    assert "reward none" in texts(app) and "sandbox helper 3 ended by signal 9" in texts(app)


def test_episodes_are_filtered_by_the_address(demo: Path, show: Show) -> None:
    app = show(demo, "episode", "demo", purpose="evaluate", book="open", verdict="correct")
    rows = app.dataframe[0].value
    assert len(rows) and set(rows["book"]) == {"open"} and set(rows["category"]) == {"correct"}
    app = show(demo, "episode", "demo", search="no such words anywhere")
    assert "No episode matches." in texts(app)


@pytest.mark.parametrize(
    "colour", ["solve rate", "learnability", "origin", "step", "round", "policy version"]
)
def test_the_space_is_restored_from_its_address(demo: Path, show: Show, colour: str) -> None:
    chosen = attempt_ids(demo, "demo", step="improve")[0]
    app = show(demo, "space", "demo", colour=colour, node=chosen)
    with RunReader(demo / "demo") as reader:
        episode = reader.attempt(chosen)
    assert episode.task.statement in [code.value for code in app.code]
    lineage = app.dataframe[0].value
    assert lineage["how"].iloc[-1] == "improve" and lineage["what"].iloc[0] == "task"


@pytest.mark.parametrize("page", PAGES)
def test_hostile_text_is_shown_as_text(demo: Path, show: Show, page: str) -> None:
    """No page may hand such text to a widget that reads Markdown or HTML."""
    address = {}
    if page in ("episode", "space"):
        ids = attempt_ids(demo, "hostile", search=MARK, purpose="collect")
        address = {"attempt": ids[0]} if page == "episode" else {"node": ids[-1]}
    app = show(demo, page, "hostile", **address)
    if page != "learning":
        assert MARK in texts(app)
    marked = [*app.markdown, *app.caption, *app.info, *app.title, *app.subheader, *app.metric]
    for element in marked:
        assert MARK not in str(element.value) and MARK not in str(getattr(element, "label", ""))
    assert not [box for box in app.code if len(box.value) > 200_000]


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_run_is_calm(demo: Path, show: Show, page: str) -> None:
    app = show(demo, page, "empty")
    assert "Nothing" in texts(app) or "No episode" in texts(app) or "empty" in texts(app)


@pytest.mark.parametrize("page", PAGES)
def test_no_runs_at_all(tmp_path: Path, show: Show, page: str) -> None:
    app = show(tmp_path, page)
    assert "taskspace run" in texts(app)
    assert "taskspace run" in texts(show(tmp_path / "missing", page))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("state", ["damaged", "newer", "text", "void", "alien"])
def test_runs_that_cannot_be_read_are_told_in_a_sentence(
    tmp_path: Path, show: Show, state: str, page: str
) -> None:
    database = tmp_path / state / "run.db"
    database.parent.mkdir()
    if state in ("damaged", "newer"):
        make_demo_run(database.parent, rounds=1, topics=2, groups_per_round=8)
    if state == "damaged":
        whole = database.read_bytes()
        database.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    elif state == "newer":
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 9999")
        connection.close()
    elif state == "text":
        database.write_text("this is no database, " * 100)
    elif state == "alien":
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE songs (title TEXT)")
        connection.close()
    else:
        database.touch()
    app = show(tmp_path, page, state)
    assert "This run cannot be shown now." in texts(app)
    assert str(database) in texts(app)
    remedy = {"damaged": "restore a copy", "newer": "upgrade taskspace", "text": "run folder"}.get(
        state, "run"
    )
    assert remedy in texts(app)


def test_a_locked_run_is_told_in_a_sentence(
    demo: Path, tmp_path: Path, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.opening._BUSY_S", 0.05)
    make_demo_run(tmp_path / "locked", rounds=1, topics=2, groups_per_round=8)
    connection = sqlite3.connect(tmp_path / "locked" / "run.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("UPDATE counter SET version = version + 1")  # takes the lock, and keeps it
    try:
        app = show(tmp_path, "live", "locked")
        assert "This run cannot be shown now." in texts(app) and "lock" in texts(app)
    finally:
        connection.close()


def test_unknown_names_in_the_address_are_calm(demo: Path, show: Show) -> None:
    app = show(demo, "episode", "demo", attempt="<script>window.executed=1</script>")
    assert "no attempt has the id" in texts(app)
    app = show(demo, "space", "demo", node="nowhere")
    assert "choose another mark" in texts(app)
    app = show(demo, "live", "../../elsewhere")
    assert "has not written anything here yet" in texts(app) and "elsewhere" in texts(app)


def test_a_run_is_shown_as_soon_as_it_begins(tmp_path: Path, show: Show) -> None:
    app = show(tmp_path, "live", "demo")
    assert "has not written anything here yet" in texts(app)
    make_demo_run(tmp_path / "other", rounds=1, topics=2, groups_per_round=8)
    app.run()
    assert "has not written anything here yet" in texts(app)  # another run is not what was asked for
    make_demo_run(tmp_path / "demo", rounds=1, topics=2, groups_per_round=8)
    app.run()
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Attempts"] == "32"
    assert app.query_params["run"] == "demo"


def test_another_run_drops_what_belonged_to_the_first(demo: Path, show: Show) -> None:
    app = show(demo, "episode", "demo", attempt=attempt_ids(demo, "demo")[0])
    app.sidebar.selectbox[0].select("hostile").run()
    assert not app.exception
    assert app.query_params["run"] == "hostile" and "attempt" not in app.query_params
    assert len(app.dataframe) == 1


def test_a_run_folder_can_be_named_itself(demo: Path, show: Show) -> None:
    app = show(demo / "demo", "live")
    assert {metric.label: metric.value for metric in app.metric}["Round"] == "3 of 4"
