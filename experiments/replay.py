"""Stored episodes, played again role by role; and their verdicts, run again.

An episode is an attempt with everything round it: who proposed the task, what the solver was shown and
answered, what the verifier saw, what the curator decided, which updates learned from it. Everything
comes from the store; nothing is generated. `verify` runs the stored responses through domain and sandbox.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiments import config
from experiments.plaintext import one_line, visible
from experiments.progress import counting
from memory import bodies
from memory.episodes import Episode
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.prompting import prompts_of
from protocols.records import Verdict

#: Programs handed to the sandbox together while verifying: keeps progress moving and memory bounded.
BATCH = 64


def choose(
    run_dir: Path, episode: str | None, task: str | None, round: int | None, limit: int | None
) -> list[dict[str, Any]]:
    """Rows of the view `episodes` by id (or its beginning), task or round; by default the newest verified.

    Raises:
        SettingError: there is none like that.
        StoreError: the database cannot be read.
    """
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
        order = "(reward >= 1 AND purpose = 'collect') DESC, seq DESC"
    where = f"WHERE {' AND '.join(tests)}" if tests else ""
    with RunReader(run_dir / "run.db") as reader:
        rows = reader.rows(f"SELECT * FROM episodes {where} ORDER BY {order} LIMIT ?", [*values, limit or -1])
    if not rows:
        filters = (("episode", episode), ("task", task), ("round", round))
        asked = " ".join(f"--{name} {value}" for name, value in filters if value is not None)
        raise SettingError(
            f"replay {run_dir}: " + (f"nothing matches {asked}; leave it out" if asked else "no episode yet")
        )
    return rows


def as_json(run_dir: Path, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything the store knows about these attempts, JSON-codable."""
    with RunReader(run_dir / "run.db") as reader:
        found: list[dict[str, Any]] = msgspec.to_builtins([reader.attempt(row["id"]) for row in rows])
    return found


def show(run_dir: Path, rows: Sequence[dict[str, Any]], console: Any = None) -> None:
    """Print episodes to the terminal, a panel for each role."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    console = console or Console()
    with RunReader(run_dir / "run.db") as reader:
        for row in rows:
            for title, body, colour in panels(reader.attempt(row["id"])):
                # Text, never markup: brackets in an answer are not ours to interpret.
                panel = Panel(Text(body), title=Text(title), title_align="left", border_style=colour)
                console.print(panel)


def panels(e: Episode) -> list[tuple[str, str, str]]:
    """(title, body, colour) for each role that had a part in the episode; harmless to print."""
    found = [_opening(e)]
    if e.proposal:
        about = f"about {one_line(e.proposal['topic'])}, round {e.proposal['round']}"
        found.append(("proposer", f"{about}\n{visible(e.proposal['response'], 2000)}", "magenta"))
    prompts = prompts_of(e.prompt, e.attempt.exchanges) if e.attempt.exchanges else [e.prompt]
    for prompt, answer in zip(prompts, e.attempt.answers, strict=True):
        hidden = len(prompt.messages) - 1
        before = f"({hidden} earlier messages)\n" if hidden else ""
        question = "\n".join(f"[{m.role}] {visible(m.content, 3000)}" for m in prompt.messages[-1:])
        found.append(("solver was asked", before + question, "blue"))
        found.append(("solver answered", visible(answer, 8000), "cyan"))
    found.append(_verifier(e))
    decisions = "\n".join(
        f"round {d['round']}: {d['action']} {d['kind']}, {one_line(d['reason'])} "
        f"{one_line(str(d['numbers']))}"
        for d in e.decisions
    )
    found.append(("curator", decisions or "admitted it; no further decision", "yellow"))
    learned = ", ".join(f"version {u['version']} ({u['recipe']}, weight {u['weight']:g})" for u in e.updates)
    found.append(("learner", f"learned from it: {learned}" if learned else "never learned from it", "white"))
    return found


def _opening(e: Episode) -> tuple[str, str, str]:
    g = e.group
    lines = [
        f"round {g['round']}, {g['purpose']}, {e.start.book} book, {e.start.step}, "
        f"policy version {g['policy_version']}, attempt {e.attempt.index} of group {g['id']}",
        f"task {e.task.id} ({e.task.origin}, {e.task.kind}, {e.task_status}): "
        f"{one_line(', '.join(e.task.topics))}",
        visible(e.task.statement, 2000),
    ]
    return f"episode {e.attempt.id}", "\n".join(lines), "white"


def _verifier(e: Episode) -> tuple[str, str, str]:
    v = e.verdict
    reward = "no reward" if v.reward is None else f"reward {v.reward:g}"
    flipped = " (turned round by injected noise)" if v.flipped else ""
    problem = f"\ninfrastructure: {one_line(v.infra_error)}" if v.infra_error else ""
    evidence = visible(json.dumps(v.evidence, indent=2, ensure_ascii=False), 4000)
    colour = "green" if v.reward == 1.0 else "red"
    return "verifier", f"{reward}{flipped}, {v.category}{problem}\n{evidence}", colour


def verify(run_dir: Path, rows: Sequence[dict[str, Any]], quiet: bool = False) -> dict[str, Any]:
    """Judge stored responses again; what differs is reported, nothing is changed.

    Attempts whose task never got a reference, and those that the sandbox itself failed on, have no reward
    to compare; they are counted as skipped, and so are those whose answers were pruned or lost.

    Raises:
        TaskspaceError: domain or sandbox cannot be set up.
    """
    from actors.sandbox.pool import SandboxPool
    from protocols.domain import make_domain
    from protocols.records import Outcome, Program

    gone = (bodies.PRUNED, bodies.LOST)
    judged = [row for row in rows if row["reward"] is not None and row["response"] not in gone]
    if rows and not judged and any(row["response"] in gone for row in rows):
        raise SettingError(
            f"replay {run_dir} --verify: the answers were pruned or lost; nothing to judge again"
        )
    with RunReader(run_dir / "run.db") as reader:
        settings = config.resolve(reader.config())
        tasks = {task_id: reader.task(task_id) for task_id in {row["task_id"] for row in judged}}
        answers = {row["id"]: reader.answers(row["id"]) for row in judged}
    domain = make_domain(settings)
    differences: list[dict[str, Any]] = []
    with SandboxPool(settings.sandbox) as pool, counting("verified again", len(judged), quiet) as advance:
        for first in range(0, len(judged), BATCH):
            batch = judged[first : first + BATCH]
            checks = [domain.check(tasks[row["task_id"]], answers[row["id"]]) for row in batch]
            outcomes = iter(pool.run([c for c in checks if isinstance(c, Program)]))
            for row, check in zip(batch, checks, strict=True):
                ended: Outcome | Verdict = next(outcomes) if isinstance(check, Program) else check
                if isinstance(ended, Outcome):
                    ended = domain.judge(tasks[row["task_id"]], row["id"], ended)
                differences += _difference(row, ended)
            advance(len(batch))
    return {
        "run": str(run_dir),
        "verified": len(judged),
        "skipped": len(rows) - len(judged),
        "differences": differences,
    }


def verification(result: dict[str, Any]) -> str:
    """What `verify` found, for people."""
    lines = [
        f"{result['verified']} verdicts run again, {len(result['differences'])} differ, "
        f"{result['skipped']} without a reward or an answer skipped"
    ]
    for d in result["differences"]:
        lines.append(f"  {d['attempt_id']}: stored {d['stored']}, now {d['now']} {one_line(d['detail'])}")
    return "\n".join(lines)


def _difference(row: dict[str, Any], again: Verdict) -> list[dict[str, Any]]:
    reward = 1.0 - row["reward"] if row["flipped"] else row["reward"]  # before noise was injected
    if (reward, row["category"]) == (again.reward, again.category):
        return []
    now = "no reward" if again.reward is None else f"{again.reward:g}"
    return [
        {
            "attempt_id": row["id"],
            "stored": f"{row['category']} {reward:g}",
            "now": f"{again.category} {now}",
            "detail": again.infra_error or json.dumps(again.evidence, default=str)[:300],
        }
    ]
