"""Stored answers, generated again: the same prompts, to the same weights, with the same seeds.

    chosen episodes ─▶ the batches they were played in ─▶ the engine, turn by turn ─▶ token by token

Prompts come from the store, not from the domain, so that every answer of a play is asked for on what was
really said before it, whatever became of the answer before. Batches are those that were admitted together:
what shares a batch decides which kernels compute it. Nothing is written.

Does not cover: proposals, and groups that a run took from another one (`curator.source`).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments import preflight, regenerate_reasons
from experiments.plaintext import one_line
from experiments.progress import counting
from experiments.rounds import settings_of
from experiments.stored_weights import StoredWeights
from experiments.token_differences import Compared, Sampled, compare, mean, parting
from memory import bodies
from memory.codec import pack_logprobs, unpack_logprobs
from memory.reader import RunReader
from protocols.errors import SettingError
from protocols.prompting import prompts_of
from protocols.records import Attempt, Exchange, Group, Purpose
from protocols.seeds import digest, seed_of
from protocols.settings import RunSettings

Row = dict[str, Any]
BATCH = ("round", "policy_version", "purpose", "book", "created")
#: Differences that are listed for people.
SHOWN = 20


def regenerate(run_dir: Path, rows: Sequence[Row], quiet: bool = False) -> dict[str, Any]:
    """Generate the chosen episodes again and compare; what differs is reported, nothing is changed.

    Args:
        rows: of the view `episodes`, as `replay.choose` gives them.

    Returns:
        counts over answers (an attempt of several turns has several), `differences` one by one, `skipped`
        with reasons, and `reasons` for which answers may differ.

    Raises:
        SettingError: none of them can be generated again, with what is there instead.
        TaskspaceError: the engine cannot be made, or the weights are not those that were published.
    """
    with RunReader(run_dir / "run.db") as reader:
        versions = StoredWeights(run_dir, reader)
        chosen, skipped = _possible(reader, rows, versions)
        engines = sorted({row["engine"] for row in _batches_of(reader, chosen)})
        found: list[Row] = []
        now = ""
        with counting("generated again", len(chosen), quiet) as advance:
            for settings, batches in _by_settings(reader, chosen):
                with _Player(settings, versions, quiet) as player:
                    now = player.name
                    for groups, wanted in batches:
                        found += player.compared(groups, wanted)
                        advance(len(wanted))
    return {
        "run": str(run_dir),
        **_counts(found),
        "skipped": skipped,
        "engines": {"stored": engines, "now": now},
        "reasons": regenerate_reasons.why(run_dir, settings, engines, now) if _differing(found) else [],
        "differences": [one for one in found if one["differs"]],
    }


def told(result: dict[str, Any]) -> str:
    """What `regenerate` found, for people."""
    lines = [
        f"{result['answers']} answers of {result['attempts']} attempts generated again: "
        f"{result['identical']} identical, {result['tokens_differ']} differ in tokens, "
        f"{result['logprobs_differ']} in log-probabilities alone",
        f"  equal tokens: {result['equal_tokens']} of {result['tokens']} "
        f"({100 * result['equal_share']:.2f} %); log-probabilities on equal context differ by "
        f"{result['logprob_mean']:.2g} in the mean, {result['logprob_max']:.2g} at most",
    ]
    lines += [f"  left out: {one['attempts']} attempts, {one['why']}" for one in result["skipped"]]
    for d in result["differences"][:SHOWN]:
        where = f"  {d['attempt_id']}" + (f" answer {d['answer'] + 1}" if d["answer"] else "")
        if d["first"] is None:
            lines.append(f"{where}: same tokens, log-probabilities differ by up to {d['logprob_max']:.2g}")
            continue
        stored, again = (one_line(text, 40) or "(its end)" for text in (d["stored"], d["again"]))
        lines.append(
            f"{where}: token {d['first']} of {d['tokens']} is the first that differs, "
            f"{100 * d['equal'] / d['tokens']:.0f} % equal; stored {stored!r}, now {again!r}"
        )
    if len(result["differences"]) > SHOWN:
        lines.append(f"  ... and {len(result['differences']) - SHOWN} more; --json has them all")
    if result["reasons"]:
        lines += ["  possible reasons:", *(f"    {reason}" for reason in result["reasons"])]
    return "\n".join(lines)


def _possible(
    reader: RunReader, rows: Sequence[Row], versions: StoredWeights
) -> tuple[list[Row], list[dict[str, Any]]]:
    """Episodes that can be generated again, and how many of the others there are, with the reason."""
    chosen: list[Row] = []
    left: dict[str, int] = defaultdict(int)
    fixed = {}
    for row in rows:
        version, round = row["policy_version"], row["round"]
        if round not in fixed:
            settings = settings_of(reader, round)
            fixed[round] = settings.curator.source, 0 if settings.engine.fixed_weights else None
        source, only = fixed[round]
        if bodies.gone(row["response"]):
            left["their answers were pruned or lost: there is nothing to compare with"] += 1
        elif source and row["purpose"] == Purpose.COLLECT:
            left[f"played by {source}, not here: generate them again there"] += 1
        elif only is not None and version != only:
            left[f"the engine serves version {only} only, they were played with version {version}"] += 1
        elif version not in versions.known:
            left[
                f"the weights of version {version} are not in {versions.folder} any more; the nearest that "
                f"are there are those of version {versions.nearest(version)}"
            ] += 1
        else:
            chosen.append(row)
    skipped = [{"attempts": count, "why": why} for why, count in left.items()]
    if not chosen:
        raise SettingError(f"--regenerate: {'; '.join(left)}{_played_with(reader, versions)}")
    return chosen, skipped


def _played_with(reader: RunReader, versions: StoredWeights) -> str:
    """Rounds that can be asked for instead."""
    marks = ", ".join("?" * len(versions.known))
    found = reader.rows(
        f"SELECT DISTINCT round FROM groups WHERE policy_version IN ({marks}) ORDER BY round", versions.known
    )
    rounds = [str(row["round"]) for row in found]
    return f"; choose e.g. --round {rounds[-1]}" if rounds else ""


def _batches_of(reader: RunReader, rows: Sequence[Row]) -> list[Row]:
    """One row for each batch that the episodes were played in: what was admitted together."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in BATCH)
        if key not in found:
            engine = reader.value("SELECT engine FROM groups WHERE id = ?", [row["group_id"]])
            found[key] = {name: row[name] for name in BATCH} | {"engine": engine, "wanted": set()}
        found[key]["wanted"].add(row["id"])
    return sorted(found.values(), key=lambda one: (one["policy_version"], one["created"]))


def _by_settings(
    reader: RunReader, rows: Sequence[Row]
) -> Iterator[tuple[RunSettings, Iterator[tuple[list[Group], set[str]]]]]:
    """Batches with the episodes wanted of them, by the settings that they were played under."""
    under: dict[str, tuple[RunSettings, list[Row]]] = {}
    for batch in _batches_of(reader, rows):
        settings = settings_of(reader, batch["round"])
        under.setdefault(settings.model_dump_json(), (settings, []))[1].append(batch)
    for settings, batches in under.values():
        yield settings, ((_groups(reader, settings, batch), batch["wanted"]) for batch in batches)


def _groups(reader: RunReader, settings: RunSettings, batch: Row) -> list[Group]:
    """All groups of a batch in their order; of a server's only those wanted, as its batches are not ours."""
    condition = " AND ".join(f"{name} = ?" for name in BATCH)
    found = reader.rows(f"SELECT id FROM groups WHERE {condition} ORDER BY seq", [batch[n] for n in BATCH])
    groups = [reader.group(row["id"])[0] for row in found]
    if settings.engine.fixed_weights:
        return [one for one in groups if batch["wanted"] & {a.id for a in one.attempts}]
    return groups


class _Player:
    """The engine of some settings, as a run of them would ask it."""

    def __init__(self, settings: RunSettings, versions: StoredWeights, quiet: bool) -> None:
        from actors.engines.replicas import Replicas
        from actors.engines.serving import ServedEngine
        from actors.runtime import InlineRole
        from protocols.domain import make_domain

        self._settings, self._versions = settings, versions
        self._model = preflight.model_folder(settings.model, quiet)
        self._stops = make_domain(settings).stops
        self._served = ServedEngine(settings, str(self._model))
        # Several engines get parts of a batch; here one engine plays them all, part by part.
        role = InlineRole("engine", self._served)
        self._engine = Replicas([role] * settings.engine.replicas, 0)
        self.name: str = self._served.describe()["name"]

    def __enter__(self) -> "_Player":
        return self

    def __exit__(self, *_: object) -> None:
        self._served.close()

    def compared(self, groups: Sequence[Group], wanted: set[str]) -> list[Row]:
        """How each answer of the wanted attempts compares with what is generated now."""
        from actors.engines.base import Request

        weights = self._versions.weights(groups[0].policy_version, self._model)
        asked = [
            (group, attempt, prompts_of(group.prompt, attempt.exchanges))
            for group in groups
            for attempt in group.attempts
        ]
        found = []
        for turn in range(max(len(prompts) for _, _, prompts in asked)):
            alive = [one for one in asked if turn < len(one[2])]
            requests = [
                Request(
                    id=digest("answer", attempt.id, turn) if turn else attempt.id,
                    prompt=prompts[turn],
                    sampling=self._sampling(group),
                    seed=seed_of(self._settings.seed, attempt.id, turn) if turn else attempt.seed,
                    stop=self._stops,
                )
                for group, attempt, prompts in alive
            ]
            completions = self._engine.call(
                "generate",
                requests,
                weights,
                deadline_s=self._settings.engine.deadline_s,
                reason=f"{len(requests)} answers of round {groups[0].round}",
            )
            for (group, attempt, _), answer in zip(alive, completions, strict=True):
                if attempt.id in wanted:
                    # Rounded as the store rounds them, so that equal ones are equal to the last bit.
                    kept = unpack_logprobs(pack_logprobs(answer.logprobs))
                    ids = answer.token_ids[answer.prefilled :]
                    again = Sampled(ids=ids, logprobs=kept, text=answer.text)
                    stored = sampled_of(attempt)[turn]
                    found.append(_row(group, attempt, turn, stored, again))
        return found

    def _sampling(self, group: Group) -> Any:
        role = self._settings.solver if group.purpose is Purpose.COLLECT else self._settings.evaluation
        return role.sampling


def sampled_of(attempt: Attempt) -> list[Sampled]:
    """What was sampled for each answer of an attempt."""
    whole = Exchange(
        told=(), response=attempt.response, tokens=len(attempt.token_ids), prefilled=attempt.prefilled
    )
    found, ids, logprobs = [], 0, 0
    for one in attempt.exchanges or (whole,):
        count = one.tokens - one.prefilled
        found.append(
            Sampled(
                ids=attempt.token_ids[ids + one.prefilled : ids + one.tokens],
                logprobs=attempt.logprobs[logprobs : logprobs + count],
                text=one.response,
            )
        )
        ids, logprobs = ids + one.tokens, logprobs + count
    return found


def _row(group: Group, attempt: Attempt, turn: int, stored: Sampled, again: Sampled) -> Row:
    compared: Compared = compare(stored, again)
    there, now = parting(stored.text, again.text)
    return {
        "attempt_id": attempt.id,
        "answer": turn,
        "round": group.round,
        "policy_version": group.policy_version,
        "differs": not compared.same,
        "tokens": compared.tokens,
        "equal": compared.equal,
        "first": compared.first,
        "logprob_mean": mean(compared.differences),
        "logprob_max": max(compared.differences, default=0.0),
        "stored": there,
        "again": now,
        "compared": len(compared.differences),
    }


def _differing(found: Sequence[Row]) -> bool:
    return any(one["differs"] for one in found)


def _counts(found: Sequence[Row]) -> dict[str, Any]:
    tokens, equal = sum(one["tokens"] for one in found), sum(one["equal"] for one in found)
    compared = sum(one["compared"] for one in found)
    return {
        "attempts": len({one["attempt_id"] for one in found}),
        "answers": len(found),
        "identical": sum(not one["differs"] for one in found),
        "tokens_differ": sum(one["first"] is not None for one in found),
        "logprobs_differ": sum(one["differs"] and one["first"] is None for one in found),
        "tokens": tokens,
        "equal_tokens": equal,
        "equal_share": equal / tokens if tokens else 1.0,
        "logprob_mean": sum(one["logprob_mean"] * one["compared"] for one in found) / (compared or 1),
        "logprob_max": max((one["logprob_max"] for one in found), default=0.0),
    }
