"""The task space on the screen: what is drawn at which size, search, time, parts, and addresses."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from demo_run import MARK, DemoRun, make_demo_run
from test_ui_pages import Show, attempt_ids, show, texts

from memory.reader import RunReader
from memory.space_map import UNTIL_NOW, SpaceMap
from ui import charts, graph, marks, queries, queries_space
from ui.marks import Picture, Scope

__all__ = ["show"]  # the fixture


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_demo_run(folder / "demo", rounds=3)
    make_demo_run(folder / "hostile", rounds=1, topics=4, hostile=True)
    return folder


@pytest.fixture(scope="module")
def demo(runs: Path) -> Iterator[RunReader]:
    with RunReader(runs / "demo") as reader:
        yield reader


@pytest.fixture(scope="module")
def grown(demo: RunReader) -> SpaceMap:
    return SpaceMap().catch_up(demo)


def drawn(picture: Picture, colour: str = "solve rate") -> dict[tuple[str, str], tuple[float, float]]:
    found = {}
    for trace in graph.figure(picture, colour).data:
        if trace.customdata is not None:
            for mark, x, y in zip(trace.customdata, trace.x, trace.y):
                found[tuple(mark)] = (float(x), float(y))
    return found


@pytest.mark.parametrize("colour", graph.COLOURS)
def test_marks_lie_where_the_layout_puts_them(demo: RunReader, grown: SpaceMap, colour: str) -> None:
    space = demo.space()
    picture = marks.draw(grown, demo, Scope())
    found = drawn(picture, colour)
    assert picture.level == "attempts"
    assert set(found) == {(node["kind"], name) for name, node in space.nodes()}
    for (_, name), place in found.items():
        assert place == pytest.approx(space.layout()[name], abs=1e-4)
    assert picture.tasks + sum(node["kind"] == "attempt" for _, node in space.nodes()) == len(found)


def test_attempts_have_the_values_of_the_graph(demo: RunReader, grown: SpaceMap) -> None:
    space = demo.space().graph
    picture = marks.draw(grown, demo, Scope())
    gone_on = 0
    for number, (kind, name) in enumerate(picture.marks):
        node = space.nodes[name]
        if kind == "attempt":
            values = {colour: column[number] for colour, column in picture.values.items()}
            assert values["round"] == node["round"] and values["policy version"] == node["policy_version"]
            assert picture.names["step"][number] == node["step"]
            measured = [visit.learnability for visit in node["visits"] if visit.learnability is not None]
            wanted = measured[-1] if measured else np.nan
            assert values["learnability"] == pytest.approx(wanted, nan_ok=True)
            gone_on += bool(measured)
    assert gone_on > 10


def test_nothing_moves_and_nothing_changes_its_form_while_the_growth_is_played(
    demo: RunReader, grown: SpaceMap
) -> None:
    shown: dict[tuple[str, str], tuple[float, float]] = {}
    for upto in (0, 1, 2, UNTIL_NOW):
        picture = marks.draw(grown, demo, Scope(), upto)
        found = drawn(picture)
        assert shown.items() <= found.items() and len(found) > len(shown)
        shown = found
        assert picture.level == "attempts"
        assert (picture.reach, picture.middle) == (marks.draw(grown, demo, Scope()).reach, (0, 0))


def test_size_grows_with_visits(demo: RunReader, grown: SpaceMap) -> None:
    picture, tasks = marks.draw(grown, demo, Scope()), grown.tasks()
    count = picture.tasks
    assert np.corrcoef(np.sqrt(tasks.visits), picture.size[:count])[0, 1] > 0.999


def test_large_spaces_are_summarised_step_by_step(
    demo: RunReader, grown: SpaceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {}
    for limit in (5000, 200, 50, 5):
        monkeypatch.setattr(marks, "MARKS", limit)
        picture = marks.draw(grown, demo, Scope())
        levels[limit] = picture.level
        assert len(picture.marks) <= limit
        assert picture.attempts == grown.tasks().attempts.sum() and picture.tasks == len(grown.ids)
        assert all(picture.mark_of(id) is not None for id in grown.ids) or picture.left_out
        assert not graph.figure(picture, "step").layout.xaxis.visible
    assert levels == {5000: "attempts", 200: "tasks", 50: "parts", 5: "topics"}
    assert picture.left_out == 12 - 5


def test_a_part_opens_into_what_it_stands_for(
    demo: RunReader, grown: SpaceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "MARKS", 100)
    whole = marks.draw(grown, demo, Scope())
    assert whole.level == "parts"
    tasks = 0
    for kind, name in whole.marks:
        opened = marks.draw(grown, demo, Scope(patch=int(name)))
        assert kind == "part" and opened.level in ("attempts", "tasks")
        mine = [id for mark, id in opened.marks if mark == "task"]
        assert all(whole.stands[id] == (kind, name) for id in mine)
        tasks += len(mine)
    assert tasks == len(grown.ids)
    topic = marks.draw(grown, demo, Scope(topic="zwc.kopado"))
    assert {grown.topics[grown.number[id]][0] for kind, id in topic.marks if kind == "task"} == {"zwc.kopado"}


def test_a_search_looks_at_tasks_answers_topics_and_verdicts(demo: RunReader) -> None:
    def search(text: str | None, category: str | None = None) -> queries_space.Match:
        found = queries_space.search(demo, text, category)
        assert found is not None and found.searched == found.of
        return found

    assert queries_space.search(demo, None, None) is None
    median = search("MEDIAN of the list")
    wanted = {t.id for t, _ in demo.task_records(split="train") if "median of the list" in t.statement}
    assert median.tasks == median.whole == wanted and not median.attempts
    answered = search("zwc.kopado(values, 2)")
    stored = {
        row["id"] for row in demo.episodes(limit=None, purpose="collect", search="zwc.kopado(values, 2)")
    }
    assert answered.attempts.keys() == stored and answered.hits == len(stored) > 3
    verdict = search(None, "malformed")
    stored = {row["id"] for row in demo.episodes(limit=None, purpose="collect", category="malformed")}
    assert verdict.attempts.keys() == stored and not verdict.whole
    both = search("median of the list", "malformed")
    assert set(both.attempts) == {id for id, task in verdict.attempts.items() if task in wanted}
    assert search("zwc.kopado", None).whole >= {
        t.id for t, _ in demo.task_records(topic="zwc.kopado", split="train")
    }
    assert search("100%_'\"; DROP TABLE tasks").tasks == frozenset()


def test_a_search_without_time_tells_how_far_it_came(
    demo: RunReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_space, "_CHUNK", 100)
    found = queries_space.search(demo, "values", None, seconds=0.0)
    assert found is not None and found.searched == 100 < found.of and 0 < found.hits <= 100


def test_what_a_search_did_not_find_is_faint(demo: RunReader, grown: SpaceMap) -> None:
    match = queries_space.search(demo, None, "malformed")
    picture = marks.draw(grown, demo, Scope(), UNTIL_NOW, match)
    figure = graph.figure(picture, "origin")
    faint = next(trace for trace in figure.data if trace.name == "other")
    bright = {
        tuple(m) for t in figure.data if t.customdata is not None and t is not faint for m in t.customdata
    }
    assert match is not None and faint.marker.opacity < 0.2
    assert {name for kind, name in bright if kind == "attempt"} == set(match.attempts)
    assert {name for kind, name in bright if kind == "task"} == match.tasks


def test_a_revision_tree_marks_what_got_better_and_worse(demo: RunReader) -> None:
    better = worse = 0
    for task in demo.tasks(limit=None, split="train"):
        rows = queries.revisions(demo, task["id"])
        if not rows:
            continue
        rewards = {row["id"]: row["reward"] for row in rows}
        figure = charts.revision_tree(rows, rows[0]["id"])
        lines = {t.name: sum(x is None for x in t.x) for t in figure.data if t.mode == "lines"}
        pairs = [(rewards.get(row["parent"]), row["reward"]) for row in rows]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        assert lines["improvement"] == sum(a < b for a, b in known)
        assert lines["regression"] == sum(a > b for a, b in known)
        assert sum(lines.values()) == len(rows)
        better, worse = better + lines["improvement"], worse + lines["regression"]
    assert better > 0 and worse > 0


# --- the page ---


def controls(app: object) -> dict[str, object]:
    return {w.label: w.value for kind in ("text_input", "selectbox", "slider") for w in getattr(app, kind)}


def test_the_address_restores_search_time_and_part(runs: Path, show: Show) -> None:
    address = {"find": "median", "category": "correct", "topic": "zwc.kopado", "upto": "2"}
    app = show(runs, "space", "demo", **address)
    shown = controls(app)
    assert shown["Find in tasks and answers"] == "median" and shown["Verdict"] == "correct"
    assert shown["Topic"] == "zwc.kopado" and shown["Up to round"] == 2
    assert "all about zwc.kopado" in texts(app) and "as of round 2" in texts(app)
    assert {name: app.query_params[name] for name in address} == address
    app = show(runs, "space", "demo", part="0")
    assert "part 0, about" in texts(app)


def test_the_slider_and_the_topic_go_into_the_address(runs: Path, show: Show) -> None:
    app = show(runs, "space", "demo")
    assert "upto" not in app.query_params and "as of now" in texts(app)
    app.slider[0].set_value(1).run()
    assert not app.exception and app.query_params["upto"] == "1" and "as of round 1" in texts(app)
    app.slider[0].set_value(3).run()
    assert "upto" not in app.query_params  # the newest round moves on with the run
    next(box for box in app.selectbox if box.label == "Topic").select("zwc.biteru").run()
    assert not app.exception and app.query_params["topic"] == "zwc.biteru"
    next(button for button in app.button if button.label == "The whole space").click().run()
    assert not app.exception and "topic" not in app.query_params


def test_the_growth_is_played_from_the_first_round_to_the_newest(
    runs: Path, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = show(runs, "space", "demo")
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    next(button for button in app.button if button.label == "Play the growth").click().run()
    rounds = [app.query_params.get("upto")]
    for _ in range(4):
        now[0] += 1.0
        app.run()
        assert not app.exception
        rounds.append(app.query_params.get("upto"))
    assert [r[0] if isinstance(r, list) else r for r in rounds] == ["0", "1", "2", None, None]
    assert any(button.label == "Play the growth" for button in app.button)


def test_a_task_can_be_chosen_and_shows_its_tree(runs: Path, demo: RunReader, show: Show) -> None:
    task = max(demo.tasks(limit=None, split="train"), key=lambda t: t["attempts"])
    app = show(runs, "space", "demo", node=task["id"])
    assert task["statement"] in [code.value for code in app.code]
    assert "improvements, " in texts(app) and "groups that started from it: " in texts(app)
    headings = [heading.value for heading in app.subheader]
    assert headings == ["Task", "Revision tree", "Attempts"]


@pytest.mark.parametrize(
    "address",
    [
        {"part": "9999"},
        {"part": "-1"},
        {"part": "<script>"},
        {"topic": "no such topic"},
        {"upto": "99999999999999999999"},
        {"upto": "x"},
        {"colour": "no colour"},
        {"category": "no category"},
        {"find": "%"},
    ],
)
def test_addresses_that_make_no_sense_are_calm(runs: Path, show: Show, address: dict[str, str]) -> None:
    app = show(runs, "space", "demo", **address)
    if "part" in address or "topic" in address:
        assert "That part is not in this run" in texts(app)
    assert "judged attempts" in texts(app)


def test_hostile_texts_are_found_and_shown_as_text(runs: Path, show: Show) -> None:
    chosen = attempt_ids(runs, "hostile", purpose="collect")[0]
    app = show(runs, "space", "hostile", find=MARK, node=chosen)
    assert "Found" in [heading.value for heading in app.subheader]
    for element in [*app.markdown, *app.caption, *app.info, *app.subheader]:
        assert MARK not in str(element.value)


def test_a_growing_run_is_followed(tmp_path: Path, show: Show) -> None:
    with DemoRun(tmp_path / "growing", topics=3, groups_per_round=8) as run:
        app = show(tmp_path, "space", "growing")
        assert "18 tasks, 0 judged attempts" in texts(app)
        for round in (1, 2):
            run.play_round()
            app.run()
            assert not app.exception
            assert app.slider[0].max == round and app.slider[0].value == round
            with sqlite3.connect(tmp_path / "growing" / "run.db") as db:
                judged = db.execute(
                    "SELECT count(*) FROM attempts a JOIN groups g ON g.id = a.group_id"
                    " WHERE purpose = 'collect' AND infra_error IS NULL"
                ).fetchone()[0]
            assert f"{judged} judged attempts" in texts(app)
