"""Experience of another run: its collected groups, as they were judged there.

Methods are comparable when they learn from the same attempts, and nothing is generated twice. Groups keep
their ids, prompts, tokens and log-probabilities. Left out are revisions (their parents may not come along)
and groups of tasks that were rejected. Does not cover: what is learned from them (`experience`).
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from actors.verifier import Judged, inject_noise
from memory.bodies import require_tokens
from memory.privacy import private
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.records import Group, Purpose, Task, Verdict
from protocols.settings import RunSettings

_SHARED = ("model", "domain")  # sections that both runs have to agree on
_SHARED_ZWC = ("module", "package", "seed")


def groups(settings: RunSettings, round: int) -> list[Judged]:
    """The part of the source's groups that belongs to a round, with the verdicts as they are reported here.

    Group i of the chosen share belongs to round 1 + i % `curator.source_rounds`; later rounds get none.

    Raises:
        SettingError: there is no such run, it is not complete, or it was played in another world.
    """
    curator = settings.curator
    with _source(settings) as reader:
        rows = reader.rows(
            "SELECT g.id FROM groups g JOIN tasks t ON t.id = g.task_id WHERE g.purpose = ?"
            " AND g.step = 'initial' AND t.status = 'active' ORDER BY g.seq",
            [Purpose.COLLECT.value],
        )
        kept = rows[: int(len(rows) * curator.source_share + 0.5)]
        mine = kept[round - 1 :: curator.source_rounds] if round <= curator.source_rounds else []
        return [_judged(settings, *reader.group(row["id"]), round, i) for i, row in enumerate(mine)]


def tasks(settings: RunSettings, ids: Collection[str]) -> list[Task]:
    """The source's tasks with these ids, in its order."""
    with _source(settings) as reader:
        return [task for task, _ in reader.task_records(status="active") if task.id in ids]


def check(settings: RunSettings) -> None:
    """Refuse a source that cannot be learned from, before anything is played.

    Raises:
        SettingError: see `groups`.
    """
    _source(settings).close()


def _judged(
    settings: RunSettings, group: Group, verdicts: Sequence[Verdict], round: int, position: int
) -> Judged:
    here = msgspec.structs.replace(group, round=round, position=position)
    noisy = tuple(inject_noise(verdict, settings.verifier, settings.seed) for verdict in verdicts)
    return Judged(group=here, verdicts=noisy)


def _source(settings: RunSettings) -> RunReader:
    folder = Path(settings.curator.source or "")
    if not (folder / "run.db").is_file():
        raise SettingError(f"curator.source={folder}: no run.db there; give the folder of a run")
    reader = RunReader(folder / "run.db")
    require_tokens(reader)
    theirs = reader.config()
    ours = private(settings.model_dump(mode="json"))  # as stores keep them
    differing = [key for key in _SHARED if theirs[key] != ours[key]]
    differing += [f"zwc.{key}" for key in _SHARED_ZWC if theirs["zwc"][key] != ours["zwc"][key]]
    finished = sum(1 for row in reader.rounds() if row["finished"])
    if differing or finished < theirs["rounds"]:
        reader.close()
        if differing:
            raise SettingError(
                f"curator.source={folder}: {differing[0]} differs from this run's, so that its answers mean "
                "something else here; choose a run of the same model and package"
            )
        raise SettingError(
            f"curator.source={folder}: {finished} of {theirs['rounds']} rounds are played; "
            f"finish it first: taskspace run --resume {folder}"
        )
    return reader
