"""Stored episodes, played again role by role; and their verdicts, run again.

An episode is an attempt with everything round it: who proposed the task, what the solver was shown and
answered, what the verifier saw, what the curator decided, which updates learned from it. Everything
comes from the store; nothing is generated. `verify` runs the stored responses through domain and sandbox.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import config
from experiments.plaintext import one_line, visible
from experiments.progress import counting
from protocols.errors import SettingError

#: Programs handed to the sandbox together while verifying: keeps progress moving and memory bounded.
BATCH = 64


class Episode:
    """One attempt and its surroundings, as plain values. Keys of `row` are columns of the view `episodes`."""

    def __init__(self, reader: Any, row: dict[str, Any]) -> None:
        self.row = row
        self.id: str = row["id"]
        self.prompt = json.loads(row["prompt_json"])
        self.evidence = json.loads(row["evidence_json"])
        self.topics = json.loads(row["topics_json"])
        self._reader = reader

    @property
    def proposal(self) -> dict[str, Any] | None:
        rows = self._reader.query(
            "SELECT p.round, p.topic, p.reason, p.detail, p.reward, t.body AS response FROM proposals p"
            " JOIN texts t ON t.id = p.response_text WHERE p.task_id = ? ORDER BY p.seq LIMIT 1",
            (self.row["task_id"],),
        )
        return rows[0] if rows else None

    @property
    def decisions(self) -> list[dict[str, Any]]:
        found = self._reader.query(
            "SELECT round, kind, action, reason, numbers_json FROM decisions"
            " WHERE subject_id IN (?, ?, ?, ?) ORDER BY seq",
            (self.id, self.row["group_id"], self.row["task_id"], self.row["start_id"]),
        )
        return list(found)

    @property
    def updates(self) -> list[dict[str, Any]]:
        found = self._reader.query(
            "SELECT u.version, u.round, u.recipe, s.weight FROM samples s JOIN updates u"
            " ON u.version = s.version WHERE s.attempt_id = ? ORDER BY u.version",
            (self.id,),
        )
        return list(found)


def choose(
    run_dir: Path, episode: str | None, task: str | None, round: int | None, limit: int | None
) -> list[Episode]:
    """Episodes by id (or its beginning), task or round; without any of them, the newest verified ones.

    Raises:
        SettingError: there is none like that.
    """
    from memory.reader import RunReader

    reader = RunReader(run_dir / "run.db")
    tests: list[str] = []
    values: list[Any] = []
    for column, prefix in (("id", episode), ("task_id", task)):
        if prefix:
            tests.append(f"substr({column}, 1, ?) = ?")
            values += [len(prefix), prefix]
    if round is not None:
        tests.append("round = ?")
        values.append(round)
    order = "seq"
    if not tests and limit is not None:  # nothing asked for in particular: something worth seeing
        order = "(reward >= 0.5 AND purpose = 'collect') DESC, seq DESC"
    where = f"WHERE {' AND '.join(tests)}" if tests else ""
    rows = reader.query(f"SELECT * FROM episodes {where} ORDER BY {order} LIMIT ?", (*values, limit or -1))
    if not rows:
        asked = ", ".join(
            f"--{n} {v}" for n, v in (("episode", episode), ("task", task), ("round", round)) if v is not None
        )
        raise SettingError(f"replay {run_dir}: no episode matches {asked or 'yet'}; leave the filter out")
    return [Episode(reader, row) for row in rows]


def as_json(episode: Episode) -> dict[str, Any]:
    """The episode as one JSON-codable object."""
    row = {k: v for k, v in episode.row.items() if not k.endswith("_json")}
    return row | {
        "topics": episode.topics,
        "prompt": episode.prompt,
        "evidence": episode.evidence,
        "proposal": episode.proposal,
        "decisions": episode.decisions,
        "updates": episode.updates,
    }


def show(episodes: Sequence[Episode], console: Any = None) -> None:
    """Print episodes to the terminal, a panel for each role."""
    from rich.console import Console

    console = console or Console()
    for episode in episodes:
        for panel in _panels(episode):
            console.print(panel)


def _panels(episode: Episode) -> list[Any]:
    from rich.panel import Panel
    from rich.text import Text

    def panel(title: str, body: str, colour: str) -> Any:
        # Text, never markup: brackets in an answer are not ours to interpret.
        return Panel(Text(body), title=Text(title), title_align="left", border_style=colour)

    row = episode.row
    panels = [
        panel(
            f"episode {episode.id}",
            f"round {row['round']}, {row['purpose']}, {row['book']} book, {row['step']}, "
            f"policy version {row['policy_version']}, attempt {row['idx']} of group {row['group_id']}\n"
            f"task {row['task_id']} ({row['origin']}, {row['task_kind']}: "
            f"{one_line(', '.join(episode.topics))})\n"
            f"{visible(row['statement'], 2000)}",
            "white",
        )
    ]
    proposal = episode.proposal
    if proposal:
        panels.append(
            panel(
                "proposer",
                f"about {one_line(proposal['topic'])}, round {proposal['round']}\n"
                f"{visible(proposal['response'], 2000)}",
                "magenta",
            )
        )
    shown = "\n".join(f"[{m['role']}] {visible(m['content'], 3000)}" for m in episode.prompt["messages"][-1:])
    hidden = len(episode.prompt["messages"]) - 1
    before = f"({hidden} earlier messages: the worked examples)\n" if hidden else ""
    panels.append(panel("solver was asked", before + shown, "blue"))
    panels.append(panel("solver answered", visible(row["response"], 8000), "cyan"))
    reward = "none" if row["reward"] is None else f"{row['reward']:g}"
    flipped = " (turned round by injected noise)" if row["flipped"] else ""
    problem = f"\ninfrastructure: {one_line(row['infra_error'])}" if row["infra_error"] else ""
    evidence = visible(json.dumps(episode.evidence, indent=2, ensure_ascii=False), 4000)
    good = row["reward"] is not None and row["reward"] >= 0.5
    panels.append(
        panel(
            "verifier",
            f"reward {reward}{flipped}, {row['category']}{problem}\n{evidence}",
            "green" if good else "red",
        )
    )
    decisions = "\n".join(
        f"round {d['round']}: {d['action']} {d['kind']}, {one_line(d['reason'])} "
        f"{one_line(d['numbers_json'])}"
        for d in episode.decisions
    )
    panels.append(panel("curator", decisions or "admitted; no decision of its own", "yellow"))
    learned = ", ".join(
        f"version {u['version']} ({u['recipe']}, weight {u['weight']:g})" for u in episode.updates
    )
    panels.append(panel("learner", f"learned in {learned}" if learned else "never learned from", "white"))
    return panels


def verify(run_dir: Path, episodes: Sequence[Episode], quiet: bool = False) -> dict[str, Any]:
    """Judge stored responses again; what differs is reported, nothing is changed.

    Attempts whose task never got a reference, and those the sandbox itself failed on, have no verdict to
    compare and are counted as skipped.

    Raises:
        TaskspaceError: domain or sandbox cannot be set up.
    """
    from memory.reader import RunReader

    from actors.sandbox.pool import SandboxPool
    from protocols.domain import make_domain
    from protocols.records import Outcome, Program, Verdict

    reader = RunReader(run_dir / "run.db")
    settings = config.resolve(reader.config())
    domain = make_domain(settings)
    judged = [e for e in episodes if e.row["reward"] is not None]
    tasks = {task_id: reader.task(task_id) for task_id in {e.row["task_id"] for e in judged}}
    differences: list[dict[str, Any]] = []
    pool = SandboxPool(settings.sandbox)
    try:
        with counting("verified again", len(judged), quiet) as advance:
            for i in range(0, len(judged), BATCH):
                batch = judged[i : i + BATCH]
                checks = [domain.check(tasks[e.row["task_id"]], e.row["response"]) for e in batch]
                outcomes = iter(pool.run([c for c in checks if isinstance(c, Program)]))
                for episode, check in zip(batch, checks, strict=True):
                    ended: Outcome | Verdict = next(outcomes) if isinstance(check, Program) else check
                    again = (
                        ended
                        if isinstance(ended, Verdict)
                        else domain.judge(tasks[episode.row["task_id"]], episode.id, ended)
                    )
                    differences += _difference(episode, again)
                advance(len(batch))
    finally:
        pool.close()
    return {
        "run": str(run_dir),
        "verified": len(judged),
        "skipped": len(episodes) - len(judged),
        "differences": differences,
    }


def verification(result: dict[str, Any]) -> str:
    """What `verify` found, for people."""
    lines = [
        f"{result['verified']} verdicts run again, {len(result['differences'])} differ, "
        f"{result['skipped']} without a verdict skipped"
    ]
    for d in result["differences"]:
        lines.append(f"  {d['attempt_id']}: stored {d['stored']}, now {d['now']} {one_line(d['detail'])}")
    return "\n".join(lines)


def _difference(episode: Episode, again: Any) -> list[dict[str, Any]]:
    row = episode.row
    reward = 1.0 - row["reward"] if row["flipped"] else row["reward"]
    if (reward, row["category"]) == (again.reward, again.category):
        return []
    return [
        {
            "attempt_id": episode.id,
            "stored": f"{row['category']} {reward:g}",
            "now": f"{again.category} {again.reward if again.reward is not None else 'no reward'}",
            "detail": again.infra_error or json.dumps(again.evidence, default=str)[:300],
        }
    ]
