"""A real headless Chromium for the screen. Without one these tests are skipped; in CI they fail instead."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from visiting import Visitor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",  # what fades in is drawn sixty times a second
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--window-size=1500,1500",
)


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
def visitor(driver: webdriver.Chrome, base: str) -> Iterator[Visitor]:
    driver.set_window_size(1500, 1500)
    driver.get_log("browser")  # what an earlier page said is not this one's
    yield Visitor(driver, base)
    driver.get("about:blank")  # a page that stays open asks for news, and draws, beside later tests
