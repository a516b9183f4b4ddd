"""The rows that alerts are told from: the newest of each table, however large the run is."""

from collections.abc import Mapping
from typing import Any

from memory.alerts.rules import FIRST_UPDATES, RECENT_GROUPS
from memory.reader import RunReader
from memory.selects import parsed
from protocols.recipes import RECIPES

RECENT_UPDATES, RECENT_STAGES = 50, 400


def evidence(reader: RunReader) -> dict[str, Any]:
    """What `alerts` looks at, as plain data; `last` is the time of the newest thing, None in an empty run."""
    config = reader.config()
    return {
        "groups": reader.rows(_GROUPS, [RECENT_GROUPS])[::-1],
        "updates": [parsed(row) for row in reader.rows(_UPDATES, [FIRST_UPDATES, RECENT_UPDATES])],
        "proposals": reader.rows(_PROPOSALS),
        "stages": [parsed(row) for row in reader.rows(_STAGES, [RECENT_STAGES])][::-1],
        "open": reader.rows(_OPEN),
        "finished": reader.value("SELECT count(*) FROM rounds WHERE finished IS NOT NULL"),
        "last": _last(reader),
        "comparable": _comparable(config),
        "began": reader.value("SELECT min(at) FROM events"),
        "sandbox": reader.facts().get("sandbox", []),
        "config": config,
    }


def _comparable(config: Mapping[str, Any]) -> bool:
    """Whether the learner sees the prompt that the engine saw, and learns the weights that answered."""
    learner, solver = config.get("learner") or {}, config.get("solver") or {}
    recipe = RECIPES.get(learner.get("recipe", ""))
    same = recipe is not None and recipe.book_at_rollout == recipe.book_at_update
    return same and solver.get("policy", "current") == "current"


def _last(reader: RunReader) -> float | None:
    times = [
        reader.value("SELECT at FROM events ORDER BY id DESC LIMIT 1"),
        reader.value("SELECT created FROM groups ORDER BY seq DESC LIMIT 1"),
        reader.value("SELECT started + seconds FROM stages ORDER BY id DESC LIMIT 1"),
    ]
    return max((time for time in times if time is not None), default=None)


_GROUPS = """SELECT round, purpose, attempts, created, infra_errors - (SELECT count(a.infra_error)
  FROM attempts a WHERE a.group_id = groups.id AND a.finish = 'no_room') AS infra_errors
FROM groups ORDER BY seq DESC LIMIT ?"""

# The first ones say what entropy was at the beginning.
_UPDATES = """SELECT version, round, created, losses_json, grad_norms_json, metrics_json FROM updates
WHERE version IN (SELECT version FROM updates ORDER BY version LIMIT ?)
  OR version IN (SELECT version FROM updates ORDER BY version DESC LIMIT ?) ORDER BY version"""

# Equal texts are stored once, so that comparing their numbers is comparing them.
_PROPOSALS = """SELECT round, count(*) AS proposals, min(created) AS created,
  count(DISTINCT CASE WHEN ifnull(reason, '') <> 'duplicate' THEN response_text END) AS different
FROM proposals WHERE round > (SELECT max(round) FROM proposals) - 20 GROUP BY round ORDER BY round"""

_STAGES = "SELECT round, role, stage, started, seconds, numbers_json FROM stages ORDER BY id DESC LIMIT ?"

_OPEN = """SELECT round, started, json_array_length(plan_json) AS planned,
  (SELECT count(*) FROM groups g WHERE g.round = rounds.round AND g.purpose = 'collect') AS admitted,
  EXISTS (SELECT 1 FROM updates u WHERE u.round = rounds.round) AS learned
FROM rounds WHERE finished IS NULL ORDER BY round"""
