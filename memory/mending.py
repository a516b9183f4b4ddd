"""Making saved rows fit each other again: nothing names what is lost, and groups count what is left.

    lost, mended = settle(connection, run_folder)

Works on a store whose rows were saved one by one (`memory.repair`), with foreign keys unchecked.
"""

import sqlite3
import time
from pathlib import Path

import yaml

from memory.bodies import LOST, prompt_of
from memory.codec import text_hash, to_json
from protocols.credit import learnability

Lines = list[str]

#: What stands for a lost text, by the column that names it; `LOST` itself for all others.
_STANDING = {"prompt_text": prompt_of(LOST), "history_text": "[]"}

#: Rows that cannot be without another one: table, what is lost with it, which they are.
_GOING = (
    ("groups", "whose task is lost", "task_id NOT IN (SELECT id FROM tasks)"),
    ("attempts", "whose group is lost", "group_id NOT IN (SELECT id FROM groups)"),
    ("groups", "whose attempts are all lost", "id NOT IN (SELECT group_id FROM attempts)"),
    ("tokens", "whose attempt is lost", "attempt_seq NOT IN (SELECT seq FROM attempts)"),
    (
        "samples",
        "whose attempt or update is lost",
        "attempt_id NOT IN (SELECT id FROM attempts) OR version NOT IN (SELECT version FROM updates)",
    ),
    (
        "proposal_samples",
        "whose proposal or update is lost",
        "proposal_id NOT IN (SELECT id FROM proposals) OR version NOT IN (SELECT version FROM updates)",
    ),
)

#: Names of lost rows that others can be without: table, column, table that is named, what else changes.
_FORGOTTEN = (
    ("groups", "parent_attempt_id", "attempts", ""),
    ("tasks", "parent_id", "tasks", ""),
    ("proposals", "task_id", "tasks", ", reason = ifnull(reason, 'lost')"),
)


def settle(connection: sqlite3.Connection, run_dir: Path) -> tuple[Lines, Lines]:
    """What was lost, and what was put right without a loss; a line each."""
    lost = _run_rows(connection, run_dir)
    mended = _texts(connection)
    lost += _missing_texts(connection)
    lost += _rows(connection)
    lost += _tokens(connection)
    mended += _groups(connection)
    connection.execute("INSERT OR IGNORE INTO counter VALUES (1, 0)")
    connection.execute("UPDATE counter SET version = version + 1")
    return lost, mended


def _run_rows(connection: sqlite3.Connection, run_dir: Path) -> Lines:
    """Settings from config.yaml where the store has lost them; facts without which nothing can be opened."""
    there = {key for (key,) in connection.execute("SELECT key FROM run")}
    lines = [f"run: {key} is lost" for key in ("config", "facts", "created") if key not in there]
    config, saved = {}, run_dir / "config.yaml"
    if "config" not in there and saved.is_file():
        config = yaml.safe_load(saved.read_text(encoding="utf-8"))
        lines[0] += "; the settings in config.yaml stand for it"
    values = {"config": config, "facts": {}, "created": time.time()}
    for key in values.keys() - there:
        connection.execute("INSERT INTO run VALUES (?, ?)", [key, to_json(values[key])])
    return lines


def _texts(connection: sqlite3.Connection) -> Lines:
    wrong = [
        (text_hash(body), id)
        for id, hash, body in connection.execute("SELECT id, hash, body FROM texts")
        if text_hash(body) != hash
    ]
    connection.executemany("UPDATE OR IGNORE texts SET hash = ? WHERE id = ?", wrong)
    return [f"texts: {len(wrong)} are not what was stored; they stay as they are read"] if wrong else []


def _missing_texts(connection: sqlite3.Connection) -> Lines:
    columns = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND c.name LIKE '%\\_text' ESCAPE '\\'"
    ).fetchall()
    lines = []
    for table, column in columns:
        without = f"{column} NOT IN (SELECT id FROM texts)"
        if count := _count(connection, table, without):
            body = _STANDING.get(column, LOST)
            connection.execute(
                "INSERT OR IGNORE INTO texts (hash, body) VALUES (?, ?)", [text_hash(body), body]
            )
            connection.execute(
                f"UPDATE {table} SET {column} = (SELECT id FROM texts WHERE hash = ?) WHERE {without}",
                [text_hash(body)],
            )
            lines.append(f"{table}: {column.removesuffix('_text')} of {count}")
    return lines


def _rows(connection: sqlite3.Connection) -> Lines:
    """Until no row names a lost one any more: each that goes may take others with it."""
    going: dict[str, int] = {}
    while True:
        before = sum(going.values())
        for table, why, which in _GOING:
            gone = connection.execute(f"DELETE FROM {table} WHERE {which}").rowcount
            going[f"{table}: {{}} {why}"] = going.get(f"{table}: {{}} {why}", 0) + gone
        if sum(going.values()) == before:
            break
    lines = [line.format(count) for line, count in going.items() if count]
    for table, column, named, also in _FORGOTTEN:
        which = f"{column} NOT IN (SELECT id FROM {named})"
        if count := _count(connection, table, which):
            if column == "parent_attempt_id":
                _remember(connection, which)
            connection.execute(f"UPDATE {table} SET {column} = NULL{also} WHERE {which}")
            lines.append(f"{table}: {column.removesuffix('_id').replace('_', ' ')} of {count}")
    return lines


def _remember(connection: sqlite3.Connection, which: str) -> None:
    """Groups whose parent is lost start from their task: without a history, since nothing gave it."""
    connection.execute("INSERT OR IGNORE INTO texts (hash, body) VALUES (?, '[]')", [text_hash("[]")])
    connection.execute(
        f"UPDATE groups SET history_text = (SELECT id FROM texts WHERE hash = ?) WHERE {which}",
        [text_hash("[]")],
    )


def _tokens(connection: sqlite3.Connection) -> Lines:
    added = connection.execute(
        "INSERT INTO tokens SELECT seq, x'', x'' FROM attempts WHERE seq NOT IN"
        " (SELECT attempt_seq FROM tokens)"
    ).rowcount
    return [f"tokens: of {added} attempts"] if added else []


def _groups(connection: sqlite3.Connection) -> Lines:
    """Numbers of attempts without gaps, and counters from what is there."""
    connection.execute(
        "UPDATE attempts SET idx = o.place FROM (SELECT seq, row_number() OVER (PARTITION BY group_id"
        " ORDER BY idx, seq) - 1 AS place FROM attempts) o WHERE o.seq = attempts.seq AND idx <> o.place"
    )
    connection.create_aggregate("learnability", 1, _Learnability)  # type: ignore[arg-type]
    changed = connection.execute(_RECOUNT).rowcount
    return [f"groups: counters of {changed}, counted anew"] if changed else []


class _Learnability:
    """The rewards' learnability, to SQLite."""

    def __init__(self) -> None:
        self._rewards: list[float] = []

    def step(self, reward: float | None) -> None:
        if reward is not None:
            self._rewards.append(reward)

    def finalize(self) -> float | None:
        return learnability(self._rewards) if self._rewards else None


def _count(connection: sqlite3.Connection, table: str, which: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {which}").fetchone()[0])


_COUNTED = """SELECT group_id, count(*) AS attempts, sum(ifnull(reward, 0) >= 1) AS verified,
  count(infra_error) AS infra_errors, sum(sampled) AS tokens, avg(reward) AS mean,
  learnability(reward) AS variance FROM attempts GROUP BY group_id"""
_RECOUNT = f"""UPDATE groups SET attempts = c.attempts, verified = c.verified, tokens = c.tokens,
  infra_errors = c.infra_errors, mean_reward = c.mean, learnability = c.variance
FROM ({_COUNTED}) c WHERE c.group_id = groups.id AND (groups.attempts <> c.attempts
  OR groups.verified <> c.verified OR groups.infra_errors <> c.infra_errors OR groups.tokens <> c.tokens
  OR ifnull(abs(mean_reward - c.mean) > 1e-9, (mean_reward IS NULL) <> (c.mean IS NULL))
  OR ifnull(abs(learnability - c.variance) > 1e-9, (learnability IS NULL) <> (c.mean IS NULL)))"""
