"""A headless Chromium that opens pages of the screen and clicks on them, with a clock."""

import importlib.util
import os
import shutil
import tempfile
import time
from typing import Any

from protocols.errors import DeadlineError, TaskspaceError

WAIT_S = 60.0
_LONGEST_TMPDIR = 60  # characters
_FIRST = "live"  # its path is empty
#: After so long a click counts as lost: a person clicks again, too. How often that was is in the result.
CLICK_S = 10.0
_FLAGS = (
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


def missing() -> str | None:
    """What there is not, of what it takes; None if nothing is missing."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium is not installed (it comes with taskspace[dev])"
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        return "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
    return None


class Browser:
    """Opens pages below an address. Close it.

    Raises:
        TaskspaceError: there is no browser here.
    """

    def __init__(self, base: str, profile: str) -> None:
        reason = missing()
        if reason is not None:
            raise TaskspaceError(f"bench ui: {reason}")
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        self._base = base
        # Chromium's socket lies in TMPDIR, and a socket's path may have 107 bytes.
        short = {"TMPDIR": "/tmp"} if len(tempfile.gettempdir()) > _LONGEST_TMPDIR else {}
        service = Service(shutil.which("chromedriver"), env=os.environ | short)
        self._driver = webdriver.Chrome(options=options, service=service)
        self._driver.set_page_load_timeout(WAIT_S)
        self.clicked_again = 0

    def close(self) -> None:
        self._driver.quit()

    def open(self, page: str, ready: str = "true") -> float:
        """Seconds until a page, by path and query, stands still and `ready` (JavaScript) holds.

        Raises:
            DeadlineError: not in `WAIT_S` seconds.
            TaskspaceError: the page shows an error.
        """
        from selenium.common.exceptions import TimeoutException

        began = time.perf_counter()
        try:
            self._driver.get(f"{self._base}{page.removeprefix(_FIRST)}")
        except TimeoutException as error:
            raise DeadlineError(f"bench ui: {page} did not load in {WAIT_S:.0f} s") from error
        self.wait(f"{page} to open", ready)
        return time.perf_counter() - began

    def click(self, point: str, ready: str) -> float:
        """Seconds from a click at `point` (JavaScript: [x, y] in the window) until `ready` holds."""
        from selenium.webdriver.common.action_chains import ActionChains

        x, y = self.wait("something to click on", point)
        moved = ActionChains(self._driver)
        moved.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        moved.pause(0.5).perform()  # the mark under the pointer is found before it is clicked on
        began = time.perf_counter()
        for last in (False, True):
            pressed = ActionChains(self._driver)
            pressed.click().perform()
            try:
                self.wait("the answer to a click", ready, WAIT_S if last else CLICK_S)
                break
            except DeadlineError:
                if last:
                    raise
                self.clicked_again += 1
        return time.perf_counter() - began

    def pages(self) -> list[str]:
        """The path of every page in the menu of the one that is open."""
        return [path or _FIRST for path in self._driver.execute_script(_PAGES)]

    def wait(self, what: str, ready: str, seconds: float = WAIT_S) -> Any:
        """What `ready` gives, as soon as that is something and the page stands still.

        Raises:
            DeadlineError: not in so many seconds.
            TaskspaceError: the page shows an error.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self._driver.execute_script(_STILL.replace("READY", ready))
            if found == "error":
                raise TaskspaceError(f"bench ui: {self._driver.current_url} shows an error")
            if found:
                return found
            time.sleep(0.01)
        raise DeadlineError(f"bench ui: waited {seconds:.0f} s for {what} at {self._driver.current_url}")


_STILL = """
const app = document.querySelector('[data-testid=stApp]');
if (!app || !document.querySelector('h1')) return null;
if (document.querySelector('[data-testid=stException]')) return 'error';
if (app.dataset.testScriptState !== 'notRunning') return null;
if (document.querySelector('[data-testid=stSkeleton], [data-stale=true]')) return null;
return READY;
"""

_PAGES = """
return [...document.querySelectorAll('[data-testid=stSidebarNavLink]')].map(
  link => new URL(link.href).pathname.slice(1));
"""
