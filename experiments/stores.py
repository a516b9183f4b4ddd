"""Whole stores: checked, mended, merged, pruned. What each of them means: `memory.integrity`, `repair`,
`merging`, `pruning`. Here is what is said of it on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from experiments.exchange import save_settings
from experiments.plaintext import one_line
from memory import integrity
from memory.building import building


def check(run: Path, quiet: bool = False) -> list[dict[str, Any]]:
    """Every check as plain data; printed as it is made, unless `quiet`.

    Raises:
        StoreError: there is no run, or one of another version.
    """
    made = []
    for one in integrity.checks(run):
        made.append(msgspec.to_builtins(one))
        if not quiet:
            state = "wrong" if one.problems else "ok"
            print(f"{state:6}{one.name:12}{one.looks_at}" + (f"  ({one.note})" if one.note else ""))
            for problem in one.problems:
                print(f"      {one_line(problem)}")
    return made


@dataclass(frozen=True)
class Mended:
    """What a repair came to: for people and as plain data."""

    text: str
    told: dict[str, Any]


def repair(run: Path) -> Mended:
    """Mend a store in place; the damaged file stays beside it.

    Raises:
        StoreError: the run is in use, or nothing can be saved.
    """
    from memory import repair as mending

    found = mending.repair(run)
    if found.kept is None:
        return Mended(text=f"nothing to repair: {found.note}", told=msgspec.to_builtins(found))
    lines = [f"repaired: {found.rows} rows are saved; the damaged file is kept as {found.kept}"]
    lines += [f"lost: {one_line(line)}" for line in found.lost]
    lines += [f"mended: {one_line(line)}" for line in found.mended]
    return Mended(text="\n".join(lines), told=msgspec.to_builtins(found))


def merge(several: Sequence[Path], out: Path) -> dict[str, Any]:
    """Raises:
    StoreError: see `memory.merging.merge`.
    """
    from memory import merging

    with building(out, "--out") as draft:
        parts = merging.merge(several, draft)
        save_settings(draft)
    return {"run": str(out), "merged": msgspec.to_builtins(parts)}


def merge_text(told: dict[str, Any]) -> str:
    lines = [
        f"{part['name']}: {part['rounds']} rounds from {part['first_round'] + 1}, versions from "
        f"{part['first_version']}, {part['attempts']} attempts, {part['tasks']} tasks"
        + (f" and {part['shared_tasks']} that were there already" if part["shared_tasks"] else "")
        for part in told["merged"]
    ]
    return "\n".join([*lines, f"merged into {told['run']}: for looking and learning from, not for going on"])


def prune(run: Path, before_round: int | None, yes: bool) -> dict[str, Any]:
    """Raises:
    StoreError: see `memory.pruning`.
    """
    from memory import pruning

    return pruning.prune(run, before_round) if yes else pruning.plan(run, before_round)


def prune_text(told: dict[str, Any]) -> str:
    what = (
        f"bodies of {told['attempts']} attempts and {told['proposals']} proposals, among them "
        f"{_size(told['token_bytes'])} of tokens"
    )
    before, after = _size(told["file_bytes"]), told.get("file_bytes_after")
    if after is None:
        return f"would remove the {what}; the file has {before}. There is no way back: --yes does it"
    return f"removed the {what}; the file had {before}, now {_size(after)}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
