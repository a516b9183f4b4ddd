"""What a person sees while a run goes on: a bar with rate and time left, or plain lines now and then.

The arena tells what has ended (`started`, `proposals`, `batch`, `update`, `evaluation`, `round`); what is
under way, and how long it may still take, follows from that and from how long the same took before.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from protocols.settings import RunSettings
from protocols.verdicts import errors_told, not_measured

#: Plain output: batches are told of this often at most, and silence is broken after this long.
LINE_EVERY_S = 10.0
HEARTBEAT_S = 30.0


class TimeLeft:
    """Seconds a run still needs, from what its stages have taken so far. A pure tally, no clock inside."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._group_s: dict[str, tuple[float, int]] = {}  # purpose -> seconds, groups
        self._propose_s: float | None = None
        self._learn: tuple[float, int] | None = None  # seconds, round
        self.round = 0
        self.played = {"collect": 0, "evaluate": 0}  # groups of the stage under way

    def batch(self, purpose: str, groups: int, seconds: float) -> None:
        before, count = self._group_s.get(purpose, (0.0, 0))
        self._group_s[purpose] = (before + seconds, count + groups)
        self.played[purpose] += groups

    def proposals(self, seconds: float) -> None:
        self._propose_s = seconds

    def update(self, round: int, seconds: float) -> None:
        self._learn = (seconds, round)

    def seconds(self, learned: bool) -> float | None:
        """None until something comparable has been measured. `learned`: this round's update is done."""
        s = self._settings
        total = 0.0
        for round in range(max(1, self.round), s.rounds + 1):
            now = round == self.round
            if not (now and learned):
                groups = s.solver.groups_per_round - (self.played["collect"] if now else 0)
                total += max(0, groups) * (self._per_group("collect") or 0.0)
                total += 0.0 if now else self._propose_s or 0.0
                total += self._learning(round)
            every = s.evaluation.every
            if round == s.rounds or (every and round % every == 0):
                done = self.played["evaluate"] if now else 0
                per = self._per_group("evaluate") or self._per_group("collect") or 0.0
                total += max(0, s.evaluation.tasks - done) * per
        return total if self._learn or self._per_group("collect") else None

    def _per_group(self, purpose: str) -> float | None:
        seconds, groups = self._group_s.get(purpose, (0.0, 0))
        return seconds / groups if groups else None

    def _learning(self, round: int) -> float:
        if self._learn is None:
            return 0.0
        seconds, measured = self._learn
        # With the experience of all rounds, a round learns on about `round` times as much as the first.
        grows = self._settings.curator.experience != "round"
        return seconds * (round / max(1, measured) if grows else 1.0)


class RunProgress:
    """Turns the arena's notices into a live bar (terminal) or lines (anything else). Writes to stderr."""

    def __init__(self, settings: RunSettings, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._settings = settings
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._left = TimeLeft(settings)
        self._learned = False
        self._stage = "starting"
        self._tally: Counter[str] = Counter()
        self._began = self._since = time.monotonic()
        self._told = 0.0
        self._bar: Any = None
        self._task: Any = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "RunProgress":
        if self._quiet:
            return self
        if self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[facts]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}", markup=False),
                console=Console(file=self._stream),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None, facts="", left="")
        else:
            threading.Thread(target=self._heartbeat, name="heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    def notify(self, kind: str, facts: dict[str, Any]) -> None:
        """The arena's notice that something has ended."""
        with self._lock:
            now = time.monotonic()
            seconds, self._since = now - self._since, now
            line = self._take(kind, facts, seconds)
            if self._quiet:
                return
            if line is not None:
                self.say(f"{_clock(now - self._began)}  {line}")
                self._told = now
            self._draw()

    def _take(self, kind: str, facts: dict[str, Any], seconds: float) -> str | None:
        round = int(facts.get("round", 0))
        where = f"round {round}/{self._settings.rounds}" if round else "before"
        if round > self._left.round:
            self._left.round, self._learned = round, False
            self._left.played = {"collect": 0, "evaluate": 0}
        if kind == "started":
            self._stage = "measuring"
            return f"roles at work ({facts.get('runtime', '')}, {seconds:.0f} s)"
        if kind == "proposals":
            self._left.proposals(seconds)
            self._stage = "collecting"
            return f"{where}  proposals: {_facts(facts)}"
        if kind == "batch":
            return self._take_batch(where, facts, seconds)
        if kind == "update":
            self._stage, self._learned = "measuring", True
            if not facts.get("samples"):
                return f"{where}  nothing to learn from"
            self._left.update(round, seconds)
            loss = f", loss {facts['loss']:.3f}" if facts.get("loss") is not None else ""
            return (
                f"{where}  learned version {facts.get('version')} on {facts['samples']} answers"
                f"{loss}, {_rate(facts.get('tokens', 0), facts.get('seconds') or seconds)}"
            )
        if kind == "evaluation":
            # Before the first round the closed book comes first, then the open one, where it is asked for.
            more = round == 0 and facts["book"] == "closed" and self._settings.evaluation.open_book_before
            self._stage = "measuring" if more else self._first(round + 1)
            return (
                f"{where}  {facts['book']} book, version {facts['version']}: "
                + (
                    not_measured(facts["attempts"], facts["categories"], facts["infra_errors"])
                    if facts["accuracy"] is None
                    else f"{100 * facts['accuracy']:.1f} % of {facts['attempts']} held-out attempts"
                )
                + errors_told(
                    facts["accuracy"],
                    facts["attempts"],
                    facts.get("categories", {}),
                    facts.get("infra_errors", 0),
                )
                + (self._and_left() if 0 < round < self._settings.rounds else "")
            )
        if kind == "round":
            self._stage = self._first(round + 1)
            return None
        return f"{where}  {kind}: {_facts(facts)}"

    def _first(self, round: int) -> str:
        """What a round begins with: one whose experience is there already begins with learning."""
        settings = self._settings
        if settings.curator.source or 0 < settings.solver.rounds < round:
            return "learning"
        return "proposing" if settings.proposer.per_round else "collecting"

    def _take_batch(self, where: str, facts: dict[str, Any], seconds: float) -> str | None:
        purpose, groups = str(facts.get("purpose", "collect")), int(facts.get("groups", 0))
        total = int(facts.get("total", 0))
        if self._left.played[purpose] >= total > 0:  # the next measurement of the same kind
            self._left.played[purpose] = 0
        if self._left.played[purpose] == 0:
            self._tally = Counter()
        self._left.batch(purpose, groups, seconds)
        counted = {k: v for k, v in facts.items() if k in ("attempts", "verified", "tokens", "infra_errors")}
        self._tally.update({"seconds": seconds, **counted})
        done = self._left.played[purpose]
        ended = done >= total
        self._stage = "measuring" if purpose == "evaluate" else "learning" if ended else "collecting"
        if ended and purpose == "evaluate":
            return None  # its accuracy follows at once
        quiet_for = time.monotonic() - self._told
        if not ended and (self._bar is not None or quiet_for < LINE_EVERY_S):
            return None
        word = "collected" if purpose == "collect" else "measured"
        return f"{where}  {word} {done}/{total} groups: {self._batch_facts()}{self._and_left()}"

    def _batch_facts(self) -> str:
        t = self._tally
        parts = [f"{t['attempts']:.0f} attempts"]
        if t["attempts"]:
            parts.append(f"{100 * t['verified'] / t['attempts']:.0f} % verified")
        if t["tokens"]:
            parts.append(_rate(t["tokens"], t["seconds"]))
        if t["infra_errors"]:
            parts.append(f"{t['infra_errors']:.0f} infrastructure errors")
        return ", ".join(parts)

    def _and_left(self) -> str:
        text = self._left_text()
        return f"  ({text})" if text and self._bar is None else ""

    def _draw(self) -> None:
        if self._bar is None:
            return
        purpose = "evaluate" if self._stage == "measuring" else "collect"
        total = {
            "measuring": self._settings.evaluation.tasks,
            "collecting": self._settings.solver.groups_per_round,
        }
        self._bar.update(
            self._task,
            description=f"round {self._left.round}/{self._settings.rounds} {self._stage}",
            total=total.get(self._stage),
            completed=self._left.played[purpose] if self._stage in total else 0,
            facts=self._batch_facts() if self._stage in total and self._tally else "",
            left=self._left_text(),
        )

    def _left_text(self) -> str:
        seconds = self._left.seconds(self._learned)
        return "" if seconds is None else f"about {_clock(seconds)} left"

    def _heartbeat(self) -> None:
        """A long silence looks like a hang: say what is being done."""
        while not self._ended.wait(HEARTBEAT_S):
            with self._lock:
                now = time.monotonic()
                if now - max(self._told, self._since) >= HEARTBEAT_S:
                    self.say(
                        f"{_clock(now - self._began)}  still {self._stage} "
                        f"({now - self._since:.0f} s)  {self._left_text()}"
                    )
                    self._told = now


@contextmanager
def counting(label: str, total: int | None, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """A bar for one long count: yields `advance(n)`. Plain lines every ten seconds without a terminal."""
    if quiet:
        yield lambda n=1: None
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda n=1: bar.advance(task, n)
        return
    began = told = time.monotonic()
    done = 0

    def advance(n: int = 1) -> None:
        nonlocal done, told
        done += n
        now = time.monotonic()
        if now - told >= LINE_EVERY_S:
            told = now
            left = f", about {_clock((now - began) / done * (total - done))} left" if total and done else ""
            print(f"{label}: {done}{f'/{total}' if total else ''}{left}", file=sys.stderr, flush=True)

    yield advance


@contextmanager
def downloading(label: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar for bytes: yields `told(done, total)`. It shows nothing unless it is told something."""
    if quiet:
        yield lambda done, total: None
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=Console(file=sys.stderr), transient=True
        ) as bar:
            task = bar.add_task(label, total=None, visible=False)
            yield lambda done, total: bar.update(task, completed=done, total=total or None, visible=True)
        return
    told_at = time.monotonic()

    def told(done: int, total: int) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= LINE_EVERY_S or (done and done == total):
            told_at = now
            of = f" of {total / 1e6:.0f}" if total else ""
            print(f"{label}: {done / 1e6:.0f}{of} MB", file=sys.stderr, flush=True)

    yield told


def _facts(facts: dict[str, Any], skip: Iterable[str] = ("round",)) -> str:
    parts = []
    for key, value in facts.items():
        if key in skip or value is None or isinstance(value, list | tuple):
            continue
        if isinstance(value, dict):
            value = " ".join(f"{k} {v}" for k, v in value.items()) or "none"
        elif isinstance(value, float):
            value = f"{value:.3f}"
        parts.append(f"{str(key).replace('_', ' ')} {value}")
    return ", ".join(parts)


def _rate(tokens: float, seconds: float) -> str:
    return f"{tokens / seconds:.0f} tokens/s" if seconds > 0 else f"{tokens:.0f} tokens"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
