"""What a browser test does with a page: open it, wait for it, read it, photograph it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")
SHOTS = Path(__file__).resolve().parents[2] / "artefacts" / "screenshots"
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
