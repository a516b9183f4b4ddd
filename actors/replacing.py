"""Further starts in place of groups that tell nothing, as pure functions.

A group whose rewards are all equal has no advantages. DAPO's dynamic sampling (arXiv 2503.14476, section 3.2)
leaves such groups out and samples on until the batch is full. Here a round plays further starts until as many
of its groups differ as were planned, no start is left, or the limit is reached. Which starts those are is
`choosing.further_tasks`.
"""

from collections.abc import Sequence

from actors import choosing
from actors.deciding import decision
from memory.outcomes import Compared
from protocols.iteration import group_id, start_of
from protocols.recipes import recipe
from protocols.records import Decision, Purpose, Start, Task
from protocols.settings import RunSettings


def to_replace(groups: Sequence[Compared], planned: int, further: int, limit: float) -> list[str]:
    """Ids of the groups that the next starts stand in for; [] when the round is complete or at its limit.

    Args:
        groups: all that the round has played, in the order of its plan.
        planned: groups that the round was planned with.
        further: those planned since then, each in place of one of the first groups that told nothing.
        limit: of further groups, as a multiple of `planned`.
    """
    silent = [group.id for group in groups if not group.differs]
    return silent[further:][: max(0, int(limit * planned) - further)]


def further(
    settings: RunSettings,
    round: int,
    plan: Sequence[Start],
    planned: int,
    groups: Sequence[Compared],
    base: Sequence[Task],
    proposed: Sequence[Task],
) -> tuple[list[Start], list[Decision]]:
    """Starts to play next in a round, and two decisions for each: why it was chosen, and what became of the
    group that it stands in for.

    Args:
        plan: all starts of the round so far, of which `planned` were drawn at first.
        base, proposed: tasks to choose from; those that the plan holds are left out.
    """
    grpo = settings.learner.grpo
    replaced = to_replace(groups, planned, len(plan) - planned, grpo.resample_limit)
    tasks = choosing.further_tasks(
        base,
        proposed,
        len(replaced),
        settings.curator.proposed_share,
        (round - 1) * settings.solver.groups_per_round + len(plan),
        {start.task_id for start in plan},
    )
    starts = [start_of(task, recipe(settings.learner.recipe).book_at_rollout) for task in tasks]
    decisions = []
    for position, (silent, start) in enumerate(zip(replaced, starts), len(plan)):
        new = group_id(settings.seed, round, position, Purpose.COLLECT, start)
        decisions.append(decision(round, "sample", silent, "drop", "zero_variance", {"group": new}))
        decisions.append(decision(round, "start", new, "choose", "resample", {"group": silent}))
    return starts, decisions
