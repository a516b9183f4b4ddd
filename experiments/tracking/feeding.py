"""One tracker kept up with one run: it gets what is new in the store, each number once, over resumptions.

RUN/tracking.json says what each tracker has taken and the run's id there. It is written after the tracker
took the numbers, so a process that is killed in between sends a few of them again, at the same steps.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from experiments.tracking.points import Sent, news
from experiments.tracking.trackers import TRACKERS, Tracker
from memory.reader import RunReader
from protocols.records import Record
from protocols.tracking_settings import TrackingSettings

NOTES = "tracking.json"


class Note(Record):
    """What is kept of a tracker."""

    id: str = ""
    sent: Sent = Sent()


class Feed:
    """`forward` may raise whatever the tracker's library raises; nothing is noted then."""

    def __init__(
        self,
        name: str,
        run_dir: Path,
        settings: TrackingSettings,
        config: Mapping[str, Any],
        again: bool = False,
    ) -> None:
        self.name = name
        self._run_dir, self._settings, self._config = run_dir, settings, config
        self._note = Note() if again else notes(run_dir).get(name, Note())
        self._tracker: Tracker | None = None

    @property
    def where(self) -> str:
        """Where to look; "" before anything was sent."""
        return self._tracker.where if self._tracker else ""

    def forward(self, reader: RunReader) -> int:
        """Send what is new; returns how many numbers that were."""
        points, sent = news(reader, self._note.sent)
        if not points:
            return 0
        if self._tracker is None:
            made = TRACKERS[self.name](self._run_dir, self._settings, self._config, self._note.id)
            self._tracker = made
        self._tracker.write(points)
        self._note = Note(id=self._tracker.id, sent=sent)
        _keep(self._run_dir, self.name, self._note)
        return len(points)

    def close(self, finished: bool) -> None:
        if self._tracker is not None:
            self._tracker.close(finished)


def notes(run_dir: Path) -> dict[str, Note]:
    """What is known of each tracker; nothing where the file is missing or damaged."""
    try:
        return msgspec.json.decode((run_dir / NOTES).read_bytes(), type=dict[str, Note])
    except (OSError, msgspec.MsgspecError):
        return {}


def _keep(run_dir: Path, name: str, note: Note) -> None:
    path = run_dir / NOTES
    draft = path.with_suffix(".json.part")
    kept = msgspec.to_builtins(notes(run_dir) | {name: note})
    draft.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
