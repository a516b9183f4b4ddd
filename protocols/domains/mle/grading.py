"""What a script is worth: its submission, parsed with suspicion, against the answers, on the trusted side.

Nothing that the script's process says is believed but the text of its submission; a trace is shown to the
next step as what it is, the script's own.
"""

import csv
from collections.abc import Mapping
from typing import Any

import numpy as np

from protocols.domains.mle.competition import Competition, aligned, read_columns, without
from protocols.domains.mle.metrics import METRICS, Unusable, normalised
from protocols.records import Outcome, Verdict

SCORED = "scored"
SCORE = "Score: "  # how feedback about a script that ran begins
_DETAIL = 300


def measure(competition: Competition, submission: str) -> float:
    """The score of a submission's text.

    Raises:
        Unusable: it is no valid submission; says why, without anything from the answers.
        ArtefactError: the competition itself is not in order.
    """
    wanted = competition.definition
    metric = METRICS[wanted.metric]
    true_ids, truth = competition.answers
    columns = read_columns(submission, [wanted.id, *wanted.targets], most=len(true_ids))
    if len(columns[0]) != len(true_ids):
        raise Unusable(f"{len(columns[0])} rows where {len(true_ids)} are expected")
    ids, said = aligned(columns, metric.values)
    if ids != true_ids:
        raise Unusable(f"the values of {wanted.id!r} are not those of the test data")
    if wanted.within is not None and not ((said >= wanted.within[0]) & (said <= wanted.within[1])).all():
        raise Unusable(f"values have to lie between {wanted.within[0]:g} and {wanted.within[1]:g}")
    with np.errstate(all="ignore"):
        score = metric.compute(*without(truth, said, wanted.skip))
    if not np.isfinite(score):
        raise Unusable("its score is not finite")
    return float(score)


def judge(
    competition: Competition, attempt_id: str, outcome: Outcome, scale: Mapping[str, Any] | None = None
) -> Verdict:
    """The verdict on a script that the sandbox ran with `harness.run`.

    Args:
        scale: `worst` and `best`, as the task has them: a competition made on another processor may differ in
            the last digit of a fitted model's score.
    """

    def verdict(
        category: str, reward: float | None = 0.0, error: str | None = None, **evidence: Any
    ) -> Verdict:
        return Verdict(
            attempt_id=attempt_id,
            reward=reward,
            category=category,
            evidence={"metric": competition.definition.metric} | evidence,
            infra_error=error,
            seconds=outcome.seconds,
        )

    if outcome.status == "infra_error":
        return verdict("infra_error", None, outcome.detail or "the sandbox gave no reason")
    said = outcome.cases[0].value if outcome.status == "ok" and outcome.cases else None
    if not isinstance(said, dict):
        detail = outcome.detail or (outcome.cases[0].error if outcome.cases else "") or "it gave no result"
        return verdict("runtime_error" if outcome.status == "ok" else outcome.status, detail=detail[:_DETAIL])
    error, submission = said.get("error"), said.get("submission")
    if error:
        syntax = said.get("kind") in ("SyntaxError", "IndentationError", "TabError")
        return verdict("syntax_error" if syntax else "runtime_error", trace=str(error)[-4000:])
    if not isinstance(submission, str):
        return verdict("no_submission", detail="it ended without writing submission.csv")
    try:
        score = measure(competition, submission)
    except Unusable as reason:
        return verdict("bad_submission", detail=f"submission.csv: {reason}"[:_DETAIL])
    except (ValueError, ArithmeticError, csv.Error) as failure:
        why = f"competition {competition.name}: metric {competition.definition.metric} failed ({failure})"
        return verdict("infra_error", None, " ".join(why.split())[:_DETAIL])
    scale = scale or {}
    worst, best = (scale.get(key, getattr(competition.definition, key)) for key in ("worst", "best"))
    worth = normalised(score, worst, best)
    # Rewards are compared with each other: their last bits are the processor's.
    return verdict(SCORED, round(worth, 9), score=score, normalised=worth)


def feedback(verdict: Verdict, most: int, show_score: bool) -> str:
    """What the next step is told: how the script failed, or (if wanted) its score."""
    if verdict.category in ("infra_error", "no_room"):
        return ""
    if verdict.category == SCORED:
        better = METRICS[verdict.evidence["metric"]].better
        told = f"{SCORE}{verdict.evidence['score']:.4g} ({verdict.evidence['metric']}, {better} is better)"
        return told if show_score else ""
    if not most:
        return ""
    told = verdict.evidence.get("trace") or f"{verdict.category}: {verdict.evidence.get('detail', '')}"
    return told if len(told) <= most else "..." + told[len(told) - most :]
