"""Seconds until pages of the screen open and answer clicks in a real browser, against the smallest store.

For each size a run folder is filled, the screen is started, and a headless Chromium (WebGL in software) opens
every page of the menu, an opened part of the task space and an episode, each several times in a session of
its own; the first time, when the server has not read that run yet, stands apart. Then it clicks, as often, on
the largest mark of the task space, on the largest of an opened part, and on a row of the list of episodes. Of
several times the median counts. A page counts as open when its script has ended and its figure is drawn.

Needed, up to 100,000 attempts: the task space opens in 3 s, the first time included, and answers a click in
1 s.
The baseline is the smallest store of the same call: what a page costs that has next to nothing to show.

At last the largest of these runs grows by a batch of groups every two seconds while its pages are opened over
and over, for `minutes`: 60 make an hour of refreshes. Memory is that of the server's process.
"""

import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from experiments.benchmarks.ui_browser import Browser
from experiments.benchmarks.ui_runs import Filled
from memory.reader import RunReader
from protocols.errors import DeadlineError
from ui import launch

SIZES = (1_000, 100_000, 1_000_000)
NEEDED_OPEN_S, NEEDED_CLICK_S, NEEDED_UP_TO = 3.0, 1.0, 100_000
REPEATS = 3
GROWTH_GROUPS = 8  # of a batch while memory is watched
BATCH_S = 2.0

_DRAWN = """(() => { const plot = document.querySelector('.js-plotly-plot');
  return plot && plot._fullData && plot._fullData.some(t => t.mode === 'markers' && t.customdata); })()"""
_PAGE_DRAWN = "document.querySelector('.js-plotly-plot .main-svg, [data-testid=stDataFrame] canvas')"
#: The middle of the largest mark of a kind, in pixels of the window, once the figure stands still.
_MARK = """(() => { const plot = document.querySelector('.js-plotly-plot');
  if (!plot || !plot._fullLayout || !plot._fullData) return null;
  const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
  let best = null, most = 0;
  for (const t of plot._fullData) { if (t.mode !== 'markers' || !t.customdata) continue;
    for (let i = 0; i < t.x.length; i++) { const size = t.marker.size[i];
      if (size > most && KINDS.includes(t.customdata[i][0])) { most = size; best = [t.x[i], t.y[i]]; } } }
  return best && [
    box.left + xaxis._offset + xaxis.l2p(best[0]), box.top + yaxis._offset + yaxis.l2p(best[1])];
})()"""
_NODE = """location.search.includes('node=')
  && [...document.querySelectorAll('h3')].some(h => h.textContent.includes('Revision tree'))"""
_PART = f"location.search.includes('part=') && {_DRAWN}"
#: The box that chooses the second row of the list.
_ROW = """(() => { const list = document.querySelector('[data-testid=stDataFrame] canvas');
  if (!list) return null; const box = list.getBoundingClientRect();
  return box.width > 0 && [box.left + 16, box.top + 52]; })()"""
_EPISODE = """location.search.includes('attempt=') && document.querySelector('.js-plotly-plot .main-svg')
  && [...document.querySelectorAll('h3')].some(h => h.textContent.includes('Verifier'))"""


def run(
    sizes: tuple[int, ...] = SIZES, minutes: float = 0.5, repeats: int = REPEATS, seed: int = 0
) -> dict[str, Any]:
    """Fill, open, click, watch, throw away.

    Args:
        sizes: attempts of each store; the smallest is the baseline.
        minutes: how long memory is watched.
        repeats: of each page and click; the median counts.

    Returns:
        seconds by size, their ratio to the smallest store's, memory, and whether what is needed was reached.

    Raises:
        TaskspaceError: there is no browser, or a page shows an error.
    """
    result: dict[str, Any] = {"baseline": f"the store of {min(sizes):,} attempts", "repeats": repeats}
    with tempfile.TemporaryDirectory(prefix="taskspace-bench-") as folder:
        runs = Path(folder) / "runs"
        filled: list[Filled] = []
        screen = browser = None
        try:
            for size in sorted(set(sizes)):
                began = time.perf_counter()
                filled.append(Filled(runs / f"attempts-{size}", size, seed))
                result[f"{size} filled_s"] = round(time.perf_counter() - began, 1)
            screen = launch.start(runs)
            server = psutil.Process(screen.pid)
            browser = Browser(launch.url(screen), str(Path(folder) / "profile"))
            result["server_first_page_s"] = round(browser.open("live"), 2)  # it imports its libraries
            result["server_started_megabytes"] = _megabytes(server)
            base: dict[str, float] = {}
            for one in filled:
                measured = _measure(browser, one, repeats)
                base = base or measured
                for name, seconds in measured.items():
                    result[f"{one.attempts} {name}"] = round(seconds, 2)
                    if measured is not base and name in base:
                        result[f"{one.attempts} {name} ratio"] = round(seconds / base[name], 2)
                result[f"{one.attempts} server_megabytes"] = _megabytes(server)
            result["clicked_again"] = browser.clicked_again
            result |= _watch(browser, filled[-1], server, minutes)
        finally:
            if browser is not None:
                browser.close()
            if screen is not None:
                screen.terminate()
                try:
                    screen.wait(timeout=20)
                except subprocess.TimeoutExpired:  # busy: what it serves is thrown away
                    screen.kill()
                    screen.wait(timeout=20)
            for one in filled:
                one.close()
    result |= {"needed_open_s": NEEDED_OPEN_S, "needed_click_s": NEEDED_CLICK_S}
    return result | {"passed": _passed(result)}


def _measure(browser: Browser, run: Filled, repeats: int) -> dict[str, float]:
    """Seconds by what was opened or clicked; medians, but for what happens once."""
    query = {"run": run.folder.name}
    with RunReader(run.folder) as reader:
        episode = reader.episodes(limit=1, purpose="collect", step="improve")[0]["id"]
    space = f"space?{urlencode(query)}"
    found = {"open_space_first_s": browser.open(space, _DRAWN)}
    for name in browser.pages():
        ready = _DRAWN if name == "space" else _PAGE_DRAWN if name in _FIGURES else "true"
        found[f"open_{name}_s"] = _median(browser, f"{name}?{urlencode(query)}", ready, repeats)
    found["open_space_part_s"] = _median(browser, f"{space}&part=0", _DRAWN, repeats)
    found["open_space_round_s"] = _median(browser, f"{space}&upto=10&colour=round", _DRAWN, repeats)
    one = f"episode?{urlencode({**query, 'attempt': episode})}"
    found["open_one_episode_s"] = _median(browser, one, _EPISODE, repeats)
    largest = _MARK.replace("KINDS", "['part', 'topic', 'task']")
    node = _MARK.replace("KINDS", "['task', 'attempt']")
    clicks = {
        "click_space_s": (space, _DRAWN, largest, f"({_NODE}) || ({_PART})"),
        "click_space_node_s": (f"{space}&part=0", _DRAWN, node, _NODE),
        "click_episode_row_s": (f"episode?{urlencode(query)}", _ROW, _ROW, _EPISODE),
    }
    for name, (page, ready, point, answer) in clicks.items():
        times = []
        for _ in range(repeats):
            browser.open(page, ready)
            times.append(browser.click(point, answer))
        found[name] = statistics.median(times)
    return found


_FIGURES = ("live", "episode", "learning")  # of other pages it is not known what they draw


def _median(browser: Browser, page: str, ready: str, repeats: int) -> float:
    return statistics.median(browser.open(page, ready) for _ in range(repeats))


def _watch(browser: Browser, run: Filled, server: psutil.Process, minutes: float) -> dict[str, Any]:
    """Memory while the run grows and its pages are opened again and again, each in a new session.

    A page that a busy machine does not open in time is counted, and the watch goes on.
    """
    query = urlencode({"run": run.folder.name})
    pages = browser.pages()
    samples = [(0.0, _megabytes(server))]
    began = written = time.monotonic()
    opened = late = 0
    while time.monotonic() - began < 60 * minutes:
        try:
            browser.open(f"{pages[opened % len(pages)]}?{query}")
        except DeadlineError:
            late += 1
        opened += 1
        while time.monotonic() - written < BATCH_S:
            time.sleep(0.05)
        run.grow(GROWTH_GROUPS)
        written = time.monotonic()
        samples.append(((written - began) / 60, _megabytes(server)))
    second = samples[len(samples) // 2 :]  # the first half warms up
    slope = statistics.linear_regression(*zip(*second)).slope if len(second) > 2 else 0.0
    sixths = [samples[len(samples) * n // 6 :][0][1] for n in range(6)]
    return {
        "watched_minutes": round(samples[-1][0], 2),
        "watched_pages_opened": opened,
        "watched_pages_not_open_in_time": late,
        "watched_megabytes_by_sixth": [*sixths, samples[-1][1]],
        "watched_most_megabytes": max(size for _, size in samples),
        "watched_growth_megabytes_per_minute_second_half": round(slope, 2),
    }


def _megabytes(server: psutil.Process) -> float:
    return round(server.memory_info().rss / 1e6, 1)


def _passed(result: dict[str, Any]) -> bool:
    """Whether what is needed was reached by every store that it is needed of."""
    for name, value in result.items():
        size, _, what = name.partition(" ")
        if not size.isdecimal() or int(size) > NEEDED_UP_TO:
            continue
        if what in ("open_space_first_s", "open_space_s") and value > NEEDED_OPEN_S:
            return False
        if what in ("click_space_s", "click_space_node_s") and value > NEEDED_CLICK_S:
            return False
    return True
