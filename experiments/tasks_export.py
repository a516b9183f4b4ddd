"""A domain's tasks as JSON lines: enough to ask any model, and to grade its answers elsewhere.

    id, prompt (closed book), entry_point, functions, documentation   for people and models
    task, package                                                     for `taskspace grade`: the hidden
                                                                      checks, and what rebuilds the library

A file with `task` in it holds the hidden answers: do not show those fields to a model.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from experiments import config, preflight
from experiments.outputs import writing
from protocols.domain import make_domain
from protocols.errors import SettingError
from protocols.records import Book, Split
from protocols.settings import RunSettings

#: `taskspace tasks` is about the world, not about one run: every function, unless told otherwise. Worked
#: examples need functions that no task is about, and closed-book prompts show none.
DEFAULTS = {"preset": "custom", "zwc": {"functions": 0, "demonstrations": 0}}


def export(
    domain: str,
    split: str,
    kind: str,
    limit: int | None,
    out: Path | None,
    seed: int | None,
    overrides: list[str],
) -> int:
    """Write the lines to `out` or to stdout; returns how many.

    Raises:
        SettingError: unknown domain, split, kind or setting; or the file cannot be written.
    """
    asked = [f"domain={domain}"] + ([f"zwc.seed={seed}"] if seed is not None else [])
    settings = preflight.with_files(config.resolve(config.merged(DEFAULTS, [*asked, *overrides])))
    rows = lines(settings, split, kind, limit)
    if out is None:
        return sum(1 for row in rows if print(json.dumps(row, ensure_ascii=False), flush=False) is None)
    count = 0
    with writing(out, "--out") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def lines(settings: RunSettings, split: str, kind: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """One plain object per task, in the domain's own order."""
    from protocols.iteration import start_of

    if split not in list(Split):
        raise SettingError(f"--split {split}: unknown; choose one of {', '.join(Split)}")
    domain: Any = make_domain(settings)
    if kind not in ("all", *domain.kinds):
        raise SettingError(f"--kind {kind}: unknown; choose one of {', '.join([*domain.kinds, 'all'])}")
    documentation = getattr(domain, "documentation", {})  # of worlds that have any
    for notice in domain.notices:
        print(notice, file=sys.stderr)
    for task in domain.tasks(Split(split), kind, limit):
        prompt = domain.session(task, start_of(task, Book.CLOSED), Book.CLOSED).prompt()
        yield {
            "id": task.id,
            "prompt": prompt.messages[-1].content,
            "entry_point": task.payload.get("entry_point"),
            "functions": list(task.topics),
            "documentation": {t: documentation[t] for t in task.topics if t in documentation},
            "task": msgspec.to_builtins(task),
            "package": settings.zwc.model_dump(mode="json"),
        }
    sys.stdout.flush()
