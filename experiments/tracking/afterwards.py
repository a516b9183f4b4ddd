"""`taskspace track`: the metrics of a run that is over, or was played without trackers."""

import difflib
from pathlib import Path
from typing import Any

from experiments import config
from experiments.tracking import trackers
from experiments.tracking.feeding import Feed
from experiments.tracking.live import told
from memory.opening import FolderLock
from memory.privacy import portable
from memory.reader import RunReader
from protocols.errors import SettingError, TaskspaceError


def track(run_dir: Path, wanted: dict[str, Any], again: bool = False) -> dict[str, dict[str, Any]]:
    """Send what each tracker has not had yet; {name: {"sent": numbers, "where": where to look}}.

    Args:
        wanted: settings of `tracking` that differ from the run's own.
        again: send everything, as a new run there.

    Raises:
        SettingError: no tracker, an unknown one, or one that cannot be used.
        StoreError: the run is in progress, or cannot be read.
        TaskspaceError: a tracker failed.
    """
    for name in wanted.get("to", ()):
        if name not in trackers.TRACKERS:
            near = difflib.get_close_matches(name, trackers.TRACKERS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SettingError(f"--to {name}: unknown; {hint}choose from {', '.join(trackers.TRACKERS)}")
    with RunReader(run_dir) as reader:
        own = config.resolve(reader.config())
        values = own.model_dump(mode="json")
        values["tracking"] |= wanted
        settings = config.resolve(values).tracking
        if not settings.to:
            raise SettingError(f"track {run_dir}: no tracker; write e.g. --to tensorboard")
        trackers.require(settings)
        lock = FolderLock(run_dir)  # a run in progress keeps its trackers itself
        try:
            done = own.rounds <= (reader.value("SELECT max(round) FROM rounds WHERE finished NOTNULL") or 0)
            return {
                name: _send(Feed(name, run_dir, settings, portable(config.flat(own)), again), reader, done)
                for name in settings.to
            }
        finally:
            lock.release()


def _send(feed: Feed, reader: RunReader, done: bool) -> dict[str, Any]:
    try:
        sent = feed.forward(reader)
        feed.close(done)
    except TaskspaceError:
        raise
    except Exception as error:  # of the tracker's library, or of the network
        raise TaskspaceError(
            f"tracking: {feed.name} failed ({told(error)}); nothing is lost, track sends again what is left"
        ) from None
    return {"sent": sent, "where": feed.where}
