"""Stored episodes, played again role by role.

An episode is an attempt with everything round it: who proposed the task, what the solver was shown and
answered, what the verifier saw, what the curator decided, which updates learned from it. Everything
comes from the store; nothing is generated. Which episodes: `choosing_episodes`; when it all happened:
`memory.moments`. Verdicts and answers are made again by `verify` and `regenerate`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiments.choosing_episodes import choose as choose
from experiments.plaintext import one_line, visible
from experiments.timeline import Clock, offset
from memory.episodes import Episode
from memory.moments import Moments, moments
from memory.reader import RunReader
from protocols.prompting import prompts_of


def as_json(run_dir: Path, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything the store knows about these attempts, and when it happened (`moments`); JSON-codable."""
    with RunReader(run_dir / "run.db") as reader:
        episodes = [reader.attempt(row["id"]) for row in rows]
        return [
            msgspec.to_builtins(one) | {"moments": msgspec.to_builtins(moments(reader, one))}
            for one in episodes
        ]


def show(
    run_dir: Path, rows: Sequence[dict[str, Any]], console: Any = None, clock: Clock | None = None
) -> None:
    """Print episodes to the terminal, a panel for each role, with the time since the episode began.

    Args:
        clock: waits before each panel; none by default.
    """
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    console, clock = console or Console(), clock or Clock(0.0)
    with RunReader(run_dir / "run.db") as reader:
        for row in rows:
            episode = reader.attempt(row["id"])
            when = moments(reader, episode)
            for (title, body, colour), moment in zip(panels(episode), _at(when), strict=True):
                clock.wait_until(moment)
                told = f"{title}  {offset(moment - when.began)}"
                # Text, never markup: brackets in an answer are not ours to interpret.
                panel = Panel(Text(body), title=Text(told), title_align="left", border_style=colour)
                console.print(panel)


def _at(when: Moments) -> list[float]:
    """The moment of each panel, in their order."""
    found = [when.began]
    if when.proposed is not None:
        found.append(when.proposed)
    for asked, answered in when.answers:
        found += [asked, answered]
    return [*found, when.judged, when.admitted, when.admitted if when.learned is None else when.learned]


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
