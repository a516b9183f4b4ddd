"""The card of a Hugging Face datasets folder: which Parquet file is which configuration.

`datasets.load_dataset(DIR)` gives the episodes, `load_dataset(DIR, "attempts")` that table.
"""

from collections.abc import Mapping

import yaml

from memory import dictionary

_TEXT = """
# {name}

Self-play of taskspace: tasks, the answers of a language model to them, and what a verifier said.

`episodes` has one row an attempt, with `prompt` and `completion` as chat messages, `reward` in 0 .. 1 (null
where the sandbox failed or no reference was found), `answer`, `task` (the domain) and `info`: JSON with
everything else, hidden checks included. The other configurations are the tables of the run's store; columns
that end in `_text` hold texts, in `_json` JSON.

| configuration | rows | what it is |
|---|---|---|
{rows}
"""


def card(name: str, counts: Mapping[str, int], first: str) -> str:
    """README.md for a folder of `memory.parquet`'s files.

    Args:
        counts: rows by file; files without any are no configuration, because readers refuse them.
        first: the configuration that is the default.
    """
    there = [first, *(file for file, rows in counts.items() if rows and file != first)]
    configurations = [
        {"config_name": file, "data_files": [{"split": "train", "path": f"{file}.parquet"}]}
        | ({"default": True} if file == first else {})
        for file in there
    ]
    size = counts.get(first, 0)
    head = {
        "pretty_name": name,
        "tags": ["taskspace", "self-play"],
        "size_categories": [next((words for limit, words in _SIZES if size < limit), "n>1M")],
        "configs": configurations,
    }
    about = {table: " ".join(text.split()) for table, (text, _) in dictionary.tables().items()}
    about |= {"verdicts": "What the verifier said, a row an attempt.", first: "One row an attempt."}
    rows = "\n".join(f"| {file} | {counts[file]:,} | {about.get(file, '')} |" for file in there)
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n{_TEXT.format(name=name, rows=rows)}"


_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
