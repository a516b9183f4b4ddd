"""A run as a folder for Datasette: `datasette DIR` opens it with descriptions, views and questions.

    DIR/run.db           a copy of the store, with views for people
    DIR/metadata.json    what tables and columns mean, and the questions of `memory.questions`

Datasette itself is not needed to write it.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from memory import dictionary, opening, questions
from memory.codec import from_json, to_json
from memory.privacy import portable

#: Views of the copy: name, what it shows, statement.
VIEWS = {
    "rounds_in_numbers": (
        "What each round came to: collection, proposals, the update that it made.",
        """SELECT r.round, r.policy_version, datetime(r.started, 'unixepoch') AS started,
  round(max(r.finished - r.started, 0), 1) AS seconds, g.groups, g.attempts, g.verified,
  round(1.0 * g.verified / g.attempts, 4) AS solve_rate, g.infra_errors, g.tokens,
  (SELECT count(*) FROM proposals p WHERE p.round = r.round) AS proposals,
  (SELECT count(reason) FROM proposals p WHERE p.round = r.round) AS rejected,
  (SELECT u.version FROM updates u WHERE u.round = r.round) AS made_version
FROM rounds r LEFT JOIN (SELECT round, count(*) AS groups, sum(attempts) AS attempts,
  sum(verified) AS verified, sum(infra_errors) AS infra_errors, sum(tokens) AS tokens
  FROM groups WHERE purpose = 'collect' GROUP BY round) g ON g.round = r.round""",
    ),
    "accuracy": (
        "Measured accuracy by policy version and book.",
        """SELECT round, policy_version, book, split, kind, tasks, attempts, accuracy, infra_errors
FROM evaluations""",
    ),
    "accuracy_by_topic": (
        "The same by topic: what is known, and what is forgotten.",
        """SELECT e.round, e.policy_version, e.book, t.key AS topic, t.value AS accuracy
FROM evaluations e, json_each(e.by_topic_json) t""",
    ),
    "tasks_in_numbers": (
        "Tasks with their statements and what collection made of them.",
        """SELECT t.id, t.origin, t.kind, t.split, t.status, t.round, t.topics_json,
  statement.body AS statement,
  g.attempts, g.verified, round(1.0 * g.verified / g.attempts, 4) AS solve_rate, t.parent_id
FROM tasks t JOIN texts statement ON statement.id = t.statement_text
LEFT JOIN (SELECT task_id, sum(attempts - infra_errors) AS attempts, sum(verified) AS verified
  FROM groups WHERE purpose = 'collect' GROUP BY task_id) g ON g.task_id = t.id""",
    ),
    "rejections": (
        "Why proposals were rejected, by round.",
        """SELECT round, reason, count(*) AS proposals FROM proposals WHERE reason IS NOT NULL
GROUP BY round, reason""",
    ),
    "verdict_categories": (
        "How attempts were judged, by round and purpose.",
        """SELECT g.round, g.purpose, g.book, a.category, count(*) AS attempts
FROM attempts a JOIN groups g ON g.id = a.group_id GROUP BY g.round, g.purpose, g.book, a.category""",
    ),
}

#: The questions: name, title, statement.
QUERIES = {
    "trained": ("Which episodes trained update :version?", questions.TRAINED),
    "decisions": ("Which decisions led to :attempt, and followed from it?", questions.DECISIONS),
    "verdict": ("What did the verifier see of :attempt, and what did it say?", questions.VERDICT),
    "weights": ("Which weights generated :attempt?", questions.WEIGHTS),
    "lineage": ("Where in the task space does :attempt hang?", questions.LINEAGE),
}

_FACETS = {
    "episodes": ["purpose", "book", "step", "category", "policy_version"],
    "tasks": ["origin", "split", "kind", "status"],
    "groups": ["purpose", "book", "step", "policy_version"],
    "attempts": ["category"],
    "decisions": ["kind", "action", "reason"],
    "proposals": ["reason"],
    "events": ["role", "level"],
    "stages": ["role", "stage"],
}
_NEWEST_FIRST = {"episodes": "seq", "attempts": "seq", "groups": "seq", "events": "id", "decisions": "seq"}


def write(source: Path, folder: Path, name: str) -> None:
    """Copy one state of a run, in progress or not, and describe it.

    Args:
        source: the run folder.
        folder: is there, and empty.
        name: of the run, for titles.

    Raises:
        StoreError: the run cannot be read.
    """
    path = source / "run.db"
    copy = folder / "run.db"
    with closing(opening.read_only(path)) as original, closing(sqlite3.connect(copy)) as made:
        with opening.errors_of(path):
            original.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")  # one file, which opens on a read-only disk, too
        for view, (_, sql) in VIEWS.items():
            made.execute(f"CREATE VIEW {view} AS {sql}")
        for key, text in made.execute("SELECT key, value_json FROM run").fetchall():
            told = to_json(portable(from_json(text)))
            made.execute("UPDATE run SET value_json = ? WHERE key = ?", [told, key])
        made.execute("ANALYZE")  # else every page of a large run counts rows to plan its statements
        made.commit()
    text = json.dumps(metadata(name), indent=2, ensure_ascii=False)
    (folder / "metadata.json").write_text(text + "\n", encoding="utf-8")


def metadata(name: str) -> dict[str, Any]:
    """Titles and descriptions of the database, its tables and views, and canned queries."""
    tables: dict[str, Any] = {}
    for table, (about, columns) in dictionary.tables().items():
        tables[table] = {"description": about, "columns": columns}
    for view, (about, _) in VIEWS.items():
        tables[view] = {"description": about}
    for table, facets in _FACETS.items():
        tables.setdefault(table, {})["facets"] = facets
    for table, column in _NEWEST_FIRST.items():
        tables.setdefault(table, {})["sort_desc"] = column
    for table in ("counter", "texts", "tokens", "run"):
        tables.setdefault(table, {})["hidden"] = True  # reached from others; not where anybody begins
    return {
        "title": f"taskspace run {name}",
        "description": "Every task, attempt, verdict, decision and update of one run. Begin with episodes.",
        "databases": {
            "run": {
                "tables": tables,
                "queries": {
                    query: {"title": title, "sql": sql.strip()} for query, (title, sql) in QUERIES.items()
                },
            }
        },
    }
