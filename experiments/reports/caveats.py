"""What a reader has to know before believing the numbers; the audit; what the runs were made with."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from experiments import lengths
from experiments.reports.document import Cell, Column, Section, Table, Text
from experiments.reports.reading import RunData
from memory.privacy import portable
from protocols.verdicts import errors_told, not_measured

MOST_FINDINGS, MOST_EVENTS = 20, 5


def section(runs: Sequence[RunData]) -> Section:
    """The caveats of every run; with several, each line names its run."""
    several = len(runs) > 1
    notes = [
        f"{run.name}: {line}" if several else line[:1].upper() + line[1:] for run in runs for line in of(run)
    ]
    seeds = {run.summary["seed"] for run in runs}
    if len(seeds) == 1:
        who = "All runs have" if several else "One run with"
        notes.append(f"{who} seed {seeds.pop()}: what another seed gives is not known.")
    return Section(title="Caveats", notes=tuple(notes))


def of(run: RunData) -> Iterator[str]:
    """One run's caveats, each a sentence."""
    s, settings = run.summary, run.settings
    if not s["finished"]:
        yield f"not finished: {s['rounds']} of {settings.rounds} rounds were played."
    if s.get("error"):
        yield f"it ended with an error: {s['error']}"
    yield _measured(run)
    if settings.engine.kind == "scripted" or settings.model.name == "tiny-random":
        yield "answers came from a script or an untrained tiny model: they show that the loop works, no more."
    yield from _noise(run)
    errors = s["infra_errors"]
    if errors:
        unmeasured = sum(row["infra_errors"] for row in run.evaluations)
        yield (
            f"{errors:,} attempts have no verdict (infrastructure errors), {unmeasured:,} of them in "
            "measurements; no mean counts them."
        )
    yield from lengths.warnings(s.get("answers_cut", {}), settings)
    if s.get("prompts_without_room"):
        yield f"{s['prompts_without_room']:,} prompts left no room for an answer."
    if run.missing_weights:
        yield (
            f"weights of {_versions(run.missing_weights)} are no longer in the folder: "
            "they cannot be measured again."
        )
    if run.altered:
        yield "the store is not as it was played: " + "; ".join(run.altered) + "."
    yield from _alerts(run)
    weak = [layer for layer in s.get("sandbox", []) if layer.get("state") not in ("on", "", None)]
    if weak:
        yield "isolation layers that were not on: " + ", ".join(str(layer["name"]) for layer in weak) + "."
    yield from s.get("notices", [])


def _measured(run: RunData) -> str:
    closed = run.of_book("closed")
    if not closed:
        return "closed-book accuracy was not measured."
    last = closed[-1]
    if last["accuracy"] is None:
        why = not_measured(last["attempts"], last["categories"], last["infra_errors"])
        return f"closed-book accuracy of version {last['policy_version']}: {why}."
    samples = last["attempts"] / max(last["tasks"], 1)
    each = "one attempt" if samples == 1 else f"{samples:g} attempts"
    return (
        f"closed-book accuracy is of {last['tasks']:,} held-out tasks ({last['kind']}), {each} each, "
        f"measured at {len(closed)} versions"
        + errors_told(last["accuracy"], last["attempts"], last["categories"], last["infra_errors"])
        + "; intervals are over tasks and say nothing about other seeds."
    )


def _noise(run: RunData) -> Iterator[str]:
    verifier = run.settings.verifier
    if verifier.false_positive or verifier.false_negative or run.flipped:
        yield (
            f"noise was injected into verdicts (false positives {verifier.false_positive:g}, false negatives "
            f"{verifier.false_negative:g}): {run.flipped:,} rewards were turned round."
        )
    noise = run.summary["proposal_noise"]
    if noise["wrong"]:
        yield f"{noise['wrong']:,} of {noise['known']:,} accepted references differ from the truth."


def _alerts(run: RunData) -> Iterator[str]:
    for alert in run.alerts:
        yield f"{alert.what} {alert.where[:1].upper()}{alert.where[1:]}."
    if run.trouble:
        told = "; ".join(f"round {e['round']}: {e['message']}" for e in run.trouble[-MOST_EVENTS:])
        yield f"{len(run.trouble):,} warnings or errors on the way, the last: {told}"


def _versions(versions: Sequence[int]) -> str:
    if len(versions) == 1:
        return f"version {versions[0]}"
    if list(versions) == list(range(versions[0], versions[-1] + 1)):
        return f"versions {versions[0]} to {versions[-1]}"
    return "versions " + ", ".join(map(str, versions))


def audits(runs: Sequence[RunData]) -> Section:
    """What `taskspace audit` says of each run."""
    rows: list[tuple[Cell, ...]] = []
    found: list[tuple[Cell, ...]] = []
    notes = []
    for run in runs:
        audit = run.audit
        if isinstance(audit, str):
            notes.append(f"{run.name}: not audited: {audit}")
            continue
        rows.append((run.name, audit.prompts, audit.learned_prompts, audit.rewards, len(audit.findings)))
        found += [(run.name, f.kind, f.id, f.detail) for f in audit.findings[:MOST_FINDINGS]]
        if len(audit.findings) > MOST_FINDINGS:
            notes.append(
                f"{run.name}: the first {MOST_FINDINGS} of {len(audit.findings):,} findings are listed."
            )
    if rows:
        notes.append(
            "Every closed-book prompt was searched for names and sentences of the documentation, and every "
            "verified attempt for a traced call of the package; a finding is one that fails."
        )
    columns = (
        Column(name="run"),
        Column(name="closed prompts played", kind="count"),
        Column(name="learned on", kind="count"),
        Column(name="rewards", kind="count"),
        Column(name="findings", kind="count"),
    )
    tables = [Table(title="Audit", columns=columns, rows=tuple(rows))] if rows else []
    if found:
        names = ("run", "kind", "id", "detail")
        tables.append(
            Table(title="Findings", columns=tuple(Column(name=n) for n in names), rows=tuple(found))
        )
    return Section(title="Audit", notes=tuple(notes), parts=tuple(tables))


def machine(runs: Sequence[RunData]) -> Section:
    """Versions, machine and isolation layers: a row a fact, a column a run."""
    told = [_facts(run.summary) for run in runs]
    keys = list(dict.fromkeys(key for facts in told for key in facts))
    rows = tuple((key, *(facts.get(key) for facts in told)) for key in keys)
    columns = (Column(name="what"), *(Column(name=run.name) for run in runs))
    return Section(title="Machine and versions", parts=(Table(title="Machine", columns=columns, rows=rows),))


def _facts(summary: dict[str, Any]) -> dict[str, str]:
    facts = {"engine": summary["engine"], "runtime": summary["runtime"]}
    facts |= {**summary["machine"], "peak memory, MB": f"{summary['peak_memory_mb']:.0f}"}
    facts |= summary["versions"]
    for layer in summary["sandbox"]:
        facts[f"sandbox: {layer['name']}"] = " ".join(f"{layer['state']} {layer['reason']}".split())
    return {key: str(value) for key, value in facts.items()}


def settings(runs: Sequence[RunData]) -> Section:
    """The resolved settings of each run; of paths the last name only, as a report goes elsewhere."""
    texts = [
        Text(
            title=run.name,
            body=yaml.safe_dump(
                portable(run.settings.model_dump(mode="json")), sort_keys=False, allow_unicode=True
            ),
            folded=len(runs) > 1,
        )
        for run in runs
    ]
    return Section(title="Settings", parts=tuple(texts))
