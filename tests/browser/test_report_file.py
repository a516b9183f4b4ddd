"""A report opens from the disk in a real browser: nothing is asked of anybody, nothing acts, plots are drawn."""

import json
from pathlib import Path

import pytest
from selenium import webdriver

from experiments import report

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SCREENSHOTS = Path("artefacts/screenshots")


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
    shown = json.loads(
        driver.execute_script(
            "return JSON.stringify({plots: document.querySelectorAll('section svg[role=img]').length,"
            " flat: [...document.querySelectorAll('section svg[role=img]')].filter("
            "e => e.getBoundingClientRect().height < 40).length, tables: document.querySelectorAll('table').length,"
            " wide: document.documentElement.scrollWidth - document.documentElement.clientWidth})"
        )
    )
    assert shown["plots"] >= 7 and shown["flat"] == 0 and shown["tables"] >= 8
    assert shown["wide"] <= 0  # tables scroll by themselves, the page does not
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(str(SCREENSHOTS / f"report-{'+'.join(names)}.png"))
    driver.set_window_size(420, 1500)
    assert driver.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    ) <= 0
