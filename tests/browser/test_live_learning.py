"""Live and Learning in a real browser: wide and phone-wide, dark, by keyboard, restored from the address."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from visiting import SHOTS, Visitor, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {"": "Live", "learning": "Learning"}
PHONE = 390  # CSS pixels, as wide as today's phones are


@contextmanager
def phone(visitor: Visitor, height: int) -> Iterator[None]:
    size = {"width": PHONE, "height": height, "deviceScaleFactor": 1, "mobile": True}
    visitor.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        visitor.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@contextmanager
def dark(visitor: Visitor) -> Iterator[None]:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        yield
    finally:
        visitor.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def photograph(visitor: Visitor, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    time.sleep(1.0)  # figures grow into a new size
    visitor.driver.save_screenshot(str(SHOTS / f"{name}.png"))


def figures(visitor: Visitor, count: int) -> None:
    wait_for(f"{count} figures", lambda: len(visitor.all(".js-plotly-plot .main-svg")) >= count)


@pytest.mark.parametrize("page", PAGES)
def test_wide(visitor: Visitor, page: str) -> None:
    visitor.open(f"{page}?run=demo", PAGES[page])
    figures(visitor, 5)
    visitor.well()
    visitor.shoot(f"wide-{page or 'live'}", 2900)
    with dark(visitor):
        visitor.open(f"{page}?run=demo", PAGES[page])
        figures(visitor, 5)
        visitor.well()
        visitor.shoot(f"wide-dark-{page or 'live'}", 2900)


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_shows_everything_without_scrolling_sideways(visitor: Visitor, page: str) -> None:
    with phone(visitor, 5200):
        visitor.open(f"{page}?run=demo", PAGES[page])
        figures(visitor, 5)
        photograph(visitor, f"phone-{page or 'live'}")
        wide = visitor.driver.execute_script(
            "return [...document.querySelectorAll('[data-testid=stMain], .js-plotly-plot, "
            "[data-testid=stDataFrame], [data-testid=stMetric]')].map(e => Math.max(e.getBoundingClientRect()"
            ".right, e.tagName === 'SECTION' ? e.scrollWidth : 0))"
        )
        assert wide and max(wide) <= PHONE + 1
        visitor.well()
        with dark(visitor):
            visitor.open(f"{page}?run=demo", PAGES[page])
            figures(visitor, 5)
            photograph(visitor, f"phone-dark-{page or 'live'}")


def test_choices_are_made_by_keyboard_and_kept_by_the_address(visitor: Visitor) -> None:
    visitor.open("learning?run=demo", "Learning")
    figures(visitor, 5)
    reached = []
    for _ in range(120):
        ActionChains(visitor.driver).send_keys(Keys.TAB).perform()
        text = visitor.driver.switch_to.active_element.text.strip()
        reached.append(text)
        if text == "forgotten":
            break
        if text == "weakest":  # one stop for the whole choice; arrows move within it
            ActionChains(visitor.driver).send_keys(Keys.ARROW_RIGHT).perform()
            if visitor.driver.switch_to.active_element.text.strip() == "forgotten":
                break
    assert visitor.driver.switch_to.active_element.text.strip() == "forgotten", reached
    ActionChains(visitor.driver).send_keys(Keys.SPACE).perform()
    wait_for("the choice in the address", lambda: "order=forgotten" in visitor.driver.current_url)
    visitor.driver.get(visitor.driver.current_url)
    visitor.settle("Learning")
    pressed = "[role='radio'][aria-checked='true']"
    wait_for("the choice to be restored", lambda: "forgotten" in [b.text for b in visitor.all(pressed)])
    visitor.well()


def test_live_grows_and_tells_what_is_off(visitor: Visitor, runs: Path) -> None:
    from demo_run import DemoRun

    with DemoRun(runs / "watched", topics=4, groups_per_round=8) as run:
        run.play_round()
        visitor.open("?run=watched&span=1 h", "Live")
        wait_for("the first round", lambda: visitor.metrics().get("Attempts") == "32")
        assert "no verdict" not in visitor.words()
        visitor.driver.execute_script("window.neverReloaded = true")
        with run.store.batch():
            run.store.db.execute("UPDATE groups SET infra_errors = 1")
        wait_for("the alert", lambda: "Answers get no verdict" in visitor.words())
        assert "taskspace doctor" in visitor.words()
        visitor.shoot("live-alert", 1200)
        with run.store.batch():
            run.store.db.execute("UPDATE groups SET infra_errors = 0")
        run.play_round()
        wait_for("the alert to go", lambda: "Answers get no verdict" not in visitor.words())
        wait_for("the second round", lambda: visitor.metrics().get("Attempts") == "64")
        assert visitor.driver.execute_script("return window.neverReloaded === true")
        visitor.well()
