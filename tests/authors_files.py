"""Rows of our own in SE-Bench's format, and answers to them."""

import json
import re
from pathlib import Path
from typing import Any

from protocols.domains.zwc.authors import files

FOLDER = Path(__file__).parent / "data" / "authors"
API_DOC = FOLDER / "api_doc.jsonl"


def raw(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def documentation() -> files.Documentation:
    return files.read_documentation(API_DOC)


def fenced(source: str) -> str:
    return f"Let me see.\n```python\n{source.rstrip()}\n```\n"


def translated(program: str) -> str:
    """A NumPy program as one of the package, by the names of the file."""
    entries = documentation().entries
    code = program.replace("import numpy as np", "import zwc")
    code = re.sub(r"np\.(linalg\.\w+)", lambda found: f"zwc.{entries[found[1]]}", code)
    return re.sub(r"np\.(\w+)", lambda found: f"zwc.{entries[found[1]]}", code)


def row(program: str, *cases: str, truth: str, name: str = "f") -> files.Row:
    """A row with one parameter, made by hand."""
    return files.Row(
        id="rows:1",
        query="What is it?",
        stub=f"def {name}(x):",
        name=name,
        parameters=("x",),
        example="{}",
        cases=tuple((case, "") for case in cases),
        truth=tuple(truth.split("#")),
        functions=(),
        reference=program,
    )
