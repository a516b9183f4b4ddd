"""Stored verdicts, run again by the verifier itself; what differs, and what may be the reason.

    chosen episodes ─▶ groups ─▶ verifier (domain, sandbox) ─▶ reward, category, evidence beside the stored

Injected noise is taken out of both sides. Not compared is an attempt without a reward (its task never got a
reference, its prompt left no room, or the sandbox failed), or one whose answer was pruned or lost. Nothing
is changed.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiments import summary
from experiments.plaintext import one_line
from experiments.progress import counting
from experiments.rounds import settings_of
from memory import bodies
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.records import Group, Task, Verdict
from protocols.settings import RunSettings

#: Attempts judged together: keeps progress moving and memory bounded.
BATCH = 64
#: Categories that depend on how busy the machine is.
LIMITS = {"timeout": "sandbox.wall_s", "memory": "sandbox.memory_mb"}
#: Share of a program's deadline from which on it may not be met another time.
NEAR = 0.5
#: What a program uses that does not end the same each time; words in prose do not count.
DRAWS = re.compile(
    r"\b(?:import|from) +(random|secrets|uuid|time|datetime)\b"
    r"|\b(random|secrets|uuid|time|datetime)(?=\.)"
    r"|\b(default_rng|urandom|perf_counter|getpid|hash|id|shuffle)(?=\()"
)
#: Differences that are listed for people.
SHOWN = 20

Row = dict[str, Any]


def verify(run_dir: Path, rows: Sequence[Row], quiet: bool = False) -> dict[str, Any]:
    """Judge stored responses again; what differs is reported, nothing is changed.

    Args:
        rows: of the view `episodes`, as `replay.choose` gives them.

    Returns:
        `differences`: in reward or category, each with the evidence that differs and possible reasons;
        `evidence_differs`: attempts whose reward and category are the same, and whose evidence is not.

    Raises:
        SettingError: none of them has an answer any more.
        TaskspaceError: domain or sandbox cannot be set up.
    """
    from actors.verifier import Verifier

    there = [row for row in rows if not bodies.gone(row["response"])]
    if rows and not there:
        raise SettingError(
            f"replay {run_dir} --verify: the answers were pruned or lost; nothing to judge again"
        )
    judged = [row for row in there if row["reward"] is not None]
    found: list[Row] = []
    evidence: list[str] = []
    with (
        RunReader(run_dir / "run.db") as reader,
        counting("verified again", len(judged), quiet) as advance,
    ):
        for settings, of_these in _by_settings(reader, judged):
            verifier = Verifier(_without_noise(settings))
            try:
                known = _Known(run_dir, settings, reader.facts().get("sandbox"), verifier.layers())
                tasks: dict[str, Task] = {}
                for groups, stored in _batches(reader, of_these, tasks):
                    again = [v for one in verifier.judge(groups, tasks)[0] for v in one.verdicts]
                    attempts = [attempt for group in groups for attempt in group.attempts]
                    for attempt, now in zip(attempts, again, strict=True):
                        then = stored[attempt.id]
                        if then.category != now.category or not _near(then.reward, now.reward):
                            found.append(_difference(then, now, known.reasons(attempt.answers, then, now)))
                        elif _apart(then, now):
                            evidence.append(attempt.id)
                    advance(len(stored))
            finally:
                verifier.close()
    return {
        "run": str(run_dir),
        "verified": len(judged),
        "skipped": len(rows) - len(judged),
        "differences": found,
        "evidence_differs": evidence,
    }


def told(result: dict[str, Any]) -> str:
    """What `verify` found, for people."""
    lines = [
        f"{result['verified']} verdicts run again, {len(result['differences'])} differ, "
        f"{result['skipped']} without a reward or an answer skipped"
    ]
    for d in result["differences"][:SHOWN]:
        lines.append(f"  {d['attempt_id']}: stored {d['stored']}, now {d['now']} {one_line(d['detail'])}")
        for key, (before, again) in d["evidence"].items():
            lines.append(f"    {key}: {_shown(before)} then, {_shown(again)} now")
        lines += [f"    {reason}" for reason in d["reasons"]]
    if len(result["differences"]) > SHOWN:
        lines.append(f"  ... and {len(result['differences']) - SHOWN} more; --json has them all")
    if result["evidence_differs"]:
        first = result["evidence_differs"][0]
        lines.append(
            f"  the same reward and category on other evidence: {len(result['evidence_differs'])}, "
            f"e.g. {first}"
        )
    return "\n".join(lines)


def _by_settings(reader: RunReader, rows: Sequence[Row]) -> Iterator[tuple[RunSettings, list[Row]]]:
    under: dict[str, tuple[RunSettings, list[Row]]] = {}
    by_round: dict[int, RunSettings] = {}
    for row in rows:
        round = row["round"]
        settings = by_round.get(round) or by_round.setdefault(round, settings_of(reader, round))
        under.setdefault(settings.model_dump_json(), (settings, []))[1].append(row)
    yield from under.values()


def _without_noise(settings: RunSettings) -> RunSettings:
    honest = settings.verifier.model_copy(update={"false_positive": 0.0, "false_negative": 0.0})
    return settings.model_copy(update={"verifier": honest})


def _batches(
    reader: RunReader, rows: Sequence[Row], tasks: dict[str, Task]
) -> Iterator[tuple[list[Group], dict[str, Verdict]]]:
    """Groups with the wanted attempts only, some at a time, and the stored verdicts; adds to `tasks`."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        wanted[row["group_id"]].add(row["id"])
    groups: list[Group] = []
    stored: dict[str, Verdict] = {}
    for group_id, ids in wanted.items():
        group, verdicts = reader.group(group_id)
        kept = tuple(attempt for attempt in group.attempts if attempt.id in ids)
        groups.append(msgspec.structs.replace(group, attempts=kept))
        stored |= {one.attempt_id: _honest(one) for one in verdicts if one.attempt_id in ids}
        if group.start.task_id not in tasks:
            tasks[group.start.task_id] = reader.task(group.start.task_id)
        if len(stored) >= BATCH:
            yield groups, stored
            groups, stored = [], {}
    if groups:
        yield groups, stored


def _honest(verdict: Verdict) -> Verdict:
    """As it was before noise was injected."""
    if not verdict.flipped or verdict.reward is None:
        return verdict
    return msgspec.structs.replace(verdict, reward=1.0 - verdict.reward)


def _near(before: float | None, again: float | None) -> bool:
    """Whether two rewards are the same but for how another processor rounds."""
    return before == again or (before is not None and again is not None and abs(before - again) < 1e-6)


def _apart(before: Verdict, again: Verdict) -> dict[str, tuple[Any, Any]]:
    """Evidence that differs, as JSON has it: key -> (then, now)."""
    old, new = (json.loads(msgspec.json.encode(one.evidence)) for one in (before, again))
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }


def _difference(before: Verdict, again: Verdict, reasons: list[str]) -> Row:
    now = "no reward" if again.reward is None else f"{again.reward:g}"
    return {
        "attempt_id": before.attempt_id,
        "stored": f"{before.category} {before.reward:g}",
        "now": f"{again.category} {now}",
        "detail": again.infra_error or "",
        "evidence": _apart(before, again),
        "reasons": reasons,
    }


class _Known:
    """What is known of the run's verifier and of this one."""

    def __init__(
        self, run_dir: Path, settings: RunSettings, then: Any, now: Sequence[dict[str, str]]
    ) -> None:
        self._deadline_s = settings.sandbox.wall_s
        self._others = _layers(then, now) + _packages(run_dir)

    def reasons(self, answers: Sequence[str], before: Verdict, again: Verdict) -> list[str]:
        """Why a verdict may differ; never empty."""
        if again.infra_error is not None:
            return ["the sandbox itself failed this time, which says nothing about the answer: try again"]
        found = [
            f"it ran into {limit}, which depends on what else the machine does"
            for category, limit in LIMITS.items()
            if category in (before.category, again.category)
        ]
        slowest = max(before.seconds, again.seconds)
        if not found and slowest >= NEAR * self._deadline_s:
            found.append(f"it took {slowest:.1f} s of sandbox.wall_s={self._deadline_s:g}")
        drawn = sorted({word for text in answers for words in DRAWS.findall(text) for word in words if word})
        if drawn:
            found.append(f"the answer may not end the same each time: it uses {', '.join(drawn)}")
        return found + self._others or [
            "nothing that is known of: the same checks on the same answer should say the same; the verdict, "
            "the answer or the task was changed in the store, or the grader in taskspace"
        ]


def _layers(then: Any, now: Sequence[dict[str, str]]) -> list[str]:
    """Isolation layers that are in another state than in the run."""
    if not isinstance(then, list):
        return []
    before = {one.get("name"): one.get("state") for one in then}
    return [
        f"sandbox layer {one['name']}: {before[one['name']]} then, {one['state']} now"
        for one in now
        if before.get(one["name"], one["state"]) != one["state"]
    ]


def _packages(run_dir: Path) -> list[str]:
    then, here = summary.load(run_dir).get("versions", {}), summary.versions()
    return [
        f"{name}: {then[name]} then, {here.get(name, 'missing')} now"
        for name in ("numpy", "taskspace", "python")
        if name in then and then[name] != here.get(name)
    ]


def _shown(value: Any) -> str:
    return "nothing" if value is None else one_line(json.dumps(value, ensure_ascii=False), 60)
