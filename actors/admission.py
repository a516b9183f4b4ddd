"""Which proposals stand: a text that repeats another task, in words or in meaning, does not.

Pure functions; the curator reads the tasks there are, and writes down what was decided. Not here: whether a
text is a task at all (the domain's `parse_proposal`), and whether its attempts agree (`consensus`).
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from actors.choosing import normal_form
from actors.deciding import decision
from actors.similarity import similarity
from protocols.records import Decision, Proposal, Task
from protocols.settings import RunSettings


def judge(
    proposals: Sequence[Proposal], tasks: Sequence[Task], settings: RunSettings
) -> tuple[list[Proposal], list[Decision]]:
    """The proposals as they are kept, in their order, each with a decision.

    Args:
        tasks: those that a proposal may repeat; earlier proposals of the batch count too.
    """
    threshold = settings.curator.duplicate_similarity
    forms = {normal_form(task.statement) for task in tasks}
    by_topic: dict[str, list[Task]] = defaultdict(list)
    for known in tasks:
        for topic in known.topics:
            by_topic[topic].append(known)
    kept, decisions = [], []
    for proposal in proposals:
        numbers: dict[str, str | float] = {}
        task = proposal.task
        if task is not None and normal_form(task.statement) in forms:
            proposal = _rejected(proposal, "duplicate", "a task says the same")
        elif task is not None and threshold is not None:
            score, nearest = _nearest(task, by_topic[proposal.topic])
            numbers = {"similarity": round(score, 4), "nearest": nearest}
            if score >= threshold:
                proposal = _rejected(proposal, "same_meaning", f"{score:.2f} like task {nearest}")
        if task is not None and proposal.task is not None:
            forms.add(normal_form(task.statement))
            by_topic[proposal.topic].append(task)
        elif settings.proposer.reward != "none":
            proposal = msgspec.structs.replace(proposal, reward=settings.proposer.unusable_reward)
        kept.append(proposal)
        action = "reject" if proposal.reason else "admit"
        reason = proposal.reason or "parsed"
        decisions.append(decision(proposal.round, "proposal", proposal.id, action, reason, numbers))
    return kept, decisions


def _rejected(proposal: Proposal, reason: str, detail: str) -> Proposal:
    return msgspec.structs.replace(proposal, task=None, reason=reason, detail=detail)


def _nearest(task: Task, others: Sequence[Task]) -> tuple[float, str]:
    """How similar the most similar statement is, and the id of its task; (0.0, "") without others."""
    scores = ((similarity(task.statement, other.statement), other.id) for other in others)
    return max(scores, default=(0.0, ""), key=lambda scored: scored[0])
