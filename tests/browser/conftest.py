"""A real headless Chromium for the screen. Without one these tests are skipped; in CI they fail instead."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

T = TypeVar("T")
SHOTS = ROOT / "artefacts" / "screenshots"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--window-size=1500,1500",
)
WAIT_S = 40.0  # a page with figures takes two seconds; two busy cores take longer


def wait_for(what: str, look: Callable[[], T | bool | None], seconds: float = WAIT_S) -> T:
    """The first truthy answer; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except StaleElementReferenceException:  # redrawn while it was looked at
            found = None
        if found:
            return found  # type: ignore[return-value]
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)


class Visitor:
    """A browser and the address of a screen."""

    def __init__(self, driver: webdriver.Chrome, base: str) -> None:
        self.driver = driver
        self.base = base

    def open(self, page: str, title: str) -> None:
        """Go to a page (path and query), and wait until it has been drawn."""
        self.driver.get(f"{self.base}{page}")
        self.settle(title)

    def settle(self, title: str) -> None:
        wait_for(f"the page {title}", lambda: title in [h.text for h in self.all("h1")])
        wait_for("the page to be drawn", lambda: not self.all("[data-testid='stSkeleton']"))
        wait_for("the page to stand still", lambda: not self.all("[data-testid='stStatusWidget']"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def words(self) -> str:
        """What a person reads on the page (canvases apart)."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def metrics(self) -> dict[str, str]:
        values = {}
        for box in self.all("[data-testid='stMetric']"):
            label = box.find_element(By.CSS_SELECTOR, "[data-testid='stMetricLabel']").text
            values[label] = box.find_element(By.CSS_SELECTOR, "[data-testid='stMetricValue']").text
        return values

    def well(self) -> None:
        """No error box, nothing in the browser's error log, nothing executed that a model wrote."""
        assert not self.all("[data-testid='stException'], [data-testid='stAlertContentError']")
        # Streamlit looks for its server below the page's own path first, and logs that it is not there.
        errors = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "/_stcore/" not in entry["message"]
        ]
        assert not errors, errors
        loaded = self.driver.execute_script(
            "return performance.getEntriesByType('resource').map(e => e.name)"
        )
        elsewhere = [name for name in loaded if not name.startswith((self.base, "data:", "blob:"))]
        assert not elsewhere, elsewhere
        assert self.driver.execute_script("return window.executed === undefined")

    def shoot(self, name: str, height: int = 1500) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.set_window_size(1500, height)
        time.sleep(1.0)  # figures grow into a new size
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        reason = "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    options = Options()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    started = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        started.set_page_load_timeout(60)
        yield started
    finally:
        started.quit()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from demo_run import make_demo_run

    folder = tmp_path_factory.mktemp("runs")
    make_demo_run(folder / "demo", rounds=4)
    make_demo_run(folder / "hostile", rounds=1, topics=4, hostile=True)
    return folder


@pytest.fixture(scope="session")
def base(runs: Path) -> Iterator[str]:
    from ui import launch

    screen = launch.start(runs)
    try:
        yield launch.url(screen)
    finally:
        screen.terminate()
        screen.wait(timeout=20)


@pytest.fixture
def visitor(driver: webdriver.Chrome, base: str) -> Visitor:
    driver.set_window_size(1500, 1500)
    driver.get_log("browser")  # what an earlier page said is not this one's
    return Visitor(driver, base)
