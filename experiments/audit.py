"""Proves from what is stored that a run's closed book was closed, and that its rewards were earned.

    prompts   every closed-book prompt, played or learned on, holds no name, no sentence of documentation
    rewards   every verified attempt got results from functions that its task is about, as traced while it was
              judged
    programs  no verified program searches: lists the package, asks for signatures, walks objects or frames,
              or tries names one by one

What the model itself wrote, in the turns of a revision or as an opened answer, is not what the prompt gives
away. Flipped rewards (injected noise) are no claims of the verifier and are passed over. Does not cover:
proposals, which are asked for and learned (`absolute-zero`) with the book open; domains other than zwc.
"""

import json
import re
from pathlib import Path
from typing import Any

from experiments import config
from memory.reader import RunReader
from protocols.domain import make_domain
from protocols.domains.zwc.functions import CONSTRUCTORS
from protocols.domains.zwc.leaks import Secrets
from protocols.domains.zwc.obfuscate import Library
from protocols.errors import SettingError
from protocols.recipes import recipe
from protocols.records import Book, Record

_PLAYED = """
SELECT g.prompt_text AS text, min(g.id) AS id, prompt.body FROM groups g
JOIN texts prompt ON prompt.id = g.prompt_text WHERE g.book = 'closed' GROUP BY g.prompt_text
"""
_LEARNED = """
SELECT s.prompt_text AS text, min(s.attempt_id) AS id, prompt.body FROM samples s
JOIN texts prompt ON prompt.id = s.prompt_text GROUP BY s.prompt_text
"""
_REWARDED = """
SELECT a.id, a.evidence_json, t.topics_json, response.body FROM attempts a JOIN groups g ON g.id = a.group_id
JOIN tasks t ON t.id = g.task_id JOIN texts response ON response.id = a.response_text
WHERE a.reward >= 1 AND NOT a.flipped ORDER BY a.seq
"""


class Finding(Record):
    """One thing that should not be."""

    kind: str  # prompt, learned prompt, reward, program
    id: str  # of the group or the attempt
    detail: str


class Audit(Record):
    run: str
    prompts: int  # closed-book ones that were played, each text once
    learned_prompts: int  # closed-book ones that were learned on, each text once
    rewards: int  # verified attempts
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings


def audit(run_dir: Path) -> Audit:
    """Look through a whole run.

    Raises:
        SettingError: the run's domain is another one.
        StoreError: the folder holds no run.
    """
    settings = config.load_file(run_dir / "config.yaml")
    if settings.domain != "zwc":
        raise SettingError(f"audit {run_dir}: the domain is {settings.domain!r}; only zwc can be audited")
    domain: Any = make_domain(settings)
    library: Library = domain.library
    secrets: Secrets = domain.secrets
    constructors = {library.entries[name] for name in CONSTRUCTORS if name in library.entries}
    with RunReader(run_dir) as reader:
        played = reader.rows(_PLAYED)
        closed = recipe(settings.learner.recipe).book_at_update is Book.CLOSED
        learned = reader.rows(_LEARNED) if closed else []
        rewarded = reader.rows(_REWARDED)
    findings = [
        Finding(kind=kind, id=row["id"], detail=f"holds {found!r}")
        for kind, rows in (("prompt", played), ("learned prompt", learned))
        for row in rows
        for found in _given_away(row["body"], secrets)
    ]
    findings += [
        Finding(kind="reward", id=row["id"], detail=_untraced(json.loads(row["evidence_json"])))
        for row in rewarded
        if not _needed(json.loads(row["topics_json"]), constructors).intersection(
            json.loads(row["evidence_json"]).get("calls", {})
        )
    ]
    searching = _searches(library.package)
    findings += [
        Finding(kind="program", id=row["id"], detail=f"searches for what it does not know: {found[0]!r}")
        for row in rewarded
        if (found := searching.search(row["body"])) is not None
    ]
    return Audit(
        run=run_dir.name,
        prompts=len(played),
        learned_prompts=len(learned),
        rewards=len(rewarded),
        findings=tuple(findings),
    )


def _needed(topics: list[str], constructors: set[str]) -> set[str]:
    """The functions of which one has to have given a result, as the strict grader wants it."""
    return {topic for topic in topics if topic == topics[0] or topic not in constructors}


def _searches(package: str) -> re.Pattern[str]:
    """What programs do that look for functions in place of knowing them."""
    name = re.escape(package)
    return re.compile(
        rf"\b(?:vars|dir|getattr|hasattr|help)\s*\(\s*{name}\b|\b{name}\.__(?:dict|all|path|getattr)\w*"
        r"|__subclasses__|__globals__|\b_getframe\b|\bsys\.modules\b|\bglobals\s*\(|\bsignature\s*\(|\bget_objects\b"
    )


def _untraced(evidence: dict[str, Any]) -> str:
    if "authors_code" in evidence:
        return "judged by the authors' grader, which traces no calls"
    if evidence.get("calls"):
        return "no result of a function that the task is about was traced"
    return "no call of the package was traced"


def _given_away(prompt_json: str, secrets: Secrets) -> list[str]:
    prompt: dict[str, Any] = json.loads(prompt_json)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for message in prompt["messages"]:
        texts[message["role"] == "assistant"].append(message["content"])
    said = "\n".join(texts[True])  # an error's message may repeat a name that the answer has
    return [found for found in secrets.in_text("\n".join(texts[False])) if found not in said]


def text(found: Audit) -> str:
    """The result for people, findings first."""
    lines = [f"{f.kind} {f.id}: {f.detail}" for f in found.findings]
    lines.append(
        f"{found.run}: {found.prompts} closed-book prompts played, {found.learned_prompts} learned on, "
        f"{found.rewards} rewards: "
        + (f"{len(lines)} findings" if lines else "nothing given away, all earned")
    )
    return "\n".join(lines)
