"""Runs: every run of the folder in one table, newest first; choosing one shows it, several compare."""

import streamlit as st

from ui import blocks, queries_runs, runs

_SHOWN = 200  # runs read and listed at once
_COLUMNS = {
    "run": st.column_config.TextColumn("run", width="medium"),
    "at": st.column_config.DatetimeColumn("last written", format="YYYY-MM-DD HH:mm", width=130),
    "round": st.column_config.TextColumn("round", width=70),
    "version": st.column_config.NumberColumn("version", width=65),
    "before": st.column_config.NumberColumn("closed book before", format="%.1f %%", width=130),
    "after": st.column_config.NumberColumn("closed book newest", format="%.1f %%", width=130),
    "recipe": st.column_config.TextColumn("recipe", width=110),
    "seed": st.column_config.NumberColumn("seed", width=55),
    "attempts": st.column_config.NumberColumn("attempts", format="localized", width=80),
    "domain": st.column_config.TextColumn("domain", width=70),
    "model": st.column_config.TextColumn("model", width=160),
    "problem": st.column_config.TextColumn("cannot be read", width="large"),
}


@blocks.calmly
def overview() -> None:
    everything = runs.find_runs(runs.runs_dir())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        find = st.text_input("Search by name", key="find", bind="query-params")
        st.button("Look again", icon=":material/refresh:", help="Reads what was written since.")
    words = (find or "").lower().split()
    found = [name for name in everything if all(word in name.lower() for word in words)]
    if not found:
        blocks.calm("No run has such a name.", f"{find}: none of {len(everything):,} runs; search for less")
        return
    rows = [queries_runs.brief(name, everything[name]) for name in found[:_SHOWN]]
    more = f" of {len(found):,}; search to see others" if len(found) > _SHOWN else ""
    st.caption(
        f"{len(rows):,} runs{more}, the one written to last first. Choose one to see it, several to compare."
    )
    whole = {name: made for name, made in _COLUMNS.items() if name != "problem"}
    event = blocks.table(
        (_shown(row) for row in rows),
        _COLUMNS if any(row["problem"] for row in rows) else whole,
        height=min(720, 40 + 35 * len(rows)),
        key="runs table",
        on_select="rerun",
        selection_mode="multi-row",
    )
    chosen = [rows[i]["run"] for i in event.selection.rows if i < len(rows)]
    with st.container(horizontal=True):
        if len(chosen) == 1:
            st.page_link(
                "views/live.py",
                label="Show this run",
                icon=":material/monitoring:",
                query_params={runs.RUN_PARAM: chosen[0]},
            )
        if chosen:
            st.page_link(
                "views/compare.py",
                label=f"Compare these {len(chosen)}" if len(chosen) > 1 else "Compare this one",
                icon=":material/balance:",
                query_params={"runs": chosen},
            )


def _shown(row: queries_runs.Row) -> queries_runs.Row:
    shares = {k: None if row.get(k) is None else 100 * row[k] for k in ("before", "after")}
    return {**row, **shares, "at": blocks.when(row["written"])}


st.title("Runs")
overview()
