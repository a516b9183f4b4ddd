"""In a real browser: coloured tokens, replays, Compare, Data and Runs; wide, phone-wide, dark, hostile."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pyarrow.parquet as pq
import pytest
from byte_tokens import with_byte_tokens
from demo_run import MARK, make_demo_run
from selenium import webdriver
from visiting import Visitor, wait_for

from memory.reader import RunReader
from ui import launch

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PHONE = (390, 844)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("more runs")
    with_byte_tokens(make_demo_run(root / "demo", rounds=4))
    for seed in (1, 2, 3):
        make_demo_run(root / "ladder" / f"closed-sft-seed{seed}", rounds=3, seed=seed, topics=6)
    with_byte_tokens(make_demo_run(root / "hostile", rounds=1, topics=4, hostile=True))
    return root


@pytest.fixture(scope="module")
def more(folder: Path) -> Iterator[str]:
    screen = launch.start(folder)
    try:
        yield launch.url(screen)
    finally:
        screen.terminate()
        screen.wait(timeout=20)


@pytest.fixture
def guest(driver: webdriver.Chrome, more: str) -> Iterator[Visitor]:
    """A visitor of this module's runs."""
    driver.set_window_size(1500, 1500)
    driver.get_log("browser")
    yield Visitor(driver, more)
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def attempt(folder: Path, run: str, **filters: object) -> str:
    with RunReader(folder / run) as reader:
        return str(reader.episodes(limit=1, **filters)[0]["id"])


def on_a_phone(guest: Visitor, name: str, height: int = 2400) -> None:
    """A picture as wide as a phone; nothing may stick out of it."""
    guest.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": PHONE[0], "height": height, "deviceScaleFactor": 1, "mobile": True},
    )
    time.sleep(1.5)
    wide = guest.driver.execute_script(
        "const m = document.querySelector('[data-testid=stMain]'); return [m.scrollWidth, m.clientWidth]"
    )
    guest.shoot(name, height)
    assert wide[0] <= wide[1] + 1, wide


def test_tokens_are_coloured(guest: Visitor, folder: Path) -> None:
    guest.open(f"episode?run=demo&attempt={attempt(folder, 'demo', step='improve', trained=True)}", "Episode")
    spans = wait_for("the tokens", lambda: guest.all("[data-testid='stHtml'] span[title]"))
    assert len(spans) > 40 and "nats" in (spans[-1].get_attribute("title") or "")
    grounds = {span.value_of_css_property("background-color") for span in spans[-30:]}
    assert len(grounds) > 5 and all(ground.startswith("rgba(213, 94, 0") for ground in grounds)
    assert "Side by side" in guest.words()
    guest.well()
    guest.shoot("episode-tokens", 2300)
    on_a_phone(guest, "episode-tokens-phone", 3600)


def test_hostile_tokens_are_text_in_the_browser(guest: Visitor, folder: Path) -> None:
    for text in ("<script>", "javascript:", "right"):
        chosen = attempt(folder, "hostile", search=text, purpose="collect")
        guest.open(f"episode?run=hostile&attempt={chosen}", "Episode")
        boxes = wait_for("the tokens", lambda: guest.all("[data-testid='stHtml'] span[title]"))
        assert boxes and not guest.all("[data-testid='stHtml'] :is(script, img, a, b)")
        wait_for("the text", lambda: MARK in guest.words())
        guest.well()


def test_an_episode_is_replayed(guest: Visitor, folder: Path) -> None:
    chosen = attempt(folder, "demo", origin="proposed", trained=True)
    guest.open(f"episode?run=demo&attempt={chosen}&replay=1&speed=5x", "Episode")
    assert "Verifier" not in guest.words()
    press(guest, "Play")
    wait_for("the address to move", lambda: "moment=" in guest.driver.current_url)
    guest.shoot("replay-episode", 1200)
    wait_for("the verifier", lambda: "Verifier" in guest.words())
    press(guest, "Pause")
    wait_for("the pause", lambda: any("Play" in b.text for b in guest.all("button")))
    moment = guest.driver.current_url
    assert "moment=" in moment and "replay=1" in moment
    guest.well()
    guest.driver.get(moment)
    guest.settle("Episode")
    wait_for("the same moment", lambda: "Verifier" in guest.words())
    on_a_phone(guest, "replay-episode-phone", 1600)


def press(guest: Visitor, label: str) -> None:
    wait_for(
        f"the button {label}",
        lambda: [button for button in guest.all("[data-testid='stButton'] button") if label in button.text],
    )[0].click()


def test_a_round_is_replayed(guest: Visitor, folder: Path) -> None:
    guest.open("episode?run=demo&replay=3&speed=20x", "Episode")
    assert guest.metrics()["Attempts"] == "0"
    press(guest, "Play")
    wait_for("attempts to come", lambda: guest.metrics().get("Attempts", "0") != "0")
    guest.shoot("replay-round", 1300)
    wait_for("the end", lambda: guest.metrics().get("Attempts") == "192")
    wait_for("it to stop", lambda: any("Play" in b.text for b in guest.all("button")))
    guest.well()
    on_a_phone(guest, "replay-round-phone", 1500)


def test_compare(guest: Visitor) -> None:
    chosen = "&".join(f"runs=ladder%2Fclosed-sft-seed{seed}" for seed in (1, 2, 3))
    guest.open(f"compare?run=demo&runs=demo&{chosen}", "Compare")
    wait_for("the curves", lambda: guest.all(".js-plotly-plot .main-svg"))
    assert "Held-out tasks" in guest.words() and "Settings that differ" in guest.words()
    guest.well()
    guest.shoot("compare", 1500)
    on_a_phone(guest, "compare-phone", 1900)
    guest.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    guest.open(f"compare?run=demo&{chosen}&seeds=true&over=round&curve=reward", "Compare")
    wait_for("the curves", lambda: guest.all(".js-plotly-plot .main-svg"))
    assert "bands reach from the lowest to the highest" in guest.words()
    guest.shoot("compare-seeds", 1300)


def test_data(guest: Visitor) -> None:
    sql = "SELECT+category,+count(*)+AS+n+FROM+attempts+GROUP+BY+category"
    guest.open(f"data?run=demo&sql={sql}", "Data")
    press(guest, "Ask")
    wait_for("the rows", lambda: "rows." in guest.words())
    assert "Parquet" in guest.words() and "GraphML" in guest.words()
    guest.well()
    guest.shoot("data", 1400)
    on_a_phone(guest, "data-phone", 1500)
    guest.open("data?run=hostile&sql=SELECT+response,+statement+FROM+episodes", "Data")
    press(guest, "Ask")
    wait_for("the rows", lambda: "rows." in guest.words())
    guest.well()
    guest.open("data?run=demo&sql=DROP+TABLE+attempts", "Data")
    press(guest, "Ask")
    wait_for("the line", lambda: "only SELECT over this database is allowed" in guest.words())


def test_files_are_saved(guest: Visitor, folder: Path, tmp_path: Path) -> None:
    guest.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    sql = "SELECT seq, id, reward FROM attempts ORDER BY seq"
    guest.open(f"data?run=demo&sql={sql.replace(' ', '+')}", "Data")
    press(guest, "Ask")
    wait_for("the rows", lambda: "rows." in guest.words())
    with RunReader(folder / "demo") as reader:
        expected, nodes = reader.rows(sql), len(reader.space().graph)
    for label in ("CSV", "Parquet", "GraphML"):
        button = wait_for(
            f"the button {label}",
            lambda label=label: [
                b for b in guest.all("[data-testid='stDownloadButton'] button") if label in b.text
            ],
        )[0]
        button.click()
        saved = tmp_path / f"demo.{label.lower()}"
        wait_for(f"{saved.name}", lambda saved=saved: saved.is_file() and saved.stat().st_size)
    assert pq.read_table(tmp_path / "demo.parquet").to_pylist() == expected
    assert len((tmp_path / "demo.csv").read_text().splitlines()) == 1 + len(expected)
    assert len(nx.read_graphml(tmp_path / "demo.graphml")) == nodes
    guest.well()


def test_runs(guest: Visitor) -> None:
    guest.open("runs?run=demo", "Runs")
    wait_for("the table", lambda: guest.all("[data-testid='stDataFrame'] canvas"))
    assert "5 runs" in guest.words()
    guest.well()
    guest.shoot("runs", 700)
    on_a_phone(guest, "runs-phone", 900)


@pytest.mark.parametrize("page", ["compare", "data", "episode", "runs"])
def test_a_run_that_is_damaged_deleted_or_locked(guest: Visitor, folder: Path, page: str) -> None:
    run = make_demo_run(folder / f"doomed {page}", rounds=1, topics=2, groups_per_round=8)
    database = run / "run.db"
    address = f"{page}?run=doomed {page}&runs=doomed {page}&sql=SELECT+1"
    guest.open(address, page.capitalize())
    guest.well()
    whole = database.read_bytes()
    database.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    guest.open(address, page.capitalize())
    wait_for("what is wrong", lambda: "damaged" in guest.words() or page == "runs")
    guest.well()
    guest.shoot(f"damaged-{page}", 900)
    database.unlink()
    for beside in run.glob("run.db-*"):
        beside.unlink()
    guest.driver.get(f"{guest.base}{address}")
    wait_for("a calm word", lambda: f"doomed {page}" in guest.words() or page == "runs")
    guest.well()


def test_dark(guest: Visitor, folder: Path) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    guest.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        chosen = attempt(folder, "demo", step="improve", trained=True)
        guest.open(f"episode?run=demo&attempt={chosen}", "Episode")
        wait_for("the tokens", lambda: guest.all("[data-testid='stHtml'] span[title]"))
        guest.well()
        guest.shoot("dark-episode", 2300)
        guest.open("compare?run=demo&runs=demo&runs=hostile", "Compare")
        wait_for("the curves", lambda: guest.all(".js-plotly-plot .main-svg"))
        guest.well()
        guest.shoot("dark-compare", 1200)
    finally:
        guest.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_locked_run_says_so(guest: Visitor, folder: Path) -> None:
    run = make_demo_run(folder / "locked", rounds=1, topics=2, groups_per_round=8)
    connection = sqlite3.connect(run / "run.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("UPDATE counter SET version = version + 1")
    try:
        guest.driver.get(f"{guest.base}data?run=locked&sql=SELECT+1")
        wait_for("the line", lambda: "keeps it locked" in guest.words())
        guest.well()
    finally:
        connection.close()
    guest.open("data?run=locked&sql=SELECT+1", "Data")
    press(guest, "Ask")
    wait_for("its answer", lambda: "One row." in guest.words())
