"""A run that goes on from another one's round under other settings.

    source, round ─▶ can it be? ─▶ settings then and now ─▶ store, buffer, checkpoints as they were ─▶ resume

What a run needs to go on is in three places: rows of the store, the buffer, and the learner's state beside a
checkpoint. Random numbers need nothing, since every use derives its own from the seed (docs/determinism.md).
So a branch without a change plays what the source played. Does not cover: playing it (`experiments.runs`).
"""

import difflib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import config
from experiments.rounds import settings_of
from experiments.runs import Prepared, require_lasting, require_name
from memory import branching, checkpoints, frozen
from memory.branches import checksum_until, origin_of
from memory.buffer import StartBuffer
from memory.reader import RunReader
from protocols.errors import SettingError, StoreError
from protocols.recipes import RECIPES
from protocols.records import Task
from protocols.seeds import seed_of
from protocols.settings import RunSettings

#: What cannot change within a run, and why: dotted keys, or the sections above them.
FIXED = {
    "domain": "its tasks are of that world",
    "model": "its weights are that model's",
    "learner.lora": "its checkpoints hold what was learned that way",
    "learner.train_embeddings": "the optimiser's state holds what was learned that way",
    "curator.source": "its experience is of one making; see `taskspace run --set curator.source=...`",
    "zwc.files": "its tasks are of those files",
    "zwc.grader": "its verdicts are that grader's",
    "zwc.module": "its tasks are about that library",
    "zwc.package": "its tasks are about that library",
    "zwc.seed": "it is the seed of the library's names",
    "math.train": "its tasks are of those files",
    "math.test": "its tasks are of those files",
    "math.seed": "it is the seed of the problems",
    "tools.files": "its tasks are of those files",
    "tools.seed": "it is the seed that splits the tasks",
    "mle.files": "its tasks are of those files",
    "mle.seed": "it is the seed of the competitions",
}


@dataclass(frozen=True)
class Plan:
    """A branch that can be made."""

    source: Path
    at: int
    version: int  # of the weights at the end of that round
    settings: RunSettings
    changes: list[str]  # each as `key (old -> new)`
    run_dir: Path


def plan(source: Path, at: int, overrides: list[str], runs_dir: Path, name: str | None) -> Plan:
    """Everything that can be refused, before anything is written.

    Args:
        source: a run folder.
        at: the last round that is taken over; 0 = what was measured before the first.

    Raises:
        SettingError: no such round, its learner state was pruned, a setting cannot change, or the name is
            taken.
        StoreError: the database cannot be read, or was merged, imported, pruned or mended.
    """
    with RunReader(source / "run.db") as reader:
        if kept := frozen.reasons(reader.facts()):
            raise StoreError(
                f"{source}: cannot be branched ({'; '.join(kept)}); branch the run it was made of"
            )
        saved = source / "config.yaml"  # what a --resume settled, such as more rounds
        begun = config.resolve(reader.config())
        before = config.load_file(saved) if saved.is_file() else begun
        after = config.resolve(_merged(before, overrides))
        _require_changeable(begun, after, source.name)
        finished = max((r["round"] for r in reader.rounds() if r["finished"]), default=0)
        if not 0 <= at <= finished:
            raise SettingError(
                f"--at {at}: {source} has finished {finished} rounds; choose 0 to {finished}, nearest is "
                f"{min(max(at, 0), finished)}"
            )
        if after.rounds <= at:
            raise SettingError(
                f"--at {at}: that is the last of {after.rounds} rounds, so there is nothing to go on with; "
                f"write e.g. --set rounds={at + max(1, after.rounds)}"
            )
        version = _version_at(reader, at)
        _require_state(source, reader, at, version, finished)
    changes = config.differing(before, after)
    return Plan(source, at, version, after, changes, _folder(source, at, runs_dir, name))


def make(planned: Plan) -> Prepared:
    """Write the run folder, whole or not at all; it is then gone on with like any run that was stopped.

    Raises:
        StoreError: the source's past cannot be made again, or it changed meanwhile.
        OSError: the disk is full.
    """
    source, at, settings = planned.source, planned.at, planned.settings
    planned.run_dir.parent.mkdir(parents=True, exist_ok=True)
    draft = planned.run_dir.with_name(f".unfinished-{planned.run_dir.name}")
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    draft.mkdir()
    try:
        branching.share_checkpoints(source, draft, planned.version)
        if planned.version and any(change.startswith("seed ") for change in planned.changes):
            branching.reseed(draft, planned.version, settings.seed)
        branching.copy(source / "run.db", draft / "draft.db")
        with RunReader(draft / "draft.db") as reader:
            then, buffer = _then(reader, planned)
        changes = "; ".join(planned.changes) or "no change"
        note = f"branched from {source.resolve().name} after round {at}: {changes}"
        branching.go_back(draft / "draft.db", then, buffer, note)
        (draft / "draft.db").rename(draft / "run.db")
        config.save(settings, draft / "config.yaml")
        draft.rename(planned.run_dir)
    except FileNotFoundError as error:
        raise StoreError(
            f"branch {source}: a checkpoint went away while it was copied ({error.filename}); try again"
        ) from None
    except StoreError as error:  # about the copy, which nobody has heard of
        raise StoreError(str(error).replace(str(draft / "draft.db"), str(source / "run.db"))) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Prepared(settings, planned.run_dir, resumed=True)


def _then(reader: RunReader, planned: Plan) -> tuple[branching.Then, StartBuffer]:
    """What the run was at the end of that round, and what it is from there on."""
    from actors.exploring import buffer_after, empty

    past = [settings_of(reader, round) for round in range(1, planned.at + 1)]
    wanted = planned.settings.curator.buffer
    buffer = buffer_after(reader, past) if past else empty(wanted)
    buffer.change(wanted.size, wanted.kappa, wanted.rank, wanted.staleness)
    then = branching.Then(
        round=planned.at,
        candidates=tuple(_candidates(reader, past)),
        config=planned.settings.model_dump(mode="json"),
        facts={**reader.facts(), "branched_from": _origin(reader, planned)},
    )
    return then, buffer


def _merged(before: RunSettings, overrides: list[str]) -> dict[str, Any]:
    """The source's settings with the overrides on top, and where these name another recipe, with its own
    defaults between them."""
    stored = before.model_dump(mode="json")
    wanted = config.merged({}, overrides)
    learner = wanted.get("learner")
    name = learner.get("recipe") if isinstance(learner, dict) else None
    if name in RECIPES and name != before.learner.recipe:
        own = RECIPES[name]
        layer = {
            "learner": {"grpo": own.grpo},
            "proposer": own.proposer,
            "curator": {"buffer": own.buffer},
            "solver": {"chain": own.chain},
        }
        stored = config.overlaid(stored, layer)
    return config.merged(stored, overrides)


def _require_changeable(before: RunSettings, after: RunSettings, name: str) -> None:
    for change in config.differing(before, after):
        key = change.split(" ", 1)[0]
        for fixed, why in FIXED.items():
            if f"{key}.".startswith(f"{fixed}."):
                raise SettingError(
                    f"branch {name}: {change} cannot change within a run, {why}; leave it out, or start a "
                    "new run"
                )


def _version_at(reader: RunReader, round: int) -> int:
    return max((u["version"] for u in reader.updates() if u["round"] <= round), default=0)


def _require_state(source: Path, reader: RunReader, at: int, version: int, finished: int) -> None:
    """Version 0 needs none: it is the model as it came."""
    if version == 0 or checkpoints.has_state(source, version):
        return
    possible = [
        round
        for round in range(finished + 1)
        if (v := _version_at(reader, round)) == 0 or checkpoints.has_state(source, v)
    ]
    nearest = min(possible, key=lambda round: (abs(round - at), round))
    raise SettingError(
        f"--at {at}: the learner's state of version {version} is no longer in {source / 'checkpoints'}; "
        f"rounds that can be branched at: {', '.join(map(str, possible))}, nearest is {nearest} (a run keeps "
        "more with --set learner.keep_states=...)"
    )


def _folder(source: Path, at: int, runs_dir: Path, name: str | None) -> Path:
    if name is None:
        stem = f"{source.resolve().name}-at{at}"
        name, number = stem, 2
        while (runs_dir / name).exists():
            name, number = f"{stem}-{number}", number + 1
    require_name(name)
    run_dir = runs_dir / name
    require_lasting(run_dir)
    if run_dir.exists():
        there = [path.name for path in runs_dir.iterdir()]
        near = ", ".join(difflib.get_close_matches(name, there, 3))
        raise SettingError(f"run folder {run_dir} is there already ({near}); give another --name")
    return run_dir


def _origin(reader: RunReader, planned: Plan) -> dict[str, Any]:
    """Where the branch comes from, as `memory.branches` describes it. No path: it means nothing elsewhere."""
    before, after = config.resolve(reader.config()), planned.settings
    changed = {key: config.value_at(before, key) for key, _ in config.keys()}  # noqa: SIM118
    changed = {key: value for key, value in changed.items() if value != config.value_at(after, key)}
    found = {
        "run": planned.source.resolve().name,
        "round": planned.at,
        "policy_version": planned.version,
        "checksum": checksum_until(reader, planned.at),
        "settings": changed,
    }
    earlier = origin_of(reader)
    return found | ({"branched_from": earlier} if earlier else {})


def _candidates(reader: RunReader, past: list[RunSettings]) -> list[Task]:
    """Proposed tasks that waited for a reference at the end of the last of these rounds, and do not now.

    Raises:
        StoreError: a stored proposal gives another task now.
    """
    from protocols.domain import make_domain

    found = reader.rows(
        "SELECT p.id, p.round, p.topic, p.task_id, response.body AS response FROM decisions d"
        " JOIN proposals p ON p.task_id = d.subject_id JOIN texts response ON response.id = p.response_text"
        " WHERE d.kind = 'task' AND d.round > ? AND p.round <= ? ORDER BY p.seq",
        [len(past), len(past)],
    )
    tasks = []
    domains: dict[str, Any] = {}
    for row in found:
        settings = past[row["round"] - 1]
        key = settings.model_dump_json()
        domain = domains.get(key) or domains.setdefault(key, make_domain(settings))
        task = domain.parse_proposal(row["topic"], row["response"], seed_of(settings.seed, row["id"]))
        if task.id != row["task_id"]:
            raise StoreError(
                f"{reader.path}: proposal {row['id']} gives another task than it did; the run was made by "
                "another version of taskspace, branch at a later round"
            )
        tasks.append(task)
    return tasks
