"""A report opens from the disk in a real browser: it asks for nothing, nothing acts, plots are drawn."""

from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from experiments import report

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SCREENSHOTS = Path("artefacts/screenshots")
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("names", [("hostile",), ("demo", "hostile")], ids="+".join)
def test_a_report_opens_without_a_request(
    names: tuple[str, ...], driver: webdriver.Chrome, runs: Path, tmp_path: Path
) -> None:
    path = report.write(report.build([runs / name for name in names]), tmp_path / "report.html")
    driver.get_log("browser")
    driver.get(path.as_uri())
    asked = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert asked == []
    assert driver.execute_script("return window.executed") is None
    assert [line for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []
    plots = driver.find_elements(By.CSS_SELECTOR, "section svg[role=img]")
    heights = [plot.rect["height"] for plot in plots]
    assert len(heights) >= 7 and min(heights) > 40
    assert len(driver.find_elements(By.TAG_NAME, "table")) >= 8
    assert driver.execute_script(WIDER) <= 0  # tables scroll by themselves, the page does not
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(str(SCREENSHOTS / f"report-{'+'.join(names)}.png"))
    driver.set_window_size(420, 1500)
    assert driver.execute_script(WIDER) <= 0
