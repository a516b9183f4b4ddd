"""What mle prompts say: one template for all steps. The script that is there, the goal, the competition.

    improve   the script ran: make it better          (also the first step, from a script that does nothing)
    debug     the script failed: repair it            (an improve step whose history says how it failed)
    diverge   another script by another approach

Source of the parts and of their order: arXiv 2509.04575, appendix B; the words are ours.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from protocols.domains.mle.competition import Competition
from protocols.domains.mle.grading import SCORE
from protocols.domains.mle.harness import PUBLIC
from protocols.fences import last_code_block
from protocols.mle_settings import MleSettings
from protocols.records import Message, Prompt, Start, Step

SYSTEM = Message(role="system", content="You win machine-learning competitions with short Python scripts.")
EMPTY = 'def main():\n    pass\n\n\nif __name__ == "__main__":\n    main()'
IMPROVE = "Improve this script, so that it does better in the following competition."
DEBUG = "Repair this script, so that it does as well as it can in the following competition."
DIVERGE = (
    "Write a new script that does better than this one in the following competition, "
    "by a radically different approach."
)
RULES = f"""Rules:
- One script, one core, no network, no GPU. There are numpy, scipy, pandas and scikit-learn.
- Read the data from the folder os.environ["{PUBLIC}"]; nothing can be written there.
- Write submission.csv to the current folder.
Answer with the whole script in one ```python block."""
_SAMPLE = 1 << 20  # bytes of a file that a preview looks at


class Shown(NamedTuple):
    """A competition as prompts show it."""

    description: str
    files: str


def shown(competition: Competition, settings: MleSettings) -> Shown:
    text = competition.description(settings.description)
    if len(text) > settings.description_chars:
        text = text[: settings.description_chars].rstrip() + " ..."
    return Shown(text, previews(competition.public, settings))


def question(about: Shown, start: Start) -> str:
    """The user turn."""
    script, told = EMPTY, ""
    goal = DIVERGE if start.step is Step.DIVERGE else IMPROVE
    if start.history:
        last = start.history[-1]
        script, told = last_code_block(last.response) or EMPTY, last.feedback
        if told and not told.startswith(SCORE):
            told = f"It failed:\n```\n{told}\n```"
            goal = DEBUG if start.step is Step.IMPROVE else goal
    parts = [f"The script solution.py:\n```python\n{script}\n```", told, goal, about.description]
    parts += [f"Files in {PUBLIC}:\n{about.files}", RULES]
    return "\n\n".join(part for part in parts if part)


def plain(about: Shown, start: Start) -> Prompt:
    return Prompt(messages=(SYSTEM, Message(role="user", content=question(about, start))))


def worked(prompt: Prompt, examples: Sequence[tuple[Shown, str]], first: Start, opening: str) -> Prompt:
    """Worked examples before the question, the same for every task; and the answer opened."""
    system, asked = prompt.messages
    messages = [system]
    for about, script in examples:
        messages.append(Message(role="user", content=question(about, first)))
        messages.append(Message(role="assistant", content=f"```python\n{script}\n```"))
    return Prompt(messages=(*messages, asked), prefill=opening)


def previews(public: Path, settings: MleSettings) -> str:
    """Files by name with their size and their first lines."""
    files = sorted(p for p in public.rglob("*") if p.is_file() and not p.name.startswith("description"))
    # Tables first: of thousands of pictures nothing would be learned.
    files.sort(key=lambda p: p.suffix not in (".csv", ".tsv", ".json", ".jsonl", ".txt"))
    parts = [_preview(p, str(p.relative_to(public)), settings) for p in files[: settings.preview_files]]
    if len(files) > settings.preview_files:
        parts.append(f"and {len(files) - settings.preview_files} more files")
    return "\n".join(parts)


def _preview(path: Path, name: str, settings: MleSettings) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        text = file.read(_SAMPLE).decode("utf-8", "replace")
    lines: list[str] = []
    told = f"{size} bytes"
    if path.suffix in (".csv", ".tsv"):
        lines = text.splitlines()
        columns = len(lines[0].split("\t" if path.suffix == ".tsv" else ",")) if lines else 0
        told = f"{_lines(path) - 1} rows, {columns} columns"
    elif path.suffix in (".jsonl", ".txt"):
        lines = text.splitlines()
    elif path.suffix == ".json" and size <= _SAMPLE * 32:
        told, lines = _records(path, told)
    cut = [
        line if len(line) <= settings.preview_chars else line[: settings.preview_chars] + "..."
        for line in lines[: settings.preview_lines]
    ]
    return "\n".join([f"{name} ({told})" + (":" if cut else ""), *cut])


def _records(path: Path, told: str) -> tuple[str, list[str]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return told, []
    if not isinstance(data, list):
        return told, []
    return f"a list of {len(data)}", [json.dumps(record, ensure_ascii=False) for record in data[:100]]


def _lines(path: Path) -> int:
    """Lines with something in them; a quoted field that spans lines counts as several."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
