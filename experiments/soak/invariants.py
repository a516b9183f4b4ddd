"""What has to hold of every run's store, whatever happened to the run: all of `taskspace check`, and what
only the settings can tell."""

import hashlib
import json
import sqlite3
from pathlib import Path

from memory import integrity
from memory.checkpoints import path_of, weights_checksum
from protocols.settings import RunSettings


def violations(run_dir: Path, settings: RunSettings, complete: bool) -> list[str]:
    """What does not hold, in words; [] when all is well.

    Args:
        complete: the run has come to its end; else rounds may be under way.
    """
    found = [f"{check.name}: {line}" for check in integrity.checks(run_dir) for line in check.problems]
    with sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True) as db:
        found += _of_rounds(db, settings, complete)
        newest = db.execute("SELECT version, checksum FROM updates ORDER BY version DESC LIMIT 1").fetchone()
    if newest and newest[1] and weights_checksum(path_of(run_dir, newest[0])) != newest[1]:
        found.append(f"version {newest[0]}: the checkpoint is not what was learned")
    return found


def _of_rounds(db: sqlite3.Connection, settings: RunSettings, complete: bool) -> list[str]:
    """Plans played, nothing staler than allowed."""
    found = []
    rounds = db.execute("SELECT round, plan_json, finished FROM rounds ORDER BY round").fetchall()
    versions = dict(db.execute("SELECT round, version FROM updates ORDER BY round"))
    if complete and (len(rounds) < settings.rounds or any(end is None for *_, end in rounds)):
        found.append(f"{len(rounds)} of {settings.rounds} rounds, not all of them finished")
    newest = 0
    for round, plan, finished in rounds:
        played = dict(
            db.execute(
                "SELECT position, policy_version FROM groups WHERE round = ? AND purpose = 'collect'", [round]
            )
        )
        planned = set(range(len(json.loads(plan))))
        if not played.keys() <= planned or (finished and played.keys() != planned):
            found.append(f"round {round}: {len(planned)} places planned, {sorted(played)} played")
        stale = newest - min(played.values(), default=newest)
        if stale > settings.max_staleness:
            found.append(f"round {round}: {stale} versions stale")
        newest = versions.get(round, newest)
    return found


def fingerprint(run_dir: Path, groups: int) -> str:
    """Of the first so many groups admitted, with their rewards: what is admitted stays as it is."""
    with sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT g.id, a.id, a.reward, a.category FROM (SELECT id, seq FROM groups ORDER BY seq LIMIT ?) g"
            " JOIN attempts a ON a.group_id = g.id ORDER BY g.seq, a.idx",
            [groups],
        ).fetchall()
    return hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()
