"""The task space in a real browser: it grows, is played, opens part by part, and no mark ever moves."""

import contextlib
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from demo_run import make_demo_run
from selenium.webdriver.common.action_chains import ActionChains
from visiting import Visitor, wait_for

from memory.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Where every mark lies, by kind and id, in the figure's own coordinates.
_MARKS = """
const plot = document.querySelector('.js-plotly-plot');
if (!plot || !plot._fullData) return null;
const found = {};
for (const t of plot._fullData) if (t.mode === 'markers' && t.customdata)
  t.customdata.forEach((mark, i) => { found[mark.join(' ')] = [t.x[i], t.y[i]]; });
return Object.keys(found).length ? found : null;
"""
#: Where the first mark of a kind is in the window, in pixels.
_PIXEL = """
const plot = document.querySelector('.js-plotly-plot');
if (!plot || !plot._fullLayout || !plot._fullData) return null;
const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
for (const t of plot._fullData) if (t.mode === 'markers' && t.customdata)
  for (let i = 0; i < t.x.length; i++) if (t.customdata[i][0] === arguments[0])
    return [box.left + xaxis._offset + xaxis.l2p(t.x[i]), box.top + yaxis._offset + yaxis.l2p(t.y[i])];
return null;
"""


def marks(visitor: Visitor) -> dict[str, Any]:
    return wait_for("marks", lambda: visitor.driver.execute_script(_MARKS))


def click(visitor: Visitor, kind: str) -> None:
    x, y = wait_for(f"a {kind}", lambda: visitor.driver.execute_script(_PIXEL, kind))
    actions = ActionChains(visitor.driver)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.pause(0.5).click().perform()


def button(visitor: Visitor, label: str) -> Any:
    return wait_for(
        f"the button {label}",
        lambda: next((b for b in visitor.all("[data-testid='stButton'] button") if label in b.text), None),
    )


def play(visitor: Visitor) -> None:
    """Press the button until it plays: a click while the page is drawn again finds a button that is gone."""
    for _ in range(3):
        button(visitor, "Play the growth").click()
        with contextlib.suppress(pytest.fail.Exception):
            return wait_for("it to play", lambda: "Pause" in visitor.words(), 60)
    pytest.fail("pressed three times, and it did not play")


def test_the_growth_is_played_and_no_mark_moves(visitor: Visitor) -> None:
    visitor.open("space?run=demo&upto=0", "Task space")
    seen = [marks(visitor)]
    play(visitor)

    def over() -> bool:
        found = visitor.driver.execute_script(_MARKS)
        if found and found != seen[-1]:
            seen.append(found)
        return "upto=" not in visitor.driver.current_url

    wait_for("the newest round", over, 150)
    wait_for("the button to play again", lambda: over() and "Play the growth" in visitor.words())
    assert len(seen) >= 2 and len(seen[-1]) > 2 * len(seen[0])  # a slow machine shows few steps in between
    for before, after in pairwise(seen):
        assert before.items() <= after.items()
    visitor.well()
    visitor.shoot("space-played", 1250)


def test_a_large_space_opens_part_by_part(visitor: Visitor, runs: Path) -> None:
    from experiments.benchmarks.space import Player

    player = Player(seed=3, tasks=6_000)
    with Store.create(runs / "large" / "run.db", {}, {}) as store:
        store.add_tasks(player.tasks)
        store.admit_groups(list(player.groups(600)))
    visitor.open("space?run=large", "Task space")
    whole = marks(visitor)
    assert len(whole) == 192 and all(name.startswith("part ") for name in whole)  # 64 topics, 94 tasks each
    assert "drawn as parts" in visitor.words()
    visitor.shoot("space-parts", 1250)
    click(visitor, "part")
    wait_for("the part in the address", lambda: "part=" in visitor.driver.current_url)
    wait_for("its tasks", lambda: any(name.startswith("task ") for name in marks(visitor)))
    assert "about topic" in visitor.words()
    visitor.driver.execute_script("document.querySelector('.js-plotly-plot').kept = true")
    click(visitor, "task")
    wait_for("the task in the address", lambda: "node=" in visitor.driver.current_url)
    wait_for("its revision tree", lambda: "Revision tree" in visitor.words())
    visitor.well()
    # The same figure, as it was moved to, and not a new one.
    assert visitor.driver.execute_script("return document.querySelector('.js-plotly-plot').kept === true")
    visitor.shoot("space-part", 1500)
    visitor.driver.get(visitor.driver.current_url)  # the address alone brings the same view back
    visitor.settle("Task space")
    wait_for("its revision tree", lambda: "Revision tree" in visitor.words())
    button(visitor, "The whole space").click()
    wait_for("all of it", lambda: marks(visitor).keys() == whole.keys())
    assert "part=" not in visitor.driver.current_url


def test_a_search_and_a_hostile_search(visitor: Visitor) -> None:
    from demo_run import HOSTILE

    visitor.open("space?run=demo&find=median&category=correct", "Task space")
    wait_for("what was found", lambda: "Found" in visitor.words())
    box = visitor.all("[data-testid='stTextInput'] input")[0]
    assert box.get_property("value") == "median"
    visitor.shoot("space-search", 1250)
    visitor.open("space?run=hostile", "Task space")
    box = wait_for("the box", lambda: visitor.all("[data-testid='stTextInput'] input"))[0]
    box.send_keys(HOSTILE[0][:60] + "\n")
    wait_for("what was found", lambda: "Found" in visitor.words())
    visitor.well()
    visitor.shoot("space-hostile-search", 1250)


def test_a_running_run_adds_marks_and_moves_none(visitor: Visitor, runs: Path) -> None:
    from demo_run import DemoRun

    with DemoRun(runs / "spreading", topics=4, groups_per_round=8) as run:
        run.play_round()
        visitor.open("space?run=spreading", "Task space")
        before = marks(visitor)
        visitor.driver.execute_script("window.neverReloaded = true")
        run.play_round()
        wait_for("the new round", lambda: len(marks(visitor)) > len(before))
        assert before.items() <= marks(visitor).items()
        assert visitor.driver.execute_script("return window.neverReloaded === true")
        visitor.well()


def test_a_moment_in_which_a_finished_run_cannot_be_read_is_got_over(visitor: Visitor, runs: Path) -> None:
    run = make_demo_run(runs / "resting", rounds=1, topics=4, groups_per_round=8)
    visitor.open("space?run=resting", "Task space")
    before = marks(visitor)
    connection = sqlite3.connect(run / "run.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN IMMEDIATE")
    try:
        wait_for("the line", lambda: "cannot be shown now" in visitor.words())
    finally:
        connection.close()
    wait_for("the picture", lambda: "cannot be shown now" not in visitor.words())
    assert marks(visitor) == before


def test_on_a_phone(visitor: Visitor) -> None:
    visitor.driver.set_window_size(500, 1500)
    visitor.open("space?run=demo&colour=step", "Task space")
    marks(visitor)
    wide = visitor.driver.execute_script(
        "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    assert not wide
    visitor.well()
