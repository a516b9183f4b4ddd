"""What has to hold of every run's store, whatever happened to the run."""

import hashlib
import json
import sqlite3
from pathlib import Path

from memory.checkpoints import path_of, weights_checksum
from protocols.settings import RunSettings

#: What must be empty, by what is wrong with a row that is found.
_EMPTY = {
    "a group is without its attempts": """
        SELECT g.id FROM groups g WHERE attempts <> (SELECT COUNT(DISTINCT idx) FROM attempts a
        WHERE a.group_id = g.id) OR attempts <> (SELECT COUNT(*) FROM attempts a WHERE a.group_id = g.id)""",
    "an attempt is without its tokens": """
        SELECT id FROM attempts WHERE seq NOT IN (SELECT attempt_seq FROM tokens)""",
    "a failure of the sandbox has a reward": """
        SELECT id FROM attempts WHERE infra_error IS NOT NULL AND reward IS NOT NULL""",
    "a reward is missing without a reason": """
        SELECT id FROM attempts WHERE infra_error IS NULL AND reward IS NULL
        AND category <> 'unreferenced'""",
    "a place in a plan was played twice": """
        SELECT round, position FROM groups GROUP BY round, position, purpose, book HAVING COUNT(*) > 1""",
    "a round was learned twice": "SELECT round FROM updates GROUP BY round HAVING COUNT(*) > 1",
    "what was learned has no reward": """
        SELECT a.id FROM samples s JOIN attempts a ON a.id = s.attempt_id WHERE a.reward IS NULL""",
    "a group is of a later version than its round": """
        SELECT g.id FROM groups g WHERE g.policy_version >
        (SELECT COUNT(*) FROM updates u WHERE u.round < g.round)
        AND g.purpose = 'collect'""",
    "an evaluation was made twice": """
        SELECT round FROM evaluations GROUP BY round, book HAVING COUNT(*) > 1""",
}


def violations(run_dir: Path, settings: RunSettings, complete: bool) -> list[str]:
    """What does not hold, in words; [] when all is well.

    Args:
        complete: the run has come to its end; else rounds may be under way.
    """
    with sqlite3.connect(f"file:{run_dir / 'run.db'}?mode=ro", uri=True) as db:
        found = [line for (line,) in db.execute("PRAGMA integrity_check") if line != "ok"]
        found += [f"foreign key: {row}" for row in db.execute("PRAGMA foreign_key_check")]
        for what, sql in _EMPTY.items():
            rows = db.execute(sql).fetchall()
            found += [f"{what}: {rows[0]} and {len(rows) - 1} more"] if rows else []
        found += _of_rounds(db, settings, complete)
        newest = db.execute("SELECT version, checksum FROM updates ORDER BY version DESC LIMIT 1").fetchone()
    if newest and newest[1] and weights_checksum(path_of(run_dir, newest[0])) != newest[1]:
        found.append(f"version {newest[0]}: the checkpoint is not what was learned")
    return found


def _of_rounds(db: sqlite3.Connection, settings: RunSettings, complete: bool) -> list[str]:
    """Plans played, versions without a gap, nothing staler than allowed."""
    found = []
    rounds = db.execute("SELECT round, plan_json, finished FROM rounds ORDER BY round").fetchall()
    versions = dict(db.execute("SELECT round, version FROM updates ORDER BY round"))
    if list(versions.values()) != list(range(1, len(versions) + 1)):
        found.append(f"versions have gaps: {sorted(versions.values())[:20]}")
    if [round for round, *_ in rounds] != list(range(1, len(rounds) + 1)):
        found.append("rounds have gaps")
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
