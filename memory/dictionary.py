"""What tables and columns mean, in the words of `docs/store.md`: for those who open a store elsewhere."""

import re
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs" / "store.md"


@cache
def tables() -> dict[str, tuple[str, dict[str, str]]]:
    """By table or view what it is, and what its columns mean; {} where the documentation is not there."""
    if not DOCS.is_file():
        return {}
    found = {}
    for section in re.split(r"^### ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, _, body = section.split("\n## ")[0].partition("\n")
        rows = re.findall(r"^\| (\w+) \| (.+) \|$", body, re.MULTILINE)
        about = body.split("\n|")[0].strip()
        found[name.strip()] = (about, dict(rows[1:]))  # the first row is the head
    return found
