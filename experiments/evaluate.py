"""Accuracy of a policy on base tasks, closed or open book: the same roles as in a run, in one process.

Nothing is stored. What a run measured while it went on is in its store (`evaluations`).
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.measuring import Scored, summarise
from experiments import config, engine_checks, isolation_checks, lengths, metrics, preflight
from experiments.conditions import Condition
from experiments.model_checks import check_tokenizer, check_weights
from experiments.progress import counting
from experiments.roles import players
from protocols.errors import ArtefactError, SettingError
from protocols.records import Book, Purpose, Split, Task
from protocols.settings import RunSettings
from protocols.verdicts import errors_told, not_measured, percent


def evaluate(
    model: str,
    book: str,
    split: str,
    kind: str,
    limit: int,
    version: int | None,
    base: dict[str, Any],
    overrides: list[str],
    runs_dir: Path,
    quiet: bool,
    condition: Condition | None = None,
) -> dict[str, Any]:
    """Measure a run's policy, or a model under the settings `base`.

    Args:
        limit: tasks; 0 = as many as the settings say.

    Returns:
        {"model", "version", "split", "kind", "results": {book: fields of `records.Evaluation`, "interval"
        (95 %, bootstrap over tasks), "pass_at_k", "cut" (answers that reached max_tokens), "mistakes",
        "by_kind": {kind: accuracy, interval, ...}, "mean_of_kinds": accuracy}}; an accuracy is
        null where nothing was judged

    Raises:
        SettingError: bad choice; ArtefactError: no such model; EngineError, SandboxError: they failed.
    """
    if book not in ("closed", "open", "both"):
        raise SettingError(f"--book {book}: unknown; choose one of closed, open, both")
    require_known(split)
    settings, weights_dir, version = subject(model, version, base, overrides, runs_dir, quiet)
    if condition is not None:
        settings = condition.applied(settings)
    books = [Book.CLOSED, Book.OPEN] if book == "both" else [Book(book)]
    return {
        "model": model,
        "version": version,
        "split": split,
        "kind": kind,
        "results": _measure(
            settings,
            weights_dir,
            books,
            tasks_of(settings, split, kind, limit),
            quiet,
        ),
    }


def table(result: dict[str, Any], quiet: bool = False) -> str:
    """The result for people: accuracy by book, and by topic."""
    lines = []
    for book, r in result["results"].items():
        lines.append(
            f"{result['model']}, version {result['version']}, {book} book, "
            f"{result['split']} {result['kind']}: "
            + (
                not_measured(r["attempts"], r["categories"], r["infra_errors"])
                if r["accuracy"] is None
                else f"{100 * r['accuracy']:.1f} % of {r['attempts']} attempts on {r['tasks']} tasks"
            )
            + (
                f" (95 %: {100 * r['interval'][0]:.1f} to {100 * r['interval'][1]:.1f})"
                if r["interval"]
                else ""
            )
            + errors_told(r["accuracy"], r["attempts"], r["categories"], r["infra_errors"])
        )
        for kind, part in {"": r, **(r["by_kind"] if len(r["by_kind"]) > 1 else {})}.items():
            passes = ", ".join(f"pass@{k} {100 * p:.1f} %" for k, p in part["pass_at_k"].items())
            if passes and (kind or len(part["pass_at_k"]) > 1):
                lines.append(f"  {kind} {passes}" if kind else f"  {passes}")
        if len(r["by_kind"]) > 1:
            shares = ", ".join(f"{kind} {percent(part['accuracy'])}" for kind, part in r["by_kind"].items())
            lines.append(f"  {shares}; unweighted mean {percent(r['mean_of_kinds'])}")
        if quiet:
            continue
        width = max((len(t) for t in r["by_topic"]), default=0)
        lines += [f"  {t:<{width}}  {100 * a:6.1f} %" for t, a in r["by_topic"].items()]
        lines.append("  " + ", ".join(f"{c} {n}" for c, n in r["categories"].items()))
        if r["mistakes"]:
            lines.append("  mistakes: " + ", ".join(f"{c} {n}" for c, n in r["mistakes"].items()))
    return "\n".join(lines)


def subject(
    model: str, version: int | None, base: dict[str, Any], overrides: list[str], runs_dir: Path, quiet: bool
) -> tuple[RunSettings, Path, int]:
    """Settings, weights folder and version of what is to be measured.

    Raises:
        SettingError: bad choice, or an engine that cannot serve this version.
        ArtefactError: no such run or model.
    """
    settings, weights_dir, version = _subject(model, version, base, overrides, runs_dir, quiet)
    check_tokenizer(settings.model, weights_dir)
    if not settings.engine.fixed_weights:
        check_weights(settings.model, weights_dir)
    else:
        engine_checks.require_initial(settings, version)
        print(engine_checks.reached(settings, weights_dir), file=sys.stderr)
    return settings, weights_dir, version


def _subject(
    model: str, version: int | None, base: dict[str, Any], overrides: list[str], runs_dir: Path, quiet: bool
) -> tuple[RunSettings, Path, int]:
    for folder in (Path(model), runs_dir / model):
        if (folder / "run.db").is_file():
            return _of_run(folder, version, overrides, quiet)
    if version is not None:
        raise SettingError(f"--version {version}: {model} is not a run folder; leave --version out")
    settings = preflight.with_files(config.resolve(config.merged(base, [f"model.name={model}", *overrides])))
    try:
        return settings, preflight.model_folder(settings.model, quiet), 0
    except ArtefactError as error:
        raise ArtefactError(f"{model}: no run of that name in {runs_dir}, and no model: {error}") from None


def _of_run(
    folder: Path, version: int | None, overrides: list[str], quiet: bool
) -> tuple[RunSettings, Path, int]:
    from experiments.stored_weights import require_finite
    from memory import adapters, checkpoints
    from memory.reader import RunReader

    reader = RunReader(folder / "run.db")
    settings = preflight.with_files(config.resolve(config.merged(reader.config(), overrides)))
    known = [row["version"] for row in reader.rows("SELECT version FROM updates ORDER BY version")]
    chosen = version if version is not None else max(known, default=0)
    if chosen == 0:
        return settings, preflight.model_folder(settings.model, quiet), 0
    path = checkpoints.path_of(folder, chosen)
    if chosen not in known or not path.is_dir():
        there = ", ".join(str(v) for v in [0, *checkpoints.versions(folder)])
        raise SettingError(f"--version {chosen}: {folder} has no such version; choose one of {there}")
    require_finite(chosen, path)
    if not adapters.is_adapter(path):
        return settings, path, chosen
    base = preflight.model_folder(settings.model, quiet)
    return settings, adapters.whole(base, path, folder / "merged"), chosen


def require_known(split: str) -> None:
    """Raises:
    SettingError: there is no such split.
    """
    if split not in list(Split):
        raise SettingError(f"--split {split}: unknown; choose one of {', '.join(Split)}")


def tasks_of(settings: RunSettings, split: str, kind: str, limit: int) -> list[Task]:
    """Base tasks to measure on; a limit of 0 is as many as the settings say.

    Raises:
        SettingError: there is no such kind, or the domain has none of them.
    """
    from protocols.domain import make_domain

    domain = make_domain(settings)
    if kind not in ("all", *domain.kinds):
        raise SettingError(f"--kind {kind}: unknown; choose one of {', '.join([*domain.kinds, 'all'])}")
    tasks = domain.tasks(Split(split), kind, limit or settings.evaluation.tasks)
    if not tasks:
        raise SettingError(f"--split {split} --kind {kind}: the domain has no such task; choose another kind")
    return list(tasks)


def _measure(
    settings: RunSettings,
    weights_dir: Path,
    books: Sequence[Book],
    tasks: Sequence[Task],
    quiet: bool,
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    from protocols.domain import make_domain

    isolation_checks.check(settings, make_domain(settings))
    with players(settings, weights_dir) as play:
        for book in books:
            with counting(f"{book} book", len(tasks), quiet) as advance:
                judged = play([_play(settings, t, book, i) for i, t in enumerate(tasks)], advance)
            scored = [
                Scored(
                    task_id=task.id,
                    topics=task.topics,
                    reward=v.reward,
                    category=v.category,
                    kind=task.kind,
                    mistake=v.evidence.get("mistake"),
                )
                for task, one in zip(tasks, judged, strict=True)
                for v in one.verdicts
            ]
            attempts = [attempt for one in judged for attempt in one.group.attempts]
            cut = sum(attempt.finish == "length" for attempt in attempts)
            if lengths.too_many(cut, len(attempts)):
                told = lengths.warning(cut, len(attempts), "evaluation", settings.evaluation.sampling)
                print(f"{book} book: {told}", file=sys.stderr)
            results[str(book)] = summarise(scored) | _spread(scored) | _apart(scored) | {"cut": cut}
    return results


def _apart(scored: Sequence[Scored]) -> dict[str, Any]:
    """Kinds of tasks apart, their unweighted mean, and what kinds of mistakes there were."""
    by_kind = {}
    for kind in sorted({one.kind for one in scored}, reverse=True):
        of_kind = [one for one in scored if one.kind == kind]
        told = summarise(of_kind)
        by_kind[kind] = {k: told[k] for k in ("tasks", "attempts", "accuracy")} | _spread(of_kind)
    mistakes = Counter(one.mistake for one in scored if one.mistake)
    judged = [part["accuracy"] for part in by_kind.values() if part["interval"]]
    return {
        "by_kind": by_kind,
        "mean_of_kinds": sum(judged) / len(judged) if judged else None,
        "mistakes": dict(mistakes.most_common()),
    }


def _spread(scored: Sequence[Scored]) -> dict[str, Any]:
    """How sure the accuracy is (95 % over tasks), and pass@k for powers of two up to the attempts a task."""
    by_task: dict[str, list[float]] = {}
    for one in scored:
        if one.reward is not None:
            by_task.setdefault(one.task_id, []).append(one.reward)
    if not by_task:
        return {"interval": None, "pass_at_k": {}}
    tasks = list(by_task.values())
    ks = [2**i for i in range(11)]
    return {
        "interval": metrics.bootstrap([sum(rewards) / len(rewards) for rewards in tasks]),
        "pass_at_k": metrics.mean_pass_at_k(tasks, ks),
    }


def _play(settings: RunSettings, task: Task, book: Book, position: int) -> Any:
    from protocols.iteration import play_of, start_of

    start = start_of(task, book)
    size = settings.evaluation.samples
    return play_of(settings.seed, 0, position, Purpose.EVALUATE, start, task, size)
