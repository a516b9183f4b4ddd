"""Experience of another run: its collected groups, as they were judged there.

Methods are comparable when they learn from the same attempts, and nothing is generated twice. Groups keep
their ids, prompts, tokens and log-probabilities. With `curator.source_where` only the selected attempts are
there at all: groups are compared as if nothing else had been played. Groups of tasks that were rejected are
left out, and so are revisions, decisions and proposals where groups change their rounds.

`beside` is the folder in which a source is looked for by its name; that comes before the working directory.
Does not cover: what is learned from all this (`experience`).
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors import selecting
from actors.verifier import Judged, inject_noise
from memory.bodies import require_tokens
from memory.codec import from_json
from memory.privacy import private
from memory.reader import RunReader
from memory.source_records import proposals_of
from protocols.errors import SettingError, TaskspaceError
from protocols.recipes import recipe
from protocols.records import Decision, Group, Proposal, Purpose, Role, Split, Task, Verdict
from protocols.settings import RunSettings

_SHARED = ("model", "domain")  # sections that both runs have to agree on
_SHARED_ZWC = ("module", "package", "seed")
_HERE = Path()


def groups(settings: RunSettings, round: int, beside: Path = _HERE) -> list[Judged]:
    """The part of the source's groups that belongs to a round, with the verdicts as they are reported here.

    Group i of the chosen share belongs to round 1 + i % `curator.source_rounds`, and later rounds get none;
    with 0 each belongs to its own.

    Raises:
        SettingError: there is no such run, it is not complete, or it was played in another world.
        StoreError: the selection is no SELECT, or wrong.
    """
    curator = settings.curator
    with _source(settings, beside) as reader:
        kept = _kept(settings, reader)
        if curator.source_rounds == 0:
            mine = [row for row in kept if row["round"] == round]
        else:
            mine = kept[round - 1 :: curator.source_rounds] if round <= curator.source_rounds else []
        here = {name for row in kept for name in row["attempts"]}
        return [_judged(settings, *reader.group(row["id"]), round, i, here) for i, row in enumerate(mine)]


def tasks(settings: RunSettings, ids: Collection[str], beside: Path = _HERE) -> list[Task]:
    """The source's tasks with these ids, in its order."""
    with _source(settings, beside) as reader:
        return [task for task, _ in reader.task_records(status="active") if task.id in ids]


def begun_with(settings: RunSettings, split: Split, beside: Path = _HERE) -> list[Task]:
    """The tasks of a split that the source was begun with."""
    with _source(settings, beside) as reader:
        return reader.begun_with(split)


def proposals(settings: RunSettings, round: int, beside: Path = _HERE) -> list[tuple[Proposal, str]]:
    """The source's proposals of a round, each with its task's status; of a selection, those of its tasks.
    None where groups change their rounds."""
    if settings.curator.source_rounds:
        return []
    with _source(settings, beside) as reader:
        found = proposals_of(reader, round)
        if settings.curator.source_where is None:
            return found
        wanted = {row["task_id"] for row in _kept(settings, reader)}
        return [(p, status) for p, status in found if p.task is not None and p.task.id in wanted]


def decisions(settings: RunSettings, round: int, beside: Path = _HERE) -> list[Decision]:
    """The source's decisions of a round that led to its attempts, those about groups apart: they are made
    anew. Of a selection, those that led to what is selected; none where groups change their rounds."""
    if settings.curator.source_rounds:
        return []
    with _source(settings, beside) as reader:
        rows = reader.rows(
            "SELECT id, round, kind, subject_id, action, reason, numbers_json FROM decisions"
            " WHERE round = ? AND kind IN ('ask', 'proposal', 'task', 'start') ORDER BY seq",
            [round],
        )
        if settings.curator.source_where is not None:
            kept = _kept(settings, reader)
            subjects = {row["id"] for row in kept} | {row["task_id"] for row in kept}
            made = reader.tuples("SELECT id, task_id FROM proposals WHERE task_id IS NOT NULL")
            subjects |= {proposal for proposal, task in made if task in subjects}
            rows = [row for row in rows if row["subject_id"] in subjects]
    return [Decision(numbers=from_json(row.pop("numbers_json")), **row) for row in rows]


def check(settings: RunSettings, beside: Path = _HERE) -> dict[str, Any]:
    """Refuse a source that cannot be learned from, before anything is played.

    Returns:
        what this run's facts say of its source: `run` (its folder's name), `created`, `where`.

    Raises:
        SettingError: see `groups`.
    """
    with _source(settings, beside) as reader:
        selecting.attempts(reader, settings.curator.source_where)
        return {
            "run": reader.path.absolute().parent.name,
            "created": reader.created(),
            "where": settings.curator.source_where,
        }


def require_same(settings: RunSettings, source: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Refuse to go on with another run's experience under the same name.

    Args:
        source: as `check` gives it. before: what the facts say; None: nothing yet.

    Raises:
        SettingError: it is another run.
    """
    if before is not None and before["created"] != source["created"]:
        raise SettingError(
            f"curator.source={settings.curator.source}: is not the run that this one began to learn from, "
            "but another one of its name; put that one back, or start a new run"
        )


_INITIAL = "AND g.step = 'initial' AND g.parent_attempt_id IS NULL"


def _kept(settings: RunSettings, reader: RunReader) -> list[dict[str, Any]]:
    """The source's groups that are here in any round, in their order: id, round, task_id, and the attempts
    that are here."""
    curator = settings.curator
    chosen = selecting.attempts(reader, curator.source_where)
    rows = reader.rows(
        "SELECT g.id, g.round, g.task_id, json_group_array(a.id) AS attempts"
        " FROM groups g JOIN tasks t ON t.id = g.task_id JOIN attempts a ON a.group_id = g.id"
        f" WHERE g.purpose = ? AND t.status = 'active' {_INITIAL if curator.source_rounds else ''}"
        " GROUP BY g.seq ORDER BY g.seq",
        [Purpose.COLLECT.value],
    )
    for row in rows:
        names = from_json(row["attempts"])
        row["attempts"] = [name for name in names if chosen is None or name in chosen]
    rows = [row for row in rows if row["attempts"]]
    return rows[: int(len(rows) * curator.source_share + 0.5)]


def _judged(
    settings: RunSettings,
    group: Group,
    verdicts: Sequence[Verdict],
    round: int,
    position: int,
    here: Collection[str],
) -> Judged:
    """The group as it is here: its selected attempts, and no names of earlier ones that are not here."""
    history = tuple(
        turn if turn.attempt_id in here else msgspec.structs.replace(turn, attempt_id="")
        for turn in group.start.history
    )
    attempts = tuple(attempt for attempt in group.attempts if attempt.id in here)
    moved = msgspec.structs.replace(
        group,
        round=round,
        position=position,
        start=msgspec.structs.replace(group.start, history=history),
        attempts=attempts,
    )
    kept = [verdict for verdict in verdicts if verdict.attempt_id in here]
    noisy = tuple(inject_noise(verdict, settings.verifier, settings.seed) for verdict in kept)
    return Judged(group=moved, verdicts=noisy)


def _source(settings: RunSettings, beside: Path) -> RunReader:
    named = settings.curator.source or ""
    found = [path for path in (beside / named, Path(named)) if (path / "run.db").is_file()]
    if not found:
        raise SettingError(f"curator.source={named}: no run.db there; give the folder of a run")
    reader = RunReader(found[0] / "run.db")
    try:
        require_tokens(reader)
        _require_fit(settings, reader, named)
    except TaskspaceError:
        reader.close()
        raise
    return reader


def _require_fit(settings: RunSettings, reader: RunReader, named: str) -> None:
    theirs = reader.config()
    ours = private(settings.model_dump(mode="json"))  # as stores keep them
    differing = [key for key in _SHARED if theirs[key] != ours[key]]
    differing += [f"zwc.{key}" for key in _SHARED_ZWC if theirs["zwc"][key] != ours["zwc"][key]]
    if differing:
        raise SettingError(
            f"curator.source={named}: {differing[0]} differs from this run's, so that its answers mean "
            "something else here; choose a run of the same model and package"
        )
    finished = sum(1 for row in reader.rounds() if row["finished"])
    if finished < theirs["rounds"]:
        raise SettingError(
            f"curator.source={named}: {finished} of {theirs['rounds']} rounds are played; "
            f"finish it first: taskspace run --resume {named}"
        )
    reward = settings.proposer.reward
    learned = Role.PROPOSER in recipe(settings.learner.recipe).roles
    if learned and theirs.get("proposer", {}).get("reward", "none") != reward:
        raise SettingError(
            f"curator.source={named}: its proposals were not rewarded by {reward}, so that "
            f"{settings.learner.recipe} cannot learn them; choose a recipe that learns answers only, "
            "e.g. selfplay-rl"
        )
