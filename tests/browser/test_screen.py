"""The screen in a real browser: every page is drawn, hostile text stays text, Live moves by itself."""

from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from visiting import Visitor, wait_for

from memory.reader import RunReader

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def attempts(runs: Path, run: str, **filters: object) -> list[str]:
    with RunReader(runs / run) as reader:
        return [row["id"] for row in reader.episodes(limit=10_000, **filters)]


def figures(visitor: Visitor, count: int) -> None:
    wait_for(f"{count} figures", lambda: len(visitor.all(".js-plotly-plot .main-svg")) >= count)


def test_live(visitor: Visitor, runs: Path) -> None:
    visitor.open("?run=demo", "Live")
    figures(visitor, 4)
    with RunReader(runs / "demo") as reader:
        numbers = reader.overview()
    assert visitor.metrics()["Attempts"] == f"{numbers['attempts']:,}"
    assert "rejected: duplicate" in visitor.words() and "proposer" in visitor.words()
    visitor.well()
    visitor.shoot("live", 2100)


def test_task_space_and_a_click_on_it(visitor: Visitor, runs: Path) -> None:
    visitor.open("space?run=demo&colour=origin", "Task space")
    figures(visitor, 1)
    visitor.shoot("space", 1050)
    wait_for("the picture to stand still", lambda: visitor.driver.execute_script(_POINT))
    x, y = visitor.driver.execute_script(_POINT)
    ActionChains(visitor.driver).move_by_offset(0, 0).perform()
    actions = ActionChains(visitor.driver)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.pause(0.5).click().perform()
    wait_for("the mark in the address", lambda: "node=" in visitor.driver.current_url)
    wait_for("the task beside the picture", lambda: "A weather station" in visitor.words())
    assert "colour=origin" in visitor.driver.current_url
    visitor.well()
    visitor.shoot("space-chosen", 1050)
    # The address alone brings the same view back.
    visitor.driver.get(visitor.driver.current_url)
    visitor.settle("Task space")
    wait_for("the task beside the picture", lambda: "A weather station" in visitor.words())


#: Where the first task of the picture is on the page, in pixels.
_POINT = """
const gd = document.querySelector('.js-plotly-plot');
if (!gd || !gd._fullLayout || !gd.data) return null;
const marks = gd._fullData.find(t => t.mode === 'markers' && t.customdata);
const {xaxis, yaxis} = gd._fullLayout, box = gd.getBoundingClientRect();
return [box.left + xaxis._offset + xaxis.l2p(marks.x[0]), box.top + yaxis._offset + yaxis.l2p(marks.y[0])];
"""


def test_an_episode(visitor: Visitor, runs: Path) -> None:
    chosen = attempts(runs, "demo", step="improve", category="correct", trained=True)[0]
    visitor.open(f"episode?run=demo&attempt={chosen}", "Episode")
    figures(visitor, 1)
    words = visitor.words()
    for told in (
        "open book",
        "verified",
        "Solver",
        "Verifier",
        "Curator",
        "Learner",
        "def solve(values):",
        chosen,
    ):
        assert told in words
    visitor.well()
    visitor.shoot("episode", 1700)


def test_a_row_of_the_list_opens_its_episode(visitor: Visitor, runs: Path) -> None:
    visitor.open("episode?run=demo&purpose=collect", "Episode")
    canvas = wait_for("the list", lambda: visitor.all("[data-testid='stDataFrame'] canvas"))[0]
    width, height = canvas.size["width"], canvas.size["height"]
    # The box to choose a row stands at its left end; the second row from the top is the first episode.
    ActionChains(visitor.driver).move_to_element_with_offset(
        canvas, 16 - width // 2, 52 - height // 2
    ).click().perform()
    wait_for("the episode in the address", lambda: "attempt=" in visitor.driver.current_url)
    newest = attempts(runs, "demo", purpose="collect")[0]
    assert newest in visitor.driver.current_url
    wait_for("the episode", lambda: newest in visitor.words())
    visitor.well()


def test_learning(visitor: Visitor, runs: Path) -> None:
    visitor.open("learning?run=demo", "Learning")
    figures(visitor, 5)
    assert "zwc.kopado" in visitor.words() and "gradient norm" in visitor.words()
    visitor.well()
    visitor.shoot("learning", 2000)


def test_pages_follow_the_run_through_the_menu(visitor: Visitor) -> None:
    visitor.open("?run=hostile", "Live")
    for link in visitor.all("[data-testid='stSidebarNavLink']"):
        if "Learning" in link.text:
            link.click()
            break
    visitor.settle("Learning")
    wait_for("the run in the address", lambda: "run=hostile" in visitor.driver.current_url)
    visitor.open("?page=space&run=demo", "Task space")


@pytest.mark.parametrize("page", ["", "space", "learning", "episode"])
def test_hostile_text_does_nothing(visitor: Visitor, runs: Path, page: str) -> None:
    visitor.open(f"{page}?run=hostile", {"": "Live", "space": "Task space"}.get(page, page.capitalize()))
    wait_for("something to see", lambda: visitor.all(".js-plotly-plot, [data-testid='stDataFrame']"))
    visitor.well()
    visitor.shoot(f"hostile-{page or 'live'}")


def test_hostile_answers_are_seen_as_text(visitor: Visitor, runs: Path) -> None:
    from demo_run import HOSTILE, MARK

    from ui.safe import show

    for number, text in enumerate(HOSTILE):
        found = attempts(runs, "hostile", search=text[:60].encode(errors="backslashreplace").decode())
        if not found:
            continue
        visitor.open(f"episode?run=hostile&attempt={found[0]}", "Episode")
        wait_for("the text", lambda: MARK in visitor.words())
        boxes = "\n".join(
            box.get_property("textContent") or "" for box in visitor.all("[data-testid='stCode']")
        )
        stored = text.encode(errors="backslashreplace").decode()
        assert show(stored).split("\n")[0][:60] in boxes
        if len(text) > 100_000:
            assert "characters, the first" in boxes and "Download the whole text" in visitor.words()
        assert not visitor.all(
            "[data-testid='stMain'] a[href^='javascript:'], [data-testid='stMain'] img[src='x']"
        )
        visitor.well()
        if number == 0:
            visitor.shoot("hostile-answer", 1700)


def test_live_moves_without_a_reload(visitor: Visitor, runs: Path) -> None:
    from demo_run import DemoRun

    with DemoRun(runs / "growing", topics=4, groups_per_round=8) as run:
        visitor.open("?run=growing", "Live")
        wait_for("the empty run", lambda: visitor.metrics().get("Attempts") == "0")
        visitor.driver.execute_script("window.neverReloaded = true")
        for round in (1, 2):
            run.play_round()
            wait_for("the new round", lambda r=round: visitor.metrics().get("Attempts") == str(32 * r))
            assert visitor.metrics()["Policy version"] == str(round)
        assert visitor.driver.execute_script("return window.neverReloaded === true")
        visitor.well()


def test_dark(visitor: Visitor) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        for page, title in (("", "Live"), ("space", "Task space")):
            visitor.open(f"{page}?run=demo", title)
            figures(visitor, 1)
            ground = visitor.driver.execute_script(
                "return getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
            )
            assert sum(int(part) for part in ground[4:-1].split(",")) < 200
            visitor.well()
            visitor.shoot(f"dark-{page or 'live'}")
    finally:
        visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
