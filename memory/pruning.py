"""Removing the bodies of a run's episodes while everything that is counted stays.

Gone: prompts, answers, histories' answers, token ids and log-probabilities, of rounds before a given one or
of all of them. Staying: tasks with their statements and checks, rewards, verdicts with their evidence,
decisions, lineages, curves, counters, and so the task space. There is no way back.
"""

from pathlib import Path
from typing import Any

from memory.bodies import PRUNED, bodiless, prompt_of
from memory.codec import from_json, text_hash
from memory.frozen import frozen
from memory.reader import RunReader
from memory.store import Store
from protocols.errors import StoreError

_EVER = 2**62  # before this round: all of them
_ATTEMPTS = "SELECT a.seq FROM attempts a JOIN groups g ON g.id = a.group_id WHERE g.round < ?"


def plan(run_dir: Path, before_round: int | None) -> dict[str, Any]:
    """What would be removed, and how large it is; changes nothing.

    Raises:
        StoreError: there is nothing to remove, or a round is not finished.
    """
    limit = _EVER if before_round is None else before_round
    with RunReader(run_dir) as reader:
        under_way = reader.value("SELECT min(round) FROM rounds WHERE finished IS NULL")
        if under_way is not None:
            raise StoreError(
                f"{run_dir}: round {under_way} is not finished, and what it needs is not removed; "
                f"finish it first: taskspace run --resume {run_dir}"
            )
        found = reader.row(
            f"""SELECT count(*) AS attempts, ifnull(sum(length(k.token_ids) + length(k.logprobs)), 0) AS bytes
            FROM tokens k JOIN attempts a ON a.seq = k.attempt_seq JOIN texts x ON x.id = a.response_text
            WHERE k.attempt_seq IN ({_ATTEMPTS}) AND x.body <> ?""",
            [limit, PRUNED],
        )
        assert found is not None  # an aggregate always has a row
        if not found["attempts"]:
            last = reader.value("SELECT max(round) FROM groups")
            rounds = "" if before_round is None else f" in rounds before {before_round}"
            raise StoreError(f"{run_dir}: no bodies are left{rounds}; its last round is {last}")
        proposals = reader.value(
            "SELECT count(*) FROM proposals p JOIN texts x ON x.id = p.response_text"
            " WHERE p.round < ? AND x.body <> ?",
            [limit, PRUNED],
        )
    size = (run_dir / "run.db").stat().st_size
    return {
        "run": str(run_dir),
        "before_round": before_round,
        "attempts": found["attempts"],
        "proposals": proposals,
        "token_bytes": found["bytes"],
        "file_bytes": size,
    }


def prune(run_dir: Path, before_round: int | None) -> dict[str, Any]:
    """Remove them; returns the plan with the size of the file afterwards.

    Raises:
        StoreError: as for `plan`, or the run is in use.
    """
    told = plan(run_dir, before_round)
    limit = _EVER if before_round is None else before_round
    with Store.open(run_dir / "run.db") as store:
        connection = store.db.conn
        connection.create_function("bodiless", 1, bodiless, deterministic=True)
        connection.create_function("text_hash", 1, text_hash, deterministic=True)
        # Only texts go that no row names: with each of them, all rows would be searched for its name.
        connection.execute("PRAGMA foreign_keys = OFF")
        with store.batch():
            mark, prompt = (_kept(store, body) for body in (PRUNED, prompt_of(PRUNED)))
            store.db.execute(_HISTORIES, [limit])
            for sql in _REMOVALS:
                store.db.execute(sql, {"mark": mark, "prompt": prompt, "before": limit})
            store.db.execute(_unnamed_texts(store))
            (facts,) = store.db.execute("SELECT value_json FROM run WHERE key = 'facts'").fetchone()
            rounds = f" of rounds before {before_round}" if before_round else ""
            store.save_facts(frozen(from_json(facts), f"pruned: bodies{rounds} were removed"))
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.db.execute("VACUUM")  # else the bodies would still lie in free pages
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {**told, "file_bytes_after": (run_dir / "run.db").stat().st_size}


def _kept(store: Store, body: str) -> int:
    """Id of a text, which is added if it is new."""
    key = text_hash(body)
    store.db.execute(
        "INSERT INTO texts (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", [key, body]
    )
    return int(store.db.execute("SELECT id FROM texts WHERE hash = ?", [key]).fetchone()[0])


def _unnamed_texts(store: Store) -> str:
    """A statement that deletes the texts that no row names any more."""
    columns = store.db.execute(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND c.name LIKE '%\\_text' ESCAPE '\\'"
    ).fetchall()
    named = " UNION ALL ".join(f"SELECT {column} FROM {table}" for table, column in columns)
    return f"DELETE FROM texts WHERE id NOT IN ({named})"


_HISTORIES = """INSERT INTO texts (hash, body)
SELECT text_hash(bodiless(body)), bodiless(body) FROM texts
WHERE id IN (SELECT history_text FROM groups WHERE round < ?) ON CONFLICT (hash) DO NOTHING"""

_REMOVALS = (
    f"""UPDATE tokens SET token_ids = x'', logprobs = x''
    WHERE attempt_seq IN ({_ATTEMPTS.replace("?", ":before")})""",
    f"""UPDATE attempts SET response_text = :mark, exchanges_json = bodiless(exchanges_json)
    WHERE seq IN ({_ATTEMPTS.replace("?", ":before")})""",
    """UPDATE groups SET prompt_text = :prompt, history_text = (SELECT new.id FROM texts old JOIN texts new
      ON new.hash = text_hash(bodiless(old.body)) WHERE old.id = groups.history_text)
    WHERE round < :before""",
    """UPDATE proposals SET prompt_text = :prompt, response_text = :mark, token_ids = NULL, logprobs = NULL
    WHERE round < :before""",
    """UPDATE samples SET prompt_text = :prompt
    WHERE version IN (SELECT version FROM updates WHERE round < :before)""",
    """UPDATE proposal_samples SET prompt_text = :prompt
    WHERE version IN (SELECT version FROM updates WHERE round < :before)""",
    "UPDATE rounds SET plan_json = bodiless(plan_json) WHERE round < :before",
    "UPDATE buffer SET start_json = bodiless(start_json) WHERE round < :before",
)
