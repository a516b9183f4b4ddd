"""Runs to files for other programs, and back: Parquet, Hugging Face datasets, JSON lines, Datasette.

Every export is written whole or not at all, from one state of the run. What the files hold:
`memory.parquet`, `memory.lines`, `memory.datasette`. Does not cover: weights (`experiments.export`).
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

from experiments import config
from experiments.outputs import writing
from memory.building import building
from memory.reader import RunReader
from protocols.errors import SettingError


def to_parquet(run: Path, out: Path) -> dict[str, Any]:
    """A Parquet file for each table, and the episodes."""
    from memory import parquet

    with building(out, "--parquet") as draft:
        counts = parquet.write(run, draft)
    return {"parquet": str(out), "rows": counts}


def to_dataset(run: Path, out: Path) -> dict[str, Any]:
    """The same with a card: a folder for `datasets.load_dataset`."""
    from memory import dataset_card, parquet

    with building(out, "--dataset") as draft:
        counts = parquet.write(run, draft)
        name = run.resolve().name
        card = dataset_card.card(name, counts, parquet.EPISODES)
        (draft / "README.md").write_text(card, encoding="utf-8")
    return {"dataset": str(out), "rows": counts}


def to_lines(run: Path, out: Path) -> dict[str, Any]:
    """One episode a line."""
    from memory.codec import to_json
    from memory.lines import lines
    from memory.reading import ReadOnly

    count = 0
    with ReadOnly(run) as reader, writing(out, "--jsonl") as file:
        reader.rows("BEGIN")  # one state for all lines
        for line in lines(reader):
            file.write(to_json(line) + "\n")
            count += 1
    return {"jsonl": str(out), "rows": {"episodes": count}}


def to_datasette(run: Path, out: Path) -> dict[str, Any]:
    """A folder that `datasette` opens, with views, descriptions and questions."""
    from memory import datasette

    with building(out, "--datasette") as draft:
        datasette.write(run, draft, run.resolve().name)
    return {"datasette": str(out), "rows": {}}


def load(source: Path, out: Path, overrides: list[str]) -> dict[str, Any]:
    """A new run folder of an export, or of episodes of other origin.

    Args:
        overrides: settings, over the preset `quickstart`, that episodes are taken to have been played with;
            tables bring their own.

    Raises:
        SettingError: a setting is wrong.
        StoreError: nothing can be imported from there, or `out` holds something.
    """
    from memory import importing

    settings = config.load("quickstart", overrides)
    left_out: list[str] = []
    with building(out, "--out") as draft:
        counts = importing.load(source, draft, settings.model_dump(mode="json"), left_out.append)
        save_settings(draft)
        (draft / "run.lock").unlink(missing_ok=True)
    for line in left_out:
        print(line, file=sys.stderr)
    return {"run": str(out), "rows": counts, "left_out": left_out}


def save_settings(folder: Path) -> None:
    """The settings of a store that was made, as runs have them beside it: `config.yaml`."""
    with RunReader(folder) as reader, contextlib.suppress(SettingError):  # of another version: without
        config.save(config.resolve(reader.config()), folder / "config.yaml")


def new_folder(out: Path, runs_dir: Path) -> Path:
    """Where a new run goes: a bare name means a folder among the runs."""
    return out if out.is_absolute() or len(out.parts) > 1 else runs_dir / out


def text(told: dict[str, Any]) -> str:
    """For people: what was written where."""
    where = next(str(value) for key, value in told.items() if key not in ("rows", "left_out"))
    counts = ", ".join(f"{rows} {name.replace('_', ' ')}" for name, rows in told["rows"].items() if rows)
    return f"written to {where}" + (f": {counts}" if counts else "")
