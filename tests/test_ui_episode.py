"""The Episode page: coloured tokens, side by side, replays of an episode and of a round, links, addresses."""

import math
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from byte_tokens import with_byte_tokens, write_tokenizer
from demo_run import HOSTILE, make_demo_run
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from pages import Show, texts
from streamlit.testing.v1 import AppTest

from memory import token_texts
from memory.episodes import Episode
from memory.reader import RunReader
from protocols.records import Message
from ui import diffing, queries_episode, replaying, safe, tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    with_byte_tokens(make_demo_run(root / "demo", rounds=3))
    make_demo_run(root / "bare", rounds=1, topics=4, groups_per_round=8)
    with_byte_tokens(make_demo_run(root / "hostile", rounds=1, topics=4, hostile=True))
    return root


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    yield Show(monkeypatch)


def chosen(folder: Path, run: str = "demo", **filters: object) -> Episode:
    with RunReader(folder / run) as reader:
        return reader.attempt(reader.episodes(limit=1, **filters)[0]["id"])


def html(app: AppTest) -> str:
    """Everything that is handed to the browser as HTML, but the page's own style."""
    bodies = [element.proto.body for element in app.get("html")]
    return "".join(body for body in bodies if not body.startswith("<style>"))


class Tags(HTMLParser):
    """What is told by a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# --- tokens ---


@given(st.lists(st.text(max_size=12), max_size=12))
def test_texts_of_tokens_are_text_whatever_they_hold(found: list[str]) -> None:
    made = tokens.coloured(found, range(len(found)), [-1.0] * len(found), 0)
    read = Tags(made)
    assert {tag for tag, _ in read.tags} <= {"div", "span"}
    assert all(set(attributes) <= {"style", "title", "tabindex"} for _, attributes in read.tags)
    whole = "".join(found)
    assert read.text.replace("⏎\n", "\n").rstrip("�") == safe.reveal(whole).replace("⏎\n", "\n").rstrip("�")


def test_hostile_tokens_are_text() -> None:
    for text in HOSTILE:
        text = text[:300]
        made = tokens.coloured([text], [1], [-1.0], 0)
        body = made[made.index("<span") :]
        assert body.count("<") == 3  # of the span, its end, and the box's end
        assert Tags(made).text == safe.reveal(text).replace("\n", "⏎\n")


def test_unlikely_tokens_are_stronger_and_given_ones_are_not_coloured() -> None:
    made = Tags(tokens.coloured(list("abcd"), [1, 2, 3, 4], [-0.1, -2.0, -99.0], 1)).tags[1:]
    styles = [str(attributes["style"]) for _, attributes in made]
    assert "italic" in styles[0] and "background" not in styles[0]
    veils = [float(style.rsplit(",", 1)[1].rstrip(")")) for style in styles[1:]]
    assert veils == sorted(veils) and veils[-1] == 0.72 and veils[0] < 0.05
    assert made[2][1]["title"] == "id 3: -2.000 nats, 13.53 %"


def test_a_character_of_several_tokens_is_told_once() -> None:
    read = Tags(tokens.coloured(["", "é", "x"], [195, 169, 120], [-1.0, -0.5, -0.25], 0))
    assert [attributes.get("title") for tag, attributes in read.tags if tag == "span"] == [
        "id 195, 169: -1.500 nats, 22.31 %",
        "id 120: -0.250 nats, 77.88 %",
    ]
    assert read.text == "éx"


def test_many_tokens_are_cut_and_said_to_be() -> None:
    many = ["x"] * 5_000
    read = Tags(tokens.coloured(many, range(5_000), [-1.0] * 5_000, 0))
    assert len(read.tags) == 3_002 and "5,000 tokens, the first 3,000 shown" in read.text


def test_pieces_are_the_stored_text_or_nothing(tmp_path: Path) -> None:
    file = write_tokenizer(tmp_path / "tokenizer.json")
    text = "héllo <b>\n日本 "
    found = token_texts.pieces(file, list(text.encode()), text)
    assert found is not None and "".join(found) == text and len(found) == len(text.encode())
    assert token_texts.pieces(file, list(text.encode()), "another text") is None
    assert token_texts.pieces(file, [70_000], "x") is None
    assert token_texts.pieces(tmp_path / "none.json", [1], "x") is None
    (tmp_path / "broken.json").write_text("{")
    assert token_texts.pieces(tmp_path / "broken.json", [1], "x") is None


def test_the_tokenizer_is_looked_for_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKSPACE_CACHE", str(tmp_path / "cache"))
    run = tmp_path / "run"
    assert token_texts.tokenizer_file(run, "tiny-random") is None
    assert token_texts.tokenizer_file(run, "x" * 5_000) is None
    assert token_texts.tokenizer_file(run, "nobody/nothing") is None
    assert token_texts.tokenizer_file(run, "<script>/\x00") is None
    cached = write_tokenizer(tmp_path / "cache" / "models" / "tiny-random" / "tokenizer.json")
    assert token_texts.tokenizer_file(run, "tiny-random") == cached
    local = write_tokenizer(tmp_path / "model" / "tokenizer.json")
    assert token_texts.tokenizer_file(run, str(tmp_path / "model")) == local
    own = write_tokenizer(run / "checkpoints" / "v0002" / "tokenizer.json")
    assert token_texts.tokenizer_file(run, "tiny-random") == own


def test_an_answer_is_shown_by_its_tokens(folder: Path, show: Show) -> None:
    seen = chosen(folder, step="improve", category="correct")
    app = show(folder, "episode", "demo", attempt=seen.attempt.id)
    read = Tags(html(app))
    assert seen.attempt.response in read.text.replace("⏎\n", "\n")
    spans = [attributes for tag, attributes in read.tags if tag == "span"]
    assert len(spans) == len(seen.attempt.response)
    assert spans[20]["title"].endswith("%") and "nats" in spans[20]["title"]
    plain = show(folder, "episode", "demo", attempt=seen.attempt.id, answer="text")
    assert "<span" not in html(plain)
    assert seen.attempt.response in [code.value for code in plain.code]


def test_without_a_tokenizer_the_answer_is_plain_text(folder: Path, show: Show) -> None:
    seen = chosen(folder, "bare")
    app = show(folder, "episode", "bare", attempt=seen.attempt.id)
    assert seen.attempt.response in [code.value for code in app.code]
    assert "<span" not in html(app)
    assert "tokenizer" in texts(app)


# --- side by side ---


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_sides_are_aligned_and_lose_nothing(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)
    sides = diffing.side_by_side(before, after)
    left, right = sides.left.split("\n"), sides.right.split("\n")
    assert len(left) == len(right)
    assert "\n".join(line[2:] for line in left if line) == before
    assert "\n".join(line[2:] for line in right if line) == after
    assert all(one == other for one, other in zip(left, right) if one.startswith("  "))
    assert sides.gone == sum(line.startswith("- ") for line in left)
    assert sides.new == sum(line.startswith("+ ") for line in right)


def test_where_the_book_was_opened_is_told(folder: Path, show: Show) -> None:
    opened = chosen(folder, book="open", purpose="collect", step="improve")
    app = show(folder, "episode", "demo", attempt=opened.attempt.id)
    assert f"retrieved: documentation of {opened.task.topics[0]}" in texts(app)
    closed = chosen(folder, book="closed")
    app = show(folder, "episode", "demo", attempt=closed.attempt.id)
    assert "retrieved" not in texts(app)


def test_worked_examples_before_the_task_are_counted_and_history_is_not(folder: Path) -> None:
    plain = chosen(folder, book="open", purpose="collect", step="improve")
    assert plain.start.history and "worked" not in str(queries_episode.retrieved(plain))
    asked = Message(role="user", content="Documentation of zwc:\nother")
    shown = [asked, Message(role="assistant", content="")]
    prompt = structs.replace(plain.prompt, messages=(*shown, *shown, *plain.prompt.messages))
    more = structs.replace(plain, prompt=prompt)
    assert queries_episode.retrieved(more) == (
        f"documentation of {plain.task.topics[0]}, after 2 worked examples"
    )


def test_a_revision_stands_beside_its_parent(folder: Path, show: Show) -> None:
    seen = chosen(folder, step="improve", category="correct")
    parent = seen.start.history[-1].response
    app = show(folder, "episode", "demo", attempt=seen.attempt.id)
    expected = diffing.side_by_side(parent, seen.attempt.response)
    boxes = [code.value for code in app.code]
    assert expected.left in boxes and expected.right in boxes
    beside = app.selectbox(key="beside")
    assert beside.value == "parent" and "attempt" in beside.options[1]
    other = next(row for row in seen.siblings if row["id"] != seen.attempt.id)
    name = f"attempt {other['idx']} of the group"
    app = show(folder, "episode", "demo", attempt=seen.attempt.id, beside=name)
    with RunReader(folder / "demo") as reader:
        whole = queries_episode.response(reader, other["id"])
    assert app.selectbox(key="beside").value == name
    assert diffing.side_by_side(whole, seen.attempt.response).left in [code.value for code in app.code]


def test_a_first_answer_alone_in_its_group_stands_beside_nothing(folder: Path, show: Show) -> None:
    seen = chosen(folder, purpose="evaluate")
    app = show(folder, "episode", "demo", attempt=seen.attempt.id)
    assert "Side by side" not in [heading.value for heading in app.subheader]


def test_updates_are_linked_to_the_learning_page(folder: Path, show: Show) -> None:
    seen = chosen(folder, trained=True)
    app = show(folder, "episode", "demo", attempt=seen.attempt.id)
    links = {link.proto.label: link.proto for link in app.get("page_link")}
    version = seen.updates[0]["version"]
    link = links[f"Version {version} in Learning"]
    assert f"version={version}" in str(link) and "learning" in str(link)


# --- replay ---


def test_parts_come_one_after_the_other_at_their_own_pace(folder: Path) -> None:
    seen = chosen(folder, origin="proposed", trained=True)
    with RunReader(folder / "demo") as reader:
        at = queries_episode.times(reader, seen)
    found = replaying.parts(seen, at)
    assert [part.role for part in found] == ["proposer", "solver", "verifier", "curator", "learner"]
    assert found[0].begins == 0 and found[0].seconds == 9.0  # the stage that wrote all proposals
    assert found[1].seconds == pytest.approx(seen.group["seconds"]) and found[-1].seconds == 21.0
    for before, after in pairwise(found):
        wait = after.begins - before.begins - before.seconds
        assert -1e-9 <= wait <= replaying.LONGEST_WAIT + 1e-9
    assert found[1].waited is not None and found[1].waited > 0
    assert replaying.length(found) == found[-1].begins + 21.0
    solver = found[1]
    assert (solver.share(solver.begins), solver.share(solver.begins + solver.seconds)) == (0.0, 1.0)
    assert solver.share(solver.begins + solver.seconds / 4) == pytest.approx(0.25)


def test_a_base_task_that_was_never_learned_has_no_proposer_and_no_learner(folder: Path) -> None:
    seen = chosen(folder, purpose="evaluate")
    with RunReader(folder / "demo") as reader:
        found = replaying.parts(seen, queries_episode.times(reader, seen))
    assert [part.role for part in found] == ["solver", "verifier", "curator"]


def test_a_replay_shows_what_there_was_at_its_moment(folder: Path, show: Show) -> None:
    seen = chosen(folder, origin="proposed", trained=True)
    with RunReader(folder / "demo") as reader:
        found = replaying.parts(seen, queries_episode.times(reader, seen))
    address = {"attempt": seen.attempt.id, "replay": "1"}
    headings = {}
    for part in found:
        moment = f"{part.begins + part.seconds / 2:.1f}"
        app = show(folder, "episode", "demo", **address, moment=moment)
        headings[part.role] = [heading.value for heading in app.subheader]
    assert headings["proposer"] == ["Proposer"]
    assert headings["solver"] == ["Proposer", "Solver"]
    assert headings["learner"] == ["Proposer", "Solver", "Verifier", "Curator", "Learner"]
    halfway = f"{found[1].begins + found[1].seconds / 2:.1f}"
    app = show(folder, "episode", "demo", **address, moment=halfway)
    shown = Tags(html(app)).text.replace("⏎\n", "\n")
    assert "solver answers" in texts(app)
    assert 0 < len(shown) < len(seen.attempt.response)
    whole = show(
        folder, "episode", "demo", **address, moment=f"{math.ceil(10 * replaying.length(found)) / 10:.1f}"
    )
    assert "closed-sft" in texts(whole)


def test_a_replay_plays_pauses_and_ends(folder: Path, show: Show) -> None:
    seen = chosen(folder, purpose="evaluate")
    with RunReader(folder / "demo") as reader:
        seconds = replaying.length(replaying.parts(seen, queries_episode.times(reader, seen)))
    app = show(folder, "episode", "demo", attempt=seen.attempt.id, replay="1", speed="5x")
    app.button(key="play").click().run()
    time.sleep(0.3)
    app.run()
    assert not app.exception
    moved = app.slider(key="moment").value
    assert 1.0 < moved < seconds
    app.button(key="pause").click().run()
    held = app.slider(key="moment").value
    time.sleep(0.2)
    app.run()
    assert app.slider(key="moment").value == held and app.button(key="play")
    app.button(key="play").click().run()
    time.sleep(seconds / 5)
    app.run()
    app.run()
    assert not app.exception
    assert app.slider(key="moment").value == pytest.approx(math.ceil(10 * seconds) / 10)
    assert app.button(key="play")  # it has ended
    app.button(key="play").click().run()
    assert app.slider(key="moment").value < seconds / 2  # from the beginning again


def test_another_replay_begins_at_its_beginning(folder: Path, show: Show) -> None:
    app = show(folder, "episode", "demo", replay="2", moment="20.0")
    assert app.slider(key="moment").value == 20.0
    del app.query_params["moment"]  # as the link to the next round does
    app.query_params["replay"] = "3"
    app.run()
    assert not app.exception
    assert app.subheader[0].value == "Round 3" and app.slider(key="moment").value == 0.0


def test_a_round_is_replayed_with_its_totals(folder: Path, show: Show) -> None:
    with RunReader(folder / "demo") as reader:
        happened, stages = queries_episode.happenings(reader, 2), queries_episode.stages(reader, 2)
        row = next(row for row in reader.rounds() if row["round"] == 2)
    begun, ended = replaying.span(happened, stages)
    end = replaying.seen_at(happened, stages, ended)
    assert end.counts == {
        "proposals": row["proposals"],
        "rejected": row["proposals_rejected"],
        "groups": row["groups"],
        "attempts": row["attempts"],
        "verified": row["verified"],
    }
    early = replaying.seen_at(happened, stages, begun + 4.0)
    assert [stage["role"] for stage in early.working] == ["proposer"] and early.counts["groups"] == 0
    assert early.working[0]["done"] == pytest.approx(4 / 9)
    app = show(folder, "episode", "demo", replay="2", moment=f"{math.ceil(10 * (ended - begun)) / 10:.1f}")
    told = {metric.label: metric.value for metric in app.metric}
    assert told["Attempts"] == f"{row['attempts']:,}" and told["Verified"] == f"{row['verified']:,}"
    app = show(folder, "episode", "demo", replay="2", moment="4.0")
    assert "proposer" in texts(app) and {metric.value for metric in app.metric} == {"0"}


@pytest.mark.parametrize("round", ["99", "-1", "<b>", ""])
def test_rounds_that_are_not_there_are_calm(folder: Path, show: Show, round: str) -> None:
    app = show(folder, "episode", "demo", replay=round)
    assert "There is no such round to replay." in texts(app) and "1 to 3" in texts(app)


@pytest.mark.parametrize("replay", [None, "1"])
def test_hostile_answers_are_replayed_as_text(folder: Path, show: Show, replay: str | None) -> None:
    with RunReader(folder / "hostile") as reader:
        rows = reader.episodes(limit=1_000, search="<script>", purpose="collect")
    address = {} if replay is None else {"replay": replay, "moment": "3.0"}
    app = show(folder, "episode", "hostile", attempt=rows[0]["id"], **address)
    read = Tags(html(app))
    assert {tag for tag, _ in read.tags} <= {"div", "span"}
    for element in [*app.markdown, *app.caption, *app.info, *app.subheader]:
        assert "<script>" not in str(element.value)
