"""Compare: any number of runs of the folder, ladders included: curves, tests paired by task, settings."""

from typing import Any

import streamlit as st

from memory import profiles
from memory.comparing import over_seeds
from protocols.errors import TaskspaceError
from ui import blocks, charts_compare, queries_runs, runs
from ui.safe import line

_MOST = 24  # runs at once: beyond, hues, dashes and marks repeat
_RUNS = "runs"
_TABLE = {
    "name": st.column_config.TextColumn("run", width="medium"),
    "runs": st.column_config.NumberColumn("runs", width=50),
    "version": st.column_config.TextColumn("version", width=65),
    "tasks": st.column_config.NumberColumn("tasks", width=55),
    "accuracy": st.column_config.NumberColumn("closed book", format="%.1f %%", width=95),
    "interval": st.column_config.TextColumn("95 % over tasks", width=125),
    "spread": st.column_config.TextColumn("95 % over seeds", width=125),
    "difference": st.column_config.TextColumn("against the reference", width=150),
    "moved": st.column_config.TextColumn("95 %, paired", width=140),
    "better": st.column_config.NumberColumn("tasks better", width=90),
    "worse": st.column_config.NumberColumn("tasks worse", width=90),
    "p": st.column_config.TextColumn("p", width=75),
    "adjusted": st.column_config.TextColumn("p, Holm", width=75),
    "test": st.column_config.TextColumn("test", width=120),
}
_HELP = """Held-out tasks, closed book, in the newest evaluation of each run. Intervals are Wilson's over
tasks, and Student's over seeds. Differences are paired: the same tasks under both. p is McNemar's exact one
where each task was right or wrong, else by random signs; Holm's p takes into account how many runs are
compared at once."""


@blocks.calmly
def compare() -> None:
    found = runs.find_runs(runs.runs_dir())
    asked = st.query_params.get_all(_RUNS)
    chosen = st.multiselect(
        "Runs",
        list(found),
        key=_RUNS,
        bind="query-params",
        max_selections=_MOST,
        placeholder="choose runs; type to search, or take all that match",
    )
    missing = [name for name in asked if name not in found]
    if missing:
        blocks.calm("Not every run of this address is here.", f"no run {', '.join(missing[:8])}")
    if not chosen:
        blocks.calm(
            "Choose the runs to compare.",
            "Runs of a ladder lie in its folder, as in sebench-laptop/closed-sft-seed1: type its name above.",
        )
        return
    read, unread = {}, []
    for name in chosen:
        try:
            read[name] = queries_runs.profile(found[name])
        except TaskspaceError as error:
            unread.append(str(error))
    if unread:
        blocks.calm("Some of these runs cannot be read now.", "\n".join(unread))
    if not read:
        return
    seeds = st.toggle(
        "Seeds together",
        key="seeds",
        bind="query-params",
        help="Runs whose settings differ in the seed only count as one: their mean, and how far apart.",
    )
    names = {name: [name] for name in read}
    if seeds:
        names = profiles.alike({name: one.config for name, one in read.items()})
    _curves(read, names)
    _tests(read, names)
    _settings(read)


def _curves(read: dict[str, profiles.Profile], names: dict[str, list[str]]) -> None:
    with st.container(horizontal=True):
        curve = st.segmented_control(
            "Curve",
            list(profiles.CURVES),
            default="closed book",
            required=True,
            key="curve",
            bind="query-params",
        )
        over = st.segmented_control(
            "Over", list(profiles.OVER), default="version", required=True, key="over", bind="query-params"
        )
    curve, over = curve or "closed book", over or "version"
    drawn = {
        label: [read[name].curves[curve] for name in several if read[name].curves[curve]]
        for label, several in names.items()
    }
    drawn = {label: several for label, several in drawn.items() if several}
    st.subheader(profiles.CURVES[curve].capitalize())
    if not drawn:
        st.caption("None of these runs has it yet.")
        return
    if without := len(names) - len(drawn):
        st.caption(f"{without} of them {'have' if without > 1 else 'has'} none yet.")
    if any(len(several) > 1 for several in drawn.values()) and over != "tokens":
        st.caption("Lines are means over seeds; bands reach from the lowest to the highest.")
    blocks.figure(charts_compare.curves(drawn, over, curve != "loss"), "compare curves", f"{curve} by {over}")


def _tests(read: dict[str, profiles.Profile], names: dict[str, list[str]]) -> None:
    st.subheader("Held-out tasks", help=_HELP)
    held_out = {
        label: profiles.together([read[name].held_out for name in several])
        for label, several in names.items()
    }
    reference = next(iter(names))
    if len(names) > 1:
        asked = st.selectbox(
            "Reference",
            list(names),
            key="reference",
            bind="query-params",
            help="What the others are tested against. The first one, if none is chosen.",
        )
        reference = asked if asked in names else reference
    found = profiles.compared(held_out, reference)
    rows = [_row(label, [read[n] for n in names[label]], told) for label, told in found.items()]
    blocks.table(rows, {k: v for k, v in _TABLE.items() if any(row.get(k) is not None for row in rows)})
    apart = [n for n, told in found.items() if told and told.against is None and n != reference]
    if apart and held_out[reference]:
        st.caption("Where nothing stands beside the reference, the two share no held-out task.")


def _row(label: str, several: list[profiles.Profile], told: profiles.Compared | None) -> dict[str, Any]:
    versions = {one.version for one in several if one.version is not None}
    row: dict[str, Any] = {"name": label, "version": ", ".join(map(str, sorted(versions))) or None}
    if len(several) > 1:
        row["runs"] = len(several)
        means = [sum(one.held_out.values()) / len(one.held_out) for one in several if one.held_out]
        spread = over_seeds(means)
        row["spread"] = None if spread is None else _range(max(0.0, spread[0]), min(1.0, spread[1]))
    if told is None:
        return row
    row |= {"tasks": told.tasks, "accuracy": 100 * told.accuracy, "interval": _range(told.low, told.high)}
    if told.against is not None:
        test = told.against
        row |= {
            "difference": f"{100 * test.difference:+.1f} points",
            "moved": f"{100 * test.low:+.1f} to {100 * test.high:+.1f}",
            "better": test.second_better,
            "worse": test.first_better,
            "p": _p(test.p),
            "adjusted": None if told.p_adjusted is None else _p(told.p_adjusted),
            "test": test.test,
        }
    return row


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _settings(read: dict[str, profiles.Profile]) -> None:
    st.subheader("Settings that differ")
    if len(read) < 2:
        st.caption("There is only one run.")
        return
    rows = profiles.differences({name: one.config for name, one in read.items()})
    if not rows:
        st.caption("None: the settings of these runs are the same.")
        return
    # Columns are numbered: names of folders are data, and a column's label is not the place for that.
    labels = {name: f"run {i}" for i, name in enumerate(read, 1)}
    st.text("\n".join(f"{label}: {line(name, 160)}" for name, label in labels.items()))
    blocks.table(
        ({"key": row["key"], **{labels[n]: v for n, v in row.items() if n != "key"}} for row in rows),
        {"key": st.column_config.TextColumn("setting", width="medium"), **{v: v for v in labels.values()}},
    )


st.title("Compare")
compare()
