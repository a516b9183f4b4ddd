"""Accuracy of a policy that improves its own answers, step by step, beside as many independent answers.

    answer 0 ── improve ──▶ answer 1 ── improve ──▶ ... answer K       each step sees the latest answer only

Source: ExIt (arXiv 2509.04575), page 7: the improve prompt at every step, never the diverge prompt; the last
answer counts, none is selected, but in domains that keep the best one (`search`).
In plays of several turns every turn is improved before the next one: there each number of steps is a play of
its own. The same budget in independent answers is what every such gain has to be compared with: the share of
tasks that one of them solves (`best`), and of those whose most frequent answer is right (`majority`).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.verifier import Judged
from experiments import evaluate, metrics, search
from experiments.progress import counting
from experiments.roles import players
from experiments.tables import table
from protocols.domain import make_domain
from protocols.errors import SettingError
from protocols.iteration import Play, play_of, start_of, whole
from protocols.records import Book, Purpose, Start, Step, Task, Turn

RIGHT = 1.0  # reward of a right answer
Chain = tuple[Task, Turn]  # its latest answer


def iterate(
    model: str,
    steps: int,
    book: str,
    split: str,
    kind: str,
    limit: int,
    version: int | None,
    base: dict[str, Any],
    overrides: list[str],
    runs_dir: Path,
    quiet: bool,
) -> dict[str, Any]:
    """Let a policy improve each answer `steps` times; `evaluation.samples` answers a task.

    Returns:
        {"model", "version", "book", "tasks", "samples", "keeps", "steps": rows by number of steps
        taken, see `_row`}

    Raises:
        SettingError: bad choice; ArtefactError: no such model; EngineError, SandboxError: they failed.
    """
    if book not in ("closed", "open"):
        raise SettingError(f"--iterate with --book {book}: choose closed or open")
    evaluate.require_known(split)
    settings, weights_dir, version = evaluate.subject(model, version, base, overrides, runs_dir, quiet)
    tasks = evaluate.tasks_of(settings, split, kind, limit)
    domain = make_domain(settings)
    samples = settings.evaluation.samples
    with players(settings, weights_dir) as play:

        def played(what: str, plays: Sequence[Play]) -> list[Judged]:
            with counting(what, len(plays), quiet) as advance:
                return play(plays, advance)

        def group(position: int, start: Start, task: Task, size: int, step: int = 0, within: int = 0) -> Play:
            purpose = Purpose.EVALUATE
            return play_of(settings.seed, step, position, purpose, start, task, size, within)

        bases = [start_of(task, Book(book)) for task in tasks]
        # One more answer than steps: that is the budget of a chain. Its first answer is one of them.
        judged = played(
            f"{book} book",
            [group(i, s, t, samples * (steps + 1)) for i, (s, t) in enumerate(zip(bases, tasks))],
        )
        independent = [
            Independent(task, [(domain.answer(task, t.response), _worth(t)) for t in _turns(one)], samples)
            for task, one in zip(tasks, judged)
        ]
        chains: list[Chain] = [
            (task, turn) for task, one in zip(tasks, judged) for turn in _turns(one)[:samples]
        ]
        first = [_worth(turn) for _, turn in chains]
        tokens = sum(_tokens(one) for one in judged) / (steps + 1)  # the chains' share of them
        rows = [_row(0, chains, first, tokens, independent)]
        lines = [search.line(turn, domain) for _, turn in chains]
        for step in range(1, steps + 1):
            if not domain.multi_turn:
                plays = [
                    group(i, start_of(task, Book(book), Step.IMPROVE, [line.shown]), task, 1, step)
                    for i, ((task, _), line) in enumerate(zip(chains, lines, strict=True))
                ]
                judged = played(f"step {step} of {steps}", plays)
                for line, one in zip(lines, judged, strict=True):
                    line.take(_turns(one)[0])
                chains = [(task, line.counts) for (task, _), line in zip(chains, lines, strict=True)]
                tokens += sum(_tokens(one) for one in judged)
            elif step & (step - 1) == 0 or step == steps:  # 1, 2, 4, ... and the last
                plays = [
                    group(i, s, t, samples, step, within=step) for i, (s, t) in enumerate(zip(bases, tasks))
                ]
                judged = played(f"{step} steps a turn", plays)
                chains = [(task, turn) for task, one in zip(tasks, judged) for turn in _turns(one)]
                tokens = float(sum(_tokens(one) for one in judged))
            else:
                continue
            rows.append(_row(step, chains, first, tokens, independent))
    return {
        "model": model,
        "version": version,
        "book": book,
        "tasks": len(tasks),
        "samples": samples,
        "keeps": domain.iterate_keeps,
        "steps": rows,
    }


def text(result: dict[str, Any]) -> str:
    """The result for people."""
    title = (
        f"{result['model']}, version {result['version']}, {result['book']} book: {result['samples']} answers "
        f"to each of {result['tasks']} tasks, improved step by step; beside as many independent ones"
    )
    if result["keeps"] == "best":
        title += "; the best answer so far counts"
    rows = [
        {
            "steps": row["steps"],
            "accuracy (95 %)": _share(row),
            "corrected": row["corrected"],
            "broken": row["broken"],
            "net": f"{row['net']:+}",
            "tokens": f"{row['tokens']:.0f}",
            "independent, majority": _share(row["majority"]),
            "independent, best": _share(row["best"]),
        }
        for row in result["steps"]
    ]
    return table(rows, title)


def _share(of: dict[str, Any]) -> str:
    if of["accuracy"] is None:
        return "not measured"
    low, high = of["interval"]
    return f"{100 * of['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


class Independent:
    """Independent answers to a task, in `samples` equal parts: what a chain's budget buys otherwise.

    Args:
        answers: (what is voted for, reward) of each.
    """

    def __init__(self, task: Task, answers: Sequence[tuple[str, float]], samples: int) -> None:
        self.task = task
        self._parts = [answers[i::samples] for i in range(samples)]  # each begins as a chain does

    def best(self, budget: int) -> float:
        """How often one of the first `budget` answers is right: what a perfect choice would reach."""
        found = [max(reward for _, reward in part[:budget]) for part in self._parts]
        return sum(found) / len(found)

    def majority(self, budget: int) -> float:
        """Reward of the most frequent of the first `budget` answers, the first of equals. No answer has no
        vote."""
        found = []
        for part in self._parts:
            votes = Counter(answer for answer, _ in part[:budget] if answer)
            chosen = votes.most_common(1)[0][0] if votes else None
            found.append(next((reward for answer, reward in part[:budget] if answer == chosen), 0.0))
        return sum(found) / len(found)


def _row(
    step: int,
    chains: Sequence[Chain],
    first: Sequence[float],
    tokens: float,
    independent: Sequence[Independent],
) -> dict[str, Any]:
    """After so many steps: accuracy with its interval over tasks; against the first answers, how many became
    right (`corrected`) and wrong (`broken`), and the difference; tokens sampled so far; and what as many
    independent answers reach."""
    rewards = [_worth(turn) for _, turn in chains]
    by_task: dict[str, list[float]] = {}
    for task, turn in chains:
        by_task.setdefault(task.id, []).append(_worth(turn))
    judged = any(turn.reward is not None for _, turn in chains)
    moves = [(was >= RIGHT, now >= RIGHT) for was, now in zip(first, rewards, strict=True)]
    corrected, broken = moves.count((False, True)), moves.count((True, False))
    return {
        "steps": step,
        **_measured([sum(found) / len(found) for found in by_task.values()] if judged else []),
        "corrected": corrected,
        "broken": broken,
        "net": corrected - broken,
        "tokens": tokens,
        "best": _measured([one.best(step + 1) for one in independent]),
        "majority": _measured([one.majority(step + 1) for one in independent]),
    }


def _measured(tasks: Sequence[float]) -> dict[str, Any]:
    """Mean over tasks with its 95 % interval; None where nothing was judged."""
    if not tasks:
        return {"accuracy": None, "interval": None}
    return {"accuracy": sum(tasks) / len(tasks), "interval": metrics.bootstrap(tasks)}


def _worth(turn: Turn) -> float:
    """Its reward; an answer without one counts as wrong."""
    return turn.reward or 0.0


def _turns(one: Judged) -> list[Turn]:
    return [
        whole(one.group.start, attempt, verdict)[-1]
        for attempt, verdict in zip(one.group.attempts, one.verdicts, strict=True)
    ]


def _tokens(one: Judged) -> int:
    """Sampled, without what was given."""
    return sum(len(attempt.token_ids) - attempt.prefilled for attempt in one.group.attempts)
