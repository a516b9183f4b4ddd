"""The report and the summary: from the store, whole, harmless and self-contained."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from demo_run import MARK, DemoRun
from hypothesis import given
from hypothesis import strategies as st

from experiments import report, summary
from experiments.plaintext import one_line, visible
from experiments.reports import charts, html
from experiments.reports.document import Bars, Curve, Heat, Lines
from memory.reader import RunReader

REQUIRED = {
    "run_id", "preset", "model", "seed", "seconds", "rounds", "tasks", "proposed_tasks",
    "proposals_rejected", "attempts", "verified", "closed_book_before", "closed_book_after",
    "open_book_before", "tokens_generated", "tokens_trained", "infra_errors", "peak_memory_mb",
    "versions", "sandbox", "recipe", "finished",
}  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


def demo(folder: Path, rounds: int = 2, hostile: bool = False) -> Path:
    with DemoRun(folder, seed=1, hostile=hostile) as run:
        for _ in range(rounds):
            run.play_round()
    return folder


def rendered(*folders: Path) -> str:
    return html.render(report.build(folders))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("runs") / "demo")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("runs") / "hostile", hostile=True)


def test_the_summary_agrees_with_the_store(run_dir: Path) -> None:
    found = summary.build(run_dir, finished=True, seconds=12.3, peak_memory_mb=100.0)
    assert set(found) >= REQUIRED
    with RunReader(run_dir / "run.db") as reader:
        attempts = reader.value(
            "SELECT count(*) FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.purpose = 'collect'"
        )
        verified = reader.value(
            "SELECT count(*) FROM attempts a JOIN groups g ON g.id = a.group_id"
            " WHERE g.purpose = 'collect' AND a.reward = 1"
        )
        infra = reader.value("SELECT count(*) FROM attempts WHERE infra_error IS NOT NULL")
        closed = reader.rows("SELECT accuracy FROM evaluations WHERE book = 'closed' ORDER BY round")
        rejected = reader.value("SELECT count(*) FROM proposals WHERE reason IS NOT NULL")
    assert (found["attempts"], found["verified"], found["infra_errors"]) == (attempts, verified, infra)
    assert found["closed_book_before"] == closed[0]["accuracy"]
    assert found["closed_book_after"] == closed[-1]["accuracy"]
    assert found["proposals_rejected"] == rejected == sum(found["proposals_rejected_by_reason"].values())
    assert found["run_id"] == "demo" and found["rounds"] == 2


def test_a_run_without_rounds_has_no_after(tmp_path: Path) -> None:
    found = summary.build(demo(tmp_path / "new", rounds=0), finished=False, seconds=1, peak_memory_mb=1)
    assert found["closed_book_before"] is not None
    assert found["closed_book_after"] is None
    assert found["finished"] is False
    summary.save(found, tmp_path / "new")
    assert "not finished" in rendered(tmp_path / "new")


def test_time_adds_up_and_the_peak_stays_over_sessions(tmp_path: Path) -> None:
    run = demo(tmp_path / "run", rounds=1)
    summary.save(summary.build(run, finished=False, seconds=10, peak_memory_mb=500), run)
    again = summary.build(run, finished=True, seconds=5, peak_memory_mb=300)
    assert (again["seconds"], again["peak_memory_mb"]) == (15, 500)


def test_the_report_loads_nothing_and_holds_no_script(hostile: Path) -> None:
    path = report.write(report.build([hostile]), hostile / "report.html")
    page = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    names = {tag for tag, _ in tags.tags}
    assert not names & {"script", "img", "iframe", "link", "object", "embed", "a", "b2"}
    for _, attributes in tags.tags:
        for name, value in attributes:
            assert not name.startswith("on")
            assert name not in ("src", "href")
            assert "javascript:" not in (value or "")
    assert "default-src 'none'" in page
    assert len(page) < 500_000  # 1 MB lines are cut
    assert MARK in page  # shown, not dropped
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)


def test_the_report_shows_every_version_topic_and_reason(run_dir: Path) -> None:
    page = rendered(run_dir)
    with RunReader(run_dir / "run.db") as reader:
        topics = reader.evaluations()[-1]["by_topic"]
        reasons = reader.rejections()
    assert topics and reasons
    for text in [*topics, *reasons]:
        assert text in page
    plots = (
        "Accuracy by policy version",
        "Closed-book accuracy by topic",
        "Loss",
        "Gradient norm",
        "Learning rate",
    )
    for title in (*plots, "Share of proposals rejected", "Seconds by stage"):
        assert f'aria-label="{title}"' in page


def test_a_summary_that_is_there_is_used(run_dir: Path) -> None:
    found = summary.build(run_dir, finished=True, seconds=61, peak_memory_mb=1234.0, error="ended badly")
    path = summary.save(found, run_dir)
    assert json.loads(path.read_text()) == found
    page = rendered(run_dir)
    assert "1234 MB" in page and "ended badly" in page and "not finished" not in page
    path.unlink()


_number = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)


@given(
    st.dictionaries(
        st.text(max_size=20), st.lists(st.tuples(st.floats(0, 1e6), _number), max_size=20), max_size=4
    )
)
def test_line_charts_are_well_formed_and_stay_inside(series: dict[str, list[tuple[float, float]]]) -> None:
    curves = tuple(
        Curve(name=n, points=tuple(points), band=tuple((y - 1, y + 1) for _, y in points))
        for n, points in series.items()
    )
    svg = charts.lines(Lines(title="t", x_label="x", y_label="y", curves=curves))
    if not any(series.values()):
        assert svg == ""
        return
    root = ET.fromstring(svg)
    for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(circle.attrib["cx"]) <= 640 and 0 <= float(circle.attrib["cy"]) <= 240


@given(st.dictionaries(st.text(max_size=20), st.floats(0, 1e9), max_size=6))
def test_bar_charts_are_well_formed(values: dict[str, float]) -> None:
    svg = charts.bars(Bars(title="t", values=tuple(values.items()), unit="s"))
    assert (svg == "") == (not values)
    if svg:
        ET.fromstring(svg)


@given(st.lists(st.text(max_size=20), max_size=4), st.integers(0, 20), st.data())
def test_heat_maps_are_well_formed_with_a_cell_for_each_value(
    names: list[str], columns: int, data: st.DataObject
) -> None:
    share = st.none() | st.floats(0, 1)
    values = tuple(tuple(data.draw(st.lists(share, min_size=columns, max_size=columns))) for _ in names)
    told = Heat(
        title="t", x_label="v", rows=tuple(names), columns=tuple(map(str, range(columns))), values=values
    )
    svg = charts.heat(told)
    assert (svg == "") == (not names or not columns)
    if svg:
        cells = list(ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"))
        assert len(cells) == sum(value is not None for row in values for value in row)


def test_numbers_that_are_none_are_left_out_and_long_curves_are_averaged() -> None:
    points = [(float(i), 2.0) for i in range(10_000)] + [(1e4, float("nan")), (1e4 + 1, float("inf"))]
    svg = charts.lines(
        Lines(title="t", x_label="x", y_label="y", curves=(Curve(name="c", points=tuple(points)),))
    )
    drawn = ET.fromstring(svg).find("{http://www.w3.org/2000/svg}polyline")
    assert drawn is not None
    places = drawn.attrib["points"].split()
    assert 200 < len(places) <= charts.MOST_POINTS
    assert len({place.split(",")[1] for place in places}) == 1  # all at 2.0


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_within(low: float, width: float) -> None:
    high = low + width
    if high <= low:
        return
    ticks = charts._ticks(low, high)
    slack = (high - low) * 1e-6 + abs(low) * 1e-9
    assert len(ticks) <= 6 and all(low - slack <= t <= high + slack for t in ticks)


@given(st.text(max_size=300))
def test_visible_text_cannot_act(text: str) -> None:
    shown = visible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", shown)
    shown.encode("utf-8")  # no lone surrogate is left
    assert "\n" not in one_line(text) and len(one_line(text)) <= 100


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=50))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_long_text_is_cut_with_a_note() -> None:
    assert visible("x" * 50, limit=10) == "x" * 10 + "\n... 40 more characters"
