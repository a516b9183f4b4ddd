"""Trackers beside a run that goes on. They work in a thread of their own and never hold it up or end it.

A tracker that fails is told of once and gets nothing more from this process; the store has everything, so
`taskspace track RUN` can send the rest.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments import config
from experiments.tracking.feeding import Feed
from memory.privacy import portable
from memory.reader import RunReader
from protocols.errors import StoreError
from protocols.settings import RunSettings

#: Notices after which the store has something that trackers are told.
_NEWS = ("update", "evaluation", "round")
#: Variables whose values never belong in a message.
_SECRETS = ("WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD")


class LiveTracking:
    """Use it in a `with` around the run; without trackers in the settings it does nothing.

    Args:
        say: shows a line to people.
    """

    def __init__(self, settings: RunSettings, run_dir: Path, say: Callable[[str], None]) -> None:
        self._settings, self._run_dir, self._say = settings.tracking, run_dir, say
        flat = portable(config.flat(settings))
        self._feeds = [Feed(name, run_dir, settings.tracking, flat) for name in settings.tracking.to]
        self._news = threading.Event()
        self._ending = threading.Event()
        self.complete = False  # whoever plays the run says so
        self._thread = threading.Thread(target=self._forward, name="tracking", daemon=True)

    def __enter__(self) -> "LiveTracking":
        if self._feeds:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._feeds:
            return
        self._ending.set()
        self._news.set()
        self._thread.join(self._settings.deadline_s)
        if self._thread.is_alive():
            names = ", ".join(feed.name for feed in self._feeds)
            self._say(
                f"tracking: {names} did not take everything within {self._settings.deadline_s:g} s; "
                f"send the rest with: taskspace track {self._run_dir}"
            )

    def notify(self, kind: str, facts: dict[str, Any]) -> None:
        """The arena's notice that something has ended."""
        if kind in _NEWS:
            self._news.set()

    def _forward(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            ending = self._ending.is_set()
            for feed in list(self._feeds):
                try:
                    self._feed(feed, ending)
                except StoreError as error:  # busy for a moment: the next notice asks again
                    if ending:
                        self._say(f"tracking: {told(error)}; send the rest with: {self._track(feed)}")
                except Exception as error:  # whatever a library or a network does, the run goes on
                    self._feeds.remove(feed)
                    self._say(
                        f"tracking: {feed.name} failed ({told(error)}) and gets nothing more; the run goes "
                        f"on, send the rest with: {self._track(feed)}"
                    )
            if ending:
                return

    def _track(self, feed: Feed) -> str:
        return f"taskspace track {self._run_dir} --to {feed.name}"

    def _feed(self, feed: Feed, ending: bool) -> None:
        known = feed.where
        if (self._run_dir / "run.db").is_file():
            with RunReader(self._run_dir) as reader:
                feed.forward(reader)
        if feed.where and not known:
            self._say(f"tracking: {feed.where}")
        if ending:
            feed.close(self.complete)


def told(error: BaseException) -> str:
    """An error on one short line, without anything secret."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    for name in _SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, f"<{name}>")
    return text if len(text) <= 300 else text[:297] + "..."
