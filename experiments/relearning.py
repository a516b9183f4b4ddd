"""Another recipe on the experience that a run stored: what if the same episodes had been learned otherwise?

A relearned run is a run of its own beside its source: its settings are the source's, but for the recipe, the
seed and what is set. It borrows the source's groups, or those that SQL selects, each in the round in which it
was played (`actors.borrowing`), generates nothing but its measurements, and can be resumed like any other.

`prepare` refuses what cannot be learned before a folder is made. Does not cover: several of them side by side
(`experiments.ladders.counterfactual`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors import borrowing, selecting
from experiments import config, runs
from memory.codec import unpack_logprobs
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.logprobs import all_known
from protocols.recipes import RECIPES, Recipe, recipe
from protocols.records import Role
from protocols.seeds import digest
from protocols.settings import RunSettings


def prepare(
    source: Path,
    name: str | None = None,
    where: str | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    folder: str | None = None,
) -> runs.Prepared:
    """A run beside its source that learns by the recipe; one that is there already is gone on with.

    Args:
        name: of the recipe; None: the source's own.
        where: see `actors.selecting`; None: all of the source's experience.
        seed: None: the source's own.
        folder: name of the run's folder; by default one that names source, recipe, seed and selection.

    Raises:
        SettingError: unknown recipe or setting, a source that cannot be used, nothing that the recipe could
            learn from; or a run of that name is there that is another experiment.
        StoreError: the selection is no SELECT, or wrong.
    """
    settings = settings_of(source, name, where, seed, overrides)
    run_dir = source.parent / (folder or _name(source, settings, where, seed, overrides))
    described = borrowing.check(settings, source.parent)
    with RunReader(source) as reader:
        _require_experience(settings, reader, source.name)
    there = (run_dir / "run.db").is_file()
    if there:
        with RunReader(run_dir) as reader:
            begun, facts = config.resolve(reader.config()), reader.facts()
        config.require_resumable(begun, settings, str(run_dir))
        borrowing.require_same(settings, described, facts.get("source"))
    return runs.Prepared(settings, run_dir, resumed=there)


def settings_of(
    source: Path,
    name: str | None = None,
    where: str | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> RunSettings:
    """The source's settings with another recipe, seed and `overrides` on top, and the source to learn from.

    A switch of `learner.grpo` or the proposer that the source's recipe had by default has the new recipe's
    default. Noise that was injected into the source's verdicts is in them, and not injected again.

    Raises:
        SettingError: unknown recipe or setting.
    """
    with RunReader(source) as reader:
        theirs = config.resolve(reader.config())
    plan = recipe(theirs.learner.recipe if name is None else name)
    values = theirs.model_dump(mode="json")
    if plan.name != theirs.learner.recipe:
        usual = config.resolve({"learner": {"recipe": theirs.learner.recipe}}).model_dump(mode="json")
        values["learner"]["grpo"] = _changed(values["learner"]["grpo"], usual["learner"]["grpo"])
        values["proposer"] = _changed(values["proposer"], usual["proposer"])
    values["learner"]["recipe"] = plan.name
    values["curator"] |= {"source": source.name, "source_rounds": 0, "source_where": where}
    values["curator"]["source_share"] = 1.0
    values["verifier"] |= {"false_positive": 0.0, "false_negative": 0.0}
    values["max_staleness"] = 0  # nothing is played ahead
    if seed is not None:
        values["seed"] = seed
    fixed = [one for one in overrides if one.partition("=")[0].strip() in _FIXED]
    if fixed:
        raise SettingError(f"--set {fixed[0]}: a relearned run has {_FIXED[fixed[0].partition('=')[0]]}")
    return config.resolve(config.merged(values, list(overrides)))


_FIXED = {
    "learner.recipe": "its recipe by --recipe",
    "curator.source": "its source by its first argument",
    "curator.source_where": "its selection by --where",
    "seed": "its seed by --seed",
}


def _changed(values: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value != usual[key]}


def _name(
    source: Path, settings: RunSettings, where: str | None, seed: int | None, overrides: Sequence[str]
) -> str:
    """The same for the same question, so that it is answered once."""
    parts = [source.name, settings.learner.recipe]
    if where is not None or overrides:
        parts.append(digest(where, list(overrides), size=3))
    if seed is not None:
        parts.append(f"seed{seed}")
    return "-".join(parts)


_EXPERIENCE = """
SELECT a.seq, a.id, a.reward, g.book, t.origin
FROM attempts a JOIN groups g ON g.id = a.group_id JOIN tasks t ON t.id = g.task_id
WHERE g.purpose = 'collect' AND t.status = 'active' AND a.reward IS NOT NULL
"""


def _require_experience(settings: RunSettings, reader: RunReader, run: str) -> None:
    """Raises:
    SettingError: the recipe can learn none of the selected attempts; the message says why.
    """
    plan, where = recipe(settings.learner.recipe), settings.curator.source_where
    chosen = selecting.attempts(reader, where)
    found = [row for row in reader.rows(_EXPERIENCE) if chosen is None or row["id"] in chosen]
    if not found:
        raise SettingError(_nothing(reader, where, chosen, run))
    books = {row["book"] for row in found}
    found = [row for row in found if row["book"] == plan.book_at_rollout]
    if not found:
        fitting = sorted(r.name for r in RECIPES.values() if r.book_at_rollout in books)
        raise SettingError(
            f"--recipe {plan.name}: learns answers that were given with the book {plan.book_at_rollout}, and "
            f"{run} has those with it {' or '.join(sorted(books))}; choose one of {', '.join(fitting)}"
        )
    found = [row for row in found if row["origin"] in plan.origins]
    if not found:
        raise SettingError(
            f"--recipe {plan.name}: learns from {' and '.join(plan.origins)} tasks only, and none of the "
            f"selected attempts of {run} is at one; choose {_sibling(plan)}"
        )
    if plan.algorithm == "sft" and not any(row["reward"] >= 1.0 for row in found):
        raise SettingError(
            f"--recipe {plan.name}: learns from verified answers only, and of {len(found)} selected attempts "
            f"of {run} none is; select others with --where, or choose a recipe of reinforcement learning"
        )
    if plan.algorithm == "grpo" and not any(_has_logprobs(reader, row["seq"]) for row in found):
        raise SettingError(
            f"--recipe {plan.name}: needs the log-probabilities that answers were sampled with, and {run} "
            f"has none, as its engine told texts only; choose closed-sft or open-sft"
        )
    if Role.PROPOSER in plan.roles and not reader.value(
        "SELECT 1 FROM proposals WHERE reward IS NOT NULL AND token_ids IS NOT NULL LIMIT 1"
    ):
        raise SettingError(
            f"--recipe {plan.name}: learns proposals too, and {run} has none with a reward and its tokens; "
            f"choose {_sibling(plan)}"
        )


def _has_logprobs(reader: RunReader, seq: int) -> bool:
    blob = reader.value("SELECT logprobs FROM tokens WHERE attempt_seq = ?", [seq])
    return all_known(unpack_logprobs(blob))


def _nothing(reader: RunReader, where: str | None, chosen: frozenset[str] | None, run: str) -> str:
    if where is None:
        return f"relearn {run}: it holds no judged attempts at tasks that stand; choose another run"
    counts = reader.overview()
    if not chosen:
        return (
            f"--where {where}: selects nothing of the {counts['attempts']} attempts that {run} collected, "
            f"{counts['verified']} of them verified; try `reward >= 1`, or look at some with "
            f"`taskspace replay {run}`"
        )
    return (
        f"--where {where}: selects {len(chosen)} attempts of {run}, none of which can be learned from: they "
        "measure, or have no reward, or their task was rejected; ask for purpose = 'collect' and reward >= 0"
    )


def _sibling(plan: Recipe) -> str:
    """A recipe of the same kind that is content with answers to any task."""
    return "closed-sft" if plan.algorithm == "sft" else "closed-rl"
