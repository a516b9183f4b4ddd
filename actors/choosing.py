"""What the curator chooses, as pure functions: a round's starts, and the experience to learn from.

Reasons are words for counting; `docs/architecture.md` lists none of them, the store's `decisions` do.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence

from protocols.domain import Domain
from protocols.errors import SettingError
from protocols.fences import last_code_block
from protocols.records import Record, Split, Task
from protocols.settings import RunSettings


def base_tasks(
    domain: Domain,
    settings: RunSettings,
    recognised: Callable[[list[Task]], list[Task]] = lambda made: made,
) -> list[Task]:
    """Base tasks that are trained on; in zwc with the wanted share of multi-function ones spread among them.

    Args:
        recognised: gives the tasks as the run knows them, see `recognising`.

    Raises:
        SettingError: one that is asked for by its id does not exist.
    """
    if "multi" in domain.kinds and settings.zwc.multi_share:
        single, multi = (domain.tasks(Split.TRAIN, kind) for kind in ("single", "multi"))
        found = mixed(single, multi, settings.zwc.multi_share)
    else:
        found = domain.tasks(Split.TRAIN, "single" if "multi" in domain.kinds else "all")
    found = recognised(found)
    wanted = settings.curator.base_tasks
    known = {task.id: task for task in found}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SettingError(
            f"setting curator.base_tasks: {unknown[0]!r} is no training task of {domain.name}; "
            "list them with `taskspace tasks`"
        )
    return [known[name] for name in wanted] if wanted else found


def draw_tasks(
    base: Sequence[Task], proposed: Sequence[Task], count: int, share: float, played: int
) -> list[Task]:
    """The tasks of a round: up to `share` of it proposed (oldest first), the rest base tasks in turn.

    Args:
        played: base tasks drawn in earlier rounds; the turn goes on from there.
    """
    taken = list(proposed[: round(count * share)])
    rest = count - len(taken)
    if base:
        taken += [base[(played + i) % len(base)] for i in range(rest)]
    return taken


def further_tasks(
    base: Sequence[Task],
    proposed: Sequence[Task],
    count: int,
    share: float,
    played: int,
    drawn: Collection[str],
) -> list[Task]:
    """Up to `count` more tasks of a round, as `draw_tasks` takes them, without those it has drawn (by id)."""
    turn = [base[(played + i) % len(base)] for i in range(len(base))]
    fresh = [task for task in turn if task.id not in drawn]
    waiting = [task for task in proposed if task.id not in drawn]
    tasks = draw_tasks(fresh, waiting, count, share if fresh else 1.0, 0)
    return list({task.id: task for task in tasks}.values())


def mixed(some: Sequence[Task], others: Sequence[Task], share: float) -> list[Task]:
    """Tasks of two kinds with `share` of the second, evenly spread, until one of them is used up."""
    left, right = deque(some), deque(others)
    made: list[Task] = []
    while True:
        from_right = round((len(made) + 1) * share) > len(made) - (len(some) - len(left))
        source = right if from_right else left
        if not source:
            return made
        made.append(source.popleft())


def normal_form(text: str) -> str:
    """What two statements or answers have to share to be duplicates: their words, not their spacing."""
    return re.sub(r"\s+", " ", text).strip().lower()


class Answer(Record):
    """A verified attempt that could be learned from."""

    attempt_id: str
    task_id: str
    response: str


def chosen_answers(
    answers: Iterable[Answer], cap: int, distinct: bool = True
) -> tuple[list[Answer], dict[str, str]]:
    """At most `cap` (different) answers to a task, first come first kept; and the reasons for the others.

    Returns:
        kept, and {attempt id: duplicate | task_cap} for those dropped.
    """
    seen: dict[str, list[str]] = defaultdict(list)
    kept: list[Answer] = []
    dropped: dict[str, str] = {}
    for answer in answers:
        code = normal_form(last_code_block(answer.response) or answer.response)
        known = seen[answer.task_id]
        if distinct and code in known:
            dropped[answer.attempt_id] = "duplicate"
        elif len(known) >= cap:
            dropped[answer.attempt_id] = "task_cap"
        else:
            known.append(code)
            kept.append(answer)
    return kept, dropped


def tally(words: Iterable[str]) -> dict[str, int]:
    """Counts by word, most frequent first."""
    return dict(Counter(words).most_common())
