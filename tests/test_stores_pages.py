"""Every page on runs that were merged, pruned, imported or mended."""

import random
import shutil
from pathlib import Path

import pytest
from small_stores import a_run, change
from test_ui_pages import PAGES, attempt_ids, show  # noqa: F401  (a fixture)

from experiments import exchange, stores
from memory import pruning, repair
from memory.bodies import LOST, PRUNED


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    one, two = a_run(folder / "one"), a_run(folder / "two", seed=2)
    stores.merge([one, two], folder / "merged")
    exchange.to_lines(one, folder / "episodes.jsonl")
    exchange.load(folder / "episodes.jsonl", folder / "imported", [])
    pruning.prune(Path(shutil.copytree(one, folder / "pruned")), None)
    mended = Path(shutil.copytree(one, folder / "mended"))
    change(mended, "DELETE FROM texts WHERE id IN (SELECT response_text FROM attempts WHERE seq % 3 = 0)")
    change(mended, "DELETE FROM texts WHERE id IN (SELECT history_text FROM groups WHERE seq % 2 = 0)")
    assert repair.repair(mended).lost
    return folder


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("run", ("merged", "imported", "pruned", "mended"))
def test_every_page_opens(run, page, made, show):  # noqa: F811
    show(made, page, run)


@pytest.mark.parametrize(
    ("run", "mark"), (("merged", ""), ("imported", ""), ("pruned", PRUNED), ("mended", LOST))
)
def test_episodes_open_and_say_what_is_gone(run, mark, made, show):  # noqa: F811
    ids = attempt_ids(made, run)
    shown = [show(made, "episode", run, attempt=id) for id in random.Random(1).sample(ids, 4)]
    values = " ".join(str(one.value) for app in shown for kind in (app.code, app.text) for one in kind)
    assert mark in values
