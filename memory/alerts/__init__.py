"""What is off in a run, told from its rows: for the screen, the command line and reports.

    with RunReader(run) as reader:
        found = alerts(evidence(reader), opening.writer(run), time.time())

Pure functions over rows. Not here: whether a run learns well; these are faults.
"""

from collections.abc import Mapping
from typing import Any, Literal

from memory.alerts import rules, stalls
from memory.alerts.alert import Alert
from memory.alerts.evidence import evidence

__all__ = ["Alert", "alerts", "evidence"]


def alerts(
    seen: Mapping[str, Any], writer: Literal["here", "gone", "unknown"] = "unknown", now: float = 0.0
) -> list[Alert]:
    """Everything that is off, the gravest first.

    Args:
        seen: of `evidence`.
        writer: whether the process that writes the run is alive; see `memory.opening.writer`.
        now: UNIX seconds.
    """
    found = [
        stalls.ended_early(seen, writer),
        stalls.stalled(seen, now) if writer != "gone" else None,
        rules.weak_sandbox(seen.get("sandbox", []), seen.get("began")),
        rules.infra_errors(seen["groups"]),
        rules.not_finite(seen["updates"]),
        rules.mismatch(seen["updates"], seen["comparable"]),
        rules.entropy_collapse(seen["updates"]),
        rules.proposal_collapse(seen["proposals"]),
    ]
    return [alert for alert in found if alert is not None]
